public import QuickstepDiffusion
internal import QuickstepNN
internal import QuickstepTensor

/// Fits ``OLSS`` to a model: full runs of a teacher, a path through their steps, and weights for it.
public struct OLSSCalibration: Sendable {
  /// What the full runs are made of: prompts, seeds, guidance, size. Its solver and steps are those of the teacher.
  public var request: GenerationRequest
  /// Evaluations of the fitted solver.
  public var steps: Int
  /// Solver steps of the full runs.
  public var teacherSteps = 100
  /// Solver of the full runs; one evaluation per step, no noise.
  public var teacher = "ddim"
  /// How often the weights are fitted anew to the states that the plan itself reaches. 0 is the paper's method, whose rows never see the
  /// errors of the rows before.
  public var rounds = 2
  /// Runs made at once.
  public var batch = 8
  /// Called with what is being done and the fraction that is done.
  public var progress: (@Sendable (String, Double) -> Void)?

  /// A fit of `steps` evaluations to runs of `request`.
  public init(_ request: GenerationRequest, steps: Int) {
    self.request = request
    self.steps = steps
  }

  /// - Throws: `GenerationError` for numbers that do not fit together; what generating throws.
  public func fit(_ model: LoadedModel) throws -> OLSSPlan {
    guard request.prompts.count >= 1, batch >= 1, rounds >= 0 else {
      throw GenerationError(
        "\(request.prompts.count) runs in batches of \(batch), \(rounds) rounds; allowed: 1 and above, 0 rounds and above")
    }
    guard steps >= 1, steps <= teacherSteps else {
      throw GenerationError("\(steps) steps are to be fitted to runs of \(teacherSteps); allowed: 1…\(teacherSteps)")
    }
    let pipeline = ImagePipeline(model)
    let (products, targets) = try teach(pipeline)
    guard var plan = try products.map({ try OLSSPlan($0, steps: steps) }) else { throw GenerationError("no run was recorded") }
    let path = plan.levels.compactMap { level in products?.levels.firstIndex(of: level) }
    for round in 0..<rounds { plan = try refitted(plan, pipeline, targets, path, round) }
    plan.origin = .init(
      model: model.name, fingerprint: model.fingerprint, teacher: teacher, teacherSteps: teacherSteps,
      guidanceScale: request.guidanceScale ?? model.defaults.guidanceScale, samples: request.prompts.count, rounds: rounds)
    return plan
  }

  /// Inner products of the teacher's runs, and the states of each run where they will be needed again.
  private func teach(_ pipeline: ImagePipeline) throws -> (PathProducts?, [[Tensor]]) {
    var products: PathProducts?
    var targets: [[Tensor]] = []
    for range in batches {
      var part = part(range)
      (part.solver, part.steps) = (teacher, teacherSteps)
      let runs = try pipeline.recorded(part)
      let levels = runs.levels + [try end(part, pipeline.model)]
      for sample in 0..<range.count {
        let states = try runs.states(sample)
        var sums = products ?? PathProducts(levels: levels)
        try sums.add(states: states, predictions: runs.predictions(sample))
        products = sums
        if rounds > 0 { targets.append(states) }
      }
      progress?("full runs", Double(range.upperBound) / Double(request.prompts.count))
    }
    return (products, targets)
  }

  /// New weights for a plan's path, from the predictions that the plan itself meets.
  private func refitted(
    _ plan: OLSSPlan, _ pipeline: ImagePipeline, _ targets: [[Tensor]], _ path: [Int], _ round: Int
  ) throws -> OLSSPlan {
    var products = PathProducts(levels: plan.levels)
    for range in batches {
      var part = part(range)
      part.ownSolver = try OLSS(plan)
      let runs = try pipeline.recorded(part)
      for sample in 0..<range.count {
        let wanted = path.map { targets[range.lowerBound + sample][$0] }
        try products.add(states: wanted, predictions: runs.predictions(sample))
      }
      progress?("round \(round + 1) of \(rounds)", Double(range.upperBound) / Double(request.prompts.count))
    }
    return try OLSSPlan(products, path: Array(0..<plan.steps))
  }

  private var batches: [Range<Int>] {
    stride(from: 0, to: request.prompts.count, by: batch).map { $0..<min($0 + batch, request.prompts.count) }
  }

  private func part(_ range: Range<Int>) -> GenerationRequest {
    var part = request
    part.prompts = Array(request.prompts[range])
    part.seeds = Array(request.seeds[range])
    return part
  }

  /// The level of the final state.
  private func end(_ request: GenerationRequest, _ model: LoadedModel) throws -> NoiseLevel {
    let grid = try ResolvedRequest(request, model: model).grid
    return grid.levels[grid.steps]
  }
}
