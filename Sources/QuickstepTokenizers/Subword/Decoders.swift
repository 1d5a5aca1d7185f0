/// From the texts of tokens back to text.
protocol TokenDecoder: Sendable {
  func callAsFunction(_ tokens: [[Unicode.Scalar]]) -> [[Unicode.Scalar]]
}

/// Letters that stand for bytes.
struct ByteLevelDecoder: TokenDecoder {
  private static let bytes = Dictionary(uniqueKeysWithValues: zip(BytePairs.byteLetters(), UInt8.min...UInt8.max))

  func callAsFunction(_ tokens: [[Unicode.Scalar]]) -> [[Unicode.Scalar]] {
    [tokens.joined().flatMap { Self.bytes[$0].map { [$0] } ?? CollectionOfOne($0).utf8Bytes }.scalars]
  }
}

/// Marks that stand for spaces; the first token's own is left out.
struct MetaspaceDecoder: TokenDecoder {
  let mark: Unicode.Scalar
  let dropsFirst: Bool

  func callAsFunction(_ tokens: [[Unicode.Scalar]]) -> [[Unicode.Scalar]] {
    tokens.enumerated().map { index, token in
      let rest = index == 0 && dropsFirst ? token.drop { $0 == mark } : token[...]
      return rest.map { $0 == mark ? " " : $0 }
    }
  }
}

/// A change of every token by itself.
struct TokenwiseDecoder: TokenDecoder {
  let change: any TextNormalizer

  func callAsFunction(_ tokens: [[Unicode.Scalar]]) -> [[Unicode.Scalar]] { tokens.map { change($0) } }
}

/// Tokens `<0x00>` … that stand for bytes.
struct ByteFallbackDecoder: TokenDecoder {
  func callAsFunction(_ tokens: [[Unicode.Scalar]]) -> [[Unicode.Scalar]] {
    var result: [[Unicode.Scalar]] = []
    var bytes: [UInt8] = []
    func flush() {
      if !bytes.isEmpty { result.append(bytes.scalars) }
      bytes = []
    }
    for token in tokens {
      if let byte = ByteTokens.byte(token) {
        bytes.append(byte)
      } else {
        flush()
        result.append(token)
      }
    }
    flush()
    return result
  }
}

/// All tokens as one.
struct FusingDecoder: TokenDecoder {
  func callAsFunction(_ tokens: [[Unicode.Scalar]]) -> [[Unicode.Scalar]] { [Array(tokens.joined())] }
}

/// Some characters at the ends of every token.
struct StrippingDecoder: TokenDecoder {
  let content: Unicode.Scalar
  let start: Int, stop: Int

  func callAsFunction(_ tokens: [[Unicode.Scalar]]) -> [[Unicode.Scalar]] {
    tokens.map { token in
      let left = min(start, token.prefix { $0 == content }.count)
      let right = min(stop, token.dropFirst(left).reversed().prefix { $0 == content }.count)
      return Array(token.dropFirst(left).dropLast(right))
    }
  }
}

/// Several, one after the other.
struct DecoderSequence: TokenDecoder {
  let parts: [any TokenDecoder]

  func callAsFunction(_ tokens: [[Unicode.Scalar]]) -> [[Unicode.Scalar]] { parts.reduce(tokens) { $1($0) } }
}

/// Every decoder that a `tokenizer.json` may name. A new one is a line here.
enum Decoders {
  private static let kinds: [String: @Sendable (TokenFileReader) throws -> any TokenDecoder] = [
    "ByteFallback": { _ in ByteFallbackDecoder() },
    "ByteLevel": { _ in ByteLevelDecoder() },
    "Fuse": { _ in FusingDecoder() },
    "Metaspace": { reader in
      let mark = Array(try reader.text("replacement").unicodeScalars)
      guard mark.count == 1 else { throw reader.error("'replacement' is not one character") }
      let standard = try reader.flag("add_prefix_space", true) ? "always" : "never"
      let scheme = try reader.optionalText("prepend_scheme", of: MetaspaceSplit.Prepending.allCases.map(\.rawValue)) ?? standard
      return MetaspaceDecoder(mark: mark[0], dropsFirst: scheme != "never")
    },
    "Replace": { TokenwiseDecoder(change: Replacing(pattern: try $0.pattern(), content: Array(try $0.text("content").unicodeScalars))) },
    "Sequence": { reader in DecoderSequence(parts: try reader.items("decoders").map(read)) },
    "Strip": { reader in
      let content = Array(try reader.text("content").unicodeScalars)
      guard content.count == 1 else { throw reader.error("'content' is not one character") }
      return StrippingDecoder(content: content[0], start: try reader.integer("start", 0), stop: try reader.integer("stop", 0))
    },
  ]

  static func read(_ reader: TokenFileReader) throws -> any TokenDecoder { try reader.kind(of: kinds)(reader) }
}
