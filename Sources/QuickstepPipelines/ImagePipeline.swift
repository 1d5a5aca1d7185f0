internal import Foundation
package import QuickstepAcceleration
package import QuickstepDiffusion
internal import QuickstepModels
package import QuickstepNN
package import QuickstepTensor

/// From a request to pictures: encode, denoise, decode. Holds nothing but the model, so requests may run side by side.
public struct ImagePipeline: Sendable {
  /// Version of Quickstep, as pictures, benchmarks and the command line report it.
  public static let version = "0.1.0"
  /// What pictures are made with.
  public let model: LoadedModel
  /// Models that do a part of the run, by the names that methods of acceleration have for them.
  let companions: [String: LoadedModel]
  /// Records evaluations in place of CUDA's graphs, on any device: for tests.
  package var graphRecorder: (@Sendable (Device) throws -> any GraphRecorder)?

  /// A pipeline on a loaded model; costs nothing.
  /// - Parameter companions: models that do a part of the run (``companions(of:like:)``), by the names methods have for them.
  public init(_ model: LoadedModel, companions: [String: LoadedModel] = [:]) { (self.model, self.companions) = (model, companions) }

  /// Loads the models that a request's methods of acceleration need besides its own, as that one was loaded.
  /// - Throws: as ``AllAccelerators/make(_:_:)`` and ``LoadedModel``.
  public static func companions(of request: GenerationRequest, like model: LoadedModel) throws -> [String: LoadedModel] {
    var loaded: [String: LoadedModel] = [:]
    for name in try request.accelerations.flatMap({ try AllAccelerators.make($0.name, $0.parameters).companions }) where loaded[name] == nil
    {
      loaded[name] = try LoadedModel(
        folder: ModelLibrary.find(name), dtype: model.dtype, device: model.device, kernels: model.askedKernels)
    }
    return loaded
  }

  /// Checks the request as a whole, then makes the pictures batch by batch. Cancellation is honoured between evaluations.
  /// - Throws: `GenerationError` and the errors of solver, grid and schedule before any work is done; `TensorError` when a computation fails;
  ///   `CancellationError`.
  public func generate(_ request: GenerationRequest) throws -> GenerationResult {
    let plan = try ResolvedRequest(request, model: model)
    let segments = try plan.segments(request, model: model, companions: companions)
    let memory = RequestMemory(graphs: try EvaluationGraphs.make(request.graphs, model, recorder: graphRecorder))
    var result = GenerationResult()
    result.warnings = RequestPlan.warnings(segments, isShared: plan.acceleration.models != nil, known: plan.warnings)
    let clock = ContinuousClock()
    let begin = clock.now
    let pictures = try withInference { try withTensorErrors { try PreparedPictures(plan.pictures, model, inStrips: plan.worksInStrips) } }
    result.seconds.encode += (clock.now - begin).inSeconds
    if let chains = plan.start?.chains {
      try ChainGeneration(pipeline: self, plan: plan, chains: chains, pictures: pictures, request: request, memory: memory).run(&result)
    } else {
      for start in stride(from: 0, to: request.prompts.count, by: plan.batch) {
        try generate(start..<min(start + plan.batch, request.prompts.count), plan, segments, pictures, request, memory, &result)
      }
    }
    result.replayedEvaluations = memory.graphs?.replays ?? 0
    result.warnings += memory.graphs?.warnings ?? []
    let files = result.images.first?.settings.namedFiles()
    for index in result.images.indices {
      result.images[index].settings.files = files
      result.images[index].settings.companions = companions.isEmpty ? nil : companions.mapValues(\.fingerprint)
    }
    return result
  }

  /// The solver's table for a batch of the request, as its methods leave it.
  package func tableau(of request: GenerationRequest) throws -> Tableau {
    try ResolvedRequest(request, model: model).run(start: .given(.undefined)).tableau
  }

  /// What an error of the network's output in each evaluation does to the final state, by the solver's table
  /// (`Tableau.influences`) and the network's parametrisation.
  /// - Throws: as ``evaluations(of:)``; `ParametrisationError` at levels where the output says nothing.
  public func influences(of request: GenerationRequest) throws -> [Double] {
    let plan = try ResolvedRequest(request, model: model)
    let table = try plan.run(start: .given(.undefined)).tableau
    let levels = table.rows.compactMap { $0.evaluation?.level }
    return try zip(table.influences, levels).map { influence, level in
      influence * abs(try plan.parametrisation.coefficients(at: level).out)
    }
  }

  /// A batch of the request as methods of acceleration see it.
  package func outline(of request: GenerationRequest) throws -> RunOutline { try ResolvedRequest(request, model: model).outline }

  /// How often the network would be called for a batch of the request; for chains, for a picture of each once they are burnt in. Checks the
  /// request as ``generate(_:)`` does.
  public func evaluations(of request: GenerationRequest) throws -> Int {
    let plan = try ResolvedRequest(request, model: model)
    return try plan.run(start: .given(.undefined)).tableau.evaluationCount + (plan.start?.chains?.evaluationsPerPicture ?? 0)
  }

