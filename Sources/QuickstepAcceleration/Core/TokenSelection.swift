public import QuickstepNN
import QuickstepTensor

/// Where a network's tokens stand in the picture, and what they allow.
public struct TokenLayout: Sendable, Hashable {
  /// What the network's blocks allow.
  public var traits: TokenTraits
  /// Tokens of the picture from top to bottom and from left to right.
  public var rows: Int, columns: Int

  /// Where a network's tokens stand.
  public init(traits: TokenTraits, rows: Int, columns: Int) { (self.traits, self.rows, self.columns) = (traits, rows, columns) }

  /// Tokens of the picture.
  public var count: Int { rows * columns }
}

/// Which tokens a site computes anew in evaluations with action ``SiteAction/tokens``: those with the highest scores. The others keep what was
/// computed for them last.
public struct TokenSelection: Sendable {
  /// What the score begins with. All but ``age`` are brought to unit length over the tokens.
  public enum Score: String, Sendable, Codable, CaseIterable {
    /// The attention that a token got when all were computed.
    case received
    /// 1 + the entropy of its attention to the prompt.
    case entropy
    /// Σ over heads of 1 − ‖v‖.
    case values
    /// The size of what goes into the site for it.
    case norm
    /// How far that has moved since it was computed for the token.
    case change
    /// Nothing: how long it was not computed counts alone.
    case age

    /// What attentions have to tell for it.
    public var signal: AttentionSignal? {
      switch self {
      case .received: .received
      case .entropy: .entropy
      case .values: .values
      case .norm, .change, .age: nil
      }
    }
  }

  /// What the score begins with.
  public var score: Score
  /// What is added for each evaluation since the token was computed.
  public var staleness: Double
  /// The best token of every cell gets this share of its score on top.
  public var bonus: Double
  /// Side of a cell, in tokens.
  public var cell: Int
  /// Where the tokens stand.
  public var layout: TokenLayout
  /// Share of a site's tokens that is computed in an evaluation, 0…1.
  public var share: @Sendable (_ site: Site, _ evaluation: Int) -> Double

  /// Which tokens a site computes anew.
  public init(
    score: Score, staleness: Double, bonus: Double, cell: Int, layout: TokenLayout,
    share: @escaping @Sendable (_ site: Site, _ evaluation: Int) -> Double
  ) {
    (self.score, self.staleness, self.bonus, self.cell) = (score, staleness, bonus, cell)
    (self.layout, self.share) = (layout, share)
  }

  /// Tokens that are computed of `count`: rounded down in single precision, as the authors' program has it.
  public func count(of count: Int, at site: Site, _ evaluation: Int) -> Int {
    let share = Float(max(0, min(1, self.share(site, evaluation))))
    return min(count, Int(share * Float(count)))
  }

  /// Scores with the bonus of every cell's best token. Tokens beside the picture's stand before them and get none.
  /// - Parameter scores: `[B, N]`.
  func withBonus(_ scores: Tensor) -> Tensor {
    let (rows, columns) = (layout.rows, layout.columns)
    let others = scores.size(1) - layout.count
    guard bonus != 0, cell > 1, others >= 0 else { return scores }
    let (high, wide) = ((rows + cell - 1) / cell, (columns + cell - 1) / cell)
    let own = scores.narrow(1, start: others, length: layout.count).reshape([-1, rows, columns])
    // Cells at the border may be smaller; what fills them up is never best.
    let full = own.pad([0, wide * cell - columns, 0, high * cell - rows], value: .real(-.infinity))
    let cells = full.reshape([-1, high, cell, wide, cell]).permute([0, 1, 3, 2, 4]).reshape([-1, high * wide, cell * cell])
    let best = cells.argmax(-1).oneHot(numClasses: cell * cell).to(.bool)
    let raised = cells + (cells * bonus).maskedFill(best.logicalNot(), value: .real(0))
    let placed = raised.reshape([-1, high, wide, cell, cell]).permute([0, 1, 3, 2, 4]).reshape([-1, high * cell, wide * cell])
    let picture = placed.narrow(1, start: 0, length: rows).narrow(2, start: 0, length: columns).reshape([-1, layout.count])
    return others == 0 ? picture : .cat([scores.narrow(1, start: 0, length: others), picture], dim: 1)
  }
}

/// What ``TokenSelection`` has to know in one request: signals of attentions, when every token was computed, and from what.
final class TokenChooser {
  let selection: TokenSelection
  private let method: String
  /// By depth of the block.
  private var signals: [Int: BranchTensors] = [:]
  /// Evaluations in which tokens were computed, and what went in, by site.
  private var computed: [Site: BranchTensors] = [:]
  private var inputs: [Site: BranchTensors] = [:]

  /// - Parameter method: for messages.
  init(_ selection: TokenSelection, method: String) { (self.selection, self.method) = (selection, method) }

  var bytes: Int { [signals.values.map(\.bytes), computed.values.map(\.bytes), inputs.values.map(\.bytes)].joined().reduce(0, +) }

  /// Takes what an attention tells.
  func take(_ signal: [Tensor], of site: Site, _ context: StepContext) {
    signals[site.depth, default: .init()].set(signal, context.branches)
  }

