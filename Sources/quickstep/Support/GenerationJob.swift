import ArgumentParser
import Foundation
import QuickstepDiffusion
import QuickstepFormats
import QuickstepNN
import QuickstepPipelines
import QuickstepTensor
import QuickstepTuner

/// One model's part of a run.
struct GenerationStage {
  var folder: String
  var request: GenerationRequest
  /// What is changed of the model; LoRAs and replaced parts are the first model's.
  var options = ModelOptions()
}

/// `quickstep generate`, from options to files.
struct GenerationJob {
  private let command: GenerateCommand
  private let modelPath: String
  private var request: GenerationRequest
  private var warnings: [String] = []
  /// Of the picture to repeat.
  private var repeated: GenerationSettings?
  private let deviceName: String
  private let dtypeName: String
  private let kernelName: String?
  private let alterations: ModelOptions
  private var recipe: RecipeOptions.Choice?

  init(_ command: GenerateCommand) throws {
    self.command = command
    if let path = command.fromImage {
      let settings = try GenerationSettings.read(from: PNG.read(path), path: path)
      modelPath = try ModelLibrary.find(command.model ?? settings.model)
      request = GenerationRequest(repeating: settings)
      repeated = settings
      deviceName = command.device ?? settings.device
      dtypeName = settings.dtype
      // Pictures of earlier versions were made with plain layers and do not say so.
      kernelName = settings.kernels ?? KernelChoice.plain.description
      alterations = settings.alterations ?? ModelOptions()
      Machine.threads = command.threads ?? settings.threads
      if settings.batch > 1 {
        warnings.append("the picture was made in a batch of \(settings.batch); alone it is equal up to rounding only")
      }
      if settings.pictures != nil {
        throw GenerationError(
          "\(path) was made from other pictures or by several models, which it does not hold; repeat the command that made it")
      }
      if settings.hasGivenTensors {
        throw GenerationError("\(path) was made from tensors of a file (--latents), which it does not hold; repeat it with that file")
      }
      return
    }
    modelPath = try command.model.map(ModelLibrary.find) ?? ModelLibrary.standard()
    deviceName = command.device ?? "auto"
    dtypeName = command.dtype ?? "float32"
    kernelName = command.kernels
    alterations = try command.alterations.options()
    if let threads = command.threads { Machine.threads = threads }
    let first = command.seed ?? UInt64.random(in: 0...UInt64(UInt32.max))
    let prompts = command.prompts.flatMap { Array(repeating: $0, count: command.count) }
    request = GenerationRequest(prompts: prompts, seeds: prompts.indices.map { first &+ UInt64($0) })
    request.negative = command.negative ?? ""
    request.style = command.style
    request.weighting = command.weighting ?? .none
    request.steps = command.steps
    request.guidanceScale = command.guidance
    request.corrections = try command.correct.map { try MethodChoice(parsing: $0) }
    request.accelerations = try command.accelerate.map { try MethodChoice(parsing: $0) }
    request.batch = command.batch
    if let solver = try command.solver.map({ try MethodChoice(parsing: $0) }) {
      (request.solver, request.solverParameters) = (solver.name, solver.parameters)
    }
    request.start = try command.start.map { try MethodChoice(parsing: $0) }
    if let grid = try command.grid.map({ try MethodChoice(parsing: $0) }) {
      (request.spacing, request.spacingParameters) = (grid.name, grid.parameters)
    }
    if let size = command.size { (request.width, request.height) = try Self.parseSize(size) }
    request.usesTrainedSizes = !command.exactSize
    if let interval = command.guidanceInterval {
      request.guidanceInterval = try Interval.parse(interval, option: "--guidance-interval")
    }
    request.tiling = command.memory.vaeTiling ?? .auto
    request.guidanceBatching = command.memory.guidanceBranches ?? .together
    request.pictures = try command.pictures.inputs()
    if let path = command.latents { try takeLatents(path) }
    try takeRecipe()
  }

