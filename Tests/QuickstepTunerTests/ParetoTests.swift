import QuickstepNN
import QuickstepTuner
import Testing

@Suite("Pareto tools") struct ParetoTests {
  /// Points with few different coordinates, so that ties, repeated and dominated points occur.
  private static func points(_ random: inout SplitMix64, count: Int, dimensions: Int, levels: Int) -> [[Double]] {
    (0..<count).map { _ in (0..<dimensions).map { _ in Double(random.below(levels)) } }
  }

  @Test("fronts are those of their definition", arguments: [1, 2, 3, 5])
  func fronts(dimensions: Int) {
    var random = SplitMix64(seed: UInt64(dimensions))
    for _ in 0..<60 {
      let points = Self.points(&random, count: random.below(24), dimensions: dimensions, levels: 5)
      var rest = Array(points.indices)
      var expected: [[Int]] = []
      while !rest.isEmpty {
        let best = rest.filter { index in
          !rest.contains { other in
            zip(points[other], points[index]).allSatisfy { $0 <= $1 } && zip(points[other], points[index]).contains { $0 < $1 }
          }
        }
        expected.append(best)
        rest.removeAll(where: best.contains)
      }
      #expect(Pareto.fronts(points) == expected)
    }
  }

  @Test("feasible outcomes come before others, and among those the smaller violation counts")
  func constraints() {
    let outcomes = [
      Outcome(objectives: [0, 0], violation: 2), Outcome(objectives: [9, 9]), Outcome(objectives: [1, 1], violation: 1),
      Outcome(objectives: [8, 10]), Outcome(objectives: [10, 10]),
    ]
    #expect(Pareto.fronts(outcomes) == [[1, 3], [4], [2], [0]])
  }

  /// Every cell of the grid of coordinates, counted if a point dominates its lower corner.
  private static func volumeByCells(_ points: [[Double]], _ reference: [Double]) -> Double {
    let edges = reference.indices.map { axis in Set(points.map { min($0[axis], reference[axis]) } + [reference[axis]]).sorted() }
    var volume = 0.0
    func visit(_ axis: Int, _ corner: [Double], _ size: Double) {
      guard axis < reference.count else {
        if points.contains(where: { zip($0, corner).allSatisfy { $0 <= $1 } }) { volume += size }
        return
      }
      for (low, high) in zip(edges[axis], edges[axis].dropFirst()) { visit(axis + 1, corner + [low], size * (high - low)) }
    }
    visit(0, [], 1)
    return volume
  }

  @Test("the hypervolume is the sum of dominated cells", arguments: [1, 2, 3, 4, 5])
  func hypervolume(dimensions: Int) {
    var random = SplitMix64(seed: 100 + UInt64(dimensions))
    for _ in 0..<40 {
      let points = Self.points(&random, count: random.below(9), dimensions: dimensions, levels: 7)
      // Some points lie on or beyond the reference.
      let reference = (0..<dimensions).map { _ in 3.5 + Double(random.below(4)) }
      let volume = Pareto.hypervolume(points, reference: reference)
      #expect(abs(volume - Self.volumeByCells(points, reference)) < 1e-9)
      #expect(abs(volume - Pareto.hypervolume(random.shuffled(points) + points, reference: reference)) < 1e-9)
    }
  }

  @Test("the hypervolume of 60 points of a sphere is what two different cuts of space give")
  func sphere() {
    var random = SplitMix64(seed: 9)
    let points = (0..<60).map { _ -> [Double] in
      let direction = (0..<4).map { _ in abs(random.normal()) }
      let length = direction.reduce(0) { $0 + $1 * $1 }.squareRoot()
      return direction.map { $0 / length }
    }
    let volume = Pareto.hypervolume(points, reference: [1.1, 1.1, 1.1, 1.1])
    let turned = Pareto.hypervolume(points.map { Array($0.reversed()) }, reference: [1.1, 1.1, 1.1, 1.1])
    #expect(abs(volume - turned) < 1e-12)
    // Between nothing and all outside of the ball (a sixteenth of π²/2).
    #expect(volume > 0.3 && volume < 1.1 * 1.1 * 1.1 * 1.1 - 0.3084)
  }

  @Test("crowding distances are those of the definition")
  func crowding() {
    #expect(
      Pareto.crowdingDistances([[0, 4], [1, 2], [3, 1], [4, 0]]) == [.infinity, 3.0 / 4 + 3.0 / 4, 3.0 / 4 + 2.0 / 4, .infinity])
    #expect(Pareto.crowdingDistances([]) == [])
    #expect(Pareto.crowdingDistances([[1, 1]]) == [.infinity])
    // An objective that is the same everywhere adds nothing.
    #expect(Pareto.crowdingDistances([[0, 7], [1, 7], [2, 7]])[1] == 1)
  }

  @Test("the knee is the corner of a bent front, whatever the units")
  func knee() {
    let front: [[Double]] = [[0, 1000], [1, 400], [2, 100], [6, 50], [10, 0]]
    #expect(Pareto.knee(front) == 2)
    #expect(Pareto.knee(front.map { [$0[0] * 1e-6, $0[1]] }) == 2)
    #expect(Pareto.knee([]) == nil)
    #expect(Pareto.knee([[3, 3]]) == 0)
  }

  @Test("a front of trials has feasible ones of full fidelity, each point once")
  func front() {
    func trial(_ id: Int, _ objectives: [Double]?, violation: Double = 0, fidelity: Double = 1) -> Trial {
      Trial(
        id: id, proposal: Proposal(Candidate([Double(id)]), fidelity: fidelity), searcher: "test",
        outcome: objectives.map { Outcome(objectives: $0, violation: violation) })
    }
    let trials = [
      trial(0, [3, 1]), trial(1, [1, 3]), trial(2, [2, 2], violation: 0.1), trial(3, [0, 0], fidelity: 0.5), trial(4, nil),
      trial(5, [3, 1]),
      trial(6, [3, 3]),
    ]
    #expect(Pareto.front(trials).map(\.id) == [1, 0])
    #expect(Pareto.front([]).isEmpty)
  }
}
