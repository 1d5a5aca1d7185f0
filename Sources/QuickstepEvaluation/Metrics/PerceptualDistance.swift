public import QuickstepTensor

/// How differently two pictures look to a network: the formula of LPIPS (Zhang et al. 2018, arXiv 1801.03924, equation 1) on SqueezeNet 1.0, all
/// channels weighing the same.
///
/// At every layer the features of each position are scaled to length 1; their squared differences are averaged over the positions, and the layers'
/// values added up. It is not LPIPS: that uses other networks and weights learned from people's judgements, and has another scale.
public struct PerceptualDistance: Sendable {
  /// `perceptual-squeezenet`.
  public static let metric = "perceptual-squeezenet"
  private let net: SqueezeNetFeatures

  /// - Parameter net: the features of whose layers distances are taken.
  public init(_ net: SqueezeNetFeatures) { self.net = net }

  /// One distance per pair, 0 for equal pictures.
  /// - Parameters:
  ///   - first: `[N, 1 or 3, H, W]` in −1…1; grey counts as three equal channels.
  ///   - second: of the same shape.
  ///   - batch: pairs per evaluation.
  /// - Throws: ``EvaluationError`` when shapes differ or do not suit the network; `TensorError`.
  public func distances(_ first: Tensor, _ second: Tensor, batch: Int = 8) throws -> [Double] {
    guard first.shape == second.shape, first.rank == 4 else {
      throw EvaluationError("pictures of shape \(first.shape) and \(second.shape) cannot be compared pair by pair")
    }
    try Checks.finite(first, "the pictures")
    try Checks.finite(second, "the pictures")
    return try stride(from: 0, to: first.size(0), by: batch).flatMap { start in
      let count = Swift.min(batch, first.size(0) - start)
      let (left, right) = (try layers(first, start, count), try layers(second, start, count))
      let sums = try withInference {
        try withTensorErrors {
          zip(left, right).map { ($0 - $1).square().sum([1]).mean([1, 2]) }.reduce(Tensor.zeros([count], device: net.device)) { $0 + $1 }
        }
      }
      return try withTensorErrors { sums.to(.float64, .cpu) }.scalars(Double.self)
    }
  }

  private func layers(_ images: Tensor, _ start: Int, _ count: Int) throws -> [Tensor] {
    try withInference {
      try withTensorErrors {
        let slice = images.narrow(0, start: start, length: count).to(.float32, net.device).clamp(min: -1, max: 1)
        let coloured = slice.size(1) == 1 ? slice.expand([count, 3, slice.size(2), slice.size(3)]).contiguous() : slice
        try net.check(coloured.shape)
        return net.network.layers(net.preprocess(coloured)).map { $0 / ($0.square().sum([1], keepdim: true) + 1e-10).sqrt() }
      }
    }
  }
}

extension SqueezeNetFeatures: PictureDistance {
  /// `perceptual-squeezenet`.
  public var metric: String { PerceptualDistance.metric }
  /// See ``PerceptualDistance/distances(_:_:batch:)``.
  public func distances(_ first: Tensor, _ second: Tensor, batch: Int) throws -> [Double] {
    try PerceptualDistance(self).distances(first, second, batch: batch)
  }
}
