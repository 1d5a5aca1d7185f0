import QuickstepNN

/// Fresh noise that ancestral solvers add after stepping below their target, as declared by each of them.
struct AncestralNoise {
  /// Share of the noise that is renewed.
  let eta: Double
  /// Factor on what is added.
  let scale: Double

  static let parameters = [
    ParameterDeclaration(
      name: "eta", summary: "Share of fresh noise: 0 follows the flow, 1 is fully ancestral.", domain: .number(0...1), standard: .number(1),
      neutral: .number(0)),
    NoiseParameter.scale,
  ]

  init(_ values: ParameterValues) { (eta, scale) = (values.number("eta"), values.number("s-noise")) }
}
