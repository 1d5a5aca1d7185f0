public import QuickstepFormats
internal import QuickstepTensor

/// Which part of `emoji64` a model was taught. Empty lists mean everything.
public struct EmojiSelection: Sendable, Hashable {
  /// Groups as the data set names them.
  public var groups: [String]
  /// Drawing styles as the data set names them.
  public var styles: [String]

  /// Names are checked by ``rows(of:)``.
  public init(groups: [String] = [], styles: [String] = []) {
    self.groups = groups
    self.styles = styles
  }

  /// Whether a picture belongs to it.
  public func contains(_ row: EmojiRow) -> Bool {
    (groups.isEmpty || groups.contains(row.group)) && (styles.isEmpty || styles.contains(row.style))
  }

  /// The pictures of a data set that belong to it, in the order of the set.
  /// - Throws: ``EvaluationError`` for groups and styles the set does not have, and when nothing is left.
  public func rows(of dataset: EmojiDataset) throws -> [EmojiRow] {
    func check(_ kind: String, _ wanted: [String], _ known: [String]) throws {
      if let unknown = wanted.first(where: { !known.contains($0) }) {
        throw EvaluationError("there is no \(kind) '\(unknown)' in \(dataset.path); there are \(known.joined(separator: ", "))")
      }
    }
    try check("group", groups, Array(Set(dataset.rows.map(\.group))).sorted())
    try check("style", styles, dataset.styles)
    let rows = dataset.rows.filter(contains)
    guard !rows.isEmpty else { throw EvaluationError("the selection holds no pictures of \(dataset.path)") }
    return rows
  }
}

/// Which (thing, style) pairs a model is asked for.
public enum EmojiPairs: String, Sendable, CaseIterable {
  /// Pairs it was trained on: how well it draws what it knows.
  case train
  /// Pairs it never saw, of things it saw in other styles: whether it can combine thing and style.
  case heldout

  /// Pairs drawn without repetition.
  /// - Parameters:
  ///   - rows: the taught selection.
  ///   - count: how many; `nil`, or more than there are, takes all.
  ///   - seed: the same seed and rows give the same pairs in the same order.
  /// - Throws: ``EvaluationError`` when the selection has no such pairs or `count` is not positive.
  public func draw(from rows: [EmojiRow], count: Int?, seed: UInt64) throws -> [EmojiRow] {
    let candidates = rows.filter { $0.split == rawValue }
    guard !candidates.isEmpty else { throw EvaluationError("the selection holds no \(rawValue) pairs") }
    guard count ?? 1 >= 1 else { throw EvaluationError("\(count ?? 0) pairs asked for; at least 1 is needed") }
    let generator = try Generator(seed: seed)
    let order = try withTensorErrors { Tensor.randperm(candidates.count, generator: generator) }.scalars(Int.self)
    return order.prefix(count ?? candidates.count).map { candidates[$0] }
  }
}
