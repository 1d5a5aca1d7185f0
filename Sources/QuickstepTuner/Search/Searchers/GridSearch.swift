public import QuickstepNN

/// Every point of the space, or of a grid in it.
public struct GridSearch: Searcher {
  public static let declaration = MethodDeclaration(
    name: "grid", family: .searcher, summary: "Every point; of ordered genes, some levels from end to end.", points: [],
    parameters: [
      .init(
        name: "levels", summary: "values of an ordered gene that has more", domain: .integer(1...100_000), standard: .integer(5)),
      .init(
        name: "order", summary: "as they are listed, the last gene fastest, or shuffled (up to 100 000 points)",
        domain: .choice(["listed", "shuffled"]), standard: .choice("listed")),
    ], exactness: .approximate, reference: "exhaustive search")

  private var points: PointSequence
  private var shuffled: [Candidate]?
  private var unseen: UnseenCandidates
  public private(set) var isFinished = false

  public init(space: SearchSpace, objectives: Int, parameters: ParameterValues, seed: UInt64) throws {
    points = PointSequence(space: space, levels: parameters.integer("levels") ?? 5)
    unseen = UnseenCandidates(space)
    guard parameters.choice("order") == "shuffled" else { return }
    let listed = Array(points.prefix(100_001))
    guard listed.count <= 100_000 else {
      throw SearchError("a grid of more than 100000 points cannot be shuffled; give fewer levels, order=listed or the searcher 'random'")
    }
    var random = SplitMix64(seed: seed)
    shuffled = random.shuffled(listed).reversed()
  }

  public mutating func ask(_ count: Int) -> [Proposal] {
    var result: [Proposal] = []
    while result.count < count, !isFinished {
      if let known = unseen.takeKnown() {
        result.append(Proposal(known))
      } else if let candidate = shuffled == nil ? points.next() : shuffled?.popLast() {
        // Known candidates lie on the grid at times.
        if unseen.take(attempts: 1, { candidate }) != nil { result.append(Proposal(candidate)) }
      } else {
        isFinished = true
      }
    }
    return result
  }

  public mutating func tell(_ trials: [Trial]) {}
}
