import QuickstepDiffusion
import QuickstepNN
import QuickstepTensor

/// Computed values of one site, newest first, for one set of guidance branches.
struct History {
  struct Entry {
    /// Where it was computed.
    let node: Double
    /// The evaluation.
    let evaluation: Int
    let values: [Tensor]
  }

  private(set) var entries: [Entry] = []

  var nodes: [Double] { entries.map(\.node) }
  var bytes: Int { entries.reduce(0) { $0 + $1.values.reduce(0) { $0 + $1.byteCount } } }

  /// Tensors are never written to after they are made, so that holding one is enough; views of something larger are copied.
  mutating func append(_ values: [Tensor], node: Double, evaluation: Int, depth: Int) throws {
    let owned = try withTensorErrors { values.map { $0.isContiguous ? $0 : $0.contiguous() } }
    // Two values at one place would have no difference: the later one counts.
    entries.removeAll { $0.node == node }
    entries.insert(Entry(node: node, evaluation: evaluation, values: owned), at: 0)
    if entries.count > depth { entries.removeLast(entries.count - depth) }
  }

  /// Σ weight·value; `nil` when nothing is held.
  func estimate(_ rule: any Extrapolation, target: Double, order: Int) throws -> [Tensor]? {
    guard let newest = entries.first else { return nil }
    let weights = rule.weights(nodes: nodes, target: target, order: order)
    guard weights.allSatisfy(\.isFinite) else {
      throw AccelerationError("the weights of a forecast at \(target) from \(nodes) are \(weights)")
    }
    if weights.count == 1, weights[0] == 1 { return newest.values }
    return try newest.values.indices.map { index in
      try linearCombination(zip(weights, entries).map { (tensor: $1.values[index], coefficient: $0) })
    }
  }

  /// The part that belongs to some of the branches that are stacked along the batch.
  func narrowed(to wanted: [String], of held: [String]) throws -> History {
    try mapped { tensor in
      let parts = tensor.chunk(held.count, dim: 0)
      return .cat(wanted.map { parts[held.firstIndex(of: $0) ?? 0] }, dim: 0)
    }
  }

  private func mapped(_ change: (Tensor) -> Tensor) throws -> History {
    var result = self
    result.entries = try withTensorErrors {
      entries.map { Entry(node: $0.node, evaluation: $0.evaluation, values: $0.values.map(change)) }
    }
    return result
  }

  /// Several branches one after the other along the batch, where they were computed at the same places.
  static func joined(_ parts: [History]) throws -> History? {
    guard let first = parts.first, parts.allSatisfy({ $0.nodes == first.nodes }) else { return nil }
    var result = first
    result.entries = try withTensorErrors {
      first.entries.indices.map { index in
        let entry = first.entries[index]
        let values = entry.values.indices.map { value in Tensor.cat(parts.map { $0.entries[index].values[value] }, dim: 0) }
        return Entry(node: entry.node, evaluation: entry.evaluation, values: values)
      }
    }
    return result
  }
}

/// Histories by the guidance branches that were stacked when they were made.
struct BranchHistories {
  private var byBranches: [[String]: History] = [:]

  var bytes: Int { byBranches.values.reduce(0) { $0 + $1.bytes } }

  /// What is known of these branches: their own history, or a part of that of more branches, or the join of those of fewer.
  func history(of branches: [String]) throws -> History? {
    if let own = byBranches[branches] { return own }
    let wider = byBranches.filter { held, _ in Set(branches).isSubset(of: held) }
    if let (held, history) = wider.max(by: { ($0.value.entries.first?.evaluation ?? -1) < ($1.value.entries.first?.evaluation ?? -1) }) {
      return try history.narrowed(to: branches, of: held)
    }
    let parts = branches.compactMap { byBranches[[$0]] }
    return parts.count == branches.count && branches.count > 1 ? try History.joined(parts) : nil
  }

  /// Takes a computed value. What was known of other groupings of these branches is older and goes.
  mutating func append(_ values: [Tensor], branches: [String], node: Double, evaluation: Int, depth: Int) throws {
    var history = try history(of: branches) ?? History()
    try history.append(values, node: node, evaluation: evaluation, depth: depth)
    byBranches = byBranches.filter { held, _ in Set(held).isDisjoint(with: branches) }
    byBranches[branches] = history
  }
}
