import QuickstepNN
import QuickstepTuner
import Testing

/// What is special to single searchers.
@Suite("Searchers, one by one") struct MethodTests {
  private static let line: SearchSpace = {
    guard let space = try? SearchSpace(genes: [Gene("x", .integer(0...100_000))]) else { preconditionFailure("a line is a space") }
    return space
  }()

  @Test("successive halving promotes the best of each rung")
  func halving() throws {
    var searcher = try AllSearchers.make(
      "successive-halving", ["candidates": "27", "rungs": "4"], space: Self.line, objectives: 1, seed: 1)
    let trials = try drive(&searcher, evaluations: 100, window: 5) { Outcome(objectives: [$0.candidate.values[0]]) }
    #expect(searcher.isFinished)
    let rungs = (0..<4).map { rung in trials.filter { $0.origin.generation == rung } }
    #expect(rungs.map(\.count) == [27, 9, 3, 1])
    for (rung, fidelity) in zip(rungs, [1.0 / 27, 1.0 / 9, 1.0 / 3, 1]) { #expect(rung.allSatisfy { abs($0.fidelity - fidelity) < 1e-12 }) }
    for (before, after) in zip(rungs, rungs.dropFirst()) {
      #expect(Set(after.map(\.candidate)) == Set(before.map(\.candidate).sorted { $0.values[0] < $1.values[0] }.prefix(after.count)))
    }
  }

  @Test("Hyperband's brackets are those of the paper's table for R = 81, η = 3")
  func brackets() throws {
    var searcher = try AllSearchers.make("hyperband", ["rungs": "5"], space: Self.line, objectives: 1, seed: 1)
    let trials = try drive(&searcher, evaluations: 1000) { Outcome(objectives: [$0.candidate.values[0]]) }
    #expect(searcher.isFinished)
    let generations = (0...(trials.last?.origin.generation ?? 0)).map { number in trials.filter { $0.origin.generation == number } }
    // Li et al. 2018, table 1: candidates n_i and resources r_i of R = 81. Bracket 3 has ⌈5·27/4⌉ = 34 candidates by algorithm 1.
    #expect(generations.map(\.count) == [81, 27, 9, 3, 1, 34, 11, 3, 1, 15, 5, 1, 8, 2, 5])
    let resources = generations.map { Int(($0[0].fidelity * 81).rounded()) }
    #expect(resources == [1, 3, 9, 27, 81, 3, 9, 27, 81, 9, 27, 81, 27, 81, 81])
  }

  @Test("the grid lists every point once, shuffled or not")
  func grid() throws {
    let space = try SearchSpace(
      genes: [Gene("a", .choice(count: 3)), Gene("b", .integer(1...4), condition: .init(gene: "a", values: [2]))],
      known: [Candidate([2, 3])])
    for order in ["listed", "shuffled"] {
      var searcher = try AllSearchers.make("grid", ["order": order], space: space, objectives: 1, seed: 2)
      let trials = try drive(&searcher, evaluations: 100) { _ in Outcome(objectives: [0]) }
      #expect(trials.count == 6 && space.count == 6)
      #expect(Set(trials.map(\.candidate)) == Set(space.points(levels: 5)))
      #expect(trials[0].candidate == Candidate([2, 3]))
    }
  }

  @Test("NSGA-II keeps the best of parents and children")
  func elitism() throws {
    var searcher = try AllSearchers.make("nsga-2", ["population": "10", "generations": "30"], space: Self.line, objectives: 1, seed: 8)
    let trials = try drive(&searcher, evaluations: 1000) { Outcome(objectives: [abs($0.candidate.values[0] - 71_234)]) }
    #expect(searcher.isFinished)
    #expect(trials.count == 300)
    let means = (0..<30).map { number in
      trials.filter { $0.origin.generation == number }.compactMap { $0.outcome?.objectives[0] }.reduce(0, +) / 10
    }
    #expect(means.suffix(5).reduce(0, +) / 5 < means[0] / 3)
    #expect(Pareto.front(trials)[0].outcome.map { $0.objectives[0] < 100 } == true)
  }

  @Test("NSGA-II finds allowed points although few are")
  func constrained() throws {
    var searcher = try AllSearchers.make("nsga-2", ["population": "20", "generations": "30"], space: Self.line, objectives: 1, seed: 8)
    let trials = try drive(&searcher, evaluations: 600) {
      Outcome(objectives: [$0.candidate.values[0]], violation: max(0, 99_000 - $0.candidate.values[0]))
    }
    let best = try #require(Pareto.front(trials).first)
    #expect(best.candidate.values[0] < 99_050)
  }

  @Test("AutoDiffusion leaves the blocks alone until the times have settled, then frees a fifth at a time")
  func stages() throws {
    let genes =
      (0..<3).map { Gene("t\($0)", .integer(0...99), series: "times") } + (0..<10).map { Gene("b\($0)", .choice(count: 2), stage: 1) }
    let space = try SearchSpace(genes: genes)
    var searcher = try AllSearchers.make("autodiffusion", ["reach": "0.5", "generations": "20"], space: space, objectives: 1, seed: 4)
    let trials = try drive(&searcher, evaluations: 2000) { proposal in
      let values = proposal.candidate.values
      return Outcome(objectives: [abs(values[0] - 10) + abs(values[1] - 50) + abs(values[2] - 90) - values[3...].reduce(0, +)])
    }
    #expect(searcher.isFinished)
    #expect(trials.count == 1000)
    let changed = (0..<20).map { number in
      trials.filter { $0.origin.generation == number }.map { Int($0.candidate.values[3...].reduce(0, +)) }.max() ?? 0
    }
    let start = try #require(changed.firstIndex { $0 > 0 })
    #expect((1...5).contains(start))
    // ⌈10 · 0.5 · k/5⌉ of ten genes after k generations.
    for (offset, most) in changed[start...].enumerated() { #expect(most <= min(5, offset + 1)) }
    #expect(changed.max() == 5)
    #expect(Pareto.front(trials).first?.outcome.map { $0.objectives[0] < 20 } == true)
  }

  @Test("the first generation of AutoDiffusion holds light mutants of what is known")
  func mutants() throws {
    let genes = (0..<20).map { Gene("t\($0)", .integer(0...9999)) }
    let known = Candidate((0..<20).map { Double($0 * 400) })
    let space = try SearchSpace(genes: genes, known: [known])
    var searcher = try AllSearchers.make("autodiffusion", space: space, objectives: 1, seed: 4)
    let first = try drive(&searcher, evaluations: 50) { _ in Outcome(objectives: [0]) }
    let alike = first.filter { trial in zip(trial.candidate.values, known.values).filter { $0 == $1 }.count >= 10 }
    #expect((20...26).contains(alike.count))
  }

  @Test("the predictor of S³ learns the order of candidates it has not seen")
  func predictor() throws {
    // With no evolution and no exploration a batch is what the predictor likes best among children of the parents.
    let space = try SearchSpace(genes: (0..<8).map { Gene("c\($0)", .choice(count: 3)) })
    let weights = (0..<24).map { Double(($0 * 37) % 11) }
    func cost(_ candidate: Candidate) -> Double {
      candidate.values.enumerated().reduce(0) { $0 + weights[$1.offset * 3 + Int($1.element)] }
    }
    var searcher = try AllSearchers.make(
      "s3", ["exploration": "0", "rounds": "4", "mutation": "0.5", "stages": "1", "batch": "20"], space: space,
      objectives: 1, seed: 2)
    let trials = try drive(&searcher, evaluations: 80) { Outcome(objectives: [cost($0.candidate)]) }
    #expect(searcher.isFinished || trials.count == 80)
    let initial = trials.prefix(60).map { cost($0.candidate) }
    let chosen = trials.suffix(20).map { cost($0.candidate) }
    // Sixty of 6561 points are enough for a sum to be learnt.
    #expect(chosen.reduce(0, +) / 20 < (initial.min() ?? 0))
    // The best one is among the best quarter per cent of all points, where twenty random ones come in one of twenty-three cases.
    var all = [0.0]
    for gene in 0..<8 { all = all.flatMap { sum in (0..<3).map { sum + weights[gene * 3 + $0] } } }
    let better = all.count { $0 < (chosen.min() ?? .infinity) }
    #expect(Double(better) < 0.0025 * Double(all.count), "\(chosen.sorted()), before \(initial.min() ?? 0)")
  }
}
