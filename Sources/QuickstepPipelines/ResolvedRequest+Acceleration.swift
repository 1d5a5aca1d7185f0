import QuickstepAcceleration
import QuickstepDiffusion
import QuickstepModels
import QuickstepNN

extension ResolvedRequest {
  /// The run as methods of acceleration see it.
  static func outline(
    _ request: GenerationRequest, _ model: LoadedModel, _ table: Tableau, _ guidance: Guidance, _ identity: RunIdentity,
    sampleShape: [Int]
  ) -> RunOutline {
    let control = request.pictures.controls.isEmpty ? [] : [Site.controlNetwork]
    var outline = RunOutline(network: "'\(model.name)'", tableau: table, guidance: guidance, sites: control + model.backbone.sites)
    outline.identity = identity
    outline.guests = model.guests
    outline.tokens = model.tokenLayout(of: sampleShape)
    return outline
  }

  static func acceleration(_ request: GenerationRequest, _ solver: any Solver, _ outline: RunOutline) throws -> Acceleration {
    let methods = try request.accelerations.map { try AllAccelerators.make($0.name, $0.parameters) }
    guard methods.isEmpty || !(solver is any AdaptiveSolver) else {
      throw GenerationError("adaptive steps are chosen while running; '\(request.accelerations[0].name)' needs to know them before")
    }
    guard methods.isEmpty || !request.observers.contains(where: \.needsPlainRun) else {
      throw GenerationError("a run is recorded as it is without '\(request.accelerations[0].name)'; leave one of them out")
    }
    return try Acceleration(methods, run: outline)
  }
}

extension LoadedModel {
  /// Where the tokens of samples `[C, H, W]` stand.
  func tokenLayout(of sampleShape: [Int]) -> TokenLayout? {
    backbone.tokenTraits.map {
      TokenLayout(traits: $0, rows: sampleShape[1] / max(1, $0.patch), columns: sampleShape[2] / max(1, $0.patch))
    }
  }
}
