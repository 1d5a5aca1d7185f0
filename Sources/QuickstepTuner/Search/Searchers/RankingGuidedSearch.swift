public import QuickstepNN

/// The search of S³ (USF, Liu et al. 2023): in each stage a predictor is trained on everything measured so far, an evolution over its scores looks
/// for candidates, and the most promising ones are measured.
public struct RankingGuidedSearch: Searcher {
  public static let declaration = MethodDeclaration(
    name: "s3", family: .searcher, summary: "Evolution over a predictor that is trained anew in every stage.", points: [],
    parameters: [
      .init(
        name: "initial", summary: "candidates measured before the first predictor", domain: .integer(2...100_000), standard: .integer(60)),
      .init(name: "batch", summary: "candidates measured per stage", domain: .integer(1...10000), standard: .integer(30)),
      .init(name: "stages", summary: "predictors trained", domain: .integer(1...100_000), standard: .integer(20)),
      .init(name: "parents", summary: "best candidates that have children", domain: .integer(1...10000), standard: .integer(15)),
      .init(
        name: "pool", summary: "children per round of the evolution over scores", domain: .integer(1...100_000), standard: .integer(120)),
      .init(name: "rounds", summary: "rounds of that evolution per stage", domain: .integer(1...1000), standard: .integer(8)),
      .init(name: "mating", summary: "probability that a child has two parents", domain: .number(0...1), standard: .number(0.5)),
      .init(name: "mutation", summary: "probability of a change per gene", domain: .number(0...1), standard: .number(0.3)),
      .init(name: "exploration", summary: "share of a batch that is drawn at random", domain: .number(0...1), standard: .number(0.1)),
      .init(name: "hidden", summary: "width of the predictor", domain: .integer(1...1024), standard: .integer(64)),
      .init(name: "updates", summary: "updates of the predictor per stage", domain: .integer(1...100_000), standard: .integer(200)),
      .init(name: "learning-rate", summary: "of the predictor", domain: .number(1e-6...1), standard: .number(0.005)),
      .init(name: "margin", summary: "by which the better of two is to score lower", domain: .number(1e-6...100), standard: .number(0.1)),
    ], exactness: .approximate, reference: "Liu et al. 2023, arXiv 2312.07243, section 4; probabilities of the authors' program")

  private let space: SearchSpace
  private let parameters: ParameterValues
  private let variation: Variation
  private let seed: UInt64
  private var random: SplitMix64
  private var unseen: UnseenCandidates
  private var generation = Generation()
  private var measured: [Trial] = []
  public private(set) var isFinished = false

  public init(space: SearchSpace, objectives: Int, parameters: ParameterValues, seed: UInt64) throws {
    self.space = space
    self.parameters = parameters
    self.seed = seed
    variation = Variation(crossover: .uniform, mating: parameters.number("mating"), rate: parameters.number("mutation"))
    random = SplitMix64(seed: seed)
    unseen = UnseenCandidates(space)
  }

  public mutating func ask(_ count: Int) throws -> [Proposal] {
    if generation.isComplete, !isFinished { try advance() }
    return generation.take(count)
  }

  public mutating func tell(_ trials: [Trial]) { generation.tell(trials) }

  private mutating func advance() throws {
    measured += generation.trials
    guard generation.number < parameters.integer("stages") ?? 20 else { return isFinished = true }
    let wanted = (generation.number < 0 ? parameters.integer("initial") : parameters.integer("batch")) ?? 30
    var candidates: [Candidate] = []
    if generation.number >= 0 {
      // At least one comes from the predictor.
      let drawn = min(wanted - 1, Int((Double(wanted) * parameters.number("exploration")).rounded()))
      candidates = try promising(wanted - drawn)
    }
    while candidates.count < wanted, let candidate = unseen.takeKnown() ?? unseen.takeRandom(of: space, &random) {
      candidates.append(candidate)
    }
    guard !candidates.isEmpty else { return isFinished = true }
    generation.begin(candidates)
  }

  /// New candidates with the best scores, after an evolution over scores that begins with the best measured ones.
  private mutating func promising(_ count: Int) throws -> [Candidate] {
    guard measured.contains(where: { $0.outcome != nil }) else { return [] }
    let predictor = try RankingPredictor(
      features: measured.map { space.features($0.candidate) }, ranks: places(), settings: predictorSettings,
      seed: SplitMix64.mixed(seed, UInt64(generation.number)))
    let best = Ranking(measured).order.prefix(parameters.integer("parents") ?? 15).map { measured[$0].candidate }
    var pool: [Candidate] = best
    var known = Set(best)
    for _ in 0..<(parameters.integer("rounds") ?? 8) {
      // What is far behind has no children and will not be measured.
      pool = try Array(sorted(pool, predictor).prefix(max(4 * best.count, 4 * count)))
      let parents = pool.prefix(best.count)
      for _ in 0..<(parameters.integer("pool") ?? 120) {
        let child = variation.child(parents[random.below(parents.count)], parents[random.below(parents.count)], in: space, &random)
        if known.insert(child).inserted { pool.append(child) }
      }
    }
    let fresh = try sorted(pool.filter { !unseen.contains($0) }, predictor)
    return fresh.prefix(count).compactMap { candidate in unseen.take(attempts: 1) { candidate } }
  }

  /// By fronts of predicted scores, and by room within a front.
  private func sorted(_ candidates: [Candidate], _ predictor: RankingPredictor) throws -> [Candidate] {
    let scores = try predictor.scores(candidates.map(space.features))
    return Ranking(outcomes: scores.map { Outcome(objectives: $0) }).order.map { candidates[$0] }
  }

  /// For each objective the places of all measured candidates. What is not allowed comes after all that is, failures come last.
  private func places() -> [[Int]] {
    let count = measured.lazy.compactMap { $0.outcome?.objectives.count }.first ?? 0
    return (0..<count).map { objective in
      let keys = measured.map { trial in
        trial.outcome.map { ($0.violation, $0.violation > 0 ? 0 : $0.objectives[objective]) } ?? (.infinity, 0)
      }
      let order = keys.indices.sorted { keys[$0] < keys[$1] }
      var result = Array(repeating: 0, count: keys.count)
      for (place, index) in order.enumerated().dropFirst() {
        let before = order[place - 1]
        result[index] = keys[before] == keys[index] ? result[before] : place
      }
      return result
    }
  }

  private var predictorSettings: RankingPredictor.Settings {
    .init(
      hidden: parameters.integer("hidden") ?? 64, updates: parameters.integer("updates") ?? 200,
      learningRate: parameters.number("learning-rate"), margin: parameters.number("margin"))
  }
}
