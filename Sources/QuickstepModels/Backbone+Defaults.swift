public import QuickstepNN

/// What a network that does not tell of its memory and its tokens is taken for.
extension Backbone {
  /// Not known.
  public func workingBytes(sampleSide: (width: Int, height: Int), promptLength: Int, batch: Int, elementBytes: Int) -> Int? { nil }
  /// None that could be computed one by one.
  public var tokenTraits: TokenTraits? { nil }
}