  private func generate(
    _ range: Range<Int>, _ plan: ResolvedRequest, _ segments: [RunSegment], _ pictures: PreparedPictures, _ request: GenerationRequest,
    _ memory: RequestMemory, _ result: inout GenerationResult
  ) throws {
    let clock = ContinuousClock()
    let begin = clock.now
    var warnings = result.warnings
    let denoiser = try withInference {
      try SegmentedDenoiser(
        segments, range, pictures, request, shared: plan.acceleration.models, memory: memory, warnings: &warnings)
    }
    result.warnings = warnings
    let encoded = clock.now
    let (state, evaluations) = try denoise(range, plan, pictures, request, denoiser, &result)
    let denoised = clock.now
    if request.stopsAtLatents { result.latents = try withTensorErrors { result.latents.map { .cat([$0, state]) } ?? state } }
    for (offset, index) in range.enumerated() where !request.stopsAtLatents {
      let pixels = try withInference {
        try withTensorErrors { try decoded(state.narrow(0, start: offset, length: 1), plan) }
      }
      result.images.append(.init(pixels: pixels, settings: plan.settings(index, request, model: model)))
    }
    result.evaluations += evaluations
    result.seconds.encode += (encoded - begin).inSeconds
    result.seconds.denoise += (denoised - encoded).inSeconds
    result.seconds.decode += (clock.now - denoised).inSeconds
  }

  /// One sample `[1, C, H, W]` to a picture `[C, H, W]` of the size it shall have, in main memory.
  func decoded(_ sample: Tensor, _ plan: ResolvedRequest) throws -> Tensor {
    try Task.checkCancellation()
    let picture =
      try model.codec.map { codec in
        let latents = sample.to(model.codecType)
        return try plan.worksInStrips ? codec.pictureInStrips(latents) : codec.picture(latents)
      } ?? sample
    return try plan.size.shown(picture.squeeze(0).to(.cpu).to(.float32).contiguous()).clone()
  }

  /// The guided network of a request of one batch, with nothing in it that gradients could not pass through: not made in inference mode.
  /// - Parameter sites: who acts in the network, in place of the request's methods.
  package func denoiser(for request: GenerationRequest, sites: (any SitePolicy)? = nil) throws -> any Denoiser {
    let plan = try ResolvedRequest(request, model: model)
    let segments = try plan.segments(request, model: model, companions: companions)
    return try withoutGradients {
      let pictures = try withTensorErrors { try PreparedPictures(plan.pictures, model, inStrips: plan.worksInStrips) }
      var warnings: [String] = []
      return try SegmentedDenoiser(
        segments, request.prompts.indices, pictures, request, shared: plan.acceleration.models, sites: sites,
        memory: RequestMemory(graphs: nil), warnings: &warnings)
    }
  }

  private func denoise(
    _ range: Range<Int>, _ plan: ResolvedRequest, _ pictures: PreparedPictures, _ request: GenerationRequest,
    _ denoiser: SegmentedDenoiser, _ result: inout GenerationResult
  ) throws -> (Tensor, Int) {
    // A model that goes on with another one's state must not draw the noise again that the state began with.
    let seeds = request.seeds[range].map { plan.pictures.handover == nil ? $0 : $0 &+ 0x9E37_79B9_7F4A_7C15 }
    var noise: any NoiseSource = try SeededNoise(seeds: seeds)
    let (start, change) = try withInference { try pictures.start(range, plan, model: model, noise: &noise) }
    let run = try plan.run(start: start)
    let observed = ClosureDenoiser { state, context in
      let denoised = try denoiser.denoised(state, context: context)
      let evaluation = RunEvaluation(context: context, state: state, denoised: denoised)
      for observer in request.observers { try observer.denoised(evaluation) }
      return denoised
    }
    var trajectory: [(name: String, tensor: Tensor)] = []
    let outcome = try withInference {
      try run.run(observed, noise: noise, change: change) { progress in
        if request.recordsTrajectory { trajectory.append((String(format: "step_%03d", progress.step), progress.state)) }
        request.progress?(
          GenerationProgress(
            image: range.lowerBound, imageCount: request.prompts.count, step: progress.step + 1, stepCount: progress.stepCount,
            denoised: progress.denoised))
      }
    }
    if request.recordsTrajectory {
      trajectory.append(("final", outcome.state))
      trajectory.append(("timesteps", Tensor(Array(plan.grid.timesteps[plan.steps]))))
      result.trajectory = trajectory
    }
    result.take(denoiser, of: plan.acceleration)
    return (outcome.state, outcome.report.evaluations)
  }
}

extension GenerationResult {
  /// Adds what methods of acceleration did in one batch.
  fileprivate mutating func take(_ denoiser: SegmentedDenoiser, of acceleration: Acceleration) {
    let reports = denoiser.reports
    accelerations =
      accelerations.count == reports.count ? zip(accelerations, reports).map { $0.adding($1) } : accelerations + reports
    let modules = denoiser.modules
    computedModules += modules.computed
    possibleModules += modules.possible
    for method in acceleration.methods where !accelerations.contains(where: { $0.isOf(method) && $0.hasActed }) {
      let warning = "'\(method)' had no effect: nothing was left out"
      if acceleration.changesTable(by: method) || method == acceleration.models?.method || warnings.contains(warning) { continue }
      warnings.append(warning)
    }
  }
}

extension AccelerationReport {
  /// Whether a method made it, in the request's own model or in one that shares the run.
  fileprivate func isOf(_ name: String) -> Bool { method == name || method.hasPrefix(name + " (") }
}

extension Duration {
  var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
