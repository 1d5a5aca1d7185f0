internal import QuickstepAcceleration
import QuickstepDiffusion
internal import QuickstepModels
internal import QuickstepNN
internal import QuickstepTensor
internal import QuickstepTokenizers

/// A request with every default filled in and every part checked against the model, before any work is done.
struct ResolvedRequest {
  /// Of the steps that are run.
  let solver: any Solver
  let solverName: String
  /// With what a foreign name implies, so that the settings alone repeat the picture.
  let solverParameters: [String: String]
  /// The noise schedule for this size, the model's own or that of another scheduler file.
  let schedule: any NoiseSchedule
  /// What the network's output means.
  let parametrisation: Parametrisation
  /// The scheduler's configuration as JSON, where it is not the model's own.
  let schedulerText: String?
  let grid: Grid
  let spacingName: String
  let spacingParameters: [String: String]
  let guidance: Guidance
  let guidanceScale: Double
  /// Whether guidance compares with a second branch, and not by what a distilled network is told.
  let needsNegative: Bool
  /// Whether the branches that are compared are evaluated in one call.
  let guidanceBatching: GuidedDenoiser.Batching
  let corrections: [any Correction]
  /// Methods of acceleration, checked against the run.
  let acceleration: Acceleration
  /// The run as these methods see it.
  let outline: RunOutline
  /// Those asked for, or the model's own.
  private let correctionChoices: [MethodChoice]
  let style: String?
  let size: WorkingSize
  /// Of what is worked at, in pixels.
  var width: Int { size.width }
  /// Of what is worked at, in pixels.
  var height: Int { size.height }
  /// `[C, H, W]` of what is denoised: latents where there is a codec.
  let sampleShape: [Int]
  let batch: Int
  /// Bytes of a prompt: far more than any text encoder reads.
  private static let longestPrompt = 65536
  /// What the caller brought along, checked, on the model's device.
  let given: GivenTensors
  /// What it begins with and is steered by, and which steps are run.
  let pictures: ResolvedPictures
  /// How it begins, where it neither begins at noise nor with a picture.
  let start: PreparedStart?
  /// The steps of the grid that are run.
  let steps: Range<Int>
  /// Whether the codec works in strips.
  let worksInStrips: Bool
  private(set) var warnings: [String] = []

