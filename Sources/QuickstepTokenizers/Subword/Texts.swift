/// Part of a text on its way to the model.
struct TextPiece: Sendable {
  var scalars: [Unicode.Scalar]
  /// Whether the whole text begins with it.
  var isFirst: Bool
}

extension Sequence<Unicode.Scalar> {
  /// UTF-8 of the characters.
  var utf8Bytes: [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(underestimatedCount)
    for scalar in self { result.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter) }
    return result
  }

  /// The characters as a string.
  var string: String { String(String.UnicodeScalarView(self)) }
}

extension [UInt8] {
  /// The characters of valid UTF-8; what is none becomes U+FFFD.
  var scalars: [Unicode.Scalar] { Array<Unicode.Scalar>(String(decoding: self, as: UTF8.self).unicodeScalars) }
}
