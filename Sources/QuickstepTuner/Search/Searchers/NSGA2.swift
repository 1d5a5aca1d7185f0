public import QuickstepNN

/// NSGA-II (Deb, Pratap, Agarwal & Meyarivan 2002) with the settings of ECAD, which searches caching schedules with it.
public struct NSGA2: Searcher {
  public static let declaration = MethodDeclaration(
    name: "nsga-2", family: .searcher, summary: "Elitist genetic search for a whole front of trade-offs, as ECAD uses it.", points: [],
    parameters: [
      .init(name: "population", summary: "candidates per generation", domain: .integer(2...10000), standard: .integer(72)),
      .init(name: "generations", summary: "generations, the first one included", domain: .integer(1...1_000_000), standard: .integer(550)),
      .init(
        name: "crossover", summary: "how two parents become a child", domain: .choice(Crossover.allCases.map(\.rawValue)),
        standard: .choice("blend")),
      .init(name: "cuts", summary: "cuts of a crossover by points", domain: .integer(1...64), standard: .integer(4)),
      .init(name: "mating", summary: "probability that a child has two parents", domain: .number(0...1), standard: .number(0.9)),
      .init(
        name: "mutation", summary: "probability of a change per gene; 0 stands for one change per child", domain: .number(0...1),
        standard: .number(0)),
      .init(name: "spread-crossover", summary: "η of simulated binary crossover", domain: .number(0...1000), standard: .number(15)),
      .init(name: "spread-mutation", summary: "η of polynomial mutation", domain: .number(0...1000), standard: .number(20)),
    ], exactness: .approximate,
    reference: "Deb et al. 2002, IEEE Trans. Evol. Comput. 6(2); Aggarwal et al. 2025, arXiv 2506.15682, section 3")

  private let space: SearchSpace
  private let size: Int
  private let limit: Int
  private let variation: Variation
  private var random: SplitMix64
  private var unseen: UnseenCandidates
  private var generation = Generation()
  private var population: [Trial] = []
  public private(set) var isFinished = false

  public init(space: SearchSpace, objectives: Int, parameters: ParameterValues, seed: UInt64) throws {
    self.space = space
    size = parameters.integer("population") ?? 72
    limit = parameters.integer("generations") ?? 550
    let rate = parameters.number("mutation")
    variation = Variation(
      crossover: parameters.choice("crossover").flatMap(Crossover.init) ?? .blend, cuts: parameters.integer("cuts") ?? 4,
      mating: parameters.number("mating"), rate: rate > 0 ? rate : nil, crossoverSpread: parameters.number("spread-crossover"),
      mutationSpread: parameters.number("spread-mutation"))
    random = SplitMix64(seed: seed)
    unseen = UnseenCandidates(space)
  }

  public mutating func ask(_ count: Int) -> [Proposal] {
    if generation.isComplete, !isFinished { advance() }
    return generation.take(count)
  }

  public mutating func tell(_ trials: [Trial]) { generation.tell(trials) }

  private mutating func advance() {
    // Parents and children compete, so that nothing good is lost.
    let rivals = population + generation.trials
    let survivors = Ranking(rivals).order.prefix(size).map { rivals[$0] }
    population = survivors
    guard generation.number + 1 < limit else { return isFinished = true }
    let candidates = generation.number < 0 ? initial() : children(of: survivors)
    guard !candidates.isEmpty else { return isFinished = true }
    generation.begin(candidates)
  }

  private mutating func initial() -> [Candidate] {
    var result: [Candidate] = []
    while result.count < size, let candidate = unseen.takeKnown() ?? unseen.takeRandom(of: space, &random) { result.append(candidate) }
    return result
  }

  private mutating func children(of parents: [Trial]) -> [Candidate] {
    let ranking = Ranking(parents)
    var result: [Candidate] = []
    while result.count < size, let child = child(parents, ranking) ?? unseen.takeKnown() ?? unseen.takeRandom(of: space, &random) {
      result.append(child)
    }
    return result
  }

  private mutating func child(_ parents: [Trial], _ ranking: Ranking) -> Candidate? {
    var random = self.random
    defer { self.random = random }
    return unseen.take(attempts: 50) { [space, variation] in
      let first = ranking.tournament(&random)
      let second = ranking.tournament(&random)
      return variation.child(parents[first].candidate, parents[second].candidate, in: space, &random)
    }
  }
}

extension Ranking {
  /// The better of two that are drawn, by rank, then by room.
  fileprivate func tournament(_ random: inout SplitMix64) -> Int {
    let (first, second) = (random.below(order.count), random.below(order.count))
    return prefers(second, to: first) ? second : first
  }
}
