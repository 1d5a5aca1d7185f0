import QuickstepAcceleration
import QuickstepDiffusion
import QuickstepNN
public import QuickstepPipelines

/// All ways to sample with a model that are worth trying: solver, grid, number of steps, part of the run that is guided, one method at the
/// network's blocks and any around its calls. Put together from the methods' declarations alone; a method that does not fit the model or the
/// run is not in it.
public struct JointSpace: Sendable {
  /// The genes, with ways that are worth trying first.
  public private(set) var space: SearchSpace
  private let solver, grid: MethodSlot
  private let accelerations: [MethodSlot]
  private let steps: Int
  private let fits: Fits
  /// Where a run evaluates; `nil` where it cannot be done.
  private let course: @Sendable (SamplingSettings) -> FittedCaches.Run?
  private let window: (gene: Int, start: Int, end: Int)?

  /// - Parameters:
  ///   - model: whose ways they are.
  ///   - request: the exact run; its steps are the most that are tried.
  ///   - companions: ids or folders of models that may do the first steps.
  ///   - leastSteps: the fewest that are tried.
  ///   - known: ways to begin with, beside fewer steps and each method alone; those the space does not hold are left out.
  ///   - fits: what was fitted to the exact run; fitted solvers bring their own levels.
  /// - Throws: `GenerationError` where the request cannot be carried out, `SearchError`.
  public init(
    model: LoadedModel, request: GenerationRequest, companions: [String] = [], leastSteps: Int = 4, known: [SamplingSettings] = [],
    fits: Fits = Fits()
  ) throws {
    self.fits = fits
    course = { settings in
      let (pipeline, own) = (ImagePipeline(model), settings.applied(to: request))
      guard let run = try? pipeline.outline(of: own), let influences = try? pipeline.influences(of: own) else { return nil }
      return .init(timesteps: run.calls.map(\.level.timestep), influences: influences)
    }
    let most = request.steps ?? model.defaults.steps
    _ = try ImagePipeline(model).evaluations(of: request)
    guard most > leastSteps else {
      throw GenerationError("the exact run has \(most) steps; there is nothing to be saved with \(leastSteps) at least")
    }
    let texts = ["ids of models": companions]
    var genes = GeneList()
    steps = genes.add(Gene("steps", .integer(leastSteps...most), standard: Double(most)))
    solver = genes.slot("solver", Self.solvers(model, request) + (fits.solvers.plans.isEmpty ? [] : [OLSS.declaration]), texts: texts)
    grid = genes.slot("grid", Self.grids(model, request), texts: texts)
    let fitting = Self.accelerators(model, request, texts)
    let blocks = fitting.filter { $0.points.contains(.block) } + [fits.caches?.declaration].compactMap { $0 }
    var slots = [genes.slot("blocks", blocks, texts: texts)]
    for declaration in fitting where !declaration.points.contains(.block) {
      slots.append(genes.slot(declaration.name, [declaration], texts: texts))
    }
    accelerations = slots.filter { $0.options.count > 1 }
    if model.comparesBranches(at: request.guidanceScale ?? model.defaults.guidanceScale) {
      let gene = genes.add(Gene("guidance", .choice(count: 2)))
      let condition = Gene.Condition(gene: "guidance", values: [1])
      window = (
        gene, genes.add(Gene("guidance.start", .real(0...0.5), standard: 0, condition: condition)),
        genes.add(Gene("guidance.end", .real(0.5...1), standard: 1, condition: condition))
      )
    } else {
      window = nil
    }
    let plain = try SearchSpace(genes: genes.genes)
    space = plain
    // Each method alone comes right after the plain runs, so that a short search has seen all of them.
    let first = known + Self.fewerSteps(most, leastSteps) + fittedWays + singles
    space = try SearchSpace(genes: genes.genes, known: first.compactMap { candidate($0) })
  }

  /// What a candidate stands for.
  public func settings(_ candidate: Candidate) -> SamplingSettings {
    var settings = SamplingSettings()
    settings.steps = Int(candidate.values[steps])
    (settings.solver, settings.grid) = (solver.choice(candidate), grid.choice(candidate))
    if settings.solver?.name == FittedSolvers.solver, let plan = fits.solvers.plan(steps: settings.steps ?? 0) {
      settings.solver?.parameters = ["plan": plan.text]
      (settings.steps, settings.grid) = (plan.steps, nil)
    }
    let choices = accelerations.compactMap { $0.choice(candidate) }
    if let window, candidate.values[window.gene] == 1 {
      let ends = [window.start, window.end].map { (candidate.values[$0] * 100).rounded() / 100 }
      // The whole run is no window.
      if ends != [0, 1] { settings.guidanceInterval = ends[0]...ends[1] }
    }
    settings.accelerations = translated(choices, of: settings) { $0.resolved($1, in: $2) }
    return settings
  }

