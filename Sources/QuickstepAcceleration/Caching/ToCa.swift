internal import Foundation
public import QuickstepNN

/// ToCa: between full evaluations attentions give what they gave, and feed-forward layers are computed for the tokens that matter most (Zou et al.
/// 2024, arXiv 2410.05317).
public struct ToCa: Accelerator {
  public static let declaration = MethodDeclaration(
    name: "toca", family: .acceleration,
    summary: "Reuses modules' outputs between full evaluations, and recomputes a share of the tokens.", points: [.block],
    reads: ["module outputs", "attention maps"], changes: ["module outputs"],
    needs: ["modules that treat every token by itself", "attentions that tell the score's signal"],
    state: "one output per module; a number per token and site, and one per token and attention",
    parameters: [
      ParameterDeclaration(
        name: "interval", summary: "evaluations per full one in the mean, N", domain: .integer(1...1000), standard: .integer(4),
        neutral: .integer(1), searched: .integer(2...8)),
      ParameterDeclaration(
        name: "fresh", summary: "share of the tokens that is recomputed, before the factors; 0: none", domain: .number(0...1),
        standard: .number(0.07), searched: .number(0.02...0.4)),
      ParameterDeclaration(
        name: "score", summary: "what the choice of tokens begins with", domain: .choice(TokenSelection.Score.allCases.map(\.rawValue)),
        standard: .choice(TokenSelection.Score.received.rawValue), searched: .choice(["norm", "change"])),
      ParameterDeclaration(
        name: "staleness", summary: "added to a token's score per interval in which it was not recomputed", domain: .number(0...100),
        standard: .number(0.25)),
      ParameterDeclaration(
        name: "bonus", summary: "share of its score that the best token of a cell gets on top", domain: .number(0...100),
        standard: .number(0.6)),
      ParameterDeclaration(name: "cell", summary: "side of a cell, in tokens", domain: .integer(1...64), standard: .integer(2)),
      ParameterDeclaration(
        name: "pace", summary: "how much longer intervals are at the beginning than in the mean; below 0: shorter",
        domain: .number(-0.9...0.9), standard: .number(0.4), searched: .number(-0.4...0.4)),
      ParameterDeclaration(
        name: "window", summary: "whether every second evaluation is full from 60 to 80 per cent of the run", domain: .flag,
        standard: .flag(true)),
      ParameterDeclaration(
        name: "step-slope", summary: "how many more tokens are recomputed at the end than in the mean, as a share",
        domain: .number(-2...2), standard: .number(2)),
      ParameterDeclaration(
        name: "layer-slope", summary: "how many more tokens are recomputed in the first block than in the mean, as a share",
        domain: .number(-1...1), standard: .number(-0.2)),
      ParameterDeclaration(
        name: "feed-forward", summary: "factor of the share in feed-forward layers", domain: .number(0...100), standard: .number(2.5)),
      ParameterDeclaration(
        name: "cross-attention", summary: "factor of the share in attentions to the prompt", domain: .number(0...100),
        standard: .number(0)),
      ParameterDeclaration(
        name: "parity",
        summary: "whether an evaluation at which the interval changes is full in the first block alone, as in the authors' program",
        domain: .flag, standard: .flag(false)),
    ], exactness: .approximate, reference: "arXiv 2410.05317, section 3; github.com/Shenyi-Z/ToCa, DiT-ToCa")

  let interval: Int
  let fresh: Double
  let score: TokenSelection.Score
  let staleness: Double, bonus: Double
  let cell: Int
  let pace: Double
  let hasWindow: Bool
  let stepSlope: Double, layerSlope: Double
  let factors: [Site.Kind: Double]
  let hasParity: Bool

  public init(_ values: ParameterValues) {
    (interval, fresh) = (values.integer("interval") ?? 1, values.number("fresh"))
    score = values.choice("score").flatMap(TokenSelection.Score.init) ?? .received
    (staleness, bonus, cell) = (values.number("staleness"), values.number("bonus"), values.integer("cell") ?? 1)
    (pace, hasWindow, hasParity) = (values.number("pace"), values.flag("window"), values.flag("parity"))
    (stepSlope, layerSlope) = (values.number("step-slope"), values.number("layer-slope"))
    factors = [.feedForward: values.number("feed-forward"), .crossAttention: values.number("cross-attention")]
  }

