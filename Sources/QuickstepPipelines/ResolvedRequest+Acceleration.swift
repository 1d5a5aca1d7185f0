import QuickstepAcceleration
import QuickstepDiffusion
import QuickstepModels
import QuickstepNN

extension ResolvedRequest {
  /// The run as methods of acceleration see it.
  static func outline(
    _ request: GenerationRequest, _ model: LoadedModel, _ table: Tableau, _ guidance: Guidance, _ identity: RunIdentity,
    schedule: any NoiseSchedule, sampleShape: [Int]
  ) -> RunOutline {
    let control = request.pictures.controls.isEmpty ? [] : [Site.controlNetwork]
    var outline = RunOutline(network: "'\(model.name)'", tableau: table, guidance: guidance, sites: control + model.backbone.sites)
    outline.identity = identity
    outline.guests = model.guests
    outline.tokens = model.tokenLayout(of: sampleShape)
    outline.trainedTime = schedule.trainSteps.map { Double($0) } ?? (schedule as? FlowSchedule)?.timestepScale
    return outline
  }

  static func acceleration(
    _ request: GenerationRequest, _ model: LoadedModel, _ solver: any Solver, _ outline: RunOutline
  ) throws -> Acceleration {
    let methods = try request.accelerations.map { try AllAccelerators.make($0.name, $0.parameters) }
    guard methods.isEmpty || !(solver is any AdaptiveSolver) else {
      throw GenerationError("adaptive steps are chosen while running; '\(request.accelerations[0].name)' needs to know them before")
    }
    guard methods.isEmpty || !request.observers.contains(where: \.needsPlainRun) else {
      throw GenerationError("a run is recorded as it is without '\(request.accelerations[0].name)'; leave one of them out")
    }
    return try Acceleration(methods, run: shared(request, model, methods, outline))
  }

  /// The run with the branches of guidance that its models compare, where some of them have a guidance scale of their own. What a scale means is taken
  /// from the request's model, which others have to be like.
  private static func shared(
    _ request: GenerationRequest, _ model: LoadedModel, _ methods: [any Accelerator], _ outline: RunOutline
  ) throws -> RunOutline {
    var run = outline
    for method in methods where !method.companions.isEmpty {
      for case .models(let schedule) in try method.parts(for: outline) {
        for segment in schedule.segments {
          guard let scale = segment.scale else { continue }
          let guidance = try sharedGuidance(model, scale: scale, within: request.guidanceInterval)
          for index in outline.calls.indices where segment.steps.contains(outline.calls[index].step) {
            run = run.guided(by: guidance, in: index..<(index + 1))
          }
        }
      }
    }
    return run
  }

  /// Methods are planned on the evaluations of a run whose solver goes on, which have to be those of the run in which it begins anew.
  /// - Returns: what the user should know.
  static func checkRestarts(of models: ModelSchedule, _ table: Tableau, _ anew: Tableau, _ solver: String) throws -> [String] {
    func calls(_ table: Tableau) -> [(step: Int, level: NoiseLevel)] {
      table.rows.compactMap { row in row.evaluation.map { (row.step, $0.level) } }
    }
    guard calls(table).elementsEqual(calls(anew), by: ==) else {
      throw GenerationError(
        "'\(solver)' makes other evaluations where it begins anew than where it goes on; '\(models.method)' needs history=keep with it")
    }
    guard table != anew else {
      return ["'\(models.method)': history=clear has no effect, since '\(solver)' keeps nothing of earlier steps here"]
    }
    return []
  }

  private static func sharedGuidance(_ model: LoadedModel, scale: Double, within interval: ClosedRange<Double>) throws -> Guidance {
    guard model.comparesBranches(at: scale) else { return .none() }
    return try .classifierFree(
      scale: scale, window: interval == 0...1 ? .always : .steps(start: interval.lowerBound, end: interval.upperBound))
  }

  /// How the branches of guidance are evaluated, and what the user should know of it.
  /// - Parameter walks: whether the run is one of Markov chains, most of whose evaluations are not in the outline.
  static func batching(
    _ request: GenerationRequest, _ model: LoadedModel, _ acceleration: Acceleration, _ outline: RunOutline, needsNegative: Bool,
    walks: Bool
  ) -> (used: GuidedDenoiser.Batching, warnings: [String]) {
    guard request.guidanceBatching == .split else { return (.together, []) }
    let compares = needsNegative && (walks || outline.calls.contains { $0.branches.count > 1 })
    // Models that share the run may be guided where the request's own is not.
    let shared = acceleration.models?.segments.contains { $0.scale.map(model.comparesBranches) ?? false } ?? false
    guard compares || shared else {
      return (.together, ["this run compares no branches of guidance, so that evaluating them one after the other has no effect"])
    }
    return (
      .split,
      acceleration.decidingInside.map {
        "'\($0)' decides for each branch of guidance by itself where they are evaluated one after the other: pictures may differ from those of "
          + "branches evaluated together"
      }
    )
  }

  /// Branches of guidance that one call of the network has at most.
  var branchesAtOnce: Int { needsNegative && guidanceBatching == .together ? 2 : 1 }
}

extension LoadedModel {
  /// Where the tokens of samples `[C, H, W]` stand.
  func tokenLayout(of sampleShape: [Int]) -> TokenLayout? {
    backbone.tokenTraits.map {
      TokenLayout(traits: $0, rows: sampleShape[1] / max(1, $0.patch), columns: sampleShape[2] / max(1, $0.patch))
    }
  }
}