  /// What the recipe says, where one is asked for or comes with the model.
  private mutating func takeRecipe() throws {
    let device = try Device(named: deviceName)
    guard let dtype = DType(name: dtypeName) else { return }
    let machine = Recipe.Machine.here(
      device: device.description, dtype: "\(dtype)", kernels: try KernelOption.choice(kernelName, dtype: dtype, device: device).description)
    // Runs that are no plain text-to-picture are not what a model's own recipe was measured on.
    let isPlain = command.pictures.given.isEmpty && command.latents == nil && command.size == nil
    guard isPlain || command.recipe.recipe != nil else { return }
    recipe = try command.recipe.choice(
      given: command.givenSampling, folder: modelPath, options: alterations, guidance: command.guidance, machine: machine)
    guard let recipe else { return }
    request = recipe.recipe.applied(to: request)
    warnings += recipe.warnings
  }

  func run() async throws {
    var warnings = warnings
    let device = try Device(named: deviceName)
    guard let dtype = DType(name: dtypeName), dtype.isFloatingPoint else {
      throw ValidationError("--dtype \(dtypeName) is unknown; use float32, bfloat16 or float16.")
    }
    if let recipe, !command.quiet { note(recipe.announcement) }
    let targets = try OutputTargets(command.output, prompts: request.prompts)
    if let path = command.sheet { try OutputPath.check(path, for: "--sheet") }
    if let path = command.trajectory { try OutputPath.check(path, for: "--trajectory") }
    let stages = try self.stages()
    let kernels = try KernelOption.choice(kernelName, dtype: dtype, device: device)
    let estimate = try command.memory.check(stages, command, dtype: dtype, device: device, kernels: kernels)
    if command.memory.dryRun { return try command.memory.report(estimate, json: command.json) }
    var loadSeconds = 0.0
    var latents: Tensor?
    for (index, stage) in stages.enumerated() {
      var request = stage.request
      request.graphs = command.cudaGraphs ?? .auto
      request.pictures.handover = latents
      let (model, load) = try timed {
        try LoadedModel(folder: stage.folder, dtype: dtype, device: device, kernels: kernels, options: stage.options)
      }
      loadSeconds += load
      warnings += model.notes.filter { !warnings.contains($0) }
      if index == 0, let before = repeated?.modelHash, before != model.fingerprint {
        warnings.append("the weights of '\(model.name)' have changed since the picture was made (\(before) then, \(model.fingerprint) now)")
      }
      request.pictures.controls = try index == 0 ? command.pictures.controlInputs(model) : []
      if index == 0, request.pictures.controls.isEmpty, FileManager.default.fileExists(atPath: model.folder + "/controlnet/config.json") {
        warnings.append("'\(model.name)' comes with a ControlNet, which has no effect without --control")
      }
      if index == 0, command.preview, model.codec != nil {
        warnings.append("--preview shows nothing: '\(model.name)' works on latents, which are no pictures before the end")
      }
      let display = GenerationDisplay(quiet: command.quiet, preview: command.preview && model.codec == nil)
      request.recordsTrajectory = command.trajectory != nil
      request.progress = { display.show($0) }
      let companions = try ImagePipeline.companions(of: request, like: model)
      warnings += repeated?.changes(companions: companions) ?? []
      let result = try await Interruption.ending { [request] in try ImagePipeline(model, companions: companions).generate(request) }
      display.finish()
      warnings += result.warnings.filter { !warnings.contains($0) }
      latents = result.latents
      guard index == stages.count - 1 else { continue }
      if let warning = estimate.warning(peak: ProcessMemory.peakBytes) { warnings.append(warning) }
      try finish(result, model, targets, loadSeconds: loadSeconds, estimate: estimate, warnings: warnings)
    }
  }

