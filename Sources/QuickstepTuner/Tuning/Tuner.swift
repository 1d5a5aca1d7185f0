import Foundation
import QuickstepAcceleration
import QuickstepFormats
import QuickstepNN
public import QuickstepPipelines
import QuickstepTensor

/// Finds ways to sample with a model that are faster than its exact run and near to it.
///
/// The search looks at predicted times and at pictures made with the search's prompts; what it finds is made again, in turn with the exact run
/// and with the exact run of fewer steps, with other prompts and seeds, before anything is claimed.
public struct Tuner: Sendable {
  let model: LoadedModel
  let settings: TuningSettings
  /// The first is searched by, the others are told.
  let measures: [QualityMeasure]
  let clock: any SearchClock
  private let kind: SpaceKind
  /// The searcher, with its parameters.
  public let searcher: MethodChoice

  /// - Parameters:
  ///   - measures: of likeness to the exact run; the first is what the search and the target go by.
  /// - Throws: `GenerationError` naming a setting that cannot be.
  public init(_ model: LoadedModel, settings: TuningSettings, measures: [QualityMeasure], clock: any SearchClock = SystemClock()) throws {
    try settings.check()
    guard !measures.isEmpty else { throw GenerationError("tuning needs a measure of quality") }
    (self.model, self.settings, self.measures, self.clock) = (model, settings, measures, clock)
    kind = try AllSpaces.named(settings.space)
    searcher = settings.searcher ?? MethodChoice(kind.searcher)
  }

  /// Searches and checks. Cancelling ends the search and goes on to check what was found so far; cancelling once more ends that.
  /// - Throws: `GenerationError` where the budget does not suffice or the exact run cannot be done; what archive and searcher throw;
  ///   `CancellationError`. Trials are kept in the archive whatever happens.
  public func run(progress: @escaping @Sendable (TuningProgress) -> Void = { _ in }) async throws -> TuningResult {
    let start = clock.now
    progress(.stage("measuring exact runs"))
    let companions = try settings.companions.map { try companion($0) }
    let request = settings.request(settings.prompts, firstSeed: settings.seed)
    let cost = try costModel(companions)
    let before = clock.now
    let (exact, watch) = try watched(request)
    let count = Double(request.prompts.count)
    let reserve = try reserved((clock.now - before) / count, spent: clock.now - start)
    let exactSeconds = cost.seconds(watch.findings, pictures: request.prompts.count, evaluations: Double(exact.evaluations) / count)
    let reference = try withTensorErrors { Tensor.stack(exact.images.map(\.pixels)) }
    var outline = SpaceOutline(model: model, request: request)
    (outline.companions, outline.leastSteps, outline.known) = (settings.companions, settings.leastSteps, settings.known)
    outline.fits = try fits(exactSeconds, left: settings.budget - (clock.now - start) - reserve, progress)
    let joint = try kind.make(outline)
    if let space = joint as? JointSpace {
      for way in settings.known where space.candidate(way) == nil {
        progress(.stage("'\(way.title)' is not begun with: it is none of the ways that are searched"))
      }
    }
    let problem = TuningProblem(
      identity: identity + (outline.fits == Fits() ? "" : "|\(try outline.fits.text())"), joint: joint,
      model: model,
      companions: Dictionary(zip(settings.companions, companions)) { first, _ in first }, request: request, reference: reference,
      cost: cost, measure: measures[0], exactSeconds: exactSeconds)
    progress(.stage("searching"))
    let report = try await search(problem, seconds: settings.budget - (clock.now - start) - reserve, progress)
    progress(.stage("checking what was found"))
    // A task of its own: what was found is checked although the search was cancelled.
    return try await Task.detached { try checked(report, problem, companions, until: start + settings.budget, progress) }.value
  }

  /// What was fitted to the exact run: the parts beside the archive, or new ones where that leaves most of the time for the search.
  private func fits(
    _ exactSeconds: Double, left: Double, _ progress: @escaping @Sendable (TuningProgress) -> Void
  ) throws -> Fits {
    let path = settings.archive + ".fitted.json"
    if FileManager.default.fileExists(atPath: settings.archive) { return try Fits(path: path) }
    let steps = settings.exact.steps ?? model.defaults.steps
    guard settings.space == JointSpace.kind.name, !settings.fitting.isEmpty, steps > settings.leastSteps else { return Fits() }
    var (made, left) = (Fits(), left)
    let request = settings.request(settings.fitting, firstSeed: settings.seed &+ TuningSettings.fittingSeeds)
    // A full run, and one of every fitted number of evaluations.
    let evaluations = steps + FittedSolvers.counts(settings.leastSteps...(steps - 1)).reduce(0, +)
    let measured = min(FittedCaches.mostPrompts, settings.fitting.count)
    let parts: [(name: String, pictures: Double, make: () throws -> Void)] = [
      (
        "solvers to \(settings.fitting.count) exact runs", Double(settings.fitting.count * evaluations) / Double(steps),
        { made.solvers = try FittedSolvers(model, request: request, leastSteps: settings.leastSteps) ?? FittedSolvers() }
      ),
      (
        "schedules of caches to \(measured) exact runs", Double(measured * FittedCaches.points(of: model).count),
        {
          let few = settings.request(Array(settings.fitting.prefix(measured)), firstSeed: settings.seed &+ TuningSettings.fittingSeeds)
          made.caches = try FittedCaches(model, request: few)
        }
      ),
    ]
    for part in parts {
      let needed = part.pictures * exactSeconds
      guard needed < left / 3 else {
        progress(.stage("no time to fit \(part.name): that takes about \(Recipe.digits(needed, 0)) s"))
        continue
      }
      progress(.stage("fitting \(part.name)"))
      try part.make()
      left -= needed
    }
    if made != Fits() { try made.write(to: path) }
    return made
  }

