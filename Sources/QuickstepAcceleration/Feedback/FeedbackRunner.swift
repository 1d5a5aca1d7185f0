package import QuickstepNN
package import QuickstepTensor

/// Runs the list of blocks with inner-loop feedback: as usual up to the end of the inner range, then the range once more with the fed-back output
/// added to each block's input, then the rest.
package final class FeedbackRunner: ListRunner {
  private let range: ClosedRange<Int>
  private let block: any GuestBlock
  private let scales: [Tensor]
  private let acts: (StepContext) -> Bool
  private let memory: FirstPasses?

  /// First passes by evaluation, for training: they do not depend on what is trained, and come again in every epoch.
  package final class FirstPasses {
    fileprivate struct Call: Hashable {
      let evaluation: Int
      let branches: [String]
      init(_ context: StepContext) { (evaluation, branches) = (context.evaluation, context.branches) }
    }
    fileprivate var known: [Call: (entry: [Tensor], output: [Tensor])] = [:]
    /// Of one set of inputs.
    package init() {}
  }

  /// - Parameters:
  ///   - range: the inner range, of block indices.
  ///   - block: the feedback block F.
  ///   - scales: for each block of the range, `[C]`.
  ///   - memory: keeps and answers first passes; only where an evaluation always has the same input.
  ///   - acts: the evaluations with feedback.
  package init(
    range: ClosedRange<Int>, block: any GuestBlock, scales: [Tensor], memory: FirstPasses? = nil, acts: @escaping (StepContext) -> Bool
  ) {
    (self.range, self.block, self.scales, self.memory, self.acts) = (range, block, scales, memory, acts)
  }

  package func run(
    _ blocks: [Site], input: [Tensor], context: StepContext, block run: (Int, [Tensor]) throws -> [Tensor]
  ) throws -> (output: [Tensor], actions: [SiteAction]) {
    try self.run(blocks, input: input, context: context, guest: nil, block: run)
  }

  package func run(
    _ blocks: [Site], input: [Tensor], context: StepContext, guest: ((any GuestBlock, [Tensor]) throws -> [Tensor])?,
    block run: (Int, [Tensor]) throws -> [Tensor]
  ) throws -> (output: [Tensor], actions: [SiteAction]) {
    let actions = Array(repeating: SiteAction.compute, count: blocks.count)
    guard acts(context) else { return (try blocks.indices.reduce(input) { try run($1, $0) }, actions) }
    guard let guest, range.upperBound < blocks.count else {
      throw AccelerationError("'ilf' cannot feed back: the network runs no blocks but its own, or has no block \(range.upperBound)")
    }
    let first = try firstPass(input, context, run)
    let fed = try guest(block, first.output)
    // The second pass begins with the input that the range had in the first one.
    let inner = try zip(range, scales).reduce(first.entry) { value, target in
      try run(target.0, added(fed, to: value, scale: target.1))
    }
    return (try (range.upperBound + 1..<blocks.count).reduce(inner) { try run($1, $0) }, actions)
  }

  /// What comes into the inner range and out of it.
  private func firstPass(
    _ input: [Tensor], _ context: StepContext, _ run: (Int, [Tensor]) throws -> [Tensor]
  ) throws -> (entry: [Tensor], output: [Tensor]) {
    if let known = memory?.known[.init(context)] { return known }
    let entry = try (0..<range.lowerBound).reduce(input) { try run($1, $0) }
    let output = try range.reduce(entry) { try run($1, $0) }
    memory?.known[.init(context)] = (entry, output)
    return (entry, output)
  }

  /// Where several streams flow through the blocks, the first takes the feedback: the picture's tokens.
  private func added(_ fed: [Tensor], to value: [Tensor], scale: Tensor) throws -> [Tensor] {
    guard let first = value.first, let addend = fed.first else { return value }
    guard first.shape.last == scale.count else {
      throw AccelerationError("'ilf' has scales for \(scale.count) channels; the network's blocks have \(first.shape.last ?? 0)")
    }
    let sum = try withTensorErrors { first + addend * scale.to(first.dtype, first.device) }
    return [sum] + value.dropFirst()
  }
}

/// By itself it stands in a network as it is trained, where no other method acts.
extension FeedbackRunner: SitePolicy {
  package func evaluate(
    _ site: Site, input: [Tensor], context: StepContext, compute: ([Tensor]) throws -> [Tensor]
  ) throws -> [Tensor] {
    try compute(input)
  }

  package func sequence(
    _ blocks: [Site], input: [Tensor], context: StepContext, modulated: (([Tensor]) throws -> Tensor)?,
    guest: ((any GuestBlock, [Tensor]) throws -> [Tensor])?, block: (Int, [Tensor]) throws -> [Tensor]
  ) throws -> [Tensor] {
    try run(blocks, input: input, context: context, guest: guest, block: block).output
  }
}