  /// All tokens of a site were computed.
  func noteAll(_ site: Site, input: [Tensor], _ context: StepContext) throws {
    let now = try withTensorErrors {
      input.map { Tensor.full([$0.size(0), $0.size(1)], fillValue: .real(Double(context.evaluation)), dtype: .float32, device: $0.device) }
    }
    computed[site, default: .init()].set(now, context.branches)
    if selection.score == .change { inputs[site, default: .init()].set(input, context.branches) }
  }

  /// The held value with the chosen tokens computed anew.
  /// - Returns: `nil` where the site's tokens, or what is known of them, do not suit.
  /// - Throws: ``AccelerationError`` where the scores are no numbers.
  func refreshed(
    _ held: [Tensor], at site: Site, input: [Tensor], _ context: StepContext, compute: ([Tensor]) throws -> [Tensor]
  ) throws -> [Tensor]? {
    guard input.count >= held.count, zip(input, held).allSatisfy({ $0.rank == 3 && $1.rank == 3 && $0.size(1) == $1.size(1) }),
      var last = computed[site]?.get(context.branches), last.count >= held.count
    else { return nil }
    let counts = held.map { selection.count(of: $0.size(1), at: site, context.evaluation) }
    guard counts.contains(where: { $0 > 0 }) else { return held }
    if zip(counts, held).allSatisfy({ $0 == $1.size(1) }) {
      let output = try compute(input)
      try noteAll(site, input: input, context)
      return output
    }
    var former = inputs[site]?.get(context.branches)
    var (chosen, parts): ([Tensor], [Tensor]) = ([], input)
    for index in held.indices {
      guard let scores = try scores(site, index, input[index], last[index], former?[index], context) else { return nil }
      // Sorting gives an order to NaN as well. One among the scores makes their mean one.
      _ = try Change.finite(withTensorErrors { scores.mean() }.item(), of: method, context)
      // A stream of no tokens is no stream.
      let count = max(1, counts[index])
      let best = try withTensorErrors { scores.argsort(-1, descending: true).narrow(1, start: 0, length: count).contiguous() }
      chosen.append(best)
      parts[index] = try withTensorErrors { input[index].gather(1, index: Self.widened(best, to: input[index])) }
    }
    let output = try compute(parts)
    guard output.count == held.count else { return nil }
    return try withTensorErrors {
      let now = Double(context.evaluation)
      for index in held.indices {
        last[index] = last[index].scattered(
          1, index: chosen[index], src: .full(chosen[index].shape, fillValue: .real(now), dtype: .float32, device: last[index].device))
        if let known = former?[index] {
          former?[index] = known.scattered(1, index: Self.widened(chosen[index], to: parts[index]), src: parts[index])
        }
      }
      computed[site]?.set(last, context.branches)
      if let former { inputs[site]?.set(former, context.branches) }
      return zip(held, zip(chosen, output)).map { held, part in
        held.scattered(1, index: Self.widened(part.0, to: part.1), src: part.1)
      }
    }
  }

  /// `[B, n]` as indices of all channels, `[B, n, C]`.
  private static func widened(_ indices: Tensor, to tensor: Tensor) -> Tensor {
    indices.unsqueeze(-1).expand([indices.size(0), indices.size(1), tensor.size(2)])
  }

  private func scores(
    _ site: Site, _ stream: Int, _ input: Tensor, _ last: Tensor, _ former: Tensor?, _ context: StepContext
  ) throws -> Tensor? {
    func unit(_ values: Tensor) -> Tensor { values / values.norm(p: 2, dim: [1], keepdim: true).clamp(min: 1e-12) }
    let known = selection.score.signal == nil ? nil : signals[site.depth]?.get(context.branches)
    return try withTensorErrors {
      let base: Tensor?
      switch selection.score {
      case .received, .values: base = known.flatMap { stream < $0.count ? unit($0[stream]) : nil }
      case .entropy: base = known.flatMap { stream < $0.count ? unit($0[stream] + 1) : nil }
      case .norm: base = unit(input.to(.float32).norm(p: 2, dim: [-1]))
      case .change: base = former.map { unit((input - $0).to(.float32).norm(p: 2, dim: [-1])) }
      case .age: base = last.zerosLike()
      }
      guard let base, base.shape == last.shape else { return nil }
      // An evaluation after the token was computed it is as good as new.
      let scores = base + (last * -1 + Double(context.evaluation - 1)) * selection.staleness
      return stream == 0 ? selection.withBonus(scores) : scores
    }
  }
}

/// Tensors by branch of guidance: branches that were told together are asked for in any grouping.
struct BranchTensors {
  private var byBranch: [String: [Tensor]] = [:]

  var bytes: Int { byBranch.values.reduce(0) { $0 + $1.reduce(0) { $0 + $1.byteCount } } }

  mutating func set(_ tensors: [Tensor], _ branches: [String]) {
    guard branches.count > 1 else {
      byBranch[branches.first ?? ""] = tensors
      return
    }
    let parts = tensors.map { $0.chunk(branches.count, dim: 0) }
    for (index, branch) in branches.enumerated() { byBranch[branch] = parts.map { $0[index].contiguous() } }
  }

  func get(_ branches: [String]) -> [Tensor]? {
    guard branches.count > 1 else { return byBranch[branches.first ?? ""] }
    let parts = branches.compactMap { byBranch[$0] }
    guard parts.count == branches.count, let first = parts.first else { return nil }
    return first.indices.map { index in .cat(parts.map { $0[index] }, dim: 0) }
  }
}
