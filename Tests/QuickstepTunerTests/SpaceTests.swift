import Foundation
import QuickstepNN
import QuickstepTuner
import Testing

@Suite("Search spaces") struct SpaceTests {
  static let conditional: [Gene] = [
    Gene("solver", .choice(count: 3)),
    Gene("eta", .real(0...1), standard: 0.5, condition: .init(gene: "solver", values: [1])),
    Gene("order", .integer(1...3), standard: 2, condition: .init(gene: "solver", values: [0, 2])),
    Gene("corrector", .choice(count: 2), condition: .init(gene: "order", values: [3])),
    Gene("scale", .logarithmic(0.01...100)),
  ]

  @Test("inactive genes hold their standard value, so that equal candidates are equal")
  func canonical() throws {
    let space = try SearchSpace(genes: Self.conditional)
    let first = space.canonical(Candidate([1, 0.25, 3, 1, 1]))
    let second = space.canonical(Candidate([1, 0.25, 1, 0, 1]))
    #expect(first == second)
    #expect(first.values == [1, 0.25, 2, 0, 1])
    // A child of an inactive gene is inactive, even where its parent's hidden value would allow it.
    #expect(space.active(Candidate([1, 0.25, 3, 1, 1])) == [true, true, false, false, true])
    #expect(space.canonical(Candidate([0, 0.9, 3, 1, 1])).values == [0, 0.5, 3, 1, 1])
  }

  @Test("random points, neighbours, mutants and children are canonical points of the space")
  func closed() throws {
    let space = try SearchSpace(
      genes: Self.conditional + (0..<4).map { Gene("time \($0)", .integer(0...9), series: "times") })
    var random = SplitMix64(seed: 7)
    var parent = space.random(using: &random)
    for _ in 0..<2000 {
      let other = space.random(using: &random)
      let kind = Crossover.allCases[random.below(3)]
      let made = [
        other, space.neighbour(of: parent, using: &random), space.mutated(parent, rate: 0.5, using: &random),
        space.crossed(parent, other, by: kind, using: &random),
      ]
      for candidate in made {
        try space.check(candidate)
        #expect(space.canonical(candidate) == candidate)
        let times = candidate.values.suffix(4)
        #expect(times.sorted() == Array(times))
      }
      #expect(Set(other.values.suffix(4)).count == 4)
      #expect(made[1] != parent)
      parent = made[random.below(4)]
    }
  }

