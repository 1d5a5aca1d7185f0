public import QuickstepNN

/// Successive halving: all candidates with little effort, the best of them with more, until few are measured in full.
public struct SuccessiveHalving: Searcher {
  public static let declaration = MethodDeclaration(
    name: "successive-halving", family: .searcher, summary: "All with little effort, the best with more, few in full.", points: [],
    needs: ["a problem that can be measured with less effort"],
    parameters: [
      .init(name: "candidates", summary: "in the first rung", domain: .integer(1...1_000_000), standard: .integer(81)),
      .init(
        name: "factor", summary: "η: one of so many is kept, with so many times the effort", domain: .integer(2...16), standard: .integer(3)
      ),
      .init(name: "rungs", summary: "rungs; the first has η^(1 − rungs) of the effort", domain: .integer(1...10), standard: .integer(4)),
    ], exactness: .approximate, reference: "Jamieson & Talwalkar 2016, AISTATS, algorithm 1")

  private let space: SearchSpace
  private var random: SplitMix64
  private var unseen: UnseenCandidates
  private var generation = Generation()
  private var bracket: HalvingBracket
  private let size: Int
  public private(set) var isFinished = false

  public init(space: SearchSpace, objectives: Int, parameters: ParameterValues, seed: UInt64) throws {
    self.space = space
    size = parameters.integer("candidates") ?? 81
    bracket = HalvingBracket(count: size, rungs: parameters.integer("rungs") ?? 4, factor: parameters.integer("factor") ?? 3)
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
      while candidates.count < size, let candidate = unseen.takeKnown() ?? unseen.takeRandom(of: space, &random) {
        candidates.append(candidate)
      }
    }
    guard let step = generation.number < 0 ? bracket.begin(candidates) : bracket.promote(generation.trials) else {
      return isFinished = true
    }
    generation.begin(step.candidates, fidelity: step.fidelity)
  }
}
