public import QuickstepTensor

/// Known pictures in a feature space, to look up what an unknown picture is most like.
///
/// The score of a class (a thing that is drawn, a concept) is the largest cosine similarity between the query and any of its pictures.
public struct RetrievalIndex: Sendable {
  /// Class of each entry.
  public let labels: [Int]
  /// Number of different classes.
  public let classCount: Int
  /// Unit vectors `[N, F]`, float64.
  private let directions: Tensor
  /// Class of each entry as a number below ``classCount``.
  private let slots: [Int]
  private let slotOfLabel: [Int: Int]

  /// - Parameters:
  ///   - features: `[N, F]`, one row per known picture.
  ///   - labels: the class of each row.
  /// - Throws: ``EvaluationError`` for other shapes, no entries, values that are not finite, and rows of zeros, which point nowhere.
  public init(features: Tensor, labels: [Int]) throws {
    directions = try Self.normalised(features, "the index's features")
    guard labels.count == features.size(0) else {
      throw EvaluationError("\(features.size(0)) rows of features and \(labels.count) labels")
    }
    var slotOfLabel: [Int: Int] = [:]
    slots = labels.map { label in
      let slot = slotOfLabel[label] ?? slotOfLabel.count
      slotOfLabel[label] = slot
      return slot
    }
    self.labels = labels
    self.slotOfLabel = slotOfLabel
    classCount = slotOfLabel.count
  }

  /// Number of features.
  public var featureCount: Int { directions.size(1) }

  /// The place of each query's true class when classes are sorted by score; 1 is the best.
  ///
  /// A class that scores exactly as much as the true one counts as better, so that features which cannot tell things apart gain nothing.
  /// - Parameters:
  ///   - queries: features `[Q, F]`.
  ///   - labels: the true class of each query.
  ///   - excluding: for each query an entry of the index that is left out, or `nil`. A true class that has no other entry comes last.
  /// - Returns: Q places in 1…``classCount``.
  /// - Throws: ``EvaluationError`` when shapes or counts do not fit, a value is not finite, or a true class is not in the index at all.
  public func ranks(of queries: Tensor, labels: [Int], excluding: [Int?]? = nil) throws -> [Int] {
    guard excluding?.count ?? labels.count == labels.count else {
      throw EvaluationError("\(excluding?.count ?? 0) entries to leave out for \(labels.count) queries; one per query (or nil) is needed")
    }
    guard queries.rank == 2, queries.size(1) == featureCount, queries.size(0) == labels.count else {
      throw EvaluationError("queries of shape \(queries.shape) for \(labels.count) labels; expected [\(labels.count), \(featureCount)]")
    }
    let targets = try labels.map { label in
      guard let slot = slotOfLabel[label] else { throw EvaluationError("class \(label) is not in the index") }
      return slot
    }
    let directions = try Self.normalised(queries, "the queries")
    let similarities = try withTensorErrors { directions.matmul(self.directions.transposed) }.scalars(Double.self)
    return targets.indices.map { query in
      let row = similarities[(query * slots.count)..<((query + 1) * slots.count)]
      return rank(row, target: targets[query], excluding: excluding.flatMap { $0[query] })
    }
  }

  private func rank(_ similarities: ArraySlice<Double>, target: Int, excluding: Int?) -> Int {
    var best = [Double](repeating: -.infinity, count: classCount)
    for (entry, similarity) in similarities.enumerated() where entry != excluding && similarity > best[slots[entry]] {
      best[slots[entry]] = similarity
    }
    let score = best[target]
    return 1 + best.indices.count { $0 != target && best[$0] >= score }
  }

  private static func normalised(_ features: Tensor, _ name: String) throws -> Tensor {
    try Checks.features(features, name)
    let (values, lengths) = try withTensorErrors {
      let values = features.detach().to(.float64, .cpu)
      return (values, values.vectorNorm(dim: [1], keepdim: true))
    }
    let shortest = try withTensorErrors { lengths.min() }.item()
    guard shortest > 0 else { throw EvaluationError("\(name) hold a row of zeros, which has no direction") }
    return try withTensorErrors { values / lengths }
  }
}
