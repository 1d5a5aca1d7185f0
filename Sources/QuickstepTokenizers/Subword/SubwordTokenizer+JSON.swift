/// What `tokenizer_config.json` and its like say besides the tokenizer itself.
struct TokenizerSettings: Sendable {
  var padding: String?
  var end: String?
  var unknown: String?
  var padsLeft = false
  var length: Int?
  var extraIDs = 100
  var addsPrefixSpace = false
}

extension SubwordTokenizer {
  /// From the content of a `tokenizer.json`.
  init(json: TokenFileValue, settings: TokenizerSettings) throws {
    let file = TokenFileReader(value: json, path: "")
    guard let model = file.part("model") else { throw TokenizerError("there is no 'model'") }
    var vocabulary = TokenVocabulary()
    var steps = Steps(model: try vocabulary.model(model))
    steps.normalizer = try file.part("normalizer").map(Normalizers.read)
    steps.preTokenizer = try file.part("pre_tokenizer").map(PreTokenizers.read)
    steps.decoder = try file.part("decoder").map(Decoders.read)
    let added = try Self.added(file, &vocabulary)
    steps.original = AddedTokens(added.filter { !$0.isNormalised })
    steps.normalised = AddedTokens(
      added.filter(\.isNormalised).map { token in
        var token = token
        if let normalizer = steps.normalizer { token.content = normalizer(token.content) }
        return token
      })
    var frame = try Template.read(file.part("post_processor"), vocabulary)
    frame.hidden = Set(added.filter(\.isSpecial).map(\.id))
    frame.padding = try vocabulary.padding(settings)
    frame.padsLeft = settings.padsLeft
    try self.init(steps: steps, frame: frame, texts: vocabulary.texts, length: settings.length)
  }

  private static func added(_ file: TokenFileReader, _ vocabulary: inout TokenVocabulary) throws -> [AddedTokens.Token] {
    guard file.value["added_tokens"] != nil else { return [] }
    return try file.items("added_tokens").map { entry in
      guard let content = entry.value["content"]?.bytes, !content.isEmpty else { throw entry.error("'content' is missing or empty") }
      let token = AddedTokens.Token(
        content: content.scalars, id: try entry.integer("id"), isSingleWord: try entry.flag("single_word", false),
        stripsLeft: try entry.flag("lstrip", false), stripsRight: try entry.flag("rstrip", false),
        isNormalised: try entry.flag("normalized", true), isSpecial: try entry.flag("special", false))
      if let id = vocabulary[content], id != token.id {
        throw entry.error("'\(token.content.string.prefix(40))' has the number \(token.id) here and \(id) in the vocabulary")
      }
      try vocabulary.add(content, token.id)
      return token
    }
  }
}

/// Texts and numbers of all tokens of a file.
struct TokenVocabulary {
  private var numbers: [[UInt8]: Int] = [:]
  private(set) var texts: [Int: [Unicode.Scalar]] = [:]

  subscript(_ token: [UInt8]) -> Int? { numbers[token] }

  mutating func add(_ token: [UInt8], _ id: Int) throws {
    guard (0..<1 << 24).contains(id) else {
      throw TokenizerError("'\(String(decoding: token.prefix(40), as: UTF8.self))' has the number \(id); allowed: 0…\(1 << 24 - 1)")
    }
    numbers[token] = id
    texts[id] = token.scalars
  }

  /// The number that fills encodings: that of the token the settings name, or of the usual names, or 0.
  func padding(_ settings: TokenizerSettings) throws -> Int {
    if let name = settings.padding {
      guard let id = numbers[Array(name.utf8)] else {
        throw TokenizerError("the padding token '\(name.prefix(40))' is not in the vocabulary")
      }
      return id
    }
    return numbers[Array("<pad>".utf8)] ?? 0
  }

  /// The `model` of a `tokenizer.json`.
  mutating func model(_ reader: TokenFileReader) throws -> any SubwordModel {
    // Older files leave the type out.
    let type = reader.value["type"]?.text ?? (reader.value["merges"] != nil ? "BPE" : reader.value["unk_id"] != nil ? "Unigram" : "")
    switch type {
    case "Unigram": return try unigram(reader)
    case "BPE": return try pairs(reader)
    default: throw reader.error("the type '\(type.prefix(60))' is not supported; supported: BPE, Unigram")
    }
  }

  private mutating func unigram(_ reader: TokenFileReader) throws -> UnigramModel {
    guard let entries = reader.value["vocab"]?.array, !entries.isEmpty else { throw reader.error("'vocab' is missing or no list") }
    var pieces: [(text: [UInt8]?, score: Double)] = []
    for (id, entry) in entries.enumerated() {
      guard let pair = entry.array, pair.count == 2, let text = pair[0].bytes, let score = pair[1].number else {
        throw reader.error("entry \(id) of 'vocab' is not a text with a score")
      }
      pieces.append((text, score))
      try add(text, id)
    }
    let bytes = try reader.flag("byte_fallback", false) ? ByteTokens.ids { numbers[$0] } : nil
    return try UnigramModel(
      pieces: pieces, unknownID: try reader.integer("unk_id"), least: pieces.reduce(.infinity) { min($0, $1.score) }, byteIDs: bytes,
      precision: .double)
  }

