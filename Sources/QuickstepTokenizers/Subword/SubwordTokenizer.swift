/// A tokenizer of a published model: T5's unigram pieces, the byte-level pairs of GPT-2, Qwen and Llama 3, Gemma's pairs with bytes for unknown
/// characters. Read from `tokenizer.json`, `spiece.model`, or `vocab.json` with `merges.txt`, with the numbers of the library that reads the
/// same file: `tokenizers`, or SentencePiece.
///
/// A text is cut at added tokens, normalised, cut into pieces and the pieces encoded by the model; what the file's template names is put
/// around. Kinds of letters and normal forms are those of the Unicode version of Swift's library; characters that are newer than the
/// reference's may be cut otherwise.
public struct SubwordTokenizer: Tokenizer {
  /// How the numbers of one text are surrounded and filled.
  struct Frame: Sendable {
    /// Numbers put before and after.
    var prefix: [Int] = [], suffix: [Int] = []
    /// What fills up to the length.
    var padding = 0
    var padsLeft = false
    /// Numbers that stand for no text.
    var hidden: Set<Int> = []
  }

  /// The steps of one tokenizer.
  struct Steps: Sendable {
    var original = AddedTokens([])
    var normalizer: (any TextNormalizer)?
    var normalised = AddedTokens([])
    var preTokenizer: (any PreTokenizer)?
    var model: any SubwordModel
    var decoder: (any TokenDecoder)?
  }

  private let steps: Steps
  private let frame: Frame
  private let texts: [Int: [Unicode.Scalar]]
  public let vocabularySize: Int
  /// Tokens per encoding; nil when encodings are as long as their texts.
  public let length: Int?

  init(steps: Steps, frame: Frame, texts: [Int: [Unicode.Scalar]], length: Int?) throws {
    if let length, !(max(1, frame.prefix.count + frame.suffix.count)...65536).contains(length) {
      throw TokenizerError("the length is \(length); allowed: \(max(1, frame.prefix.count + frame.suffix.count))…65536")
    }
    self.steps = steps
    self.frame = frame
    self.texts = texts
    self.length = length
    vocabularySize = (texts.keys.max() ?? -1) + 1
  }

  private init(_ other: SubwordTokenizer, length: Int?) throws {
    try self.init(steps: other.steps, frame: other.frame, texts: other.texts, length: length)
  }

  /// The same tokenizer with encodings of `length` tokens.
  /// - Throws: ``TokenizerError`` when the tokens that surround a text do not fit.
  public func padded(to length: Int?) throws -> SubwordTokenizer { try SubwordTokenizer(self, length: length) }

  /// The numbers of a text alone: neither surrounded, nor cut, nor filled.
  public func tokens(of text: String) -> [Int] {
    let whole = TextPiece(scalars: Array(text.unicodeScalars), isFirst: true)
    return steps.original.split(whole).flatMap { piece, id -> [Int] in
      if let id { return [id] }
      var piece = piece
      if let normalizer = steps.normalizer { piece.scalars = normalizer(piece.scalars) }
      return steps.normalised.split(piece).flatMap { piece, id -> [Int] in
        if let id { return [id] }
        let pieces = steps.preTokenizer?.split(piece) ?? [piece]
        return pieces.flatMap { $0.scalars.isEmpty ? [] : steps.model.encode($0.scalars) }
      }
    }
  }

  /// Words that did not fit are told as their tokens spell them.
  public func encode(_ text: String) -> Encoding {
    let tokens = tokens(of: text)
    guard let length else {
      let ids = frame.prefix + tokens + frame.suffix
      return Encoding(ids: ids, mask: ids.map { _ in true })
    }
    let room = length - frame.prefix.count - frame.suffix.count
    let ids = frame.prefix + tokens.prefix(room) + frame.suffix
    let padding = Array(repeating: frame.padding, count: length - ids.count)
    let left = decode(Array(tokens.dropFirst(room)))
    return Encoding(
      ids: frame.padsLeft ? padding + ids : ids + padding,
      mask: frame.padsLeft ? padding.map { _ in false } + ids.map { _ in true } : ids.map { _ in true } + padding.map { _ in false },
      truncatedWords: left.split(whereSeparator: \.isWhitespace).map(String.init))
  }

  public func decode(_ ids: [Int]) -> String {
    let tokens = ids.filter { !frame.hidden.contains($0) }.compactMap { texts[$0] }
    guard let decoder = steps.decoder else { return tokens.map(\.string).joined(separator: " ") }
    return decoder(tokens).joined().string
  }
}
