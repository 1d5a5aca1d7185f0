import Foundation

/// What is known of the place standard output goes to.
enum Screen {
  static let isTerminal = isatty(STDOUT_FILENO) == 1

  /// Colour helps people at a terminal and hurts everything else (no-color.org).
  static let usesColour: Bool = {
    let environment = ProcessInfo.processInfo.environment
    return isTerminal && (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb"
  }()

  /// Columns of the terminal; 100 where there is none.
  static let width: Int = {
    var size = winsize()
    guard isTerminal, ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 100 }
    return max(40, Int(size.ws_col))
  }()

  static func bold(_ text: String) -> String { styled(text, "1") }
  static func faint(_ text: String) -> String { styled(text, "2") }
  static func red(_ text: String) -> String { styled(text, "31") }
  static func green(_ text: String) -> String { styled(text, "32") }
  static func yellow(_ text: String) -> String { styled(text, "33") }
  static func cyan(_ text: String) -> String { styled(text, "36") }

  private static func styled(_ text: String, _ code: String) -> String {
    usesColour && !text.isEmpty ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
  }

  /// Text out of a file, safe to print: control characters could move the cursor or worse.
  static func printable(_ text: String, keepsLines: Bool = false) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar.properties.generalCategory {
      case .control where scalar == "\n" && keepsLines: result.unicodeScalars.append(scalar)
      case .control where scalar == "\n": result += "\\n"
      case .control where scalar == "\t": result += "  "
      // `format` holds the marks that reorder text; the joiner inside emoji is one as well, and harmless.
      case .format where scalar == "\u{200D}": result.unicodeScalars.append(scalar)
      case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate: result.unicodeScalars.append("\u{FFFD}")
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  /// Columns that `text` takes on a terminal.
  static func columns(_ text: String) -> Int { text.reduce(0) { $0 + columns($1) } }

  private static func columns(_ character: Character) -> Int {
    guard let first = character.unicodeScalars.first else { return 0 }
    if first.properties.generalCategory == .nonspacingMark { return 0 }
    if first.properties.isEmojiPresentation || character.unicodeScalars.contains("\u{FE0F}") { return 2 }
    // East Asian wide and full-width blocks.
    let wide: [ClosedRange<UInt32>] = [
      0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60,
    ]
    return wide.contains { $0.contains(first.value) } ? 2 : 1
  }

  /// Breaks `text` at spaces so that no line is wider than `width`; words that are wider are broken as well.
  static func wrapped(_ text: String, width: Int) -> [String] {
    text.split(separator: "\n", omittingEmptySubsequences: false).flatMap { wrappedLine(String($0), width: max(8, width)) }
  }

  private static func wrappedLine(_ text: String, width: Int) -> [String] {
    var lines: [String] = []
    var line = ""
    var used = 0
    func flush() {
      lines.append(line)
      line = ""
      used = 0
    }
    for word in text.split(separator: " ", omittingEmptySubsequences: true) {
      let size = columns(String(word))
      if used > 0, used + 1 + size > width { flush() }
      if used > 0 {
        line += " "
        used += 1
      }
      for character in word {
        let size = columns(character)
        if used + size > width { flush() }
        line.append(character)
        used += size
      }
    }
    if !line.isEmpty || lines.isEmpty { flush() }
    return lines
  }

  /// `text` in at most `width` columns, the middle left out: names of tensors differ at both ends.
  static func shortened(_ text: String, width: Int) -> String {
    guard columns(text) > width, width > 4 else { return text }
    let characters = Array(text)
    let head = (width - 1) / 2
    return String(characters.prefix(head)) + "…" + String(characters.suffix(width - 1 - head))
  }
}
