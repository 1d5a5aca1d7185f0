/// One object of a `tokenizer.json`, read member by member with errors that name it.
struct TokenFileReader: Sendable {
  let value: TokenFileValue
  /// Where it stands, such as `normalizer.normalizers.0`.
  let path: String

  func error(_ problem: String) -> TokenizerError { TokenizerError("\(path): \(problem)") }

  /// What this object's `type` stands for.
  func kind<Kind>(of kinds: [String: Kind]) throws -> Kind {
    let name = try text("type")
    guard let kind = kinds[name] else {
      throw error("the type '\(name.prefix(60))' is not supported; supported: \(kinds.keys.sorted().joined(separator: ", "))")
    }
    return kind
  }

  func text(_ name: String) throws -> String {
    guard let text = value[name]?.text else { throw error("'\(name)' is missing or no text") }
    return text
  }

  func optionalText(_ name: String, of allowed: [String]) throws -> String? {
    guard let member = value[name] else { return nil }
    guard let text = member.text, allowed.contains(text) else {
      throw error("'\(name)' is not one of \(allowed.joined(separator: ", "))")
    }
    return text
  }

  func flag(_ name: String, _ standard: Bool) throws -> Bool {
    guard let member = value[name] else { return standard }
    guard let flag = member.flag else { throw error("'\(name)' is neither true nor false") }
    return flag
  }

  func integer(_ name: String, _ standard: Int? = nil) throws -> Int {
    guard let member = value[name] else {
      guard let standard else { throw error("'\(name)' is missing") }
      return standard
    }
    guard let number = member.integer, (0...Int(UInt32.max)).contains(number) else { throw error("'\(name)' is no whole number from 0 up") }
    return number
  }

  /// The objects in a list.
  func items(_ name: String) throws -> [TokenFileReader] {
    guard let items = value[name]?.array else { throw error("'\(name)' is missing or no list") }
    return items.enumerated().map { TokenFileReader(value: $0.element, path: "\(path).\(name).\($0.offset)") }
  }

  /// An object in this one; nil when there is none.
  func part(_ name: String) -> TokenFileReader? {
    value[name].map { TokenFileReader(value: $0, path: path.isEmpty ? name : "\(path).\(name)") }
  }

  /// `pattern`: `{"String": …}` or `{"Regex": …}`.
  func pattern() throws -> ScalarPattern {
    guard let part = value["pattern"] else { throw error("'pattern' is missing") }
    if let text = part["Regex"]?.text {
      do { return try ScalarPattern(text) } catch let problem as TokenizerError { throw error(problem.description) }
    }
    guard let text = part["String"]?.text, !text.isEmpty else { throw error("'pattern' is neither 'String' nor 'Regex'") }
    return ScalarPattern(literal: text)
  }
}
