import QuickstepDiffusion
import QuickstepNN
import QuickstepTuner
import Testing

/// What every registered searcher has to keep. Being in the registry is being tested.
@Suite("Searchers") struct SearcherTests {
  static let names = AllSearchers.all.map { $0.declaration.name }

  /// Settings that make a searcher come to its later rounds within a few hundred evaluations.
  static let small: [String: [String: String]] = [
    "nsga-2": ["population": "12", "generations": "40"],
    "autodiffusion": ["population": "12", "mutants": "6", "crossings": "3", "parents": "4"],
    "s3": ["initial": "16", "batch": "8", "stages": "4", "pool": "30", "rounds": "3", "updates": "20", "hidden": "16"],
    "annealing": ["steps": "60"], "local": ["evaluations": "200"], "hyperband": ["rounds": "3"], "grid": ["levels": "3"],
  ]

  static let mixed: SearchSpace = {
    let genes =
      SpaceTests.conditional + (0..<3).map { Gene("time \($0)", .integer(0...30), series: "times") }
      + (0..<4).map { Gene("block \($0)", .choice(count: 2), stage: 1) }
    let known = [[1, 0.25, 2, 0, 1, 3, 9, 27, 0, 0, 0, 0], [0, 0.5, 3, 1, 10, 1, 2, 3, 1, 1, 0, 0]].map { Candidate($0) }
    guard let space = try? SearchSpace(genes: genes, known: known) else { preconditionFailure("these genes make a space") }
    return space
  }()

  /// Two objectives in conflict, a constraint, and some failures.
  static func evaluate(_ proposal: Proposal) -> Outcome? {
    let values = proposal.candidate.values
    let times = values[5...7].reduce(0, +)
    guard times != 40 else { return nil }
    let effort = values[8...].reduce(0, +) + times / 10
    let quality = abs(values[0] - 1) + values[1] + values[2] / 3 + abs(values[4] - 1) / 50 + 10 / (1 + times) + (1 - proposal.fidelity)
    return Outcome(objectives: [quality, effort], violation: max(0, times - 60))
  }

  static func make(_ name: String, seed: UInt64, space: SearchSpace = mixed, objectives: Int = 2) throws -> any Searcher {
    try AllSearchers.make(name, small[name] ?? [:], space: space, objectives: objectives, seed: seed)
  }

  @Test("proposals are canonical points of the space, known ones first", arguments: names)
  func closed(name: String) throws {
    var searcher = try Self.make(name, seed: 3)
    let trials = try drive(&searcher, evaluations: 150, Self.evaluate)
    #expect(trials.count > 40)
    for trial in trials {
      try Self.mixed.check(trial.candidate)
      #expect(Self.mixed.canonical(trial.candidate) == trial.candidate)
      #expect(trial.fidelity > 0 && trial.fidelity <= 1)
    }
    #expect(Set(Self.mixed.known).isSubset(of: trials.prefix(4).map(\.candidate)))
  }

  @Test("the same seed gives the same proposals, another one others; a copy goes on by itself", arguments: names)
  func deterministic(name: String) throws {
    var searcher = try Self.make(name, seed: 3)
    var again = try Self.make(name, seed: 3)
    let trials = try drive(&searcher, evaluations: 60, Self.evaluate)
    #expect(try drive(&again, evaluations: 60, Self.evaluate) == trials)
    var copy = searcher
    let rest = try drive(&searcher, evaluations: 60, Self.evaluate)
    #expect(try drive(&copy, evaluations: 60, Self.evaluate) == rest)
    guard name != "grid" else { return }
    var other = try Self.make(name, seed: 4)
    #expect(try drive(&other, evaluations: 60, Self.evaluate).map(\.candidate) != trials.map(\.candidate))
  }

  @Test(
    "new points only, for searchers that never measure one twice",
    arguments: names.filter {
      !["annealing", "hyperband", "successive-halving"].contains($0)
    })
  func unrepeated(name: String) throws {
    var searcher = try Self.make(name, seed: 5)
    let trials = try drive(&searcher, evaluations: 200, Self.evaluate)
    #expect(Set(trials.map(\.candidate)).count == trials.count)
  }

