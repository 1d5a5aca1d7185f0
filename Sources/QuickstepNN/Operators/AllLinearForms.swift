/// Every form a linear layer's scope may hold, the most specific first. A new form (a quantized weight with its scales, …) is its file and one line here.
public enum LinearForms {
  /// In the order in which a scope is tried; the last one matches every scope.
  public static let all: [any LinearOperator.Type] = [
    LowRankLinear.self,
    PlainLinear.self,
  ]

  static func make(_ weights: Weights, shape: LinearShape) -> any LinearOperator {
    let form = all.first { $0.matches(weights) } ?? PlainLinear.self
    return form.init(weights, shape: shape)
  }
}
