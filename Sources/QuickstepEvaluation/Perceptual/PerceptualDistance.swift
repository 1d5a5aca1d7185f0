internal import QuickstepModels
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
    try LayerDistance.distances(first, second, batch: batch) { images in
      let slice = images.to(net.device)
      let coloured = slice.size(1) == 1 ? slice.expand([slice.size(0), 3, slice.size(2), slice.size(3)]).contiguous() : slice
      try net.check(coloured.shape)
      return net.network.layers(net.preprocess(coloured))
    } between: { _, difference in
      difference.sum([1])
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
