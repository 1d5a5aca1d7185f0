public import QuickstepNN

/// Many candidates with little effort, the best of them with more, and so on: successive halving in brackets that differ in how they begin.
public struct Hyperband: Searcher {
  public static let declaration = MethodDeclaration(
    name: "hyperband", family: .searcher,
    summary: "Successive halving in brackets, from many candidates with little effort to few with all.",
    points: [], needs: ["a problem that can be measured with less effort"],
    parameters: [
      .init(
        name: "factor", summary: "η: one of so many is kept, with so many times the effort", domain: .integer(2...16), standard: .integer(3)
      ),
      .init(
        name: "rungs", summary: "rungs of the longest bracket; the first has η^(1 − rungs) of the effort", domain: .integer(1...10),
        standard: .integer(4)),
      .init(name: "rounds", summary: "times all brackets are run", domain: .integer(1...100_000), standard: .integer(1)),
    ], exactness: .approximate, reference: "Li et al. 2018, JMLR 18(185), algorithm 1")

  private let space: SearchSpace
  private let factor: Int
  private let longest: Int
  private let rounds: Int
  private var random: SplitMix64
  private var unseen: UnseenCandidates
  private var generation = Generation()
  private var bracket: HalvingBracket?
  private var begun = 0
  public private(set) var isFinished = false

  public init(space: SearchSpace, objectives: Int, parameters: ParameterValues, seed: UInt64) throws {
    self.space = space
    factor = parameters.integer("factor") ?? 3
    longest = parameters.integer("rungs") ?? 4
    rounds = parameters.integer("rounds") ?? 1
    random = SplitMix64(seed: seed)
    unseen = UnseenCandidates(space)
  }

  public mutating func ask(_ count: Int) -> [Proposal] {
    if generation.isComplete, !isFinished { advance() }
    return generation.take(count)
  }

  public mutating func tell(_ trials: [Trial]) { generation.tell(trials) }

  private mutating func advance() {
    var step = bracket?.promote(generation.trials)
    if step == nil, begun < rounds * longest { step = beginBracket() }
    guard let step else { return isFinished = true }
    generation.begin(step.candidates, fidelity: step.fidelity)
  }

  /// Brackets s = rungs − 1 … 0, each with s + 1 rungs and ⌈rungs·η^s / (s + 1)⌉ candidates, so that all cost about the same.
  private mutating func beginBracket() -> (candidates: [Candidate], fidelity: Double)? {
    let last = longest - 1 - begun % longest
    begun += 1
    let most = (0..<last).reduce(longest) { value, _ in value * factor }
    let count = (most + last) / (last + 1)
    var candidates: [Candidate] = []
    while candidates.count < count, let candidate = unseen.takeKnown() ?? unseen.takeRandom(of: space, &random) {
      candidates.append(candidate)
    }
    var next = HalvingBracket(count: count, rungs: last + 1, factor: factor)
    let step = next.begin(candidates)
    bracket = next
    return step
  }
}