  private func watched(_ request: GenerationRequest) throws -> (GenerationResult, RunWatch) {
    let watch = RunWatch()
    var request = request
    request.observers = [watch]
    return (try ImagePipeline(model).generate(request), watch)
  }

  private func companion(_ name: String) throws -> LoadedModel {
    try LoadedModel(folder: ModelLibrary.find(name), dtype: model.dtype, device: model.device, kernels: model.kernels)
  }

  /// What outcomes depend on beside the candidates.
  private var identity: String {
    let exact = settings.exact
    let words = [
      model.fingerprint, settings.space, "\(settings.prompts)", "\(settings.seed)", measures[0].name, exact.solver ?? "",
      exact.spacing ?? "",
      "\(exact.solverParameters.sorted { $0.key < $1.key })", "\(exact.steps ?? 0)", "\(exact.guidanceScale ?? 0)", exact.style ?? "",
      "\(exact.width ?? 0)x\(exact.height ?? 0)", model.device.description, "\(model.kernels)", "\(model.dtype)",
    ]
    return words.joined(separator: "|")
  }

  /// The one beside the archive, so that times of all its trials are of one kind, or a new one.
  private func costModel(_ companions: [LoadedModel]) throws -> CostModel {
    let path = settings.archive + ".costs.json"
    if FileManager.default.fileExists(atPath: settings.archive), let data = FileManager.default.contents(atPath: path) {
      do { return try JSONDecoder().decode(CostModel.self, from: data) } catch {
        throw FormatError(path, "holds no times of a model's parts: \(error); it belongs to \(settings.archive)")
      }
    }
    let request = settings.request(Array(settings.prompts.prefix(1)), firstSeed: settings.seed)
    let cost = try CostModel(measuring: model, companions: companions, request: request)
    try AtomicFile.write(Array(JSONEncoder().encode(cost)), to: path, makeFolder: true)
    return cost
  }

  /// Seconds kept for checking.
  private func reserved(_ exactSeconds: Double, spent: Double) throws -> Double {
    // Points of a front take well under half of the exact run's time each, and so do their rivals.
    // Safeguards make the exact run's pictures and those of a handful of fast ways.
    let guarded = settings.safeguards.isEmpty ? 0 : Double(settings.safeguardPrompts.count) * exactSeconds * 1.4
    let checks = Double(settings.heldOut.count) * exactSeconds * (1.2 + 0.7 * Double(settings.frontSize)) + guarded
    let first = exactSeconds * Double(settings.prompts.count)
    let least = spent + checks + 2 * first
    guard settings.budget >= least else {
      throw GenerationError(
        "a budget of \(Recipe.digits(settings.budget, 1)) s does not suffice: an exact picture takes \(Recipe.digits(exactSeconds, 2)) s, and "
          + "\(Recipe.digits(least, 0)) s are needed to search with \(settings.prompts.count) and check with \(settings.heldOut.count) pictures; "
          + "give more time or fewer prompts")
    }
    return checks
  }

  /// The searcher's parameters, with a population that a search this long can bring through several generations. Nothing measured decides, so that
  /// the same command goes on with the same search.
  private func searcherParameters(_ problem: TuningProblem) throws -> [String: String] {
    let (given, type) = (searcher.parameters, try AllSearchers.named(searcher.name))
    let declared = type.declaration.parameters.first { $0.name == "population" }
    guard case .integer(let standard)? = declared?.standard, given["population"] == nil else { return given }
    // What every search begins with has to fit into the first generation, or a short search would never see some methods.
    let population = max(problem.space.known.count, min(standard, max(12, Int(settings.budget / 60) * 4)))
    return type.parameters(population: population).merging(given) { $1 }
  }

  private func search(
    _ problem: TuningProblem, seconds: Double, _ progress: @escaping @Sendable (TuningProgress) -> Void
  ) async throws -> SearchReport {
    let archive = try TrialArchive(path: settings.archive, problem: problem)
    let run = try SearchRun(
      problem: problem, archive: archive,
      settings: .init(
        searcher: searcher.name, parameters: try searcherParameters(problem), seed: settings.seed,
        budget: max(1, seconds), trialLimit: settings.trialLimit), clock: clock)
    return try await run.execute { state in
      progress(.search(state, state.latest.map { problem.joint.settings($0.candidate) }))
    }
  }
}
