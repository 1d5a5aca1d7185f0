public import QuickstepTensor

/// Decides what happens at sites. One object per request: it holds the request's state, the model holds none.
public protocol SitePolicy: AnyObject {
  /// Returns the site's output for `input`, by calling `compute` or otherwise.
  func evaluate(_ site: Site, input: [Tensor], context: StepContext, compute: ([Tensor]) throws -> [Tensor]) throws -> [Tensor]

  /// Whether a residual block is left out, so that its shortcut alone is computed; ``evaluate(_:input:context:compute:)`` is not asked then.
  func bypasses(_ site: Site, context: StepContext) -> Bool

  /// What the policy wants to know of an attention's tokens in this evaluation, in which it is computed; `nil`: nothing, at no cost.
  func wantedSignal(_ site: Site, context: StepContext) -> AttentionSignal?

  /// Takes what it wanted to know, before the site's output: `[B, tokens]` for each tensor that flows through the site.
  func take(_ signal: [Tensor], of site: Site, context: StepContext)

  /// Runs a list of blocks. A policy may run, skip, repeat or replace any range of it.
  /// - Parameters:
  ///   - blocks: the blocks' sites, in order.
  ///   - modulated: the first block's input after its normalisation and modulation, from the list's input; `nil` where there is no such thing.
  ///   - block: runs the block with an index of `blocks`.
  func sequence(
    _ blocks: [Site], input: [Tensor], context: StepContext, modulated: (([Tensor]) throws -> Tensor)?,
    block: (Int, [Tensor]) throws -> [Tensor]
  ) throws -> [Tensor]

  /// The same for policies that run blocks of their own among the network's. By default those are not asked for.
  /// - Parameter guest: runs such a block with the network's conditioning; `nil` where the network makes none.
  func sequence(
    _ blocks: [Site], input: [Tensor], context: StepContext, modulated: (([Tensor]) throws -> Tensor)?,
    guest: ((any GuestBlock, [Tensor]) throws -> [Tensor])?, block: (Int, [Tensor]) throws -> [Tensor]
  ) throws -> [Tensor]
}

extension SitePolicy {
  /// Never.
  public func bypasses(_ site: Site, context: StepContext) -> Bool { false }

  /// Nothing.
  public func wantedSignal(_ site: Site, context: StepContext) -> AttentionSignal? { nil }

  /// Nothing is done.
  public func take(_ signal: [Tensor], of site: Site, context: StepContext) {}

  /// Without guests.
  public func sequence(
    _ blocks: [Site], input: [Tensor], context: StepContext, modulated: (([Tensor]) throws -> Tensor)?,
    guest: ((any GuestBlock, [Tensor]) throws -> [Tensor])?, block: (Int, [Tensor]) throws -> [Tensor]
  ) throws -> [Tensor] {
    try sequence(blocks, input: input, context: context, modulated: modulated, block: block)
  }

  /// Every block in turn, each as a site of kind `block`.
  public func sequence(
    _ blocks: [Site], input: [Tensor], context: StepContext, modulated: (([Tensor]) throws -> Tensor)?,
    block: (Int, [Tensor]) throws -> [Tensor]
  ) throws -> [Tensor] {
    var value = input
    for (index, site) in blocks.enumerated() {
      value = try evaluate(site, input: value, context: context) { try block(index, $0) }
    }
    return value
  }
}
