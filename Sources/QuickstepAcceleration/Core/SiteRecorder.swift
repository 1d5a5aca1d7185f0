public import QuickstepNN
public import QuickstepTensor

/// What passed by at a site, or at the whole list of blocks, in one evaluation.
public struct SiteVisit: Sendable {
  /// The site; `nil` for the whole list of blocks.
  public var site: Site?
  /// Where in the run.
  public var context: StepContext
  /// What went in, and what came out. Belongs to the run: to be copied where it is kept.
  public var input: [Tensor], output: [Tensor]
}

/// What of a run is to be recorded: the one way in which calibrations see features of full runs.
public struct SiteTap: Sendable {
  /// Sites that are recorded.
  public var sites: Set<Site>
  /// Whether the list of blocks as a whole is.
  public var recordsList: Bool
  /// Called at each visit, in order.
  public var take: @Sendable (SiteVisit) throws -> Void

  /// - Parameters:
  ///   - sites: sites that are recorded.
  ///   - recordsList: whether the list of blocks as a whole is.
  ///   - take: called at each visit, in order.
  public init(sites: Set<Site>, recordsList: Bool = false, take: @escaping @Sendable (SiteVisit) throws -> Void) {
    (self.sites, self.recordsList, self.take) = (sites, recordsList, take)
  }
}

/// Records sites of a run. What acts in the run acts as without it, and what is recorded is what it gives.
public final class SiteRecorder: SitePolicy {
  private let tap: SiteTap
  private let base: (any SitePolicy)?

  /// - Parameter base: what else acts in the run.
  public init(_ tap: SiteTap, base: (any SitePolicy)? = nil) { (self.tap, self.base) = (tap, base) }

  public func evaluate(
    _ site: Site, input: [Tensor], context: StepContext, compute: ([Tensor]) throws -> [Tensor]
  ) throws -> [Tensor] {
    let output = try base?.evaluate(site, input: input, context: context, compute: compute) ?? compute(input)
    if tap.sites.contains(site) { try tap.take(SiteVisit(site: site, context: context, input: input, output: output)) }
    return output
  }

  public func bypasses(_ site: Site, context: StepContext) -> Bool { base?.bypasses(site, context: context) ?? false }

  public func sequence(
    _ blocks: [Site], input: [Tensor], context: StepContext, modulated: (([Tensor]) throws -> Tensor)?,
    block: (Int, [Tensor]) throws -> [Tensor]
  ) throws -> [Tensor] {
    func run(_ index: Int, _ value: [Tensor]) throws -> [Tensor] {
      let output = try block(index, value)
      if base != nil, tap.sites.contains(blocks[index]) {
        try tap.take(SiteVisit(site: blocks[index], context: context, input: value, output: output))
      }
      return output
    }
    let output =
      try base?.sequence(blocks, input: input, context: context, modulated: modulated, block: run)
      ?? blocks.indices.reduce(input) { value, index in
        try evaluate(blocks[index], input: value, context: context) { try block(index, $0) }
      }
    if tap.recordsList { try tap.take(SiteVisit(site: nil, context: context, input: input, output: output)) }
    return output
  }
}
