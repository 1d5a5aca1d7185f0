public import QuickstepNN

/// Every kind of guidance, for `quickstep methods` and the documentation. All of them are rows of one ``Guidance`` table.
public enum AllGuidance {
  /// The declarations, sorted by name.
  public static let all: [MethodDeclaration] = [Guidance.classifierFreeDeclaration, Guidance.composedDeclaration]
}

extension Guidance {
  static let classifierFreeDeclaration = MethodDeclaration(
    name: "classifier-free", family: .guidance,
    summary: "Extrapolates from the unconditional to the conditional prediction; two branches per evaluation.", points: [.call],
    reads: ["model output"], changes: ["model output", "branches per evaluation"], needs: ["training with condition dropout"],
    parameters: [
      ParameterDeclaration(
        name: "scale", summary: "s of uncond + s·(cond − uncond)", domain: .number(-1000...1000), standard: .number(2), neutral: .number(1)),
      ParameterDeclaration(
        name: "start", summary: "fraction of the steps at which it begins", domain: .number(0...1), standard: .number(0)),
      ParameterDeclaration(name: "end", summary: "fraction of the steps at which it ends", domain: .number(0...1), standard: .number(1)),
    ],
    exactness: .approximate,
    reference: "Ho & Salimans 2022, arXiv 2207.12598, eq. 6; interval: Kynkäänniemi et al. 2024, arXiv 2404.07724")

  static let composedDeclaration = MethodDeclaration(
    name: "composed", family: .guidance, summary: "Several conditions, each with its own scale; from Swift.", points: [.call],
    reads: ["model output"], changes: ["model output", "branches per evaluation"], needs: ["training with condition dropout"],
    exactness: .approximate, reference: "Liu et al. 2022, arXiv 2206.01714, eq. 11")
}
