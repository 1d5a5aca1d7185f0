/// What a tokenizer made of a text: the numbers a text encoder takes, and what the user should know about.
public struct Encoding: Sendable, Hashable {
  /// Token numbers; for tokenizers of fixed length, exactly that many.
  public var ids: [Int]
  /// True for tokens, false for padding; as long as `ids`.
  public var mask: [Bool]
  /// Words of the text that the vocabulary does not know, in order, as written there (after normalisation).
  public var unknownWords: [String]
  /// Words that did not fit the length and were left out, in order.
  public var truncatedWords: [String]

  /// - Parameters:
  ///   - ids: token numbers.
  ///   - mask: true for tokens, false for padding; as long as `ids`.
  ///   - unknownWords: words that the vocabulary does not know.
  ///   - truncatedWords: words that did not fit.
  public init(ids: [Int], mask: [Bool], unknownWords: [String] = [], truncatedWords: [String] = []) {
    self.ids = ids
    self.mask = mask
    self.unknownWords = unknownWords
    self.truncatedWords = truncatedWords
  }

  /// Number of tokens that are not padding.
  public var count: Int { mask.reduce(0) { $0 + ($1 ? 1 : 0) } }
}

/// Turns text into token numbers and back.
public protocol Tokenizer: Sendable {
  /// One more than the largest number that `encode` can give.
  var vocabularySize: Int { get }
  /// Length of every encoding; nil for tokenizers that do not pad.
  var length: Int? { get }
  /// Encodes a text, with the special tokens of the model and padding up to `length`. Never fails: what is not understood is reported
  /// in the result.
  func encode(_ text: String) -> Encoding
  /// The text of some tokens, as far as it can be told; special tokens that stand for no word are left out.
  func decode(_ ids: [Int]) -> String
}