  init(_ request: GenerationRequest, model: LoadedModel) throws {
    guard !request.prompts.isEmpty else { throw GenerationError("there is no prompt") }
    guard request.prompts.count == request.seeds.count else {
      throw GenerationError("\(request.prompts.count) prompts and \(request.seeds.count) seeds; one seed per prompt is needed")
    }
    for text in request.prompts + [request.negative] where text.utf8.count > Self.longestPrompt {
      throw GenerationError("a prompt has \(text.utf8.count) bytes ('\(text.prefix(40))…'); allowed: at most \(Self.longestPrompt)")
    }
    guard request.batch >= 1 else { throw GenerationError("the batch is \(request.batch); allowed: 1 and above") }
    batch = request.batch
    size = try WorkingSize(request, model)
    worksInStrips = try request.tiling.worksInStrips(model, width: size.width, height: size.height)
    sampleShape = [model.backbone.stateChannels, size.height / model.pixelsPerSample, size.width / model.pixelsPerSample]
    given = try request.given.checked(
      count: request.prompts.count, latentShape: sampleShape, model: model)
    if let warning = size.warning { warnings.append(warning) }
    if !request.usesTrainedSizes, model.sizeBins == nil {
      warnings.append("'\(model.name)' works at the size it is asked for; the exact size has no effect")
    }
    style = try Self.style(request, model)
    let choice = try SchedulerChoice(request, model: model)
    let (match, scheduler) = (choice.match, choice.configuration)
    (parametrisation, schedulerText) = (scheduler.parametrisation, choice.text)
    warnings += choice.warnings
    solverName = match.solver.declaration.name
    let implied = choice.follows ? scheduler.solverParameters(for: solverName) : [:]
    let counted = match.counted(request.steps ?? model.defaults.steps, request.solverParameters)
    let own = (match.alias?.parameters ?? [:]).merging(counted?.parameters ?? [:]) { $1 }
    solverParameters = try match.solver.resolved(
      implied.merging(own) { _, given in given }.merging(request.solverParameters) { _, given in given })
    let whole = try request.ownSolver ?? match.make(solverParameters)
    schedule = try scheduler.schedule(tokens: model.sequenceLength(width: size.width, height: size.height))
    let method = try request.start.map(AllStarts.make)
    let levels = try Self.levels(
      request, model: model, choice: choice, solver: whole, schedule: schedule, walks: method?.walks ?? false)
    (grid, spacingName, spacingParameters) = (levels.grid, levels.spacing, levels.parameters)
    warnings += levels.warnings
    guidanceScale = request.guidanceScale ?? (model.conditioner.guidance == .none ? 1 : model.defaults.guidanceScale)
    let interval = request.guidanceInterval
    guard interval.lowerBound >= 0, interval.upperBound <= 1 else {
      throw GenerationError("the guidance interval is \(interval); allowed: within 0…1")
    }
    needsNegative = model.comparesBranches(at: guidanceScale)
    guidance =
      try !needsNegative
      ? .none()
      : .classifierFree(
        scale: guidanceScale, window: interval == 0...1 ? .always : .steps(start: interval.lowerBound, end: interval.upperBound))
    // What a scheduler's file does to x̂0 belongs to its solver.
    correctionChoices = request.corrections.isEmpty && choice.follows ? scheduler.corrections : request.corrections
    corrections = try correctionChoices.map { try AllCorrections.make($0.name, $0.parameters) }
    guard !request.recordsTrajectory || request.prompts.count <= request.batch else {
      throw GenerationError(
        "a trajectory holds one batch; \(request.prompts.count) pictures in batches of \(request.batch) would be several")
    }
    warnings += Self.guidanceWarnings(request, model, scale: guidanceScale)
    if request.weighting != .none, !model.conditioner.takesWeights {
      throw GenerationError(
        "'\(model.name)' cannot weight words of a prompt: weighting '\(request.weighting.rawValue)' needs text encoders of CLIP alone")
    }
    if request.weighting != .none, given.promptEmbeds != nil {
      throw GenerationError("weighting '\(request.weighting.rawValue)' has no effect on prompts that are encoded already")
    }
    if request.weighting != .none { for text in request.prompts + [request.negative] { _ = try WeightedPrompt.checked(text) } }
    if choice.follows { warnings += scheduler.warnings }
    pictures = try ResolvedPictures(
      request, model: model, grid: grid, schedule: schedule, width: size.width, height: size.height, sampleShape: sampleShape)
    let (last, beginning) = (pictures.steps.upperBound, try Self.start(request, method, model, grid, sampleShape, pictures))
    start = beginning
    steps = beginning.map { $0.skippedSteps..<last } ?? pictures.steps
    warnings += beginning?.warnings ?? []
    if !model.conditioner.hasStyles, let style = request.style, style != "none" {
      warnings.append("'\(model.name)' has no styles; the style has no effect")
    }
    if choice.follows, let missing = scheduler.missingSolver {
      warnings.append("'\(missing)', which \(scheduler.file.path) asks for, is not there yet; \(solverName) is used")
    }
    // Compiling once up front finds out whether the solver can serve this grid at all, and the network its levels.
    let part = try Self.part(grid, steps)
    solver = try whole.beginning(at: steps.lowerBound, of: grid.steps)
    let table = try solver.compile(schedule: schedule, grid: part)
    let identity = RunIdentity(fingerprint: model.fingerprint, solver: solverName, guidanceScale: guidanceScale)
    // Methods plan the steps that are run, and not those that another model does after them.
    let planned = steps.upperBound < grid.steps ? try table.prefix(steps: steps.count) : table
    outline = Self.outline(request, model, planned, guidance, identity, schedule: schedule, sampleShape: sampleShape)
    acceleration = try Self.acceleration(request, model, solver, outline)
    warnings += acceleration.warnings
    if let models = acceleration.models, !models.restarts.isEmpty {
      let anew = try solver.compile(schedule: schedule, grid: part, restarts: models.restarts)
      warnings += try Self.checkRestarts(of: models, table, anew, solverName)
    }
    let batching = Self.batching(request, model, acceleration, outline, needsNegative: needsNegative, walks: start?.chains != nil)
    guidanceBatching = batching.used
    warnings += batching.warnings
    for row in table.rows { if let call = row.evaluation { _ = try parametrisation.coefficients(at: call.level) } }
    warnings += solver.fallbacks(steps: steps.count)
    warnings += solver.concerns(
      fingerprint: model.fingerprint, guidanceScale: model.conditioner.guidance == .none ? nil : guidanceScale,
      accelerations: request.accelerations.map(\.description))
    AmplificationWarning.text(table, match.solver, solverParameters, schedule: schedule, grid: part).map { warnings.append($0) }
  }

