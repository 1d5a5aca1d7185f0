internal import Foundation
internal import QuickstepDiffusion
internal import QuickstepModels
internal import QuickstepNN
internal import QuickstepTensor

/// From a request to pictures: encode, denoise, decode. Holds nothing but the model, so requests may run side by side.
public struct ImagePipeline: Sendable {
  /// Version of Quickstep, as pictures, benchmarks and the command line report it.
  public static let version = "0.1.0"
  /// What pictures are made with.
  public let model: LoadedModel

  /// A pipeline on a loaded model; costs nothing.
  public init(_ model: LoadedModel) { self.model = model }

  /// Checks the request as a whole, then makes the pictures batch by batch. Cancellation is honoured between evaluations.
  /// - Throws: `GenerationError` and the errors of solver, grid and schedule before any work is done; `TensorError` when a computation fails;
  ///   `CancellationError`.
  public func generate(_ request: GenerationRequest) throws -> GenerationResult {
    let plan = try ResolvedRequest(request, model: model)
    var result = GenerationResult()
    result.warnings = plan.warnings
    for start in stride(from: 0, to: request.prompts.count, by: plan.batch) {
      try generate(start..<min(start + plan.batch, request.prompts.count), plan, request, &result)
    }
    return result
  }

  private func generate(_ range: Range<Int>, _ plan: ResolvedRequest, _ request: GenerationRequest, _ result: inout GenerationResult) throws
  {
    let clock = ContinuousClock()
    let begin = clock.now
    var warnings = result.warnings
    let conditions = try withInference {
      try withTensorErrors {
        try model.conditioner.conditions(
          prompts: Array(request.prompts[range]), negative: request.negative, given: plan.given(range), needsNegative: plan.needsNegative,
          frame: plan.frame(request), warnings: &warnings)
      }
    }
    result.warnings = warnings
    let encoded = clock.now
    let (state, evaluations) = try denoise(range, plan, request, conditions, &result)
    let denoised = clock.now
    for (offset, index) in range.enumerated() {
      let pixels = try withInference { try withTensorErrors { try decoded(state.narrow(0, start: offset, length: 1)) } }
      result.images.append(.init(pixels: pixels, settings: plan.settings(index, request, model: model)))
    }
    result.evaluations += evaluations
    result.seconds.encode += (encoded - begin).inSeconds
    result.seconds.denoise += (denoised - encoded).inSeconds
    result.seconds.decode += (clock.now - denoised).inSeconds
  }

  /// One sample `[1, C, H, W]` to a picture `[C, H, W]` in main memory.
  private func decoded(_ sample: Tensor) throws -> Tensor {
    try Task.checkCancellation()
    let picture = try model.codec.map { try $0.picture(sample.to(model.computeType)) } ?? sample
    return picture.squeeze(0).to(.cpu).to(.float32).contiguous().clone()
  }

  private func denoise(
    _ range: Range<Int>, _ plan: ResolvedRequest, _ request: GenerationRequest, _ conditions: [String: Conditioning],
    _ result: inout GenerationResult
  ) throws -> (Tensor, Int) {
    let shape = [range.count] + plan.sampleShape
    let start: SamplingRun.Start =
      try plan.initialLatents(range).map { .given($0) } ?? .noise(shape, device: model.device, scale: .marginal)
    let run = try SamplingRun(solver: plan.solver, schedule: plan.schedule, grid: plan.grid, start: start)
    let denoiser = GuidedDenoiser(
      parametrisation: model.scheduler.parametrisation, guidance: plan.guidance, corrections: plan.corrections
    ) { input, context in
      try NetworkCall(model: model, conditions: conditions).output(input, context)
    }
    var trajectory: [(name: String, tensor: Tensor)] = []
    let outcome = try withInference {
      try run.run(denoiser, noise: try SeededNoise(seeds: Array(request.seeds[range]))) { progress in
        if request.recordsTrajectory { trajectory.append((String(format: "step_%03d", progress.step), progress.state)) }
        request.progress?(
          GenerationProgress(
            image: range.lowerBound, imageCount: request.prompts.count, step: progress.step + 1, stepCount: progress.stepCount,
            denoised: progress.denoised))
      }
    }
    if request.recordsTrajectory {
      trajectory.append(("final", outcome.state))
      trajectory.append(("timesteps", Tensor(plan.grid.timesteps)))
      result.trajectory = trajectory
    }
    return (outcome.state, outcome.report.evaluations)
  }
}

extension Duration {
  fileprivate var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
