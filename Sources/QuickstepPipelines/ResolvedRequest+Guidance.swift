import QuickstepModels

extension ResolvedRequest {
  /// What was asked of guidance and has no effect, in sentences for the user.
  static func guidanceWarnings(_ request: GenerationRequest, _ model: LoadedModel, scale: Double) -> [String] {
    let comparesAtAll = model.conditioner.guidance == .branches && model.backbone.guidanceSize == nil
    var warnings: [String] = []
    if !request.negative.isEmpty, !model.comparesBranches(at: scale) {
      let reason =
        comparesAtAll
        ? "at guidance scale \(scale)"
        : model.backbone.guidanceSize != nil
          ? "on a network distilled with guidance" : "on '\(model.name)', which compares with no second branch"
      warnings.append("the negative prompt has no effect " + reason)
    }
    if model.conditioner.guidance == .none, scale != 1 {
      warnings.append("'\(model.name)' is not guided; the guidance scale has no effect")
    }
    // 0 and 1 are how distilled models ask for no guidance.
    if comparesAtAll, scale < 1, scale != 0, !model.comparesBranches(at: scale) {
      warnings.append("'\(model.name)' is guided at scales above 1 only; at \(scale) it makes the prompt's picture without guidance")
    }
    if !comparesAtAll, request.guidanceInterval != 0...1 {
      warnings.append("'\(model.name)' compares with no second branch; the guidance interval has no effect")
    }
    return warnings
  }
}
