internal import QuickstepTensor

/// The checks that every metric makes before it computes anything.
enum Checks {
  /// Refuses infinities and NaN: they would turn into a number that looks like a result.
  static func finite(_ tensor: Tensor, _ name: String) throws {
    try tensor.checkDefined(name)
    guard tensor.dtype.isFloatingPoint else { throw EvaluationError("\(name) are \(tensor.dtype); expected floating-point numbers") }
    guard tensor.count > 0 else { throw EvaluationError("\(name) of shape \(tensor.shape) are empty") }
    let isFinite = try withTensorErrors { tensor.detach().isFinite().all() }.item() != 0
    guard isFinite else { throw EvaluationError("\(name) of shape \(tensor.shape) hold values that are not finite (NaN or infinity)") }
  }

  /// Refuses everything but `[N, F]`.
  static func features(_ tensor: Tensor, _ name: String) throws {
    guard tensor.rank == 2 else { throw EvaluationError("\(name) have shape \(tensor.shape); expected [count, features]") }
    try finite(tensor, name)
  }

  /// Refuses two sets that are not `[N, F]` and `[M, F]` of the same F, or hold fewer than two pictures.
  static func featureSets(_ first: Tensor, _ second: Tensor) throws {
    for set in [first, second] {
      try features(set, "the features")
      guard set.size(0) >= 2 else { throw EvaluationError("a set needs at least 2 pictures; there is \(set.size(0))") }
    }
    guard first.size(1) == second.size(1) else {
      throw EvaluationError("\(first.size(1)) features on one side and \(second.size(1)) on the other")
    }
  }

  /// Refuses pairs of pictures that cannot be compared pixel by pixel.
  static func pictures(_ first: Tensor, _ second: Tensor, range: Double) throws {
    guard first.rank == 4, first.shape == second.shape else {
      throw EvaluationError("pictures of shapes \(first.shape) and \(second.shape); expected two equal shapes [B, C, H, W]")
    }
    guard range > 0, range.isFinite else { throw EvaluationError("the range of values is \(range); it must be positive") }
    try finite(first, "the first pictures")
    try finite(second, "the second pictures")
  }
}
