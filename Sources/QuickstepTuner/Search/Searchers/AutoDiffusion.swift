public import QuickstepNN

/// The evolutionary search of AutoDiffusion (Li et al. 2023): the best so far are parents, children are mutants, crossings and fresh draws; genes
/// of later stages (layers left out) join once the earlier ones (times) have settled.
public struct AutoDiffusion: Searcher {
  public static let declaration = MethodDeclaration(
    name: "autodiffusion", family: .searcher, summary: "Mutants and crossings of the best so far, times first, then blocks.", points: [],
    parameters: [
      .init(name: "population", summary: "candidates per generation", domain: .integer(2...10000), standard: .integer(50)),
      .init(name: "parents", summary: "best candidates so far that have children", domain: .integer(1...10000), standard: .integer(10)),
      .init(name: "mutants", summary: "mutants per generation", domain: .integer(0...10000), standard: .integer(25)),
      .init(
        name: "crossings", summary: "crossings per generation; what is left of the population is drawn anew", domain: .integer(0...10000),
        standard: .integer(10)),
      .init(name: "mutation", summary: "probability of a new value per gene", domain: .number(0...1), standard: .number(0.25)),
      .init(name: "generations", summary: "generations, the first one included", domain: .integer(1...1_000_000), standard: .integer(20)),
      .init(
        name: "patience", summary: "generations after which later stages begin at the latest; earlier where the best stays the same",
        domain: .integer(0...1_000_000), standard: .integer(5)),
      .init(
        name: "reach", summary: "share of the genes of later stages that may leave their standard values in the end",
        domain: .number(0...1),
        standard: .number(1)),
    ], exactness: .approximate,
    reference: "Li et al. 2023, arXiv 2309.10438, algorithm 1, and the authors' program for its settings")

  private let space: SearchSpace
  private let parameters: ParameterValues
  private let size: Int
  private let late: [Int]
  private var random: SplitMix64
  private var unseen: UnseenCandidates
  private var generation = Generation()
  private var parents: [Trial] = []
  /// Fifths of the reach that are open; 0 in the first stage.
  private var opened = 0
  public private(set) var isFinished = false

  /// The paper's shares: a fifth of the population has children, half of it are mutants, a fifth crossings.
  public static func parameters(population: Int) -> [String: String] {
    ["population": population, "parents": max(1, population / 5), "mutants": population / 2, "crossings": population / 5].mapValues {
      "\($0)"
    }
  }

  public init(space: SearchSpace, objectives: Int, parameters: ParameterValues, seed: UInt64) throws {
    self.space = space
    self.parameters = parameters
    size = parameters.integer("population") ?? 50
    let children = (parameters.integer("mutants") ?? 25) + (parameters.integer("crossings") ?? 10)
    guard children <= size else {
      throw SearchError("\(children) mutants and crossings are more than the population of \(size)")
    }
    late = space.genes.indices.filter { space.genes[$0].stage > 0 }
    random = SplitMix64(seed: seed)
    unseen = UnseenCandidates(space)
  }

  public mutating func ask(_ count: Int) -> [Proposal] {
    if generation.isComplete, !isFinished { advance() }
    return generation.take(count)
  }

  public mutating func tell(_ trials: [Trial]) { generation.tell(trials) }

  private mutating func advance() {
    var candidates: [Candidate] = []
    if generation.number < 0 {
      candidates = initial()
    } else {
      let best = parents.first
      let rivals = (parents + generation.trials).filter { $0.outcome != nil }
      parents = Ranking(rivals).order.prefix(parameters.integer("parents") ?? 10).map { rivals[$0] }
      openStages(hasSettled: best != nil && best?.id == parents.first?.id)
      guard generation.number + 1 < parameters.integer("generations") ?? 20 else { return isFinished = true }
      candidates = children()
    }
    guard !candidates.isEmpty else { return isFinished = true }
    generation.begin(candidates)
  }

  private mutating func openStages(hasSettled: Bool) {
    guard !late.isEmpty, opened < 5 else { return }
    if opened > 0 || hasSettled || generation.number + 1 >= parameters.integer("patience") ?? 5 { opened += 1 }
  }

  /// Half of the first generation is drawn, the other half are light mutants of the first known candidate, where there is one.
  private mutating func initial() -> [Candidate] {
    var result: [Candidate] = []
    while result.count < size, let known = unseen.takeKnown() { result.append(known) }
    if let first = space.known.first {
      result += fresh(
        min(size - result.count, size / 2),
        { space, random in
          space.redrawn(first, rate: 0.1, using: &random, through: 0)
        })
    }
    return result + fresh(size - result.count) { space, random in space.random(using: &random, through: 0) }
  }

  private mutating func children() -> [Candidate] {
    let (parents, rate, stage) = (self.parents.map(\.candidate), parameters.number("mutation"), opened > 0 ? Int.max : 0)
    var result: [Candidate] = []
    if !parents.isEmpty {
      result += fresh(parameters.integer("mutants") ?? 25) { space, random in
        space.redrawn(parents[random.below(parents.count)], rate: rate, using: &random, through: stage)
      }
      result += fresh(parameters.integer("crossings") ?? 10) { space, random in
        let (first, second) = (parents[random.below(parents.count)], parents[random.below(parents.count)])
        return space.crossed(first, second, by: .uniform, using: &random)
      }
    }
    return result + fresh(size - result.count) { space, random in space.random(using: &random, through: stage) }
  }

  /// New candidates, up to `count`; as the authors do, ten draws per wanted one at most.
  private mutating func fresh(_ count: Int, _ draw: (SearchSpace, inout SplitMix64) -> Candidate) -> [Candidate] {
    var result: [Candidate] = []
    var random = self.random
    defer { self.random = random }
    let most = Int((Double(late.count) * parameters.number("reach") * Double(opened) / 5).rounded(.up))
    for _ in 0..<max(0, count) * 10 where result.count < count {
      let drawn = unseen.take(attempts: 1) { [space, late] in
        space.limited(draw(space, &random), among: late, to: most, &random)
      }
      if let drawn { result.append(drawn) }
    }
    return result
  }
}

extension SearchSpace {
  /// At most `most` of these genes keep a value that is not their standard one; which, is drawn. Candidates of an earlier stage have none.
  fileprivate func limited(_ candidate: Candidate, among late: [Int], to most: Int, _ random: inout SplitMix64) -> Candidate {
    let changed = late.filter { candidate.values[$0] != genes[$0].standard }
    guard changed.count > most else { return candidate }
    var result = candidate
    for index in random.sample(changed, changed.count - most) { result.values[index] = genes[index].standard }
    return canonical(result)
  }
}
