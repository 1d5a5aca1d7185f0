internal import Foundation
internal import QuickstepDiffusion
internal import QuickstepModels
internal import QuickstepNN
internal import QuickstepTensor

/// Pictures from the states of Markov chains: some chains at a time, each making its pictures one after the other.
struct ChainGeneration {
  let pipeline: ImagePipeline
  let plan: ResolvedRequest
  let chains: ChainPlan
  let pictures: PreparedPictures
  let request: GenerationRequest
  let memory: RequestMemory

  private var model: LoadedModel { pipeline.model }

  func run(_ result: inout GenerationResult) throws {
    var images: [GenerationResult.Image?] = Array(repeating: nil, count: request.prompts.count)
    var latents: [Tensor?] = Array(repeating: nil, count: request.prompts.count)
    var report = ChainReport()
    // Chains of one length side by side: none of them walks on for the others' sake only.
    let members = chains.chains(prompts: request.prompts).sorted { $0.count > $1.count }
    for start in stride(from: 0, to: members.count, by: plan.batch) {
      let group = Array(members[start..<min(start + plan.batch, members.count)])
      try generate(group, &images, &latents, &report, &result)
    }
    result.images = images.compactMap { $0 }
    let states = latents.compactMap { $0 }
    if request.stopsAtLatents { result.latents = try withTensorErrors { .cat(states) } }
    report.correlate(members.map { chain in (request.prompts[chain[0]], chain.compactMap { latents[$0] }) })
    result.chains = report
  }

  private func generate(
    _ group: [[Int]], _ images: inout [GenerationResult.Image?], _ latents: inout [Tensor?], _ report: inout ChainReport,
    _ result: inout GenerationResult
  ) throws {
    let clock = ContinuousClock()
    let begin = clock.now
    let seeds = group.map { request.seeds[$0[0]] }
    let denoiser = try denoiser(group, &result)
    let encoded = clock.now
    var (walk, evaluations) = try withInference { try begun(group, seeds, denoiser) }
    report.burnInEvaluations = evaluations + walk.evaluations
    var decoding = 0.0
    let longest = group.map(\.count).max() ?? 0
    for place in 0..<chains.place + longest {
      let show = shower(group.first?.first ?? 0)
      var step = 0
      let quiet = try withInference {
        try walk.quietest(after: chains.skip, chains.step, denoiser) {
          step += 1
          show(step, $0)
        }
      }
      guard place >= chains.place else { continue }
      let (samples, calls) = try withInference { try finished(walk, quiet, seeds, place, denoiser) { show(chains.skip + $0 + 1, $1) } }
      evaluations += calls
      report.pictureEvaluations = walk.evaluationsPerStep * chains.skip + calls
      let before = clock.now
      for (offset, chain) in group.enumerated() where place - chains.place < chain.count {
        let index = chain[place - chains.place]
        let sample = try withTensorErrors { samples.narrow(0, start: offset, length: 1) }
        latents[index] = sample
        report.pictures += 1
        guard !request.stopsAtLatents else { continue }
        let pixels = try withInference { try withTensorErrors { try pipeline.decoded(sample, plan) } }
        images[index] = .init(pixels: pixels, settings: settings(index, seed: seeds[offset], place: place))
      }
      decoding += (clock.now - before).inSeconds
    }
    report.chains += group.count
    report.totalEvaluations += group.count * (evaluations + walk.evaluations)
    report.record.join(walk.record)
    result.evaluations += evaluations + walk.evaluations
    result.seconds.encode += (encoded - begin).inSeconds
    result.seconds.decode += decoding
    result.seconds.denoise += (clock.now - encoded).inSeconds - decoding
  }