  @Test("a neighbour changes one active gene; a child has its parents' values where they agree")
  func variation() throws {
    let space = try SearchSpace(genes: (0..<8).map { Gene("g\($0)", $0 % 2 == 0 ? .choice(count: 4) : .integer(0...20)) })
    var random = SplitMix64(seed: 3)
    for _ in 0..<500 {
      let first = space.random(using: &random)
      let second = space.random(using: &random)
      let near = space.neighbour(of: first, using: &random)
      #expect(zip(first.values, near.values).filter { $0 != $1 }.count == 1)
      for kind in Crossover.allCases {
        let child = space.crossed(first, second, by: kind, using: &random)
        for (index, value) in child.values.enumerated() {
          if first.values[index] == second.values[index] { #expect(value == first.values[index]) }
          if kind != .blend || index % 2 == 0 { #expect([first.values[index], second.values[index]].contains(value)) }
        }
      }
    }
  }

  @Test("the stage keeps later genes at their standard values")
  func stages() throws {
    let space = try SearchSpace(genes: [Gene("a", .integer(0...9)), Gene("b", .choice(count: 5), standard: 3, stage: 1)])
    var random = SplitMix64(seed: 1)
    for _ in 0..<100 {
      let point = space.random(using: &random, through: 0)
      #expect(point.values[1] == 3)
      #expect(space.mutated(point, rate: 1, using: &random, through: 0).values[1] == 3)
      #expect(space.neighbour(of: point, using: &random, through: 0).values[1] == 3)
    }
    #expect((0..<100).contains { _ in space.random(using: &random).values[1] != 3 })
  }

  @Test("a random point of a domain covers it evenly")
  func draws() throws {
    let space = try SearchSpace(genes: [Gene("c", .choice(count: 4)), Gene("l", .logarithmic(0.01...100)), Gene("r", .real(-1...3))])
    var random = SplitMix64(seed: 5)
    let points = (0..<4000).map { _ in space.random(using: &random).values }
    for choice in 0..<4 { #expect(abs(points.filter { $0[0] == Double(choice) }.count - 1000) < 130) }
    // Half of the logarithms lie below 1, a quarter of the reals below 0; five standard errors.
    #expect(abs(points.filter { $0[1] < 1 }.count - 2000) < 160)
    #expect(abs(points.filter { $0[2] < 0 }.count - 1000) < 137)
  }

  @Test("counting agrees with listing")
  func counting() throws {
    let whole = Self.conditional.filter { $0.domain.count != nil && $0.name != "eta" }
    let spaces = try [
      SearchSpace(genes: whole),
      SearchSpace(genes: whole + (0..<3).map { Gene("t\($0)", .integer(2...5), series: "t") }),
      SearchSpace(genes: [Gene("only", .choice(count: 1))]),
      SearchSpace(genes: [
        Gene("on", .choice(count: 2)), Gene("s1", .choice(count: 3), condition: .init(gene: "on", values: [1]), series: "s"),
        Gene("s2", .choice(count: 3), condition: .init(gene: "on", values: [1]), series: "s"),
      ]),
    ]
    for space in spaces {
      let points = Array(space.points(levels: 10))
      #expect(Set(points).count == points.count)
      #expect(points.count == space.count)
      for point in points {
        try space.check(point)
        #expect(space.canonical(point) == point)
      }
      // Every random point is one of those listed.
      var random = SplitMix64(seed: 11)
      let listed = Set(points)
      let drawn = (0..<200).map { _ in space.random(using: &random) }
      #expect(drawn.allSatisfy(listed.contains))
    }
    #expect(spaces.map(\.count) == [(1 + 2 * (2 + 2)), 9 * 20, 1, 1 + 6])
    #expect(try SearchSpace(genes: Self.conditional).count == nil)
    #expect(try SearchSpace(genes: (0..<80).map { Gene("b\($0)", .choice(count: 2)) }).count == nil)
  }

  @Test("listing a real gene takes levels from end to end")
  func levels() throws {
    let space = try SearchSpace(genes: [Gene("r", .real(0...1)), Gene("l", .logarithmic(1...100)), Gene("i", .integer(1...100))])
    let points = Array(space.points(levels: 3)).map(\.values)
    #expect(points.count == 27)
    #expect(Set(points.map { $0[0] }) == [0, 0.5, 1])
    #expect(Set(points.map { ($0[1] * 1e9).rounded() / 1e9 }) == [1, 10, 100])
    #expect(Set(points.map { $0[2] }) == [1, 51, 100])
  }

  @Test(
    "impossible spaces and candidates are refused with the gene's name",
    arguments: [
      ([Gene("a", .choice(count: 0))], "'a'"), ([], "no genes"), ([Gene("", .choice(count: 2))], "no name"),
      ([Gene("x", .real(0 ... .infinity))], "'x'"), ([Gene("x", .logarithmic(0...1))], "logarithmic"),
      ([Gene("x", .choice(count: 2)), Gene("x", .choice(count: 2))], "'x'"),
      ([Gene("x", .choice(count: 2), standard: 2)], "standard value 2.0"),
      ([Gene("x", .choice(count: 2), stage: -1)], "stage -1"),
      ([Gene("y", .choice(count: 2), condition: .init(gene: "x", values: [0]))], "'x'"),
      ([Gene("x", .real(0...1)), Gene("y", .choice(count: 2), condition: .init(gene: "x", values: [0]))], "no choice"),
      ([Gene("x", .choice(count: 2)), Gene("y", .choice(count: 2), condition: .init(gene: "x", values: [2]))], "0…1"),
      ([Gene("x", .choice(count: 2), series: "s"), Gene("y", .choice(count: 3), series: "s")], "series 's'"),
    ])
  func refused(genes: [Gene], part: String) throws {
    let error = #expect(throws: SearchError.self) { try SearchSpace(genes: genes) }
    #expect(error?.description.contains(part) == true, "\(error?.description ?? "")")
  }

  @Test("candidates outside of the space are refused")
  func outside() throws {
    let space = try SearchSpace(genes: [Gene("steps", .integer(1...50)), Gene("r", .real(0...1))])
    for (values, part) in [
      ([1.5, 0], "'steps' is 1.5"), ([0, 0], "1…50"), ([1, .nan], "'r'"), ([1], "1 values"), ([1, 0, 0], "3 values"),
    ] {
      let error = #expect(throws: SearchError.self) { try space.check(Candidate(values)) }
      #expect(error?.description.contains(part) == true)
      #expect(throws: SearchError.self) { try SearchSpace(genes: space.genes, known: [Candidate(values)]) }
    }
  }

  @Test("a space survives JSON with its fingerprint, and any change of a gene changes that")
  func fingerprint() throws {
    let space = try SearchSpace(genes: Self.conditional, known: [Candidate([1, 0.3, 1, 0, 1]), Candidate([1, 0.3, 2, 1, 1])])
    #expect(space.known.count == 1)
    let copy = try JSONDecoder().decode(SearchSpace.self, from: JSONEncoder().encode(space))
    #expect(copy == space)
    #expect(copy.fingerprint == space.fingerprint)
    var prints: Set<String> = [space.fingerprint]
    for index in space.genes.indices {
      var genes = space.genes
      genes[index].name += "'"
      if let child = genes.firstIndex(where: { $0.condition?.gene == space.genes[index].name }) {
        for i in child..<genes.count where genes[i].condition?.gene == space.genes[index].name { genes[i].condition?.gene += "'" }
      }
      prints.insert(try SearchSpace(genes: genes).fingerprint)
    }
    var genes = space.genes
    genes[4].domain = .real(0.01...100)
    prints.insert(try SearchSpace(genes: genes).fingerprint)
    #expect(prints.count == space.genes.count + 2)
  }
}
