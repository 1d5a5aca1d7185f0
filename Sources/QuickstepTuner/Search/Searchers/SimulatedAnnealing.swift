internal import Foundation
public import QuickstepNN

/// Chains that walk from neighbour to neighbour, each with its own weighing of the objectives, uphill ever more seldom.
public struct SimulatedAnnealing: Searcher {
  public static let declaration = MethodDeclaration(
    name: "annealing", family: .searcher, summary: "Chains of neighbours that accept a loss ever more seldom.", points: [],
    parameters: [
      .init(
        name: "chains", summary: "chains, each with its own weights of the objectives", domain: .integer(1...1000), standard: .integer(4)),
      .init(name: "steps", summary: "steps of each chain", domain: .integer(1...1_000_000), standard: .integer(250)),
      .init(
        name: "hot", summary: "temperature of the first step, in widths of the objectives seen so far", domain: .number(1e-6...10),
        standard: .number(0.3)),
      .init(name: "cold", summary: "temperature of the last step", domain: .number(1e-9...10), standard: .number(0.003)),
      .init(name: "scale", summary: "step of real genes, in widths of their domain", domain: .number(1e-6...1), standard: .number(0.1)),
    ], exactness: .approximate,
    reference: "Kirkpatrick, Gelatt & Vecchi 1983, Science 220; several objectives as Czyżak & Jaszkiewicz 1998")

  private let space: SearchSpace
  private let parameters: ParameterValues
  private let weights: [[Double]]
  private var random: SplitMix64
  private var unseen: UnseenCandidates
  private var generation = Generation()
  private var current: [Trial?]
  private var ranges: [(low: Double, high: Double)]
  public private(set) var isFinished = false

  public init(space: SearchSpace, objectives: Int, parameters: ParameterValues, seed: UInt64) throws {
    self.space = space
    self.parameters = parameters
    let chains = parameters.integer("chains") ?? 4
    guard parameters.number("cold") <= parameters.number("hot") else {
      throw SearchError("'annealing' begins at \(parameters.number("hot")) and ends hotter, at \(parameters.number("cold"))")
    }
    random = SplitMix64(seed: seed)
    var random = self.random
    // With two objectives weights are spread evenly; with more they are drawn evenly from all that sum to 1.
    weights = (0..<chains).map { chain in
      guard objectives != 2 else {
        let share = chains == 1 ? 0.5 : Double(chain) / Double(chains - 1)
        return [share, 1 - share]
      }
      let draws = (0..<objectives).map { _ in -Foundation.log(1 - random.uniform()) }
      let sum = draws.reduce(0, +)
      return draws.map { sum > 0 ? $0 / sum : 1 / Double(objectives) }
    }
    self.random = random
    unseen = UnseenCandidates(space)
    current = Array(repeating: nil, count: chains)
    ranges = Array(repeating: (.infinity, -.infinity), count: objectives)
  }

  public mutating func ask(_ count: Int) -> [Proposal] {
    if generation.isComplete, !isFinished { advance() }
    return generation.take(count)
  }

  public mutating func tell(_ trials: [Trial]) { generation.tell(trials) }

  private mutating func advance() {
    for (chain, trial) in generation.trials.enumerated() { accept(trial, in: chain) }
    guard generation.number < parameters.integer("steps") ?? 250 else { return isFinished = true }
    var next: [Candidate] = []
    for chain in current.indices { next.append(step(of: chain)) }
    generation.begin(next)
  }

  /// A neighbour; the same one may come again, and is not evaluated again.
  private mutating func step(of chain: Int) -> Candidate {
    guard let now = current[chain] else { return unseen.takeKnown() ?? space.random(using: &random) }
    return space.neighbour(of: now.candidate, scale: parameters.number("scale"), using: &random)
  }

  private mutating func accept(_ trial: Trial, in chain: Int) {
    guard let outcome = trial.outcome else { return }
    for (index, value) in outcome.objectives.enumerated() {
      ranges[index] = (min(ranges[index].low, value), max(ranges[index].high, value))
    }
    let draw = random.uniform()
    guard let before = current[chain]?.outcome else { return current[chain] = trial }
    let steps = Double(max(1, parameters.integer("steps") ?? 250))
    let share = min(1, Double(generation.number) / steps)
    let temperature = parameters.number("hot") * Foundation.pow(parameters.number("cold") / parameters.number("hot"), share)
    let loss = cost(outcome, chain) - cost(before, chain)
    if loss <= 0 || draw < Foundation.exp(-loss / temperature) { current[chain] = trial }
  }

  /// Weighted sum of the objectives in widths of what was seen; violations come on top in full.
  private func cost(_ outcome: Outcome, _ chain: Int) -> Double {
    zip(weights[chain], zip(outcome.objectives, ranges)).reduce(outcome.violation) { sum, term in
      let (value, range) = term.1
      return range.high > range.low ? sum + term.0 * (value - range.low) / (range.high - range.low) : sum
    }
  }
}
