internal import QuickstepTensor

/// What distances in the layers of a network have in common: unit vectors per position, squared differences, means over positions, sum over layers.
enum LayerDistance {
  /// - Parameters:
  ///   - layers: the maps of a batch of pictures in −1…1.
  ///   - between: `[B, h, w]` of a layer's squared differences `[B, C, h, w]`.
  static func distances(
    _ first: Tensor, _ second: Tensor, batch: Int, layers: (Tensor) throws -> [Tensor], between: (Int, Tensor) -> Tensor
  ) throws -> [Double] {
    guard first.shape == second.shape, first.rank == 4 else {
      throw EvaluationError("pictures of shape \(first.shape) and \(second.shape) cannot be compared pair by pair")
    }
    guard batch >= 1 else { throw EvaluationError("the batch is \(batch); it must be at least 1") }
    try Checks.finite(first, "the pictures")
    try Checks.finite(second, "the pictures")
    return try stride(from: 0, to: first.size(0), by: batch).flatMap { start in
      let count = min(batch, first.size(0) - start)
      return try withInference {
        try withTensorErrors {
          func units(_ images: Tensor) throws -> [Tensor] {
            try layers(images.narrow(0, start: start, length: count).to(.float32).clamp(min: -1, max: 1)).map {
              $0 / ($0.square().sum([1], keepdim: true).sqrt() + 1e-10)
            }
          }
          let pairs = zip(try units(first), try units(second))
          let parts = pairs.enumerated().map { index, pair in between(index, (pair.0 - pair.1).square()).to(.float64).mean([1, 2]) }
          return parts.dropFirst().reduce(parts[0]) { $0 + $1 }.to(.cpu)
        }
      }.scalars(Double.self)
    }
  }
}
