/// Something cannot be measured: empty or unequal sets, numbers that are not finite, data of the wrong shape.
public struct EvaluationError: Error, Sendable, Hashable, CustomStringConvertible {
  public let description: String
  public init(_ description: String) { self.description = description }
}
