import Foundation
import QuickstepNN
import QuickstepTuner
import Testing

/// Problems whose fronts are known: Zitzler, Deb & Thiele 2000; Deb, Thiele, Laumanns & Zitzler 2002.
struct KnownFront: Sendable, CustomTestStringConvertible {
  var name: String
  var space: SearchSpace
  var objectives: Int
  /// Volume that the whole front dominates, up to `reference`.
  var volume: Double
  var reference: [Double]
  var evaluate: @Sendable ([Double]) -> [Double]
  var testDescription: String { name }

  func volume(of trials: [Trial]) -> Double {
    Pareto.hypervolume(Pareto.front(trials).compactMap { $0.outcome?.objectives }, reference: reference)
  }

  static func space(_ count: Int, first: ClosedRange<Double> = 0...1, others: ClosedRange<Double> = 0...1) -> SearchSpace {
    let genes = (0..<count).map { Gene("x\($0)", .real($0 == 0 ? first : others)) }
    guard let space = try? SearchSpace(genes: genes) else { preconditionFailure("a box is a space") }
    return space
  }

  /// Area above a front f2(f1) up to (1.1, 1.1), by the running minimum on a fine grid: independent of the library's hypervolume.
  static func area(from start: Double = 0, _ front: (Double) -> Double) -> Double {
    let steps = 200_000
    var (lowest, sum) = (Double.infinity, 0.0)
    for step in 0..<steps {
      let x = start + (1 - start) * (Double(step) + 0.5) / Double(steps)
      lowest = min(lowest, front(x))
      sum += max(0, 1.1 - lowest) / Double(steps) * (1 - start)
    }
    return sum + 0.1 * (1.1 - lowest)
  }

  private static func zdt(
    _ name: String, _ space: SearchSpace, area: Double, first: @escaping @Sendable (Double) -> Double = { $0 },
    g: @escaping @Sendable (ArraySlice<Double>) -> Double, h: @escaping @Sendable (Double, Double) -> Double
  ) -> KnownFront {
    KnownFront(name: name, space: space, objectives: 2, volume: area, reference: [1.1, 1.1]) { x in
      let f = first(x[0])
      let depth = g(x.dropFirst())
      return [f, depth * h(f, depth)]
    }
  }

  static let zdt1 = zdt("ZDT1", space(30), area: area { 1 - $0.squareRoot() }, g: mean) { 1 - ($0 / $1).squareRoot() }
  static let zdt2 = zdt("ZDT2", space(30), area: area { 1 - $0 * $0 }, g: mean) { 1 - ($0 / $1) * ($0 / $1) }
  static let zdt3 = zdt("ZDT3", space(30), area: area { 1 - $0.squareRoot() - $0 * sin(10 * .pi * $0) }, g: mean) {
    1 - ($0 / $1).squareRoot() - $0 / $1 * sin(10 * .pi * $0)
  }
  static let zdt4 = zdt(
    "ZDT4", space(10, others: -5...5), area: area { 1 - $0.squareRoot() },
    g: { 1 + 10 * Double($0.count) + $0.reduce(0) { $0 + $1 * $1 - 10 * cos(4 * .pi * $1) } }, h: { 1 - ($0 / $1).squareRoot() })
  static let zdt6 = zdt(
    "ZDT6", space(10), area: area(from: 0.2807753191) { 1 - $0 * $0 },
    first: { 1 - exp(-4 * $0) * pow(sin(6 * .pi * $0), 6) }, g: { 1 + 9 * pow($0.reduce(0, +) / Double($0.count), 0.25) },
    h: { 1 - ($0 / $1) * ($0 / $1) })

  /// Three objectives; the front is an eighth of the unit sphere.
  static let dtlz2 = KnownFront(
    name: "DTLZ2", space: space(12), objectives: 3, volume: 1.331 - .pi / 6, reference: [1.1, 1.1, 1.1]
  ) { x in
    let radius = 1 + x.dropFirst(2).reduce(0) { $0 + ($1 - 0.5) * ($1 - 0.5) }
    let (a, b) = (x[0] * .pi / 2, x[1] * .pi / 2)
    return [radius * cos(a) * cos(b), radius * cos(a) * sin(b), radius * sin(a)]
  }

  private static let mean: @Sendable (ArraySlice<Double>) -> Double = { 1 + 9 * $0.reduce(0, +) / Double($0.count) }
}

/// Asks and tells without an archive, a window of proposals at a time.
func drive(
  _ searcher: inout any Searcher, evaluations: Int, window: Int = 8, _ evaluate: (Proposal) throws -> Outcome?
) throws -> [Trial] {
  var trials: [Trial] = []
  while trials.count < evaluations {
    let proposals = try searcher.ask(min(window, evaluations - trials.count))
    guard !proposals.isEmpty else {
      guard searcher.isFinished else { throw SearchError("nothing is proposed although nothing is open") }
      break
    }
    let name = type(of: searcher).declaration.name
    let told = try proposals.enumerated().map { index, proposal in
      Trial(id: trials.count + index, proposal: proposal, searcher: name, outcome: try evaluate(proposal), seconds: 1)
    }
    searcher.tell(told)
    trials += told
  }
  return trials
}

func search(
  _ name: String, _ problem: KnownFront, parameters: [String: String] = [:], evaluations: Int, seed: UInt64
) throws -> [Trial] {
  var searcher = try AllSearchers.make(name, parameters, space: problem.space, objectives: problem.objectives, seed: seed)
  return try drive(&searcher, evaluations: evaluations) { Outcome(objectives: problem.evaluate($0.candidate.values)) }
}
