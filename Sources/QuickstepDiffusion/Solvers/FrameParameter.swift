import QuickstepNN

extension Frame {
  /// `frame` of the solvers that work in one of several.
  static let parameter = ParameterDeclaration(
    name: "frame", summary: "What is taken to be straight between levels; auto asks the schedule.",
    domain: .choice(["auto", "sigma", "flow"]), standard: .choice("auto"))

  /// The chosen frame; `nil` asks the schedule.
  init?(_ values: ParameterValues) { self.init(rawValue: values.choice("frame") ?? "") }
}
