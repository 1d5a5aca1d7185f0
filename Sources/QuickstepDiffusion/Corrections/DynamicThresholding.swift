public import QuickstepNN
public import QuickstepTensor

/// Imagen's dynamic thresholding: per sample, s = the given quantile of |x̂0|, kept within 1…`max`; x̂0 is clamped to ±s and divided by s.
public struct DynamicThresholding: Correction {
  public static let declaration = MethodDeclaration(
    name: "dynamic-threshold", family: .correction, summary: "Clamps x̂0 to a quantile of its magnitudes and rescales it.",
    points: [.correction], reads: ["denoised"], changes: ["denoised"], needs: ["pixel-space data; it breaks latent models"],
    parameters: [
      ParameterDeclaration(name: "ratio", summary: "The quantile.", domain: .number(0...1), standard: .number(0.995)),
      ParameterDeclaration(
        name: "max", summary: "Greatest threshold; at 1 this is clipping to ±1.", domain: .number(1...1000), standard: .number(1)),
    ], exactness: .approximate, reference: "arXiv 2205.11487, section 2.3")

  let ratio: Double
  let greatest: Double

  /// Reads `ratio` and `max`.
  public init(_ values: ParameterValues) throws {
    ratio = values.number("ratio")
    greatest = values.number("max")
  }

  /// The threshold is one per sample, over all other dimensions; computed in float32 at least. State and context are not read.
  public func apply(_ denoised: Tensor, state: Tensor, context: StepContext) throws -> Tensor {
    try withTensorErrors {
      // Quantiles exist in float32 and float64 only.
      let values = denoised.dtype == .float64 ? denoised : denoised.to(.float32)
      let flat = values.reshape([values.size(0), -1])
      let level = Tensor(scalar: ratio).to(flat.dtype, flat.device)
      let threshold = flat.abs().quantile(level, dim: 1, keepdim: true).clamp(min: 1, max: Scalar(greatest))
      return (flat.clamp(min: -threshold, max: threshold) / threshold).reshape(denoised.shape).to(denoised.dtype)
    }
  }
}
