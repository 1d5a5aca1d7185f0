import Foundation
import QuickstepFormats
import QuickstepPipelines
import QuickstepTensor
import Synchronization

/// Progress of a generation on a terminal: a bar with the time left and, if asked for, the forming picture.
final class GenerationDisplay: Sendable {
  private struct State {
    var line = ProgressLine()
    var start = Date()
    var previewRows = 0
  }
  private let state = Mutex(State())
  private let isQuiet: Bool
  private let showsPreview: Bool

  init(quiet: Bool, preview: Bool) {
    isQuiet = quiet || isatty(STDERR_FILENO) == 0
    showsPreview = preview
  }

  func show(_ progress: GenerationProgress) {
    guard !isQuiet || showsPreview else { return }
    state.withLock { state in
      if showsPreview { preview(progress, &state) }
      if !isQuiet {
        let batch = progress.denoised.size(0)
        let done = Double(progress.image) + Double(progress.step * batch) / Double(progress.stepCount)
        let fraction = done / Double(progress.imageCount)
        let left = Date().timeIntervalSince(state.start) * (1 - fraction) / max(fraction, 1e-9)
        let picture = progress.imageCount > 1 ? "picture \(min(progress.image + batch, progress.imageCount))/\(progress.imageCount)  " : ""
        state.line.show(
          "\(ProgressLine.bar(fraction)) \(picture)step \(progress.step)/\(progress.stepCount)  \(ProgressLine.duration(left)) left")
      }
    }
  }

  func finish() { state.withLock { if !isQuiet { $0.line.clear() } } }

  /// Draws over the previous picture. On a terminal every step, elsewhere only the last.
  private func preview(_ progress: GenerationProgress, _ state: inout State) {
    let isTerminal = isatty(STDERR_FILENO) == 1
    guard isTerminal || progress.step == progress.stepCount, progress.denoised.size(0) > 0,
      let picture = try? PixelImage(tensor: progress.denoised.select(0, index: 0))
    else { return }
    let rows = TerminalPicture.rows(picture)
    var text = ""
    if isTerminal, state.previewRows > 0 { text += "\r\u{1B}[2K\u{1B}[\(state.previewRows)A" }
    for row in rows { text += "\r\u{1B}[2K" + row + "\n" }
    state.previewRows = progress.step == progress.stepCount ? 0 : rows.count
    FileHandle.standardError.write(Data(text.utf8))
  }
}

/// A picture as coloured half blocks, two pixels per character cell.
enum TerminalPicture {
  static func rows(_ picture: PixelImage, columns: Int = 64) -> [String] {
    let step = max(1, (picture.width + columns - 1) / columns)
    func colour(_ x: Int, _ y: Int) -> String {
      guard y < picture.height else { return "0;0;0" }
      let index = (y * picture.width + x) * picture.channels
      return "\(picture.pixels[index]);\(picture.pixels[index + 1]);\(picture.pixels[index + 2])"
    }
    return stride(from: 0, to: picture.height, by: 2 * step).map { y in
      stride(from: 0, to: picture.width, by: step).map { x in
        "\u{1B}[38;2;\(colour(x, y))m\u{1B}[48;2;\(colour(x, y + step))m▀"
      }.joined() + "\u{1B}[0m"
    }
  }
}
