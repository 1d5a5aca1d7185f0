public import QuickstepNN

/// Every training objective, for `quickstep methods` and the documentation.
public enum AllObjectives {
  /// Declarations: an objective is chosen by a plan and not made from its name.
  public static let all: [MethodDeclaration] = [
    DenoisingObjective.declaration, FeedbackObjective.declaration, RouterObjective.declaration,
  ]
}

extension DenoisingObjective {
  public static let declaration = MethodDeclaration(
    name: "denoising", family: .objective,
    summary: "Noise a sample to a random level and predict noise, data, v or velocity, with the error weighed by level.",
    points: [.weights],
    reads: ["data"], changes: ["weights"], needs: ["training data"], state: "none",
    parameters: [
      ParameterDeclaration(
        name: "prediction", summary: "what the network predicts",
        domain: .choice(["epsilon", "sample", "v_prediction", "flow_prediction"]), standard: .choice("sample")),
      ParameterDeclaration(
        name: "weighting", summary: "how errors at different noise levels are weighed",
        domain: .choice(["uniform", "min-snr", "velocity"]),
        standard: .choice("velocity")),
      ParameterDeclaration(name: "maximum", summary: "bound γ of the weight", domain: .number(0.1...1000), standard: .number(5)),
    ],
    exactness: .approximate, reference: "Ho et al. 2020, arXiv 2006.11239, eq. 14; min-SNR: Hang et al. 2023, arXiv 2303.09556, eq. 6")
}
