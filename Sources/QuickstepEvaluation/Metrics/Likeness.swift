public import QuickstepTensor

/// How near pictures are to others that were made from the same noise.
public struct Likeness: Sendable, Hashable, Codable {
  /// Peak signal-to-noise ratio per picture, in dB; infinite for equal ones.
  public var psnr: [Double]
  /// Structural similarity per picture, at most 1.
  public var ssim: [Double]
  /// ``PerceptualDistance`` per picture; empty without a network.
  public var perceptual: [Double]
  /// Squared Fréchet distance between the features of both sets; `nil` without a network, or for a single picture. It depends on how many there are.
  public var frechet: Double?

  /// - Parameters:
  ///   - pictures: `[N, C, H, W]` in −1…1; beyond is clipped.
  ///   - reference: of the same shape.
  ///   - net: for the last two figures.
  /// - Throws: ``EvaluationError`` when shapes differ or values are not finite.
  public init(_ pictures: Tensor, to reference: Tensor, net: SqueezeNetFeatures?) throws {
    let (shown, wanted) = try withTensorErrors { (pictures.clamp(min: -1, max: 1), reference.clamp(min: -1, max: 1)) }
    psnr = try PeakSignalToNoise.values(shown, wanted)
    ssim = try StructuralSimilarity.values(shown, wanted)
    guard let net else {
      perceptual = []
      return
    }
    perceptual = try PerceptualDistance(net).distances(shown, wanted)
    guard shown.size(0) > 1 else { return }
    frechet = try FrechetDistance.squared(
      GaussianStatistics(features: net.features(Self.coloured(shown))), GaussianStatistics(features: net.features(Self.coloured(wanted))))
  }

  /// Grey counts as three equal channels.
  private static func coloured(_ pictures: Tensor) throws -> Tensor {
    pictures.rank == 4 && pictures.size(1) == 1 ? try withTensorErrors { .cat([pictures, pictures, pictures], dim: 1) } : pictures
  }

  /// Mean over the pictures.
  public var meanPSNR: Double { Self.mean(psnr.map { Swift.min($0, 100) }) }
  /// Mean over the pictures.
  public var meanSSIM: Double { Self.mean(ssim) }
  /// Mean over the pictures; `nil` without a network.
  public var meanPerceptual: Double? { perceptual.isEmpty ? nil : Self.mean(perceptual) }

  private static func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(Swift.max(1, values.count)) }
}
