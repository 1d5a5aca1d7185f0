public import QuickstepFormats
public import QuickstepTensor

/// How often a generated picture is recognised: among the real pictures, is it most like those of the thing that was asked for?
///
/// Every picture is looked up by cosine similarity in a feature net's space against real ones; a thing scores as its most similar picture
/// (in any style), and nothing is left out: the real picture of the very pair that was asked for is in the index too, whether or not the
/// model was trained on it. So for training pairs the figure rewards recalling a picture, and for held-out pairs recalling is impossible.
///
/// ``ceiling(_:bootstrap:)`` puts the figure in proportion: real pictures of the same pairs, each looked up without itself. That is how far
/// a perfect model gets that draws a thing in a style of its own; one that copies the real picture gets further, to 1.
///
/// Nothing is stored on disk.
public struct EmojiRetrieval: Sendable {
  /// Which real pictures a query is compared with.
  public enum Scope: String, Sendable, CaseIterable {
    /// Those of all taught things in all taught styles.
    case taught
    /// The whole data set: all things in all styles.
    case all
  }

  /// Name of the figure in reports; without the percentage of which k.
  public static let metric = "emoji-retrieval"
  /// Where the real pictures come from.
  public let dataset: EmojiDataset
  /// The taught selection, both splits.
  public let taught: [EmojiRow]
  /// Which of them are in the index.
  public let scope: Scope
  /// Whose features pictures are compared in.
  public let net: any FeatureNet
  /// Known pictures, and their features in the same order.
  public let known: [EmojiRow]
  private let features: Tensor
  private let index: RetrievalIndex

  /// Decodes the real pictures and computes their features: SqueezeNet takes about 0.1 s per picture on one CPU core.
  /// - Parameters:
  ///   - batch: pictures per evaluation of `net`, at least 1.
  ///   - progress: told how many pictures of how many are done.
  /// - Throws: ``EvaluationError`` when the selection does not fit the data set; `FormatError`; `TensorError`.
  public init(
    dataset: EmojiDataset, selection: EmojiSelection, scope: Scope = .taught, net: any FeatureNet, batch: Int = 16,
    progress: (Int, Int) throws -> Void = { _, _ in }
  ) throws {
    guard batch >= 1 else { throw EvaluationError("the batch is \(batch); it must be at least 1") }
    taught = try selection.rows(of: dataset)
    known = scope == .taught ? taught : dataset.rows
    features = try Self.features(of: known, in: dataset, net: net, batch: batch, progress: progress)
    index = try RetrievalIndex(features: features, labels: known.map(\.conceptID))
    self.dataset = dataset
    self.scope = scope
    self.net = net
  }

  /// Number of different things in the index: a picture of nothing is found with probability of about k over this.
  public var conceptCount: Int { index.classCount }

  /// Real pictures on white, as the model was trained: `[N, 3, 64, 64]` in −1…1.
  public static func pictures(of rows: some Collection<EmojiRow>, in dataset: EmojiDataset) throws -> Tensor {
    try PixelImage.batch(try rows.map { try dataset.image($0).composited(over: .white) })
  }

  /// Features of real pictures, `[N, F]`, decoded a batch at a time.
  static func features(
    of rows: [EmojiRow], in dataset: EmojiDataset, net: any FeatureNet, batch: Int, progress: (Int, Int) throws -> Void = { _, _ in }
  ) throws -> Tensor {
    var parts: [Tensor] = []
    for start in stride(from: 0, to: rows.count, by: batch) {
      let own = rows[start..<min(start + batch, rows.count)]
      parts.append(try net.features(try pictures(of: own, in: dataset), batch: batch))
      try progress(start + own.count, rows.count)
    }
    let joined = parts
    return try withTensorErrors { Tensor.cat(joined) }
  }

  /// Looks up generated pictures.
  /// - Parameters:
  ///   - pictures: `[N, 3, H, W]` in −1…1; rounded to 8 bits first, as the real ones are.
  ///   - pairs: what each was asked for.
  ///   - bootstrap: how intervals are made; pictures of one thing are resampled together.
  /// - Throws: ``EvaluationError`` when counts or shapes do not fit, or a picture holds NaN.
  public func score(
    _ pictures: Tensor, of pairs: [EmojiRow], bootstrap: Bootstrap = Bootstrap(), progress: (Int) throws -> Void = { _ in }
  ) throws -> RetrievalScore {
    guard pictures.rank == 4, pictures.size(0) == pairs.count else {
      throw EvaluationError("pictures of shape \(pictures.shape) for \(pairs.count) pairs; expected [\(pairs.count), 3, H, W]")
    }
    try Checks.finite(pictures, "the pictures")
    let rounded = try withTensorErrors { ((pictures.detach().to(.float32) + 1) * 127.5).clamp(min: 0, max: 255).round() / 127.5 - 1 }
    let queries = try net.features(rounded, progress: progress)
    let labels = pairs.map(\.conceptID)
    return RetrievalScore(ranks: try index.ranks(of: queries, labels: labels), groups: labels, bootstrap: bootstrap)
  }

  /// What real pictures of the same pairs reach when each is left out of the index for its own query.
  ///
  /// A thing that the index knows in no other style cannot be found then and counts as missed.
  /// - Throws: ``EvaluationError`` when a pair is not part of the index.
  public func ceiling(_ pairs: [EmojiRow], bootstrap: Bootstrap = Bootstrap()) throws -> RetrievalScore {
    let places = Dictionary(zip(known, known.indices), uniquingKeysWith: { first, _ in first })
    let own = try pairs.map { pair in
      guard let place = places[pair] else { throw EvaluationError("\(pair.name) in \(pair.style) is not part of the index") }
      return place
    }
    let labels = pairs.map(\.conceptID)
    guard !own.isEmpty else { throw EvaluationError("there are no pairs") }
    let queries = try withTensorErrors { features.indexSelect(0, index: Tensor(own)) }
    return RetrievalScore(
      ranks: try index.ranks(of: queries, labels: labels, excluding: own), groups: labels, bootstrap: bootstrap)
  }
}

/// The outcome of looking up pictures.
public struct RetrievalScore: Sendable, Hashable {
  /// Place of the true class of each picture, from 1; see ``RetrievalIndex/ranks(of:labels:excluding:)``.
  public let ranks: [Int]
  /// Class of each picture: those of one class are resampled together.
  public let groups: [Int]
  /// How intervals are made.
  public let bootstrap: Bootstrap

  /// - Parameters:
  ///   - ranks: places of the true classes, from 1.
  ///   - groups: class of each picture; as many as ranks.
  ///   - bootstrap: how intervals are made.
  public init(ranks: [Int], groups: [Int], bootstrap: Bootstrap = Bootstrap()) {
    self.ranks = ranks
    self.groups = groups
    self.bootstrap = bootstrap
  }

  /// The share of pictures whose true class is among the first `k`.
  /// - Throws: ``EvaluationError`` when there are no pictures or `k` is below 1.
  public func top(_ k: Int) throws -> Estimate {
    guard k >= 1 else { throw EvaluationError("top-\(k) means nothing; k must be at least 1") }
    return try bootstrap.share(ranks.map { $0 <= k }, groups: groups)
  }

  /// For each picture 1 where its true class is among the first `k`, else 0: what ``PairedDifference`` takes.
  public func hits(_ k: Int) -> [Double] { ranks.map { $0 <= k ? 1 : 0 } }
}
