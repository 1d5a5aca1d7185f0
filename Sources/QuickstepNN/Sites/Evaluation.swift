public import QuickstepTensor

/// What flows through a site: one tensor, or several that belong together (image and text streams).
public protocol SiteValue {
  /// The parts in a fixed order.
  var tensors: [Tensor] { get }
  /// The same kind of value from as many tensors.
  init(tensors: [Tensor])
}

extension Tensor: SiteValue {
  /// The tensor alone.
  public var tensors: [Tensor] { [self] }
  /// The first of `tensors`; undefined when there is none.
  public init(tensors: [Tensor]) { self = tensors.first ?? .undefined }
}

/// One evaluation of a backbone: where in the run it stands, and who acts at its sites. Passed through the model explicitly.
public struct Evaluation {
  /// Where in the run this evaluation stands.
  public let context: StepContext
  /// Who acts at the sites; `nil` when nobody does.
  public let policy: (any SitePolicy)?

  /// - Parameters:
  ///   - context: where in the run the evaluation stands.
  ///   - policy: who acts at the sites: the request's own object.
  public init(_ context: StepContext, policy: (any SitePolicy)? = nil) {
    self.context = context
    self.policy = policy
  }

  /// Outside of any run: training, single forward passes.
  public static var plain: Evaluation {
    Evaluation(StepContext(step: 0, stepCount: 1, evaluation: 0, evaluationCount: 1, level: NoiseLevel(timestep: 0, alpha: 1, sigma: 0)))
  }

  /// The same evaluation with nobody at its sites: for blocks that are no part of the network.
  public var unwatched: Evaluation { Evaluation(context) }

  /// A site. Without a policy this is the closure call and nothing else; `site` is not even made.
  @inline(__always)
  public func site<Value: SiteValue>(
    _ site: @autoclosure () -> Site, _ input: Value, _ compute: (Value) throws -> Value
  ) throws -> Value {
    guard let policy else { return try compute(input) }
    return Value(
      tensors: try policy.evaluate(site(), input: input.tensors, context: context) { try compute(Value(tensors: $0)).tensors })
  }

  /// A residual block, which a policy may also leave out: what is left then is its shortcut.
  @inline(__always)
  public func site(
    _ site: @autoclosure () -> Site, _ input: Tensor, shortcut: (Tensor) throws -> Tensor, _ compute: (Tensor) throws -> Tensor
  ) throws -> Tensor {
    guard let policy else { return try compute(input) }
    let site = site()
    return try policy.bypasses(site, context: context) ? shortcut(input) : self.site(site, input, compute)
  }

  /// A list of blocks, handed over as a whole so that a policy can run, skip, reuse or forecast any range of it. A network calls this once
  /// per evaluation.
  /// - Parameters:
  ///   - path: of the list; block i is `path.i`.
  ///   - modulated: the first block's input after its normalisation and modulation by the time, which some policies compare.
  ///   - guest: runs a block of a policy's own with the network's conditioning; `nil` where the network makes no such blocks.
  public func sequence<Value: SiteValue>(
    _ path: String, count: Int, _ input: Value, modulated: ((Value) throws -> Tensor)? = nil,
    guest: ((any GuestBlock, Value) throws -> Value)? = nil, _ block: (Int, Value) throws -> Value
  ) throws -> Value {
    try sequence([BlockRun(path, count: count)], input, modulated: modulated, guest: guest, block)
  }

  /// Several kinds of blocks one after the other as one list: indices go on from kind to kind.
  public func sequence<Value: SiteValue>(
    _ runs: [BlockRun], _ input: Value, modulated: ((Value) throws -> Tensor)? = nil,
    guest: ((any GuestBlock, Value) throws -> Value)? = nil, _ block: (Int, Value) throws -> Value
  ) throws -> Value {
    guard let policy else {
      var value = input
      for index in 0..<runs.reduce(0, { $0 + $1.count }) { value = try block(index, value) }
      return value
    }
    let probe = modulated.map { modulated in { (tensors: [Tensor]) in try modulated(Value(tensors: tensors)) } }
    let visitor = guest.map { guest in
      { (block: any GuestBlock, tensors: [Tensor]) in try guest(block, Value(tensors: tensors)).tensors }
    }
    return Value(
      tensors: try policy.sequence(
        BlockRun.sites(runs), input: input.tensors, context: context, modulated: probe, guest: visitor
      ) { index, tensors in
        try block(index, Value(tensors: tensors)).tensors
      })
  }

  /// A U-Net: steps down that each make a skip connection, a middle, and as many steps up that each take one, the last made first.
  ///
  /// Everything deeper than a skip connection is one site (`inner`), and so is each step. Without a policy this is plain recursion.
  /// - Parameters:
  ///   - input: of the first step down, `[B, C, H, W]`.
  ///   - count: skip connections, at least 1.
  ///   - down: makes the skip connection `index` of the one before; the first of `input`.
  ///   - middle: of the last skip connection.
  ///   - up: from what comes from below and the skip connection `index`; `outer` is the shape of the connection before it (its own for the
  ///     first).
  public func nest(
    _ input: Tensor, count: Int, down: (_ index: Int, Tensor) throws -> Tensor, middle: (Tensor) throws -> Tensor,
    up: (_ index: Int, _ below: Tensor, _ skip: Tensor, _ outer: [Int]) throws -> Tensor
  ) throws -> Tensor {
    func inner(_ index: Int, _ skip: Tensor) throws -> Tensor {
      try site(Site("inner.\(index)", .inner, depth: index), skip) { skip in
        index + 1 == count ? try site(Site("middle", .middle, depth: count), skip, middle) : try level(index + 1, of: skip)
      }
    }
    func level(_ index: Int, of before: Tensor) throws -> Tensor {
      let skip = try site(Site("down.\(index)", .down, depth: index), before) { try down(index, $0) }
      let below = try inner(index, skip)
      return try site(Site("up.\(index)", .up, depth: index), SkipPair(below: below, skip: skip)) {
        SkipPair(below: try up(index, $0.below, $0.skip ?? .undefined, index == 0 ? skip.shape : before.shape), skip: nil)
      }.below
    }
    return try level(0, of: input)
  }
}

/// Blocks of one kind, one after the other.
public struct BlockRun: Hashable, Sendable {
  /// Block i of them is `path.i`.
  public var path: String
  /// How many there are.
  public var count: Int

  /// - Parameters:
  ///   - path: dotted path of the list, as in the checkpoint.
  ///   - count: its blocks.
  public init(_ path: String, count: Int) { (self.path, self.count) = (path, count) }

  /// The sites of all blocks; depths go on from run to run.
  public static func sites(_ runs: [BlockRun]) -> [Site] {
    var sites: [Site] = []
    for run in runs { for index in 0..<run.count { sites.append(Site("\(run.path).\(index)", .block, depth: sites.count)) } }
    return sites
  }
}

/// What a step up takes; it gives the first part alone.
private struct SkipPair: SiteValue {
  var below: Tensor
  var skip: Tensor?
  var tensors: [Tensor] { skip.map { [below, $0] } ?? [below] }
}

extension SkipPair {
  init(tensors: [Tensor]) { self.init(below: tensors.first ?? .undefined, skip: tensors.count > 1 ? tensors[1] : nil) }
}