  @Test("failures alone stop no searcher from coming to an end", arguments: names)
  func failing(name: String) throws {
    var searcher = try Self.make(name, seed: 1)
    #expect(try drive(&searcher, evaluations: 100) { _ in nil }.count >= 12)
  }

  @Test("a space of a few points is searched whole, or for as many evaluations as were asked for", arguments: names)
  func tiny(name: String) throws {
    let space = try SearchSpace(genes: [Gene("a", .choice(count: 2)), Gene("b", .integer(1...2))])
    var searcher = try Self.make(name, seed: 1, space: space, objectives: 1)
    let trials = try drive(&searcher, evaluations: 500) { Outcome(objectives: [$0.candidate.values[0] + $0.candidate.values[1]]) }
    #expect(Set(trials.map(\.candidate)).count == 4)
    if trials.count < 500 { #expect(searcher.isFinished) }
    #expect(Pareto.front(trials).first?.candidate == Candidate([0, 1]))
  }

  @Test(
    "all searchers beat random search on a problem with conditions and sets",
    arguments: names.filter {
      !["random", "grid", "hyperband", "successive-halving"].contains($0)
    })
  func better(name: String) throws {
    func volume(_ name: String) throws -> Double {
      try (1...4).reduce(0.0) { sum, seed in
        var searcher = try Self.make(name, seed: UInt64(seed))
        let trials = try drive(&searcher, evaluations: 160, window: 4, Self.evaluate)
        return sum + Pareto.hypervolume(Pareto.front(trials).compactMap { $0.outcome?.objectives }, reference: [8, 8])
      }
    }
    let (found, random) = (try volume(name), try volume("random"))
    #expect(found > random, "\(found), random \(random)")
  }

  @Test("declarations are complete and parameters are checked", arguments: names)
  func declared(name: String) throws {
    let declaration = try AllSearchers.named(name).declaration
    #expect(declaration.family == .searcher)
    #expect(!declaration.reference.isEmpty)
    for parameter in declaration.parameters {
      // The standard value is one that may be given.
      _ = try parameter.parse(parameter.standard.description)
      if case .integer(let range) = parameter.domain {
        let error = #expect(throws: ParameterError.self) {
          try AllSearchers.make(name, [parameter.name: "\(range.lowerBound - 1)"], space: Self.mixed, objectives: 1, seed: 0)
        }
        #expect(error?.description.contains(parameter.name) == true)
      }
    }
    #expect(throws: ParameterError.self) { try AllSearchers.make(name, ["nonsense": "1"], space: Self.mixed, objectives: 1, seed: 0) }
    #expect(throws: SearchError.self) { try AllSearchers.make(name, space: Self.mixed, objectives: 0, seed: 0) }
  }

  @Test("the registry is sorted, has no name twice, and knows what is near")
  func registry() throws {
    #expect(Self.names == Self.names.sorted())
    #expect(Set(Self.names).count == Self.names.count)
    let error = #expect(throws: UnknownMethodError.self) { try AllSearchers.named("nsga2x") }
    #expect(error?.description.contains("nsga-2") == true)
    #expect(try AllSearchers.named("NSGA-2").declaration.name == "nsga-2")
  }

  @Test("every searcher with a population can be given a small one", arguments: names)
  func smallPopulations(_ name: String) throws {
    let type = try AllSearchers.named(name)
    guard type.declaration.parameters.contains(where: { $0.name == "population" }) else { return }
    for population in [2, 12, 33] {
      var searcher = try AllSearchers.make(name, type.parameters(population: population), space: Self.mixed, objectives: 2, seed: 1)
      #expect(try searcher.ask(1000).count == population)
    }
  }

  @Test("parameters that do not fit each other are refused")
  func combinations() throws {
    for (name, given) in [
      ("autodiffusion", ["population": "10", "mutants": "8", "crossings": "3"]), ("annealing", ["hot": "0.01", "cold": "0.1"]),
    ] {
      #expect(throws: SearchError.self) { try AllSearchers.make(name, given, space: Self.mixed, objectives: 2, seed: 0) }
    }
    let error = #expect(throws: SearchError.self) {
      try AllSearchers.make("grid", ["order": "shuffled", "levels": "100"], space: Self.mixed, objectives: 2, seed: 0)
    }
    #expect(error?.description.contains("100000") == true)
  }
}
