public import QuickstepDiffusion
internal import QuickstepNN
internal import QuickstepTensor

/// Fits ``OLSS`` to a model: full runs of a teacher, a path through their steps, and weights for it.
public struct OLSSCalibration: Sendable {
  /// What the full runs are made of: prompts, seeds, guidance, size. Its solver and steps are those of the teacher.
  ///
  /// Its methods of acceleration act in the runs of the fitted solver only: rows that are fitted in order, or in rounds, make up for their errors, and
  /// the plan is for runs with these methods.
  public var request: GenerationRequest
  /// Evaluations of the fitted solver.
  public var steps: Int
  /// Solver steps of the full runs.
  public var teacherSteps = 100
  /// Solver of the full runs; one evaluation per step, no noise.
  public var teacher = "ddim"
  /// How often the weights are fitted anew to the states that the plan itself reaches. 0 is the paper's method, whose rows never see the
  /// errors of the rows before.
  ///
  /// `nil` fits rows one after another to what the rows before lead to: what endless rounds would come to where they converge, at the cost of one.
  /// Evenly spaced steps are tried as well then, and what ends nearer to the full runs is taken.
  public var rounds: Int?
  /// Runs made at once.
  public var batch = 8
  /// Called with what is being done and the fraction that is done.
  public var progress: (@Sendable (String, Double) -> Void)?

  /// A fit of `steps` evaluations to runs of `request`.
  public init(_ request: GenerationRequest, steps: Int) {
    self.request = request
    self.steps = steps
  }

  /// A plan of ``steps`` evaluations.
  /// - Throws: `GenerationError` for numbers that do not fit together; what generating throws.
  public func fit(_ model: LoadedModel) throws -> OLSSPlan { try fit(model, steps: [steps])[0] }

  /// A plan for each of these numbers of evaluations, all from the same full runs.
  /// - Throws: as ``fit(_:)``.
  public func fit(_ model: LoadedModel, steps: [Int]) throws -> [OLSSPlan] {
    guard request.prompts.count >= 1, batch >= 1, rounds ?? 0 >= 0 else {
      throw GenerationError(
        "\(request.prompts.count) runs in batches of \(batch), \(rounds ?? 0) rounds; allowed: 1 and above, 0 rounds and above")
    }
    if let odd = steps.first(where: { $0 < 1 || $0 > teacherSteps }) {
      throw GenerationError("\(odd) steps are to be fitted to runs of \(teacherSteps); allowed: 1…\(teacherSteps)")
    }
    guard request.accelerations.isEmpty || rounds != 0 else {
      throw GenerationError("with 0 rounds a plan never sees what methods of acceleration do to its runs; fit it in order, or in rounds")
    }
    let pipeline = ImagePipeline(model, companions: try ImagePipeline.companions(of: request, like: model))
    // Methods that do not fit the runs are refused before the full runs are made.
    for count in steps where !request.accelerations.isEmpty {
      var own = request
      (own.solver, own.steps) = (teacher, count)
      _ = try pipeline.evaluations(of: own)
    }
    let (products, targets) = try teach(pipeline)
    guard let products else { throw GenerationError("no run was recorded") }
    return try steps.map { count in
      var plan = try OLSSPlan(products, steps: count)
      let path = plan.levels.compactMap { level in products.levels.firstIndex(of: level) }
      if rounds == nil { plan = try inOrder(path, products, pipeline, targets) }
      for round in 0..<(rounds ?? 0) { plan = try refitted(plan, pipeline, targets, path, round) }
      plan.origin = .init(
        model: model.name, fingerprint: model.fingerprint, teacher: teacher, teacherSteps: teacherSteps,
        guidanceScale: request.guidanceScale ?? model.defaults.guidanceScale, samples: request.prompts.count, rounds: rounds ?? 0,
        isInOrder: rounds == nil, accelerations: request.accelerations.isEmpty ? nil : request.accelerations.map(\.description))
      return plan
    }
  }