  /// The candidate that stands for these settings; `nil` where the space does not hold them.
  public func candidate(_ settings: SamplingSettings) -> Candidate? {
    var values = space.genes.map(\.standard)
    guard settings.start == nil else { return nil }
    if let count = settings.steps { values[steps] = Double(count) }
    let isFitted = settings.solver?.name == FittedSolvers.solver && settings.steps.flatMap { fits.solvers.plans[$0] } != nil
    guard solver.set(isFitted ? MethodChoice(FittedSolvers.solver) : settings.solver, in: &values, space.genes),
      grid.set(settings.grid, in: &values, space.genes)
    else { return nil }
    var left = translated(settings.accelerations, of: settings) { $0.searched($1, in: $2) }
    for slot in accelerations {
      let index = left.firstIndex { choice in slot.options.contains { $0.method == choice.name } }
      guard slot.set(index.map { left.remove(at: $0) }, in: &values, space.genes) else { return nil }
    }
    guard left.isEmpty else { return nil }
    if let interval = settings.guidanceInterval, interval != 0...1 {
      guard let window else { return nil }
      values[window.gene] = 1
      (values[window.start], values[window.end]) = (interval.lowerBound, interval.upperBound)
    }
    let candidate = Candidate(values)
    return (try? space.check(candidate)) == nil ? nil : space.canonical(candidate)
  }

  /// Choices with those that fitted caches stand for translated, for the run that settings make without them; a choice that has no
  /// translation stays as it is.
  private func translated(
    _ choices: [MethodChoice], of settings: SamplingSettings,
    by translate: (FittedCaches, MethodChoice, FittedCaches.Run) -> MethodChoice?
  ) -> [MethodChoice] {
    var plain = settings
    plain.accelerations = []
    return choices.map { choice in
      guard let caches = fits.caches, choice.name == FittedCaches.method, let run = course(plain) else { return choice }
      return translate(caches, choice, run) ?? choice
    }
  }

  /// Fitted solvers at some of their numbers of steps.
  private var fittedWays: [SamplingSettings] {
    fits.solvers.plans.keys.sorted().filter { $0 <= 12 }.map { count in
      var settings = SamplingSettings()
      (settings.solver, settings.steps) = (MethodChoice(FittedSolvers.solver), count)
      return settings
    }
  }

  /// Each solver at a fifth of the steps, where good ones part from others, and each acceleration at half of them, with standard values.
  private var singles: [SamplingSettings] {
    let most = Int(space.genes[steps].domain.upper)
    let solvers = solver.options.compactMap(\.method).filter { $0 != FittedSolvers.solver }.map { name in
      var settings = SamplingSettings()
      settings.solver = MethodChoice(name)
      settings.steps = max(Int(space.genes[steps].domain.lower), most / 5)
      return settings
    }
    let methods = accelerations.flatMap { slot in
      slot.options.compactMap { option -> SamplingSettings? in
        guard let method = option.method else { return nil }
        var settings = SamplingSettings()
        settings.steps = max(Int(space.genes[steps].domain.lower), most / 2)
        // Words have no standard value among what the caller gave.
        let words = option.coordinates.compactMap { coordinate -> (String, String)? in
          guard case .words(let words) = coordinate.reading, !words.contains(coordinate.standard) else { return nil }
          return (coordinate.parameter, words[0])
        }
        settings.accelerations = [MethodChoice(method, parameters: Dictionary(words) { first, _ in first })]
        return settings
      }
    }
    return solvers + methods
  }

  /// The exact run, and it with fewer and fewer steps.
  static func fewerSteps(_ most: Int, _ least: Int) -> [SamplingSettings] {
    var (counts, count) = ([most], Double(most))
    while count * 0.6 > Double(least) {
      count *= 0.6
      counts.append(Int(count.rounded()))
    }
    return counts.map { count in
      var settings = SamplingSettings()
      settings.steps = count
      return settings
    }
  }
}

extension JointSpace {
  /// Deterministic solvers whose evaluations are known beforehand, without those that need files.
  private static func solvers(_ model: LoadedModel, _ request: GenerationRequest) -> [MethodDeclaration] {
    AllSolvers.all.filter { !($0 is any AdaptiveSolver.Type) }.map { $0.declaration }.filter { declaration in
      var own = request
      (own.solver, own.solverParameters) = (declaration.name, [:])
      guard let table = try? ImagePipeline(model).tableau(of: own) else { return false }
      return table.noiseCount == 0 && table.stepCount > 0
    }
  }

  private static func grids(_ model: LoadedModel, _ request: GenerationRequest) -> [MethodDeclaration] {
    AllGrids.all.map { $0.declaration }.filter { declaration in
      var own = request
      (own.spacing, own.spacingParameters) = (declaration.name, [:])
      return (try? ImagePipeline(model).evaluations(of: own)) != nil
    }
  }

  private static func accelerators(
    _ model: LoadedModel, _ request: GenerationRequest, _ texts: [String: [String]]
  ) -> [MethodDeclaration] {
    AllAccelerators.all.map { $0.declaration }.filter { declaration in
      var choice = MethodChoice(declaration.name)
      var isSearched = false
      for parameter in declaration.parameters {
        guard let searched = parameter.searched else { continue }
        isSearched = true
        if case .text(let kind) = searched {
          guard let word = texts[kind]?.first else { return false }
          choice.parameters[parameter.name] = word
        }
        if case .choice(let words) = searched, !words.contains(parameter.standard.description) {
          choice.parameters[parameter.name] = words[0]
        }
      }
      var own = request
      own.accelerations += [choice]
      return isSearched && (try? ImagePipeline(model).evaluations(of: own)) != nil
    }
  }
}
