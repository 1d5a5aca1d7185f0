internal import QuickstepAcceleration
internal import QuickstepDiffusion
internal import QuickstepModels
internal import QuickstepNN
internal import QuickstepTensor

extension ImagePipeline {
  /// Checks the request as ``generate(_:)`` does and estimates its memory. Models that share the run are counted with it; all of them are in memory
  /// from its beginning to its end.
  /// - Throws: what `generate` throws for a request that cannot be carried out.
  public func estimate(_ request: GenerationRequest) throws -> MemoryEstimate {
    let plan = try ResolvedRequest(request, model: model)
    let batch = min(plan.batch, request.prompts.count)
    let bytes = model.computeType.byteCount
    let segments = try plan.segments(request, model: model, companions: companions)
    var weights = model.parameterBytes + companions.values.reduce(0) { $0 + $1.parameterBytes } + plan.acceleration.ownBytes
    var (encode, denoise): (Int, Int?) = (0, 0)
    for segment in segments {
      encode = max(encode, segment.encodingBytes(batch: batch))
      if let known = denoise, let own = segment.denoisingBytes(batch: batch) { denoise = max(known, own) } else { denoise = nil }
    }
    for control in plan.pictures.controls {
      let side = (width: plan.sampleShape[2], height: plan.sampleShape[1])
      let added = control.input.network.workingBytes(
        sampleSide: side, batch: batch * plan.branchesAtOnce, elementBytes: bytes)
      denoise = denoise.map { $0 + added }
    }
    weights += request.pictures.controlBytes
    // A few states of the solver, in float32.
    denoise = denoise.map { $0 + 8 * 4 * batch * plan.sampleShape.reduce(1, *) }
    let decode = model.codec.map { codec in
      codec.workingBytes(
        pictureSide: (plan.width, plan.height), elementBytes: model.codecType.byteCount, inStrips: plan.worksInStrips)
    }
    // Pixels, or the states where the run stops at them, in float32.
    let kept =
      request.stopsAtLatents
      ? plan.sampleShape.reduce(1, *) : (model.codec?.pictureChannels ?? plan.sampleShape[0]) * plan.width * plan.height
    let isDecoded = !request.stopsAtLatents || request.pictures.start != nil
    return MemoryEstimate(
      weights: weights, encode: encode, denoise: denoise, held: heldBytes(segments, request, batch: batch),
      decode: isDecoded ? decode ?? 0 : 0, decodesInStrips: isDecoded && plan.worksInStrips,
      pictures: 4 * kept * request.prompts.count, stateShape: [request.prompts.count] + plan.sampleShape)
  }

  /// What methods hold in all parts of a run together: each part's methods keep what they hold until the batch is done.
  private func heldBytes(_ segments: [RunSegment], _ request: GenerationRequest, batch: Int) -> Int? {
    var sum = 0
    for segment in segments where segment.acceleration.acts {
      // An operation that has no form without values leaves the size unknown; the run itself does not need it.
      guard let sizes = try? segment.sizes(request, batch: batch) else { return nil }
      sum += segment.acceleration.heldBytes(sizes)
    }
    return sum
  }
}

extension RunSegment {
  /// Bytes in use while its model encodes prompts.
  fileprivate func encodingBytes(batch: Int) -> Int {
    guard plan.given.promptEmbeds == nil else { return 0 }
    return model.conditioner.workingBytes(batch: batch, elementBytes: model.computeType.byteCount)
  }

  /// Bytes in use while its model is evaluated, for as many branches of guidance as a call has, and for evaluations that are made at once; `nil` where
  /// it does not tell.
  fileprivate func denoisingBytes(batch: Int) -> Int? {
    model.backbone.workingBytes(
      sampleSide: (width: plan.sampleShape[2], height: plan.sampleShape[1]),
      promptLength: plan.given.promptEmbeds?.size(1) ?? model.conditioner.promptLength,
      batch: batch * plan.branchesAtOnce * acceleration.evaluationsAtOnce, elementBytes: model.computeType.byteCount)
  }

  /// The evaluation with the most branches of guidance and, among those, of ControlNets that act.
  private var fullest: RunOutline.Call? {
    func acting(_ call: RunOutline.Call) -> Int {
      plan.pictures.controls.count { $0.input.acts(step: call.step + steps.lowerBound, of: runSteps) }
    }
    return outline.calls.max { ($0.branches.count, acting($0)) < ($1.branches.count, acting($1)) }
  }

  /// What passes through its network in one evaluation, found on an outline of the model: tensors that have shapes and no values.
  fileprivate func sizes(_ request: GenerationRequest, batch: Int) throws -> RunSizes {
    // Layers that only count for their bytes cannot be passed through.
    let isOutline = model.device == .meta && model.askedKernels == .plain
    let hollow =
      try isOutline ? model : LoadedModel.outline(folder: model.folder, dtype: model.computeType, kernels: .plain, options: model.options)
    guard let call = fullest else { return RunSizes() }
    let observer = SizeObserver()
    let recorder = RunRecorder([observer])
    let count = outline.calls.count
    var context = StepContext(
      step: call.step + steps.lowerBound, stepCount: runSteps, evaluation: 0, evaluationCount: count, level: call.level)
    context.branches = call.branches
    try withInference {
      try withTensorErrors {
        var warnings: [String] = []
        var conditions = try hollow.conditioner.conditions(
          prompts: Array(request.prompts.prefix(batch)), negative: request.negative,
          given: plan.given(0..<batch).mapped { $1.to(.meta) }, needsNegative: plan.needsNegative, frame: plan.frame(request),
          warnings: &warnings)
        conditions = try plan.told(conditions, model: hollow, count: batch)
        let side = (height: plan.sampleShape[1], width: plan.sampleShape[2])
        conditions = conditions.mapValues { hollow.backbone.prepared($0, sampleSide: side) }
        let pictures = try PreparedPictures(plan.pictures.outlined(dtype: model.computeType), hollow, inStrips: false)
        let network = NetworkCall(model: hollow, conditions: conditions, pictures: pictures, policy: recorder, tables: ConstantTables())
        let input = Tensor.empty([batch * max(1, call.branches.count)] + plan.sampleShape, dtype: .float32, device: .meta)
        _ = try network.output(input, context)
      }
    }
    var sizes = observer.sizes
    sizes.answer = 4 * batch * plan.sampleShape.reduce(1, *)
    let sets = Set(outline.calls.map(\.branches)).reduce(0) { $0 + max(1, $1.count) }
    sizes.branchSets = max(1, Double(sets) / Double(max(1, call.branches.count)))
    return sizes
  }
}