  private mutating func pairs(_ reader: TokenFileReader) throws -> BytePairModel {
    guard let members = reader.value["vocab"]?.members else { throw reader.error("'vocab' is missing or no object") }
    try addAll(members, reader.path)
    guard let merges = reader.value["merges"]?.array else { throw reader.error("'merges' is missing or no list") }
    if let prefix = reader.value["continuing_subword_prefix"]?.text, !prefix.isEmpty {
      throw reader.error("'continuing_subword_prefix' is '\(prefix.prefix(20))', which is not supported")
    }
    var options = BytePairModel.Options()
    options.unknown = reader.value["unk_token"]?.bytes
    options.fusesUnknown = try reader.flag("fuse_unk", false)
    options.hasByteFallback = try reader.flag("byte_fallback", false)
    options.ignoresMerges = try reader.flag("ignore_merges", false)
    options.wordEnd = reader.value["end_of_word_suffix"]?.bytes ?? []
    return try BytePairModel(vocabulary: numbers, merges: try Self.merges(merges, reader.path), options: options)
  }

  /// The members of a vocabulary: texts with numbers.
  mutating func addAll(_ members: [(key: [UInt8], value: TokenFileValue)], _ place: String) throws {
    for (token, value) in members {
      guard let id = value.integer else {
        throw TokenizerError("\(place): '\(String(decoding: token.prefix(40), as: UTF8.self))' has no whole number")
      }
      try add(token, id)
    }
  }

  /// Two tokens with one space between them.
  static func pair(_ line: ArraySlice<UInt8>, _ place: String) throws -> ([UInt8], [UInt8]) {
    let parts = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
    guard parts.count == 2 else {
      throw TokenizerError("\(place): '\(String(decoding: line.prefix(40), as: UTF8.self))' is not a pair")
    }
    return (Array(parts[0]), Array(parts[1]))
  }

  /// Merges in either spelling: a text with a space, or two texts.
  static func merges(_ entries: [TokenFileValue], _ place: String) throws -> [([UInt8], [UInt8])] {
    try entries.enumerated().map { rank, entry in
      if let text = entry.bytes { return try pair(text[...], "\(place): merge \(rank)") }
      guard let parts = entry.array?.map(\.bytes), parts.count == 2, let left = parts[0], let right = parts[1] else {
        throw TokenizerError("\(place): merge \(rank) is not a pair")
      }
      return (left, right)
    }
  }

  /// All numbers by text, for models made without a `tokenizer.json`.
  var all: [[UInt8]: Int] { numbers }
}

/// What a `post_processor` puts around a text.
enum Template {
  typealias Frame = SubwordTokenizer.Frame

  private static let kinds: [String: @Sendable (TokenFileReader) throws -> Frame] = [
    // Concerns places in the text only.
    "ByteLevel": { _ in Frame() },
    "BertProcessing": classAndSeparator,
    "RobertaProcessing": classAndSeparator,
    "Sequence": { reader in
      try reader.items("processors").map(read).reduce(Frame()) { Frame(prefix: $1.prefix + $0.prefix, suffix: $0.suffix + $1.suffix) }
    },
    "TemplateProcessing": template,
  ]

  /// - Parameter vocabulary: where numbers are checked.
  static func read(_ reader: TokenFileReader?, _ vocabulary: TokenVocabulary) throws -> Frame {
    guard let reader else { return Frame() }
    let frame = try read(reader)
    if let unknown = (frame.prefix + frame.suffix).first(where: { vocabulary.texts[$0] == nil }) {
      throw reader.error("puts the number \(unknown) around texts, which is no token")
    }
    return frame
  }

  private static func read(_ reader: TokenFileReader) throws -> Frame { try reader.kind(of: kinds)(reader) }

  private static func classAndSeparator(_ reader: TokenFileReader) throws -> Frame {
    func id(_ name: String) throws -> Int {
      guard let pair = reader.value[name]?.array, pair.count == 2, let id = pair[1].integer else {
        throw reader.error("'\(name)' is not a token with its number")
      }
      return id
    }
    return Frame(prefix: [try id("cls")], suffix: [try id("sep")])
  }

  private static func template(_ reader: TokenFileReader) throws -> Frame {
    var frame = Frame()
    var isBehind = false
    for item in try reader.items("single") {
      if item.part("Sequence") != nil {
        guard !isBehind else { throw item.error("names the text twice") }
        isBehind = true
      } else if let special = item.part("SpecialToken") {
        let name = try special.text("id")
        guard let numbers = reader.part("special_tokens")?.value[name]?["ids"]?.array?.map(\.integer), !numbers.contains(nil) else {
          throw item.error("'special_tokens' has no numbers for '\(name.prefix(40))'")
        }
        if isBehind { frame.suffix += numbers.compactMap(\.self) } else { frame.prefix += numbers.compactMap(\.self) }
      } else {
        throw item.error("is neither 'Sequence' nor 'SpecialToken'")
      }
    }
    return frame
  }
}
