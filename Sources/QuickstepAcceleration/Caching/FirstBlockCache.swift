public import QuickstepNN

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
        domain: .number(0...10), standard: .number(0.15), neutral: .number(0), searched: .number(0.01...0.6)),
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
          ChangeGate(method: "first-block-cache", threshold: threshold, limits: GateLimits(continuous: limit))
        })
    ]
  }
}
