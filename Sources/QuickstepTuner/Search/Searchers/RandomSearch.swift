public import QuickstepNN

/// Independent draws without repetition: the baseline of all others.
public struct RandomSearch: Searcher {
  public static let declaration = MethodDeclaration(
    name: "random", family: .searcher, summary: "Independent draws, none twice.", points: [], exactness: .approximate,
    reference: "Bergstra & Bengio 2012, JMLR 13")

  private let space: SearchSpace
  private var random: SplitMix64
  private var unseen: UnseenCandidates
  public private(set) var isFinished = false

  public init(space: SearchSpace, objectives: Int, parameters: ParameterValues, seed: UInt64) throws {
    self.space = space
    random = SplitMix64(seed: seed)
    unseen = UnseenCandidates(space)
  }

  public mutating func ask(_ count: Int) -> [Proposal] {
    var result: [Proposal] = []
    while result.count < count, !isFinished {
      guard let candidate = unseen.takeKnown() ?? unseen.takeRandom(of: space, &random) else {
        isFinished = true
        break
      }
      result.append(Proposal(candidate))
    }
    return result
  }

  public mutating func tell(_ trials: [Trial]) {}
}
