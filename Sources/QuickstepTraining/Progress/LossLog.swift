import Foundation
import QuickstepFormats

/// The loss curve of a run: a CSV that grows while it trains, and a picture of it.
struct LossLog {
  struct Row { var step: Int, loss: Double, learningRate: Double, gradientNorm: Double, seconds: Double }
  private let folder: String
  private(set) var rows: [Row] = []
  private static let header = "step,loss,learning_rate,gradient_norm,seconds"

  /// Continues the log of an interrupted run: rows beyond `step` are dropped, they will be made again.
  init(folder: String, continuingFrom step: Int) throws {
    self.folder = folder
    guard step > 0, let text = try? String(contentsOfFile: folder + "/loss.csv", encoding: .utf8) else { return }
    for line in text.split(separator: "\n").dropFirst() {
      let values = line.split(separator: ",").compactMap { Double($0) }
      // A damaged line is left out: the log is a by-product.
      if values.count == 5, let row = Int(exactly: values[0]), row <= step {
        rows.append(Row(step: row, loss: values[1], learningRate: values[2], gradientNorm: values[3], seconds: values[4]))
      }
    }
  }

  /// Time spent in earlier sessions.
  var secondsBefore: Double { rows.last?.seconds ?? 0 }

  mutating func append(_ row: Row) { rows.append(row) }

  func write() throws {
    let lines = rows.map { "\($0.step),\($0.loss),\($0.learningRate),\($0.gradientNorm),\(String(format: "%.2f", $0.seconds))" }
    try AtomicFile.write(Array(([Self.header] + lines).joined(separator: "\n").utf8) + [10], to: folder + "/loss.csv", makeFolder: true)
    guard rows.count >= 2 else { return }
    let plot = LinePlot(
      title: "Training loss", xLabel: "step", yLabel: "loss", isLogarithmic: true,
      series: [.init("loss", rows.map { (Double($0.step), $0.loss) }), .init("smoothed", smoothed())])
    try PNG.write(plot.image(), to: folder + "/loss.png")
  }

  private func smoothed() -> [(x: Double, y: Double)] {
    var average = rows.first?.loss ?? 0
    return rows.map { row in
      average += 0.05 * (row.loss - average)
      return (Double(row.step), average)
    }
  }
}
