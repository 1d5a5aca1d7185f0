internal import QuickstepDiffusion
internal import QuickstepModels
internal import QuickstepNN
internal import QuickstepTensor

/// The pictures of a request as the networks take them, made once for all batches.
struct PreparedPictures {
  /// The start image at unit variance, `[1, C, h, w]`, float32.
  let clean: Tensor?
  /// At the size of the samples, `[1, 1, h, w]`, float32.
  let mask: Tensor?
  /// What a network that inpaints by itself is told: mask and kept part, `[1, 1 + C, h, w]`, in the network's type.
  private(set) var told: Tensor?
  private var controls: [PreparedControl]

  init(_ pictures: ResolvedPictures, _ model: LoadedModel, inStrips: Bool) throws {
    func encoded(_ picture: Tensor) throws -> Tensor {
      let placed = picture.to(model.codecType, model.device)
      return try (model.codec.map { try inStrips ? $0.latentsInStrips(placed) : $0.latents(placed) } ?? placed).to(.float32)
    }
    let factor = model.pixelsPerSample
    let small = pictures.mask.map {
      $0.slice(2, start: 0, end: nil, step: factor).slice(3, start: 0, end: nil, step: factor).contiguous().to(model.device)
    }
    mask = small
    if pictures.tellsNetwork, let start = pictures.start, let mask = pictures.mask, let small {
      told = try Tensor.cat([small, encoded(start * mask.less(0.5).to(.float32))], dim: 1).to(model.computeType)
    } else {
      told = nil
    }
    clean = try pictures.start.map(encoded)
    controls = try pictures.controls.map { try PreparedControl($0.input, $0.hint.to(model.computeType, model.device)) }
  }

  /// The same for the part of a run that one model does: the ControlNets that act in it, where they are in the whole run. Other models than the request's
  /// take states alone.
  func within(_ segment: RunSegment) -> PreparedPictures {
    var pictures = self
    pictures.controls = segment.controls.map { controls[$0].within(segment) }
    if segment.isCompanion { pictures.told = nil }
    return pictures
  }

  /// Where a batch begins, the noise it was given or drew, and what is to be done to its state after every step.
  func start(
    _ range: Range<Int>, _ plan: ResolvedRequest, model: LoadedModel, noise: inout any NoiseSource
  ) throws -> (start: SamplingRun.Start, change: TableauExecutor.StateChange?) {
    let shape = [range.count] + plan.sampleShape
    if let state = plan.pictures.handover {
      return (.given(state.narrow(0, start: range.lowerBound, length: range.count).contiguous()), nil)
    }
    guard let clean else {
      let initial = try plan.initialLatents(range) ?? plan.drawnLatents(shape, &noise, device: model.device)
      return (.given(try plan.start?.state(initial, range) ?? initial), nil)
    }
    let drawn = try plan.given(range).latents?.contiguous() ?? noise.draw(shape: shape, dtype: .float32, device: model.device)
    let picture = clean.expand(shape).contiguous()
    let level = plan.grid.levels[plan.pictures.steps.lowerBound]
    // With a mask and nothing kept of the picture the reference begins at noise alone.
    let isNoise = mask != nil && plan.pictures.strength == 1
    let state =
      try isNoise
      ? linearCombination([(drawn, plan.noiseScale(at: level))]) : linearCombination([(picture, level.alpha), (drawn, level.sigma)])
    guard let mask, told == nil else { return (.given(state), nil) }
    let last = plan.pictures.steps.count - 1
    return (
      .given(state),
      { state, step, level in
        let kept = step == last ? picture : try linearCombination([(picture, level.alpha), (drawn, level.sigma)])
        return try withTensorErrors { (kept * (1 - mask) + state * mask).contiguous() }
      }
    )
  }

  /// The network's input with what it is told beside the state.
  func input(_ state: Tensor) -> Tensor {
    guard let told else { return state }
    return .cat([state, told.expand([state.size(0)] + told.shape.dropFirst())], dim: 1)
  }

  /// What ControlNets add in this evaluation, summed, if there are some and one of them acts.
  /// - Parameter conditions: by branch of the evaluation, for as many samples as the input has of each.
  func residuals(_ input: Tensor, timestep: Tensor, _ conditions: [Conditioning], _ evaluation: Evaluation) throws -> ControlResiduals? {
    let acting = controls.filter { $0.acts(evaluation.context) }
    guard !acting.isEmpty else { return nil }
    return try evaluation.control(input) { _ in
      var sum: ControlResiduals?
      for control in acting { sum = .sum(sum, try control.residuals(input, timestep: timestep, conditions, evaluation.context)) }
      return sum ?? ControlResiduals(down: [])
    }
  }

  /// Which ControlNets act in an evaluation.
  func acting(_ context: StepContext) -> [String] { controls.indices.filter { controls[$0].acts(context) }.map { "control \($0)" } }
}
