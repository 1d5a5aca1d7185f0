import Foundation

/// A line on standard error that rewrites itself on a terminal, and is printed now and then elsewhere.
struct ProgressLine {
  private let isTerminal = isatty(STDERR_FILENO) == 1
  private var lastPrinted = Date.distantPast

  /// Shows `text`. Off a terminal at most once per `interval` seconds.
  mutating func show(_ text: String, interval: Double = 30) {
    let now = Date()
    if isTerminal {
      write("\r\u{1B}[2K" + text)
    } else if now.timeIntervalSince(lastPrinted) >= interval {
      write(text + "\n")
      lastPrinted = now
    }
  }

  /// Removes the line on a terminal.
  func clear() { if isTerminal { write("\r\u{1B}[2K") } }

  private func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }

  /// `1:02:03`, `4:05`.
  static func duration(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds >= 0, seconds < 1e7 else { return "–" }
    let total = Int(seconds.rounded())
    let (hours, minutes, rest) = (total / 3600, total / 60 % 60, total % 60)
    return hours > 0 ? String(format: "%d:%02d:%02d", hours, minutes, rest) : String(format: "%d:%02d", minutes, rest)
  }

  /// `[█████·····]`.
  static func bar(_ fraction: Double, width: Int = 24) -> String {
    let filled = Int((min(1, max(0, fraction)) * Double(width)).rounded())
    return "[" + String(repeating: "█", count: filled) + String(repeating: "·", count: width - filled) + "]"
  }
}

/// Prints a line to standard error.
func note(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }
