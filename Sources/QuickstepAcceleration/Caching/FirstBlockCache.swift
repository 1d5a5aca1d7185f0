public import QuickstepNN
import QuickstepTensor

/// First-Block Cache: where the first block changes its input nearly as it did in the last full evaluation, the other blocks add what they added
/// then (ParaAttention; diffusers' `first_block_cache`).
public struct FirstBlockCache: Accelerator {
  public static let declaration = MethodDeclaration(
    name: "first-block-cache", family: .acceleration,
    summary: "Leaves out all blocks but the first while that one's change stays the same.",
    points: [.block], reads: ["first block's change"], changes: ["output of the list of blocks"], needs: ["a list of blocks"],
    state: "the blocks' residual and the first block's change",
    parameters: [
      ParameterDeclaration(
        name: "threshold", summary: "relative change of the first block's residual below which the others are left out",
        domain: .number(0...10), standard: .number(0.08), neutral: .number(0)),
      ParameterDeclaration(
        name: "continuous", summary: "evaluations that may be left out in a row; 0: any number", domain: .integer(0...1000),
        standard: .integer(0)),
    ], exactness: .approximate, reference: "diffusers 0.37, hooks/first_block_cache.py")

  let threshold: Double
  let limit: Int

  public init(_ values: ParameterValues) {
    threshold = values.number("threshold")
    limit = values.integer("continuous") ?? 0
  }

  public func parts(for run: RunOutline) throws -> [Part] {
    _ = try run.needBlocks("first-block-cache")
    guard threshold > 0 else { return [] }
    let (threshold, limit) = (threshold, limit)
    return [
      .range(
        RangeCache(method: "first-block-cache", first: 1, value: .residual, signal: .change) {
          ChangeGate(method: "first-block-cache", threshold: threshold, limit: limit)
        })
    ]
  }
}

/// Compares with the last full evaluation, so that drift is bounded without being added up.
final class ChangeGate: Gate {
  private let method: String
  private let threshold: Double
  private let limit: Int
  private var reference: Tensor?
  private var row = 0

  var heldBytes: Int { reference?.byteCount ?? 0 }

  init(method: String, threshold: Double, limit: Int) { (self.method, self.threshold, self.limit) = (method, threshold, limit) }

  func action(_ moment: GateMoment) throws -> SiteAction {
    guard let signal = moment.signal else { return .compute }
    if let reference, moment.lastComputed != nil, limit == 0 || row < limit {
      let change = try Change.relative(signal, to: reference, of: method, moment.context)
      moment.note(change)
      if change < threshold {
        row += 1
        return .reuse
      }
    }
    (reference, row) = (signal, 0)
    return .compute
  }
}
