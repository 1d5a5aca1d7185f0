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

  /// An estimate for as many samples as an evaluation has: where it holds several copies of all, each branch's part is repeated. `nil` where the
  /// numbers do not fit together.
  static func fitted(_ estimate: [Tensor], to wanted: Int?, branches: Int) throws -> [Tensor]? {
    guard let wanted, let own = estimate.first(where: \.isDefined)?.size(0), own != wanted else { return estimate }
    let parts = max(1, branches)
    guard own > 0, wanted % own == 0, own % parts == 0 else { return nil }
    return try withTensorErrors {
      estimate.map { tensor in
        guard tensor.isDefined, tensor.size(0) == own else { return tensor }
        return .cat(tensor.chunk(parts, dim: 0).flatMap { Array(repeating: $0, count: wanted / own) })
      }
    }
  }

  private(set) var entries: [Entry] = []

  var nodes: [Double] { entries.map(\.node) }
  var bytes: Int { entries.reduce(0) { $0 + $1.values.reduce(0) { $0 + $1.byteCount } } }

  /// Tensors are never written to after they are made, so that holding one is enough; views of something larger are copied.
  mutating func append(_ values: [Tensor], node: Double, evaluation: Int, depth: Int) throws {
    let owned = try withTensorErrors { values.map { !$0.isDefined || $0.isContiguous ? $0 : $0.contiguous() } }
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

  /// Several branches one after the other along the batch, as far as they were computed at the same places.
  static func joined(_ parts: [History]) throws -> History {
    var result = History()
    guard let first = parts.first else { return result }
    let common = first.entries.filter { entry in parts.allSatisfy { $0.nodes.contains(entry.node) } }
    result.entries = try withTensorErrors {
      common.map { entry in
        let same = parts.compactMap { part in part.entries.first { $0.node == entry.node } }
        let values = entry.values.indices.map { index in Tensor.cat(same.map { $0.values[index] }, dim: 0) }
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

  /// The evaluation of the newest value of all these branches; `nil` when one of them has none.
  func newest(of branches: [String]) -> Int? {
    if let own = byBranches[branches] { return own.entries.first?.evaluation }
    let each = branches.map { branch in
      byBranches.filter { $0.key.contains(branch) }.compactMap { $0.value.entries.first?.evaluation }.max()
    }
    return each.contains(nil) ? nil : each.compactMap { $0 }.min()
  }

  /// An answer for these branches from their own history, or from those that hold them, branch by branch.
  /// - Parameter read: the answer of one history; `nil` when it has none.
  func answer(for branches: [String], _ read: (History) throws -> [Tensor]?) throws -> [Tensor]? {
    if let own = byBranches[branches] { return try read(own) }
    guard branches.count > 1 else {
      guard let branch = branches.first, let history = try history(of: branch) else { return nil }
      return try read(history)
    }
    let answers = try branches.compactMap { branch in try history(of: branch).flatMap { try read($0) } }
    guard answers.count == branches.count, let first = answers.first else { return nil }
    return try withTensorErrors { first.indices.map { index in .cat(answers.map { $0[index] }, dim: 0) } }
  }

  /// What is known of one branch.
  private func history(of branch: String) throws -> History? {
    if let own = byBranches[[branch]] { return own }
    return try byBranches.first { $0.key.contains(branch) }.map { try $0.value.narrowed(to: [branch], of: $0.key) }
  }

  /// Takes a computed value. Groups that share branches with these keep what they know of the others.
  mutating func append(_ values: [Tensor], branches: [String], node: Double, evaluation: Int, depth: Int) throws {
    var history = byBranches[branches] ?? History()
    if byBranches[branches] == nil {
      let parts = try branches.compactMap { try self.history(of: $0) }
      if parts.count == branches.count, !parts.isEmpty { history = try History.joined(parts) }
      for (held, known) in byBranches where !Set(held).isDisjoint(with: branches) {
        byBranches[held] = nil
        let others = held.filter { !branches.contains($0) }
        if !others.isEmpty { byBranches[others] = try known.narrowed(to: others, of: held) }
      }
    }
    try history.append(values, node: node, evaluation: evaluation, depth: depth)
    byBranches[branches] = history
  }
}