  public func parts(for run: RunOutline) throws -> [Part] {
    // What does nothing needs nothing.
    guard interval > 1 else { return [] }
    let layout = try layout(of: run)
    let modules = run.sites.filter { [.attention, .crossAttention, .feedForward].contains($0.kind) }
    guard modules.contains(where: { $0.kind == .feedForward }) else {
      throw AccelerationError("'toca' needs feed-forward modules; \(run.network) has none")
    }
    let (count, blocks) = (run.evaluations, max(1, run.blocks.count))
    let (full, method) = (fullEvaluations(count), self)
    let selection = TokenSelection(score: score, staleness: staleness / Double(interval), bonus: bonus, cell: cell, layout: layout) {
      method.share($0, $1, of: count, blocks: blocks)
    }
    var plan: [Site: [SiteAction]] = [:]
    for site in modules {
      let isSeparable = layout.traits.separable.contains(site.kind)
      plan[site] = full.enumerated().map { index, full in
        if full == .all || (full == .first && site.depth == 0) { return .compute }
        return isSeparable && selection.count(of: layout.count, at: site, index) > 0 ? .tokens : .reuse
      }
    }
    var cache = SiteCache(method: "toca", plan: plan)
    cache.tokens = selection
    return [.sites(cache)]
  }

  /// - Throws: ``AccelerationError`` where the network's tokens cannot be computed one by one, or its attentions do not tell the score.
  private func layout(of run: RunOutline) throws -> TokenLayout {
    guard let layout = run.tokens, layout.traits.separable.contains(.feedForward) else {
      throw AccelerationError("'toca' needs feed-forward modules that treat every token by itself; those of \(run.network) do not")
    }
    if let signal = score.signal, !layout.traits.signals.contains(signal) {
      let able = TokenSelection.Score.allCases.filter { $0.signal.map(layout.traits.signals.contains) ?? true }.map(\.rawValue)
      throw AccelerationError(
        "'toca' with score=\(score.rawValue): the attentions of \(run.network) do not tell it; they allow \(able.joined(separator: ", "))")
    }
    return layout
  }

  /// Where an evaluation computes everything.
  enum Fullness: Sendable { case none, first, all }

  /// The authors' rule, which counts evaluations down from the last: k = count − 1 … 0. Full is the first one, and each whose k is a multiple of the
  /// interval that was set at the full one before: N/(1 + p − 2p·k/count), rounded, and 2 where k lies within 20…40 per cent of the count.
  ///
  /// Their blocks look at the interval one by one, and the first block of a full evaluation has changed it for the others: where k is no
  /// multiple of the new interval, the first block alone is full.
  func fullEvaluations(_ count: Int) -> [Fullness] {
    var current = interval
    return (0..<count).map { index in
      let step = count - 1 - index
      guard index == 0 || step % current == 0 else { return .none }
      current = interval(step, of: count)
      return index == 0 || !hasParity || step % current == 0 ? .all : .first
    }
  }

  private func interval(_ step: Int, of count: Int) -> Int {
    // Without tokens to recompute it is FORA, counted from the end.
    guard fresh > 0 else { return interval }
    if hasWindow, step >= Int(Double(count) * 0.2), step < Int(Double(count) * 0.4) { return 2 }
    let factor = 1 + pace - 2 * pace * Double(step) / Double(count)
    return max(1, Int((Double(interval) / factor).rounded(.toNearestOrEven)))
  }

  /// Share of a site's tokens that is recomputed in an evaluation, 0…1.
  func share(_ site: Site, _ evaluation: Int, of count: Int, blocks: Int) -> Double {
    let step = Double(count - 1 - evaluation) / Double(count)
    let layer = blocks > 1 ? Double(site.depth) / Double(blocks - 1) : 0
    let factor = (1 + stepSlope - 2 * stepSlope * step) * (1 + layerSlope - 2 * layerSlope * layer) * (factors[site.kind] ?? 0)
    return max(0, min(1, fresh * factor))
  }
}