  private func denoiser(_ group: [[Int]], _ result: inout GenerationResult) throws -> GuidedDenoiser {
    var warnings = result.warnings
    let conditions = try withInference {
      try withTensorErrors {
        try model.conditioner.conditions(
          prompts: group.map { request.prompts[$0[0]] }, negative: request.negative, given: GivenTensors(),
          needsNegative: plan.needsNegative, frame: plan.frame(request), warnings: &warnings)
      }
    }
    result.warnings = warnings
    let side = (height: plan.sampleShape[1], width: plan.sampleShape[2])
    let told = try model.backbone.unpadded(plan.told(conditions, model: model, count: group.count))
    let prepared = try withInference { try withTensorErrors { told.mapValues { model.backbone.prepared($0, sampleSide: side) } } }
    let call = NetworkCall(
      model: model, conditions: prepared, pictures: pictures, policy: nil, graphs: memory.graphs, tables: memory.tables)
    return GuidedDenoiser(
      parametrisation: plan.parametrisation, guidance: plan.guidance, corrections: plan.corrections,
      batching: plan.guidanceBatching
    ) { input, context in try call.output(input, context) }
  }

  /// Chains after their burn-in, and what the runs cost that they began with.
  private func begun(_ group: [[Int]], _ seeds: [UInt64], _ denoiser: any Denoiser) throws -> (DenoisingChains, Int) {
    // Generators are shared by all copies of the source: what is asked for later is drawn after what a run drew.
    var noise: any NoiseSource = try SeededNoise(seeds: seeds)
    // The model's own way to make a picture, in few steps.
    var first = GenerationRequest(prompts: group.map { request.prompts[$0[0]] }, seeds: seeds)
    (first.style, first.width, first.height, first.steps) = (request.style, request.width, request.height, chains.startSteps)
    (first.guidanceScale, first.scheduler) = (request.guidanceScale, plan.schedulerText)
    let short = try ResolvedRequest(first, model: model)
    let initial = try short.drawnLatents([group.count] + plan.sampleShape, &noise, device: model.device)
    let (clean, cost) = try short.run(start: .given(initial)).run(denoiser, noise: noise)
    let added = try noise.draw(shape: clean.shape, dtype: clean.dtype, device: clean.device)
    var walk = try DenoisingChains(
      from: linearCombination([(clean, 1), (added, chains.startNoise)]),
      guesses: Array(repeating: chains.startNoise, count: group.count), schedule: plan.schedule, estimator: estimator(), noise: noise,
      denoiser: denoiser)
    walk.greatestChange = chains.greatestChange
    for index in 0..<chains.warmUp + chains.burnIn {
      try Task.checkCancellation()
      try walk.advance(index < chains.warmUp ? chains.warmUpStep : chains.step, denoiser, isRecorded: false)
    }
    return (walk, cost.evaluations)
  }

  private func estimator() throws -> any NoiseLevelEstimator {
    guard let estimator = chains.estimator else { throw GenerationError("the chains have nothing that tells noise levels") }
    return estimator
  }

  /// Clean samples from quiet states.
  private func finished(
    _ walk: DenoisingChains, _ quiet: DenoisingChains.State, _ seeds: [UInt64], _ place: Int, _ denoiser: any Denoiser,
    _ progress: @escaping (Int, Tensor) -> Void
  ) throws -> (Tensor, Int) {
    // Streams of their own, so that a chain does not depend on how its states are denoised.
    let noise = try SeededNoise(seeds: seeds.map { $0 &+ 0x9E37_79B9_7F4A_7C15 &* UInt64(place + 1) })
    let (samples, calls) = try walk.denoised(quiet, solver: plan.solver, grid: plan.grid(from:), noise: noise, denoiser: denoiser) {
      progress($0.step, $0.denoised)
    }
    guard chains.tweedie > 0 else { return (samples, calls) }
    let level = try plan.schedule.level(lambda: -log(chains.tweedie))
    let context = StepContext(step: 0, stepCount: 1, evaluation: 0, evaluationCount: 1, level: level)
    return (try denoiser.denoised(linearCombination([(samples, level.alpha)]), context: context), calls + 1)
  }

  private func shower(_ image: Int) -> (Int, Tensor) -> Void {
    { step, denoised in
      request.progress?(
        GenerationProgress(
          image: image, imageCount: request.prompts.count, step: step, stepCount: chains.skip + plan.grid.steps, denoised: denoised))
    }
  }

  /// A picture is repeated by its chain's seed and its place in the chain.
  private func settings(_ index: Int, seed: UInt64, place: Int) -> GenerationSettings {
    var settings = plan.settings(index, request, model: model)
    settings.seed = seed
    settings.start?.parameters["place"] = String(place)
    settings.start?.parameters["per-chain"] = nil
    return settings
  }
}
