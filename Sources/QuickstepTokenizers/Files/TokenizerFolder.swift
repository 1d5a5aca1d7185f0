import Foundation

/// The files of a tokenizer folder.
struct TokenizerFolder {
  let path: String
  /// Far more than the largest published tokenizer.
  private static let largestFile = 256 << 20

  init(_ path: String) { self.path = path }

  /// The bytes of a file, or nil when there is no such file.
  func bytes(_ name: String) throws -> [UInt8]? {
    let file = path + "/" + name
    guard FileManager.default.fileExists(atPath: file) else { return nil }
    do {
      let data = try Data(contentsOf: URL(fileURLWithPath: file), options: .mappedIfSafe)
      guard data.count <= Self.largestFile else {
        throw TokenizerError("\(name) has \(data.count) bytes; allowed: at most \(Self.largestFile)")
      }
      return Array(data)
    } catch let error as TokenizerError { throw error } catch { throw TokenizerError("\(name) cannot be read: \(error)") }
  }

  /// A JSON object, or nil when there is no such file.
  func object(_ name: String) throws -> TokenFileValue? {
    guard let bytes = try bytes(name) else { return nil }
    do {
      let value = try TokenFileParser.parse(bytes)
      guard value.members != nil else { throw TokenizerError("is no JSON object") }
      return value
    } catch let error as TokenizerError { throw TokenizerError("\(name): \(error.description)") }
  }

  /// A special token: a text, or an object with the text as `content`.
  static func token(_ value: TokenFileValue?) -> String? { value?.text ?? value?["content"]?.text }

  /// What `special_tokens_map.json` and `tokenizer_config.json` say.
  func settings() throws -> TokenizerSettings {
    var result = TokenizerSettings()
    for file in ["special_tokens_map.json", "tokenizer_config.json"] {
      guard let object = try object(file) else { continue }
      result.padding = Self.token(object["pad_token"]) ?? result.padding
      result.end = Self.token(object["eos_token"]) ?? result.end
      result.unknown = Self.token(object["unk_token"]) ?? result.unknown
      result.padsLeft = object["padding_side"]?.text == "left"
      result.addsPrefixSpace = object["add_prefix_space"]?.flag ?? result.addsPrefixSpace
      if let count = object["extra_ids"]?.integer {
        guard (0...10_000).contains(count) else { throw TokenizerError("\(file): 'extra_ids' is \(count); allowed: 0…10000") }
        result.extraIDs = count
      }
      // Tokenizers without a limit say 1e30.
      if let limit = object["model_max_length"]?.number, limit >= 1, limit < 65536 { result.length = Int(limit) }
    }
    return result
  }

  /// Vocabulary and merges of byte pairs.
  func bytePairs() throws -> (vocabulary: [(key: [UInt8], value: TokenFileValue)], merges: [([UInt8], [UInt8])]) {
    if let vocabulary = try object("vocab.json")?.members, let merges = try bytes("merges.txt") {
      let lines = merges.split { $0 == 0x0A || $0 == 0x0D }.filter { !$0.starts(with: "#version".utf8) }
      return (vocabulary, try lines.map { try TokenVocabulary.pair($0, "merges.txt") })
    }
    guard let whole = try object("tokenizer.json") else {
      throw TokenizerError("holds neither vocab.json with merges.txt nor tokenizer.json")
    }
    guard let vocabulary = whole["model"]?["vocab"]?.members, let merges = whole["model"]?["merges"]?.array else {
      throw TokenizerError("tokenizer.json has no byte-pair model with 'vocab' and 'merges'")
    }
    return (vocabulary, try TokenVocabulary.merges(merges, "tokenizer.json"))
  }
}

extension SubwordTokenizer {
  /// Reads a tokenizer folder: `tokenizer.json`, or else `spiece.model`, or else `vocab.json` with `merges.txt` (GPT-2's way), with what
  /// `tokenizer_config.json` and `special_tokens_map.json` say of padding and length.
  /// - Throws: ``TokenizerError`` that names folder, file and member.
  public init(folder: String) throws {
    let files = TokenizerFolder(folder)
    do {
      let settings = try files.settings()
      if let json = try files.object("tokenizer.json") {
        self = try Self.inFile("tokenizer.json") { try SubwordTokenizer(json: json, settings: settings) }
      } else if let name = try ["spiece.model", "tokenizer.model"].first(where: { try files.bytes($0) != nil }),
        let bytes = try files.bytes(name)
      {
        self = try Self.inFile(name) { try SubwordTokenizer(sentencePieces: bytes, settings: settings) }
      } else if try files.bytes("vocab.json") != nil, try files.bytes("merges.txt") != nil {
        let (vocabulary, merges) = try files.bytePairs()
        self = try SubwordTokenizer(vocabulary: vocabulary, merges: merges, settings: settings)
      } else {
        throw TokenizerError("holds neither tokenizer.json nor spiece.model nor vocab.json with merges.txt")
      }
    } catch let error as TokenizerError {
      throw TokenizerError("\(folder): \(error.description)")
    }
  }

  private static func inFile(_ name: String, _ body: () throws -> SubwordTokenizer) throws -> SubwordTokenizer {
    do { return try body() } catch let error as TokenizerError { throw TokenizerError("\(name): \(error.description)") }
  }

  /// GPT-2's way: its pattern, letters for bytes, nothing around a text.
  private init(
    vocabulary members: [(key: [UInt8], value: TokenFileValue)], merges: [([UInt8], [UInt8])], settings: TokenizerSettings
  ) throws {
    var vocabulary = TokenVocabulary()
    try vocabulary.addAll(members, "vocab.json")
    let end = AddedTokens.Token(content: Array((settings.end ?? "<|endoftext|>").unicodeScalars), id: 0, isSpecial: true)
    let specials = vocabulary[end.content.utf8Bytes].map { id in
      var token = end
      token.id = id
      return [token]
    }
    let steps = Steps(
      original: AddedTokens(specials ?? []),
      preTokenizer: ByteLevelSplit(addsSpace: settings.addsPrefixSpace, pattern: try ScalarPattern(ByteLevelSplit.words)),
      model: try BytePairModel(vocabulary: vocabulary.all, merges: merges, options: .init()), decoder: ByteLevelDecoder())
    let frame = Frame(padding: try vocabulary.padding(settings), padsLeft: settings.padsLeft, hidden: Set(specials?.map(\.id) ?? []))
    try self.init(steps: steps, frame: frame, texts: vocabulary.texts, length: settings.length)
  }
}
