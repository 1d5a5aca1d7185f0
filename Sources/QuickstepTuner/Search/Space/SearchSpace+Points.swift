internal import Foundation

extension SearchSpace {
  /// Number of different canonical points. `nil` where there are infinitely many or more than 2^53, or where the genes of a series are not
  /// always active together.
  public var count: Int? {
    var children: [[Int]] = Array(repeating: [], count: genes.count)
    for (index, parent) in parents.enumerated() { if let parent { children[parent].append(index) } }
    return product(parents.indices.filter { parents[$0] == nil }, children)
  }

  /// Combinations of independent genes, each with those that depend on it.
  private func product(_ indices: [Int], _ children: [[Int]]) -> Int? {
    var result = 1
    var seriesDone: Set<String> = []
    for index in indices {
      let factor: Int?
      if let name = genes[index].series {
        guard seriesDone.insert(name).inserted else { continue }
        factor = multisets(name, indices)
      } else {
        factor = points(of: index, children)
      }
      guard let factor, case let (next, overflow) = result.multipliedReportingOverflow(by: factor), !overflow, next <= 1 << 53 else {
        return nil
      }
      result = next
    }
    return result
  }

  /// Values of one gene, each with the combinations of the genes it switches on.
  private func points(of index: Int, _ children: [[Int]]) -> Int? {
    guard let count = genes[index].domain.count else { return nil }
    guard !children[index].isEmpty else { return count }
    // Long ranges with dependants are walked through; nobody has a million of steps.
    guard count <= 1 << 20 else { return nil }
    var result = 0
    for step in 0..<count {
      let value = genes[index].domain.lower + Double(step)
      guard let part = product(children[index].filter { genes[$0].condition?.values.contains(value) == true }, children) else { return nil }
      let (next, overflow) = result.addingReportingOverflow(part)
      guard !overflow else { return nil }
      result = next
    }
    return result
  }

  /// Ascending sequences of the series' length: (n + k − 1) over k. `nil` where not all members are among `indices`.
  private func multisets(_ name: String, _ indices: [Int]) -> Int? {
    let members = indices.filter { genes[$0].series == name }
    guard members.count == genes.filter({ $0.series == name }).count, let count = members.first.flatMap({ genes[$0].domain.count }) else {
      return nil
    }
    guard members.allSatisfy({ genes[$0].condition == genes[members[0]].condition }) else { return nil }
    var result = 1
    for place in 1...members.count {
      let (next, overflow) = result.multipliedReportingOverflow(by: count + place - 1)
      guard !overflow else { return nil }
      result = next / place
    }
    return result
  }

  /// All canonical points, one after the other, the last gene changing fastest. Genes with more values than `levels` (real ones have) take that
  /// many values from end to end; choices take all.
  public func points(levels: Int) -> some Sequence<Candidate> & Sendable { PointSequence(space: self, levels: max(1, levels)) }
}

/// The points of a space on a grid, made one by one.
struct PointSequence: Sequence, IteratorProtocol, Sendable {
  private let space: SearchSpace
  private let values: [[Double]]
  /// Places in `values`; `nil` after the last point.
  private var places: [Int]?

  init(space: SearchSpace, levels: Int) {
    self.space = space
    values = space.genes.map { gene in
      let domain = gene.domain
      if let count = domain.count, count <= levels || !domain.isOrdered { return (0..<count).map { domain.lower + Double($0) } }
      let positions = levels == 1 ? [0.5] : (0..<levels).map { Double($0) / Double(levels - 1) }
      return positions.map { domain.value(at: $0) }
    }
    places = Array(repeating: 0, count: values.count)
  }

  mutating func next() -> Candidate? {
    while let current = places {
      var candidate = Candidate(current.indices.map { values[$0][current[$0]] })
      let active = space.active(candidate)
      for index in active.indices where !active[index] { candidate.values[index] = space.genes[index].standard }
      advance(current, active)
      // Sets come up in every order; one of them is canonical.
      if space.canonical(candidate) == candidate { return candidate }
    }
    return nil
  }

  /// The next places; inactive genes stay at their first, so that each point comes once.
  private mutating func advance(_ current: [Int], _ active: [Bool]) {
    var next = current
    for index in next.indices.reversed() {
      if active[index], next[index] + 1 < values[index].count {
        next[index] += 1
        places = next
        return
      }
      next[index] = 0
    }
    places = nil
  }
}
