/// A SentencePiece model file (`spiece.model`): a message `ModelProto` of protocol buffers, as far as encoding needs it.
struct SentencePieceFile: Sendable {
  /// What a piece is.
  enum Kind: UInt64, Sendable {
    case normal = 1, unknown, control, userDefined, unused, byte
  }

  /// One entry of the vocabulary.
  struct Piece: Sendable {
    var text: [UInt8] = []
    var score: Float = 0
    var kind = Kind.normal
  }

  private(set) var pieces: [Piece] = []
  /// 1 is unigram, 2 byte pairs, 3 words, 4 characters.
  private var modelType: UInt64 = 1
  private(set) var hasByteFallback = false
  private(set) var marksBehind = false
  private(set) var endPiece = Array("</s>".utf8)
  private(set) var characterMap: [UInt8] = []
  private(set) var addsDummyPrefix = true
  private(set) var removesExtraSpaces = true
  private(set) var escapesSpaces = true
  private(set) var unknownID = 0

  /// - Throws: ``TokenizerError`` that says what is wrong with the bytes.
  init(_ bytes: [UInt8]) throws {
    var reader = ProtobufReader(bytes[...])
    while let (number, value) = try reader.next() {
      guard case .bytes(let part) = value else { continue }
      switch number {
      case 1: pieces.append(try Self.piece(part))
      case 2: try readTrainer(part)
      case 3: try readNormalizer(part)
      default: break
      }
    }
    guard !pieces.isEmpty else { throw TokenizerError("is no SentencePiece model: it has no pieces") }
    guard modelType == 1 else {
      throw TokenizerError("is a SentencePiece model of type \(Self.name(modelType)); supported: unigram")
    }
    let unknown = pieces.indices.filter { pieces[$0].kind == .unknown }
    guard unknown.count == 1 else { throw TokenizerError("has \(unknown.count) pieces for what is unknown; allowed: 1") }
    unknownID = unknown[0]
  }

  private static func name(_ type: UInt64) -> String { ["1": "unigram", "2": "bpe", "3": "word", "4": "char"]["\(type)"] ?? "\(type)" }

  private static func piece(_ bytes: ArraySlice<UInt8>) throws -> Piece {
    var reader = ProtobufReader(bytes)
    var piece = Piece()
    while let (number, value) = try reader.next() {
      switch (number, value) {
      case (1, .bytes(let text)):
        guard String(validating: text, as: UTF8.self) != nil else { throw TokenizerError("a piece is no UTF-8") }
        piece.text = Array(text)
      case (2, .fixed32(let bits)):
        piece.score = Float(bitPattern: bits)
        guard piece.score.isFinite else { throw TokenizerError("a piece has the score \(piece.score)") }
      case (3, .varint(let kind)):
        guard let known = Kind(rawValue: kind) else { throw TokenizerError("a piece is of the unknown kind \(kind)") }
        piece.kind = known
      case (1, _), (2, _), (3, _): throw TokenizerError("field \(number) of a piece is of the wrong kind")
      default: break
      }
    }
    guard !piece.text.isEmpty else { throw TokenizerError("a piece has no text") }
    return piece
  }

  private mutating func readTrainer(_ bytes: ArraySlice<UInt8>) throws {
    var reader = ProtobufReader(bytes)
    while let (number, value) = try reader.next() {
      switch (number, value) {
      case (3, .varint(let type)): modelType = type
      case (24, .varint(let flag)): marksBehind = flag != 0
      case (35, .varint(let flag)): hasByteFallback = flag != 0
      case (47, .bytes(let text)): endPiece = Array(text)
      default: break
      }
    }
  }

  private mutating func readNormalizer(_ bytes: ArraySlice<UInt8>) throws {
    var reader = ProtobufReader(bytes)
    while let (number, value) = try reader.next() {
      switch (number, value) {
      case (2, .bytes(let map)): characterMap = Array(map)
      case (3, .varint(let flag)): addsDummyPrefix = flag != 0
      case (4, .varint(let flag)): removesExtraSpaces = flag != 0
      case (5, .varint(let flag)): escapesSpaces = flag != 0
      default: break
      }
    }
  }
}
