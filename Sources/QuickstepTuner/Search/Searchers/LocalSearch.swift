public import QuickstepNN

/// Pareto local search: neighbours of the front's points, those with most room and fewest tries first.
public struct LocalSearch: Searcher {
  public static let declaration = MethodDeclaration(
    name: "local", family: .searcher, summary: "Neighbours of the best so far, one gene at a time.", points: [],
    parameters: [
      .init(name: "initial", summary: "random points to begin with", domain: .integer(1...100_000), standard: .integer(16)),
      .init(name: "batch", summary: "neighbours between two looks at the front", domain: .integer(1...10000), standard: .integer(8)),
      .init(name: "evaluations", summary: "in all", domain: .integer(1...10_000_000), standard: .integer(100_000)),
      .init(name: "scale", summary: "step of real genes, in widths of their domain", domain: .number(1e-6...1), standard: .number(0.1)),
    ], exactness: .approximate, reference: "Paquete, Chiarandini & Stützle 2004, LNEMS 535")

  private let space: SearchSpace
  private let parameters: ParameterValues
  private var random: SplitMix64
  private var unseen: UnseenCandidates
  private var generation = Generation()
  private var best: [Trial] = []
  private var tries: [Int: Int] = [:]
  private var proposed = 0
  public private(set) var isFinished = false

  public init(space: SearchSpace, objectives: Int, parameters: ParameterValues, seed: UInt64) throws {
    self.space = space
    self.parameters = parameters
    random = SplitMix64(seed: seed)
    unseen = UnseenCandidates(space)
  }

  public mutating func ask(_ count: Int) -> [Proposal] {
    if generation.isComplete, !isFinished { advance() }
    return generation.take(count)
  }

  public mutating func tell(_ trials: [Trial]) { generation.tell(trials) }

  private mutating func advance() {
    let rivals = (best + generation.trials).filter { $0.outcome != nil }
    let ranking = Ranking(rivals)
    best = ranking.order.filter { ranking.ranks[$0] == 0 }.map { rivals[$0] }
    let room = (parameters.integer("evaluations") ?? 100_000) - proposed
    let wanted = min(room, (generation.number < 0 ? parameters.integer("initial") : parameters.integer("batch")) ?? 8)
    var candidates: [Candidate] = []
    while candidates.count < wanted, let candidate = unseen.takeKnown() ?? next() { candidates.append(candidate) }
    guard !candidates.isEmpty else { return isFinished = true }
    proposed += candidates.count
    generation.begin(candidates)
  }

  /// A new neighbour of the point that was tried least, of equal ones the one with most room; a random one where it has no new neighbours.
  private mutating func next() -> Candidate? {
    // `best` is in the order of room already.
    guard let parent = best.min(by: { tries[$0.id, default: 0] < tries[$1.id, default: 0] }) else {
      return unseen.takeRandom(of: space, &random)
    }
    tries[parent.id, default: 0] += 1
    var random = self.random
    defer { self.random = random }
    let scale = parameters.number("scale")
    let found = unseen.take(attempts: 30) { [space] in space.neighbour(of: parent.candidate, scale: scale, using: &random) }
    return found ?? unseen.takeRandom(of: space, &random)
  }
}
