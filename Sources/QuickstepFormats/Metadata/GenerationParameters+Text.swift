extension GenerationParameters {
  private static let exactPrompt = "Quickstep prompt"
  private static let exactNegativePrompt = "Quickstep negative prompt"
  private static let negativeLabel = "Negative prompt:"
  // The web UI takes the last line for parameters only when it finds at least three.
  private static let fewestFields = 3

  /// The text to store.
  /// - Throws: `FormatError` when there are fewer than three fields (readers would take their line for a part of the prompt), or for a
  ///   field name that is not a letter or digit followed by letters, digits, spaces, `-` or `/`.
  public func text() throws -> String {
    guard fields.count >= Self.fewestFields else {
      throw FormatError(Self.key, "\(fields.count) fields; readers of this form need at least \(Self.fewestFields)")
    }
    for field in fields {
      guard Self.isName(Array(field.name.unicodeScalars)) else {
        throw FormatError(Self.key, "\(JSONValue.quoted(field.name)) cannot name a field")
      }
      guard field.name != Self.exactPrompt, field.name != Self.exactNegativePrompt else {
        throw FormatError(Self.key, "the field \(field.name) is reserved")
      }
    }
    let plain = assembled(extra: [])
    let read = GenerationParameters(parsing: plain)
    if read == self { return plain }
    return assembled(extra: [Field(Self.exactPrompt, prompt), Field(Self.exactNegativePrompt, negativePrompt)])
  }

  private func assembled(extra: [Field]) -> String {
    var lines = [prompt]
    if !negativePrompt.isEmpty { lines.append(Self.negativeLabel + " " + negativePrompt) }
    lines.append((fields + extra).map { "\($0.name): \(Self.quotedIfNeeded($0.value))" }.joined(separator: ", "))
    return lines.joined(separator: "\n")
  }

  /// JSON quotes for what would not be read back as it is.
  private static func quotedIfNeeded(_ value: String) -> String {
    let scalars = value.unicodeScalars
    let special = scalars.contains { $0 == "," || $0 == ":" || $0 == "\n" || $0.value < 0x20 }
    let outer = scalars.first.map { isSpace($0) || $0 == "\"" } ?? false || scalars.last.map { isSpace($0) } ?? false
    return special || outer ? JSONValue.quoted(value) : value
  }

  /// Reads the text of any program that writes this form. Never fails: what is not understood belongs to the prompt.
  public init(parsing text: String) {
    var lines = Self.trimmed(Substring(text).unicodeScalars).split(separator: "\n", omittingEmptySubsequences: false).map { $0 }
    var fields: [Field] = []
    if let last = lines.last {
      let found = Self.fields(in: Array(last))
      if found.count >= Self.fewestFields {
        fields = found
        lines.removeLast()
      }
    }
    var parts: (prompt: [String], negative: [String]) = ([], [])
    var isNegative = false
    for line in lines {
      var content = String(Self.trimmed(line))
      if content.utf8.starts(with: Self.negativeLabel.utf8) {
        isNegative = true
        content = String(Self.trimmed(Substring(content.unicodeScalars.dropFirst(Self.negativeLabel.utf8.count)).unicodeScalars))
      }
      if isNegative { parts.negative.append(content) } else { parts.prompt.append(content) }
    }
    prompt = parts.prompt.joined(separator: "\n")
    negativePrompt = parts.negative.joined(separator: "\n")
    self.fields = fields
    if let exact = self[Self.exactPrompt] { prompt = exact }
    if let exact = self[Self.exactNegativePrompt] { negativePrompt = exact }
    self[Self.exactPrompt] = nil
    self[Self.exactNegativePrompt] = nil
  }

  /// Finds `name: value` pairs separated by commas. Text that is no pair is passed over, up to the next comma.
  private static func fields(in line: [Unicode.Scalar]) -> [Field] {
    var result: [Field] = []
    var position = 0
    while position < line.count {
      guard let colon = line[position...].firstIndex(where: { $0 == ":" || $0 == "," }) else { break }
      let name = Array(trimmed(line[position..<colon]))
      guard line[colon] == ":", isName(name) else {
        position = colon + 1
        continue
      }
      let (value, end) = value(in: line, from: colon + 1)
      result.append(Field(text(name), value))
      position = end + 1
    }
    return result
  }

  /// The value that starts at `start`, and the index of the comma (or the end) after it.
  private static func value(in line: [Unicode.Scalar], from start: Int) -> (String, Int) {
    let first = line[start...].firstIndex { !isSpace($0) } ?? line.count
    if first < line.count, line[first] == "\"", let close = closingQuote(in: line, from: first + 1) {
      let end = line[(close + 1)...].firstIndex { !isSpace($0) } ?? line.count
      if end == line.count || line[end] == ",", let value = try? JSONValue(parsing: text(line[first...close])).string {
        return (value, end)
      }
    }
    let end = line[first...].firstIndex(of: ",") ?? line.count
    return (text(trimmed(line[first..<end])), end)
  }

  private static func closingQuote(in line: [Unicode.Scalar], from start: Int) -> Int? {
    var index = start
    while index < line.count {
      if line[index] == "\"" { return index }
      index += line[index] == "\\" ? 2 : 1
    }
    return nil
  }

  private static func isName(_ name: [Unicode.Scalar]) -> Bool {
    let isWord = { (scalar: Unicode.Scalar) in
      scalar == "_" || scalar.properties.isAlphabetic || scalar.properties.numericType != nil
    }
    guard name.count >= 2, let first = name.first, let last = name.last, isWord(first), !isSpace(last) else { return false }
    return name.allSatisfy { isWord($0) || $0 == " " || $0 == "-" || $0 == "/" }
  }

  private static func isSpace(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.isWhitespace }

  private static func trimmed<Scalars: BidirectionalCollection>(_ scalars: Scalars) -> Scalars.SubSequence
  where Scalars.Element == Unicode.Scalar {
    let start = scalars.firstIndex { !isSpace($0) } ?? scalars.endIndex
    let end = scalars.lastIndex { !isSpace($0) }.map { scalars.index(after: $0) } ?? start
    return scalars[start..<end]
  }

  private static func text(_ scalars: some Sequence<Unicode.Scalar>) -> String {
    var text = ""
    text.unicodeScalars.append(contentsOf: scalars)
    return text
  }
}