  /// The models in the order in which they are at work, each with its part of the run.
  private func stages() throws -> [GenerationStage] {
    guard let refiner = command.pictures.refiner else {
      return [GenerationStage(folder: modelPath, request: request, options: alterations)]
    }
    let part = command.pictures.handover ?? 0.8
    var (first, second) = (request, request)
    (first.span, first.stopsAtLatents) = (0...part, true)
    second.span = part...1
    second.given = GivenTensors()
    // Both have to walk the same grid over pictures of one size: the first model's own, where nothing is said.
    let outline = try LoadedModel.outline(folder: modelPath, options: alterations)
    second.steps = request.steps ?? outline.defaults.steps
    (second.width, second.height) = (request.width ?? outline.pictureSize.width, request.height ?? outline.pictureSize.height)
    // A vocabulary serves both, everything else was asked for the first model.
    var rest = ModelOptions()
    rest.tokenizer = alterations.tokenizer
    return [
      GenerationStage(folder: modelPath, request: first, options: alterations),
      GenerationStage(folder: try ModelLibrary.find(refiner), request: second, options: rest),
    ]
  }

  private func finish(
    _ result: GenerationResult, _ model: LoadedModel, _ targets: OutputTargets, loadSeconds: Double, estimate: RunEstimate,
    warnings: [String]
  ) throws {
    let paths = try targets.write(result.images)
    if let sheet = command.sheet { try writeSheet(result, to: sheet) }
    if let path = command.trajectory {
      try SafetensorsWriter.write(result.trajectory, metadata: ["format": "pt"], to: path, makeFolder: true)
    }
    if !command.quiet { for warning in warnings { note("warning: \(warning)") } }
    let report = GenerationReport(
      result: result, model: model, paths: paths, loadSeconds: loadSeconds, estimatedBytes: estimate.bytes, warnings: warnings,
      recipe: recipe?.path)
    if command.json { print(try report.json()) } else if !command.quiet { note(report.summary) }
  }

  private func timed<Result>(_ work: () throws -> Result) rethrows -> (Result, Double) {
    let clock = ContinuousClock()
    let start = clock.now
    let result = try work()
    return (result, seconds(clock.now - start))
  }

  private func writeSheet(_ result: GenerationResult, to path: String) throws {
    let pictures = try result.images.map { try PixelImage(tensor: $0.pixels) }
    let labels = result.images.map { $0.settings.prompt + ($0.settings.style.map { " / \($0)" } ?? "") }
    let scale = max(1, 128 / max(1, pictures.map(\.width).max() ?? 128))
    try PNG.write(try ContactSheet.make(pictures.map { $0.enlarged(by: scale) }, labels: labels), to: path, makeFolder: true)
  }

  private mutating func takeLatents(_ path: String) throws {
    let file = try SafetensorsFile(path: path)
    let known = [
      "latents", "prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds", "negative_pooled_prompt_embeds",
      "prompt_attention_mask", "negative_prompt_attention_mask",
    ]
    if let unknown = file.names.first(where: { !known.contains($0) }) {
      throw FormatError(path, "the tensor '\(unknown)' has no use here; known: \(known.joined(separator: ", "))")
    }
    func take(_ name: String) throws -> Tensor? {
      file.info(name) == nil ? nil : try withTensorErrors { try file.tensor(name).to(.float32) }
    }
    request.given.latents = try take("latents")
    request.given.promptEmbeds = try take("prompt_embeds")
    request.given.negativePromptEmbeds = try take("negative_prompt_embeds")
    request.given.pooledPromptEmbeds = try take("pooled_prompt_embeds")
    request.given.negativePooledPromptEmbeds = try take("negative_pooled_prompt_embeds")
    request.given.promptMask = try take("prompt_attention_mask")
    request.given.negativePromptMask = try take("negative_prompt_attention_mask")
    for name in file.names {
      let shape = file.info(name)?.shape ?? []
      guard shape.first == request.prompts.count else {
        throw FormatError(path, "'\(name)' is \(shape), but \(request.prompts.count) pictures are asked for")
      }
    }
  }

  static func parseSize(_ text: String) throws -> (Int, Int) {
    let parts = text.lowercased().split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
    guard parts.count == 2, let width = parts[0], let height = parts[1], width > 0, height > 0 else {
      throw ValidationError("--size \(text) is not of the form WIDTHxHEIGHT, such as 64x64.")
    }
    return (width, height)
  }

  private func seconds(_ duration: Duration) -> Double {
    Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
  }
}
