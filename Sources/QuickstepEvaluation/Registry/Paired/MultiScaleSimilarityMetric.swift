public import QuickstepNN
public import QuickstepTensor

/// ``MultiScaleSimilarity``.
public struct MultiScaleSimilarityMetric: PairedMetric {
  public static let declaration = MetricDeclaration(
    name: "ms-ssim", summary: "Structural similarity over several scales.", kind: .paired, direction: .higherIsBetter,
    smallestSide: 161,
    parameters: [
      ParameterDeclaration(
        name: "scales", summary: "how often pictures are halved, and one; fewer than 5 is a figure of its own", domain: .integer(1...5),
        standard: .integer(5)),
      ParameterDeclaration(
        name: "convention", summary: "whose details are followed",
        domain: .choice(MultiScaleSimilarity.Convention.allCases.map(\.rawValue)),
        standard: .choice(MultiScaleSimilarity.Convention.pytorch.rawValue)),
    ], reference: "Wang, Simoncelli & Bovik 2003, equation 7")
  public static func make(_ parameters: ParameterValues, nets: [any EvaluationNet]) throws -> [any Metric] {
    [
      Self(
        scales: parameters.integer("scales") ?? 5,
        convention: parameters.choice("convention").flatMap(MultiScaleSimilarity.Convention.init) ?? .pytorch)
    ]
  }
  let scales: Int
  let convention: MultiScaleSimilarity.Convention
  public var figure: String { scales == 5 ? "ms-ssim" : "ms-ssim-\(scales)" }
  public var procedure: String {
    "\(scales) of 5 scales\(scales == 5 ? "" : ", weights divided by their sum"), as \(convention.rawValue); mean over pairs"
  }
  public var demands: MetricDeclaration {
    var declaration = Self.declaration
    declaration.smallestSide = ((StructuralSimilarity.window - 1) << (scales - 1)) + 1
    return declaration
  }
  public func values(_ pictures: Tensor, _ reference: Tensor) throws -> [Double] {
    try MultiScaleSimilarity.values(pictures, reference, scales: scales, convention: convention)
  }
}
