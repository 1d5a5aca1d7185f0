import ArgumentParser
import QuickstepEvaluation
import QuickstepNN
import QuickstepPipelines
import QuickstepTensor
import QuickstepTuner

/// What tuning is told to keep, and the networks that tell whether it is kept.
struct TuningJudges {
  /// The one figure of sets: it needs no more of real pictures than their mean and covariance.
  private static let frechet = FrechetMetric.declaration.name
  private static let standardMargin = 0.03
  private let keep: [(choice: MethodChoice, margin: Double)]
  private let nets: [any EvaluationNet]

  /// Names for `--keep`.
  static var names: String {
    (AllMetrics.all.map { $0.declaration }.filter { $0.kind == .prompted }.map(\.name) + [frechet]).sorted().joined(separator: ", ")
  }

  /// - Parameters:
  ///   - nets: as the user wrote them; empty takes the model's own judge.
  ///   - keep: `NAME` or `NAME:parameter=value,…`, `margin` among the parameters.
  init(_ model: LoadedModel, nets: [String], keep: [String]) throws {
    self.keep = try keep.map { text in
      var choice = try MethodChoice(parsing: text)
      let margin = choice.parameters.removeValue(forKey: "margin")
      guard let value = margin.map(Double.init) ?? Self.standardMargin, (0...1).contains(value) else {
        throw ValidationError("--keep \(text): the margin is a share of the exact run's figure, 0…1.")
      }
      let type = try AllMetrics.named(choice.name)
      guard type.declaration.kind == .prompted || type.declaration.name == Self.frechet else {
        throw ValidationError("--keep \(text): a \(type.declaration.kind.rawValue) metric cannot be kept; use \(Self.names).")
      }
      return (choice, value)
    }
    let texts = keep.isEmpty ? [] : nets.isEmpty ? [model.defaults.judge].compactMap { $0 } : nets
    self.nets = try MetricChoices.load(texts, device: model.device)
    if !keep.isEmpty, self.nets.isEmpty {
      throw ValidationError(
        "--keep: '\(model.name)' has no judge of its own; name a network with --net (see 'quickstep evaluate metrics').")
    }
  }

  private var recognisers: [any RecognisingNet] { nets.compactMap { $0 as? any RecognisingNet } }

  /// What all judges tell apart: what there is to ask the model for.
  var known: [String] {
    let others = recognisers.dropFirst()
    return (recognisers.first?.classNames ?? []).filter { name in others.allSatisfy { $0.classIndex(name) != nil } }.shuffled(seed: 1)
  }

  /// The figures to keep, and what pictures for them are made of.
  /// - Parameter unseen: prompts that neither the search nor fits use.
  func safeguards(
    style: String?, count: Int, unseen: [String]
  ) throws -> (safeguards: [Safeguard], prompts: [String]) {
    guard !keep.isEmpty else { return ([], []) }
    let safeguards = try keep.flatMap { entry in
      entry.choice.name == Self.frechet
        ? try frechet(style, entry.margin)
        : try AllMetrics.make(entry.choice.name, entry.choice.parameters, nets: nets).compactMap { $0 as? any PromptMetric }
          .map { Safeguard($0, margin: entry.margin) }
    }
    // Few things are all asked for, with other seeds; of many only those that nothing was searched or fitted with.
    let pool = known.count > 20 || known.isEmpty ? unseen : known
    return (safeguards, (0..<count).map { pool[$0 % pool.count] })
  }

  private func frechet(_ style: String?, _ margin: Double) throws -> [Safeguard] {
    let found = recognisers.compactMap { net in
      (style.flatMap { net.realStatistics[$0] } ?? net.realStatistics[FeatureStatisticsFile.all]).map {
        Safeguard(frechetIn: net, to: $0, margin: margin)
      }
    }
    guard !found.isEmpty else {
      throw ValidationError("--keep frechet needs a network that holds what real pictures are like (\(FeatureStatisticsFile.name)).")
    }
    return found
  }
}

extension Array {
  /// The same order for the same seed, everywhere.
  fileprivate func shuffled(seed: UInt64) -> [Element] {
    var generator = SplitMix64(seed: seed)
    return shuffled(using: &generator)
  }
}
