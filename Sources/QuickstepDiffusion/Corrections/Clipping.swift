public import QuickstepNN
public import QuickstepTensor

/// x̂0 clamped to ±range: for pixel models whose data lie in a known range (Ho et al. 2020's code; diffusers' `clip_sample`).
public struct Clipping: Correction {
  public static let declaration = MethodDeclaration(
    name: "clip", family: .correction, summary: "Clamps x̂0 to a fixed range.", points: [.correction], reads: ["denoised"],
    changes: ["denoised"], needs: ["pixel-space data; latents have no such range"],
    parameters: [
      ParameterDeclaration(name: "range", summary: "Greatest magnitude allowed.", domain: .number(0.001...1000), standard: .number(1))
    ], exactness: .approximate, reference: "arXiv 2006.11239, its code")

  let range: Double

  /// Reads `range`.
  public init(_ values: ParameterValues) throws { range = values.number("range") }

  /// Elementwise, same shape; state and context are not read.
  public func apply(_ denoised: Tensor, state: Tensor, context: StepContext) throws -> Tensor {
    try withTensorErrors { denoised.clamp(min: Scalar(-range), max: Scalar(range)) }
  }
}
