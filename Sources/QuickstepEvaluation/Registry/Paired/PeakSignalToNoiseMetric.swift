public import QuickstepNN
public import QuickstepTensor

/// ``PeakSignalToNoise``; equal pictures count as 100 dB, so that means exist.
public struct PeakSignalToNoiseMetric: PairedMetric {
  public static let declaration = MetricDeclaration(
    name: "psnr", summary: "Peak signal-to-noise ratio in dB; equal pictures count as 100.", kind: .paired, direction: .higherIsBetter,
    reference: "10·log₁₀(range²/mean squared error)")
  public static func make(_ parameters: ParameterValues, nets: [any EvaluationNet]) throws -> [any Metric] { [Self()] }
  public let figure = "psnr"
  public let procedure = "dB, mean over pairs"
  public func values(_ pictures: Tensor, _ reference: Tensor) throws -> [Double] {
    try PeakSignalToNoise.values(pictures, reference).map { min($0, 100) }
  }
}