  /// Inner products of the teacher's runs, and the states of each run where they will be needed again.
  private func teach(_ pipeline: ImagePipeline) throws -> (PathProducts?, [[Tensor]]) {
    var products: PathProducts?
    var targets: [[Tensor]] = []
    for range in batches {
      var part = part(range)
      (part.solver, part.steps, part.accelerations) = (teacher, teacherSteps, [])
      let runs = try pipeline.recorded(part)
      let levels = runs.levels + [try end(part, pipeline.model)]
      for sample in 0..<range.count {
        let states = try runs.states(sample)
        var sums = products ?? PathProducts(levels: levels)
        try sums.add(states: states, predictions: runs.predictions(sample))
        products = sums
        if rounds != 0 { targets.append(states) }
      }
      progress?("full runs", Double(range.upperBound) / Double(request.prompts.count))
    }
    return (products, targets)
  }

  /// The better one of a path and evenly spaced steps, both fitted in order.
  private func inOrder(
    _ path: [Int], _ products: PathProducts, _ pipeline: ImagePipeline, _ targets: [[Tensor]]
  ) throws -> OLSSPlan {
    let (count, full) = (path.count - 1, products.levels.count - 1)
    let even = (0...count).map { Int((Double($0 * full) / Double(count)).rounded()) }
    let plans = try (path == even ? [path] : [path, even]).map { try followed($0, products, pipeline, targets) }
    guard let best = plans.min(by: { ($0.errors.last ?? .infinity) < ($1.errors.last ?? .infinity) }) else {
      throw GenerationError("there is no path to fit")
    }
    return best
  }

  /// Weights for a path, row by row along the plan's own states.
  private func followed(
    _ path: [Int], _ products: PathProducts, _ pipeline: ImagePipeline, _ targets: [[Tensor]]
  ) throws -> OLSSPlan {
    var rows = OLSSRows(levels: path.map { products.levels[$0] })
    // Methods of acceleration have to know the evaluations of the plan, which those with provisional weights are as well.
    let provisional = try OLSS(OLSSPlan(products, path: Array(path.dropLast())))
    let denoisers = try batches.map { range in
      var part = part(range)
      (part.batch, part.ownSolver, part.steps) = (range.count, provisional, path.count - 1)
      return try pipeline.denoiser(for: part)
    }
    func wanted(_ index: Int) throws -> [Tensor] {
      try batches.map { range in try withTensorErrors { .cat(range.map { targets[$0][index] }) } }
    }
    let start = try wanted(0)
    var (states, predicted): ([Tensor], [[Tensor]]) = (start, [])
    let count = path.count - 1
    for step in 0..<count {
      let level = rows.levels[step]
      let context = StepContext(
        step: step, stepCount: count, evaluation: step, evaluationCount: count, level: level)
      let noises = try denoisers.indices.map { batch -> Tensor in
        try Task.checkCancellation()
        return try withInference {
          try withTensorErrors {
            let state = states[batch].to(pipeline.model.device)
            let denoised = try denoisers[batch].denoised(state, context: context)
            return ((state - denoised * level.alpha) / level.sigma).to(.cpu).clone()
          }
        }
      }
      predicted.append(noises)
      states = try rows.fit(start: start, predicted: predicted, wanted: wanted(path[step + 1]))
      progress?("rows of \(count) evaluations", Double(step + 1) / Double(count))
    }
    return try rows.plan()
  }

  /// New weights for a plan's path, from the predictions that the plan itself meets.
  private func refitted(
    _ plan: OLSSPlan, _ pipeline: ImagePipeline, _ targets: [[Tensor]], _ path: [Int], _ round: Int
  ) throws -> OLSSPlan {
    var products = PathProducts(levels: plan.levels)
    for range in batches {
      var part = part(range)
      (part.ownSolver, part.steps) = (try OLSS(plan), plan.steps)
      let runs = try pipeline.recorded(part)
      for sample in 0..<range.count {
        let wanted = path.map { targets[range.lowerBound + sample][$0] }
        try products.add(states: wanted, predictions: runs.predictions(sample))
      }
      progress?("round \(round + 1) of \(rounds ?? 0)", Double(range.upperBound) / Double(request.prompts.count))
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