  /// A start method, where nothing else says how the run begins.
  private static func start(
    _ request: GenerationRequest, _ method: (any StartMethod)?, _ model: LoadedModel, _ grid: Grid, _ shape: [Int],
    _ pictures: ResolvedPictures
  ) throws -> PreparedStart? {
    guard let choice = request.start, let method else { return nil }
    guard pictures.start == nil, pictures.handover == nil else {
      throw GenerationError(
        "'\(choice.name)' begins a run that begins with a picture or another model's state already; leave one of them out")
    }
    if method.walks { try checkWalk(request, choice.name) }
    let prepared = try method.prepared(model: model, grid: grid, sampleShape: shape, prompts: request.prompts)
    guard prepared.skippedSteps < pictures.steps.upperBound else {
      throw GenerationError("'\(choice.name)' would jump over all \(pictures.steps.upperBound) steps of this model's part")
    }
    return prepared
  }

  /// The levels of the steps that are run.
  private static func part(_ grid: Grid, _ steps: Range<Int>) throws -> Grid { try grid.suffix(fromStep: steps.lowerBound) }

  /// What one batch does, from `start`.
  func run(start: SamplingRun.Start) throws -> SamplingRun {
    let stop = steps.upperBound < grid.steps ? steps.count : nil
    return try SamplingRun(
      solver: solver, schedule: schedule, grid: Self.part(grid, steps), start: start, stopAfter: stop,
      restarts: acceleration.models?.restarts ?? [], change: acceleration.applied(to:))
  }

  /// What the conditioner is told besides the prompts.
  func frame(_ request: GenerationRequest) -> ConditioningFrame {
    var frame = ConditioningFrame(style: style, width: width, height: height)
    (frame.weighting, frame.guidanceScale) = (request.weighting, guidanceScale)
    return frame
  }

  private static func style(_ request: GenerationRequest, _ model: LoadedModel) throws -> String? {
    guard let style = request.style ?? model.defaults.style else { return nil }
    if style == "none" || !model.conditioner.hasStyles { return nil }
    guard model.defaults.styles.contains(style) else {
      throw GenerationError("'\(model.name)' has no style '\(style)'; it has \(model.defaults.styles.joined(separator: ", ")) (or none)")
    }
    return style
  }

  /// The conditions with the guidance scale, for networks that are told it.
  func told(_ conditions: [String: Conditioning], model: LoadedModel, count: Int) throws -> [String: Conditioning] {
    guard let size = model.backbone.guidanceSize else { return conditions }
    return try withTensorErrors {
      let features = GuidanceFeatures.make(scale: guidanceScale, size: size, count: count).to(model.computeType, model.device)
      return conditions.mapValues { condition in
        var condition = condition
        condition.guidance = features
        return condition
      }
    }
  }

  /// The rows of the given tensors that belong to a batch.
  func given(_ range: Range<Int>) -> GivenTensors {
    given.mapped { _, tensor in tensor.narrow(0, start: range.lowerBound, length: range.count) }
  }

  func settings(_ index: Int, _ request: GenerationRequest, model: LoadedModel) -> GenerationSettings {
    GenerationSettings(
      model: model.name, modelHash: model.fingerprint, prompt: request.prompts[index], negative: request.negative, style: style,
      weighting: request.weighting == .none ? nil : request.weighting, seed: request.seeds[index], generator: "torch-cpu",
      solver: solverName, solverParameters: solverParameters, scheduler: schedulerText,
      start: request.start, spacing: spacingName, spacingParameters: spacingParameters, steps: grid.steps, guidanceScale: guidanceScale,
      guidanceStart: request.guidanceInterval.lowerBound, guidanceEnd: request.guidanceInterval.upperBound,
      guidanceBatching: guidanceBatching == .together ? nil : guidanceBatching, corrections: correctionChoices,
      accelerations: request.accelerations.isEmpty ? nil : request.accelerations,
      width: size.shown.width, height: size.shown.height, usesTrainedSizes: model.sizeBins == nil ? nil : request.usesTrainedSizes,
      dtype: "\(model.dtype)", kernels: "\(model.kernels)", device: "\(model.device)",
      threads: Machine.threads, batch: batch, alterations: model.options.isEmpty ? nil : model.options,
      hasGivenTensors: !given.isEmpty, pictures: pictures.record, worksInStrips: model.codec == nil ? nil : worksInStrips,
      version: ImagePipeline.version)
  }
}
