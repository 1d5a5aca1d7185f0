import Foundation
import QuickstepEvaluation
import QuickstepFormats
import QuickstepTensor

/// Compares pictures with the reference's.
struct SolverJudge {
  struct Verdict: Codable {
    var evaluations: Int
    /// Of the sampling loop, per picture.
    var seconds: Double
    var psnr: Double
    var ssim: Double
    var perceptual: Double
    /// Squared, to the reference's pictures.
    var frechet: Double
    /// Squared, to real pictures.
    var frechetToData: Double?
    var accuracy: Double?
  }

  private let reference: Tensor
  private let labels: [String]
  private let net: SqueezeNetFeatures
  private let classifier: DigitFeatures?
  private let statistics: GaussianStatistics
  private let real: GaussianStatistics?

  init(reference: Tensor, labels: [String], net: SqueezeNetFeatures, classifier: DigitFeatures?, real: GaussianStatistics?) throws {
    self.real = real
    self.reference = try withTensorErrors { reference.clamp(min: -1, max: 1) }
    self.labels = labels
    self.net = net
    self.classifier = classifier
    statistics = try GaussianStatistics(features: Self.features(self.reference, net, classifier))
  }

  func verdict(_ pixels: Tensor, evaluations: Int, seconds: Double) throws -> Verdict {
    let shown = try withTensorErrors { pixels.clamp(min: -1, max: 1) }
    let psnr = try PeakSignalToNoise.values(shown, reference)
    let ssim = try StructuralSimilarity.values(shown, reference)
    let perceptual = try PerceptualDistance(net).distances(shown, reference)
    let statistics = try GaussianStatistics(features: Self.features(shown, net, classifier))
    var verdict = Verdict(
      evaluations: evaluations, seconds: seconds, psnr: Self.mean(psnr), ssim: Self.mean(ssim), perceptual: Self.mean(perceptual),
      frechet: try FrechetDistance.squared(statistics, self.statistics))
    verdict.frechetToData = try real.map { try FrechetDistance.squared(statistics, $0) }
    verdict.accuracy = try accuracy(shown)
    return verdict
  }

  /// What can be said of the reference's own pictures: their distance to real ones, and how many are recognised.
  func referenceVerdict(evaluations: Int) throws -> (evaluations: Int, frechetToData: Double?, accuracy: Double?) {
    (evaluations, try real.map { try FrechetDistance.squared(statistics, $0) }, try accuracy(reference))
  }

  private func accuracy(_ shown: Tensor) throws -> Double? {
    guard let classifier else { return nil }
    let found = try classifier.classes(shown)
    return Double(zip(found, labels).count { String($0) == $1 }) / Double(found.count)
  }

  /// Features for the Fréchet distance: the classifier's for digits, SqueezeNet's otherwise.
  private static func features(_ pixels: Tensor, _ net: SqueezeNetFeatures, _ classifier: DigitFeatures?) throws -> Tensor {
    try classifier?.features(pixels) ?? net.features(pixels)
  }

  private static func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(max(1, values.count)) }
}
