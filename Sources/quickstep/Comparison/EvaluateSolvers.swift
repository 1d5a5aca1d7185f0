import ArgumentParser
import Foundation
import QuickstepEvaluation
import QuickstepFormats
import QuickstepPipelines
import QuickstepTensor

struct EvaluateSolvers: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "solvers",
    abstract: "How near ways to sample come to a run of very many evaluations, at equal evaluations.",
    discussion: """
      All contenders start from the same noise as the reference. PSNR and SSIM are means over the pictures, the perceptual distance is LPIPS' formula
      on SqueezeNet without learned weights, the Fréchet distance is the squared one between the features of the contender's pictures and the
      reference's, with --data also to real pictures: both depend on --count. For the digit model the classifier's agreement with what was asked for stands beside them. Contenders that
      add noise end elsewhere than the reference by design: for them the last two figures count.

      Examples:
        quickstep evaluate solvers --model digits --contender ddim --contender dpm++-2m --evaluations 5 --evaluations 10
        quickstep evaluate solvers --contender "olss:plan=digits-{n}.json" --contender "ddim + teleport:data=digits.safetensors,skip=2"
      """)

  @OptionGroup var options: EvaluationOptions
  @Option(name: [.short, .long], help: "Id or folder of a model.", completion: .directory)
  var model = "digits"
  @Option(help: "SOLVER[ + GRID][ + START], each NAME or NAME:parameter=value,… (repeatable); {n} stands for the evaluations.")
  var contender: [String] = []
  @Option(help: "Evaluations at which they are compared (repeatable).")
  var evaluations: [Int] = [5, 10, 20, 50]
  @Option(name: [.short, .long], help: "Pictures of each.")
  var count = 64
  @Option(help: "Prompts the pictures take in turn (repeatable); for class models every class.")
  var prompt: [String] = []
  @Option(help: "Solver of the reference.")
  var reference = "ddim"
  @Option(help: "Steps of the reference.")
  var referenceSteps = 999
  @Option(help: "Keep the reference's pictures here, and take them from here when they are there.", completion: .file())
  var cache: String?
  @Option(help: "Keep what has been measured here, and take it from here when the same is asked for again.", completion: .file())
  var resume: String?
  @Flag(help: "Also the Fréchet distance to the pictures the model was trained to be like; needs their data set.")
  var data = false
  @Option(help: "Also write the table as Markdown.", completion: .file(extensions: ["md"]))
  var markdown: String?
  @Option(help: "Id or folder of the digit classifier.", completion: .directory)
  var classifier = "digit-classifier"

  func validate() throws {
    if contender.isEmpty { throw ValidationError("Give at least one --contender.") }
    if count < 2 { throw ValidationError("--count is \(count); a Fréchet distance needs at least 2.") }
    if let wrong = evaluations.first(where: { $0 < 1 }) { throw ValidationError("--evaluations is \(wrong); it must be at least 1.") }
    let own = [
      options.solver != nil, options.grid != nil, options.start != nil, options.steps != nil, !options.accelerate.isEmpty,
      options.recipe != nil,
    ]
    if own.contains(true) {
      throw ValidationError(
        "--solver, --grid, --start, --steps, --accelerate and --recipe have no effect here: contenders bring their own.")
    }
    if let fixed = try contender.first(where: { try Contender($0).steps != nil }) {
      throw ValidationError("--contender '\(fixed)' names its steps; here they follow from --evaluations.")
    }
    for (path, option) in [(markdown, "--markdown"), (cache, "--cache"), (resume, "--resume")] {
      if let path { try OutputPath.check(path, for: option) }
    }
  }

  func run() async throws {
    let device = try options.prepare()
    let contenders = try contender.map { try Contender($0) }
    let model = try options.load(ModelLibrary.find(model), device: device)
    var request = try self.request(model)
    request.guidanceScale = options.guidance
    let net = try SqueezeNetFeatures(device: device)
    let digits = model.classCount == 10 ? try DigitFeatures(folder: ClassifierFolder.find(classifier), device: device) : nil
    let real = data ? try RealPictures.statistics(of: model, net: digits ?? net) : nil
    let judge = try SolverJudge(
      reference: referencePictures(request, model), labels: request.prompts, net: net, classifier: digits, real: real?.statistics)
    let table = SolverTable(
      title: "\(model.name), guidance \(options.guidance ?? model.defaults.guidanceScale), \(count) pictures, seeds from \(options.seed), "
        + "reference \(reference) with \(referenceSteps) steps" + (real.map { "; data: \($0.title)" } ?? ""))
    try table.add(reference: judge.referenceVerdict(evaluations: referenceSteps))
    var runs = try MeasuredRuns(path: resume, key: key(model) + (real.map { " \($0.title)" } ?? ""))
    for contender in contenders {
      for wanted in evaluations {
        do {
          let verdict = try runs.verdict(contender.label, wanted) ?? measured(contender, wanted, request, model, judge)
          try runs.keep(verdict, contender.label, wanted)
          table.add(contender.label, wanted, verdict)
        } catch let error as CancellationError {
          throw error
        } catch {
          // What one contender cannot do says nothing about the others.
          table.add(contender.label, wanted, problem: "\(error)")
        }
        if let markdown { try AtomicFile.write(Array(table.markdown.utf8), to: markdown, makeFolder: true) }
      }
    }
    if options.json { printJSON(table.json) } else { print(table.markdown) }
  }

  private func request(_ model: LoadedModel) throws -> GenerationRequest {
    let prompts = prompt.isEmpty ? (0..<(model.classCount ?? 0)).map(String.init) : prompt
    guard !prompts.isEmpty else { throw ValidationError("'\(model.name)' is asked for things by prompts: give some with --prompt.") }
    return GenerationRequest(
      prompts: (0..<count).map { prompts[$0 % prompts.count] }, seeds: (0..<count).map { options.seed &+ UInt64($0) })
  }

  /// What the reference's pictures depend on.
  private func key(_ model: LoadedModel) -> String {
    "\(model.fingerprint) \(reference) \(referenceSteps) \(count) \(options.seed) \(options.guidance ?? -1) \(prompt)"
  }

  /// Pictures of the longest run, from the file where it holds those of the same settings.
  private func referencePictures(_ request: GenerationRequest, _ model: LoadedModel) throws -> Tensor {
    let key = key(model)
    if let cache, FileManager.default.fileExists(atPath: cache) {
      let file = try SafetensorsFile(path: cache)
      if file.metadata["key"] == key { return try file.tensor("pictures") }
    }
    var request = request
    (request.solver, request.steps) = (reference, referenceSteps)
    let pictures = try made(request, model, what: "reference").pixels
    if let cache {
      try SafetensorsWriter.write([(name: "pictures", tensor: pictures)], metadata: ["key": key], to: cache, makeFolder: true)
    }
    return pictures
  }

  private func measured(
    _ contender: Contender, _ wanted: Int, _ request: GenerationRequest, _ model: LoadedModel, _ judge: SolverJudge
  ) throws -> SolverJudge.Verdict {
    var request = try contender.applied(to: request, evaluations: wanted)
    let pipeline = ImagePipeline(model)
    var probe = request
    (probe.prompts, probe.seeds) = ([request.prompts[0]], [request.seeds[0]])
    let (steps, calls) = try Self.steps(for: wanted, probe, pipeline)
    request.steps = steps
    let (pixels, seconds, counted) = try made(request, model, what: "\(contender.label), \(wanted) evaluations")
    return try judge.verdict(pixels, evaluations: counted ?? calls, seconds: seconds / Double(count))
  }

  /// The most steps that need no more than the wanted evaluations, and how many they need.
  private static func steps(for wanted: Int, _ request: GenerationRequest, _ pipeline: ImagePipeline) throws -> (Int?, Int) {
    var found: (Int?, Int)?
    var problem: (any Error)?
    for steps in 1...(4 * wanted + 8) {
      var request = request
      request.steps = steps
      do {
        let calls = try pipeline.evaluations(of: request)
        if calls <= wanted { found = (steps, calls) }
        if calls > wanted + 8 { break }
      } catch {
        problem = error
      }
    }
    if let found { return found }
    throw problem ?? ValidationError("it needs more than \(wanted) evaluations")
  }

  /// - Returns: the pictures, seconds of the sampling loop, and evaluations per picture as the mean over batches, which adaptive steps
  ///   tell in the end only; `nil` for chains, whose burn-in is not counted here.
  private func made(
    _ request: GenerationRequest, _ model: LoadedModel, what: String
  ) throws -> (pixels: Tensor, seconds: Double, evaluations: Int?) {
    var parts: [Tensor] = []
    var seconds = 0.0
    var evaluations: Int? = 0
    var line = ProgressLine()
    for start in stride(from: 0, to: count, by: options.batch) {
      let range = start..<min(start + options.batch, count)
      var part = request
      (part.prompts, part.seeds, part.batch) = (Array(request.prompts[range]), Array(request.seeds[range]), range.count)
      let result = try ImagePipeline(model).generate(part)
      seconds += result.seconds.denoise
      evaluations = result.chains == nil ? evaluations.map { $0 + result.evaluations } : nil
      parts.append(try withTensorErrors { Tensor.stack(result.images.map(\.pixels)) })
      line.show("\(ProgressLine.bar(Double(range.upperBound) / Double(count))) \(what)")
    }
    line.clear()
    let mean = evaluations.map { Int((Double($0) / Double(parts.count)).rounded()) }
    return (try withTensorErrors { Tensor.cat(parts) }, seconds, mean)
  }
}
