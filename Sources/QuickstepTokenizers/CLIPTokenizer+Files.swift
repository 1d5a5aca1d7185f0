import Foundation

extension CLIPTokenizer {
  /// Reads a tokenizer folder as transformers writes it: `vocab.json` and `merges.txt`, or `tokenizer.json` alone, with what
  /// `tokenizer_config.json` or `special_tokens_map.json` say of length and special tokens.
  /// - Parameter padding: the token that fills up prompts; `nil` leaves it to the folder.
  /// - Throws: ``TokenizerError`` that names the file.
  public init(folder: String, padding: String? = nil) throws {
    let files = TokenizerFolder(folder)
    var special = SpecialTokens()
    var length = 77
    for file in ["special_tokens_map.json", "tokenizer_config.json"] {
      guard let settings = try files.object(file) else { continue }
      special.start = TokenizerFolder.token(settings["bos_token"]) ?? special.start
      special.end = TokenizerFolder.token(settings["eos_token"]) ?? special.end
      special.padding = TokenizerFolder.token(settings["pad_token"]) ?? special.padding
      // Tokenizers without a limit say 1e30.
      if let limit = settings["model_max_length"] as? Double, limit < 65536 { length = Int(limit) }
    }
    special.padding = padding ?? special.padding
    do {
      let (vocabulary, merges) = try files.bytePairs()
      try self.init(vocabulary: vocabulary, merges: merges, special: special, length: length)
    } catch let error as TokenizerError {
      throw TokenizerError("\(folder): \(error.description)")
    }
  }
}

/// The files of a tokenizer folder.
struct TokenizerFolder {
  let path: String

  init(_ path: String) { self.path = path }

  private func data(_ name: String) throws -> Data? {
    let file = path + "/" + name
    guard FileManager.default.fileExists(atPath: file) else { return nil }
    do { return try Data(contentsOf: URL(fileURLWithPath: file), options: .mappedIfSafe) } catch {
      throw TokenizerError("\(file) cannot be read: \(error)")
    }
  }

  /// A JSON object, or nil when there is no such file.
  func object(_ name: String) throws -> [String: Any]? {
    guard let data = try data(name) else { return nil }
    guard let object = try? JSONSerialization.jsonObject(with: data) as? [String: Any] else {
      throw TokenizerError("\(path)/\(name) is no JSON object")
    }
    return object
  }

  /// A special token: a text, or an object with the text as `content`.
  static func token(_ value: Any?) -> String? { value as? String ?? (value as? [String: Any])?["content"] as? String }

  /// Vocabulary and merges.
  func bytePairs() throws -> (vocabulary: [String: Int], merges: [(String, String)]) {
    if let vocabulary = try object("vocab.json"), let merges = try data("merges.txt") {
      let lines = String(decoding: merges, as: UTF8.self).split(whereSeparator: \.isNewline).filter { !$0.hasPrefix("#version") }
      return (try Self.numbers(vocabulary, "vocab.json"), try lines.map { try Self.pair(String($0), "merges.txt") })
    }
    guard let whole = try object("tokenizer.json") else {
      throw TokenizerError("holds neither vocab.json with merges.txt nor tokenizer.json")
    }
    guard let model = whole["model"] as? [String: Any], let vocabulary = model["vocab"] as? [String: Any],
      let merges = model["merges"] as? [Any]
    else { throw TokenizerError("tokenizer.json has no byte-pair model with 'vocab' and 'merges'") }
    return (
      try Self.numbers(vocabulary, "tokenizer.json"),
      try merges.map { entry in
        if let text = entry as? String { return try Self.pair(text, "tokenizer.json") }
        guard let parts = entry as? [String], parts.count == 2 else { throw TokenizerError("tokenizer.json: a merge is not a pair") }
        return (parts[0], parts[1])
      }
    )
  }

  private static func numbers(_ vocabulary: [String: Any], _ file: String) throws -> [String: Int] {
    guard let numbers = vocabulary as? [String: Int] else { throw TokenizerError("\(file): a token has no whole number") }
    return numbers
  }

  private static func pair(_ line: String, _ file: String) throws -> (String, String) {
    let parts = line.trimmingCharacters(in: .newlines).split(separator: " ", omittingEmptySubsequences: false)
    guard parts.count == 2 else { throw TokenizerError("\(file): '\(line.prefix(40))' is not a pair") }
    return (String(parts[0]), String(parts[1]))
  }
}
