public import QuickstepDiffusion
public import QuickstepNN
public import QuickstepTensor

/// Single sites that are answered from memory in some evaluations.
public struct SiteCache: Sendable {
  /// Who decides.
  public enum Decider: Sendable {
    /// A plan: what it does not name is computed. One action per evaluation.
    case plan([Site: [SiteAction]])
    /// One decision per evaluation for all sites, taken at the first that is visited.
    case gate(@Sendable () -> any Gate)
  }

  /// Name of the method, for reports.
  public var method: String
  /// Where it acts.
  public var sites: Set<Site>
  /// Who decides.
  public var decider: Decider
  /// How values are forecast.
  public var rule: any Extrapolation
  /// Highest order of a forecast: how many values are held.
  public var order: Int
  /// What forecasts count as distance.
  public var abscissa: Abscissa
  /// For action ``SiteAction/tokens``: which tokens are computed.
  public var tokens: TokenSelection?
  /// For action ``SiteAction/correct``: the held values, changed for this evaluation.
  public var correction: (@Sendable (_ site: Site, _ held: [Tensor], _ context: StepContext) throws -> [Tensor])?

  /// Sites that follow a gate.
  public init(
    method: String, sites: some Sequence<Site>, rule: any Extrapolation = Hold(), order: Int = 0, abscissa: Abscissa = .evaluation,
    gate: @escaping @Sendable () -> any Gate
  ) {
    (self.method, self.sites, decider, self.rule) = (method, Set(sites), .gate(gate), rule)
    (self.order, self.abscissa) = (order, abscissa)
  }

  /// Sites that all follow the same list of actions.
  public init(
    method: String, sites: some Sequence<Site>, actions: [SiteAction], rule: any Extrapolation = Hold(), abscissa: Abscissa = .evaluation
  ) {
    self.init(method: method, plan: Dictionary(uniqueKeysWithValues: sites.map { ($0, actions) }), rule: rule, abscissa: abscissa)
  }

  /// Sites with lists of their own.
  public init(method: String, plan: [Site: [SiteAction]], rule: any Extrapolation = Hold(), abscissa: Abscissa = .evaluation) {
    (self.method, sites, decider, self.rule) = (method, Set(plan.keys), .plan(plan), rule)
    order = plan.values.flatMap { $0.map(\.order) }.max() ?? 0
    self.abscissa = abscissa
  }
}

/// A range of the list of blocks that is answered from memory in some evaluations. The blocks before and behind it always run.
public struct RangeCache: Sendable {
  /// What is kept.
  public enum Value: String, Sendable, Codable {
    /// What comes out of the range.
    case output
    /// What the range adds to what comes in.
    case residual
  }

  /// What the gate is shown.
  public enum Signal: String, Sendable, Codable {
    /// Nothing.
    case none
    /// The first block's input after its normalisation and modulation (needs `first` 0).
    case modulated
    /// What comes into the range.
    case input
    /// What the blocks before the range have added.
    case change
  }

  /// Name of the method, for reports.
  public var method: String
  /// Blocks before the range, and behind it.
  public var first: Int, last: Int
  /// What is kept.
  public var value: Value
  /// What the gate is shown.
  public var signal: Signal
  /// How values are forecast.
  public var rule: any Extrapolation
  /// Highest order of a forecast: how many values are held.
  public var order: Int
  /// What forecasts count as distance.
  public var abscissa: Abscissa
  /// Who decides: a fresh one for every request.
  public var gate: @Sendable () -> any Gate
  /// Signals that the gate holds at most: what ``Acceleration/heldBytes(_:)`` counts.
  public var gateDepth: Int
  /// What it decides, where that is known beforehand: one action per evaluation.
  public private(set) var planned: [SiteAction]?
  /// For action ``SiteAction/correct``: the held value, changed for this evaluation.
  public var correction: (@Sendable (_ held: [Tensor], _ context: StepContext) throws -> [Tensor])?

  /// - Parameters:
  ///   - first: blocks that always run at the beginning.
  ///   - last: blocks that always run at the end.
  ///   - gateDepth: signals that the gate holds at most.
  public init(
    method: String, first: Int = 0, last: Int = 0, value: Value, signal: Signal = .none, rule: any Extrapolation = Hold(), order: Int = 0,
    abscissa: Abscissa = .evaluation, gateDepth: Int = 1, gate: @escaping @Sendable () -> any Gate
  ) {
    (self.method, self.first, self.last, self.value, self.signal) = (method, first, last, value, signal)
    (self.rule, self.order, self.abscissa, self.gateDepth, self.gate) = (rule, order, abscissa, gateDepth, gate)
  }

  /// A range that follows a list of actions.
  public init(
    method: String, first: Int = 0, last: Int = 0, value: Value, actions: [SiteAction], rule: any Extrapolation = Hold(),
    abscissa: Abscissa = .evaluation
  ) {
    self.init(
      method: method, first: first, last: last, value: value, rule: rule, order: actions.map(\.order).max() ?? 0, abscissa: abscissa
    ) { PlannedGate(actions) }
    planned = actions
  }

  /// How plans name it.
  func name(blocks: Int) -> String { "blocks[\(first)..<\(blocks - last)]" }
}

/// A method that runs the list of blocks itself.
public struct ListMethod: Sendable {
  /// Name of the method, for reports.
  public var method: String
  /// Blocks it runs more than once in an evaluation, within which no other method can answer from memory.
  public var repeated: Range<Int>
  /// Whether it decides while running what is computed.
  public var decides: Bool
  /// Bytes it will hold at most.
  public var held: @Sendable (RunSizes) -> Int
  /// Who runs it: a fresh one for every request.
  public var make: @Sendable () -> any ListRunner

  /// A method that runs the list of blocks itself.
  public init(
    method: String, repeated: Range<Int> = 0..<0, decides: Bool = true, held: @escaping @Sendable (RunSizes) -> Int = { _ in 0 },
    make: @escaping @Sendable () -> any ListRunner
  ) {
    (self.method, self.repeated, self.decides, self.held, self.make) = (method, repeated, decides, held, make)
  }
}

/// Runs the list of blocks in one request.
public protocol ListRunner: AnyObject {
  /// - Parameters:
  ///   - blocks: their sites, in order.
  ///   - block: runs one.
  /// - Returns: what the list gives, and what was done with each block: `compute` where it ran.
  func run(
    _ blocks: [Site], input: [Tensor], context: StepContext, block: (Int, [Tensor]) throws -> [Tensor]
  ) throws -> (output: [Tensor], actions: [SiteAction])

  /// The same for runners that have blocks of their own. By default those are not asked for.
  /// - Parameter guest: runs such a block with the network's conditioning; `nil` where the network makes none.
  func run(
    _ blocks: [Site], input: [Tensor], context: StepContext, guest: ((any GuestBlock, [Tensor]) throws -> [Tensor])?,
    block: (Int, [Tensor]) throws -> [Tensor]
  ) throws -> (output: [Tensor], actions: [SiteAction])
  /// The number that the last run's decision rested on; `nil` where there was none.
  var lastSignal: Double? { get }
  /// Bytes of what it remembers.
  var heldBytes: Int { get }
}

extension ListRunner {
  /// Without guests.
  public func run(
    _ blocks: [Site], input: [Tensor], context: StepContext, guest: ((any GuestBlock, [Tensor]) throws -> [Tensor])?,
    block: (Int, [Tensor]) throws -> [Tensor]
  ) throws -> (output: [Tensor], actions: [SiteAction]) {
    try run(blocks, input: input, context: context, block: block)
  }
  /// None.
  public var lastSignal: Double? { nil }
  /// None.
  public var heldBytes: Int { 0 }
}

/// A method between guidance and the network.
public struct CallMethod: Sendable {
  /// Name of the method, for reports.
  public var method: String
  /// Whether only one such method may act: it decides whether the network is called at all.
  public var isExclusive: Bool
  /// Branches of guidance whose evaluation it decides by themselves: no other method may decide these.
  public var branches: Set<String>
  /// What it decides, by name as in plans, where that is known beforehand.
  public var planned: [String: [SiteAction]]?
  /// What it keeps where that is no output, by the same names.
  public var keeps: [String: SitePlan.Kept]
  /// How it forecasts.
  public var rule: any Extrapolation
  /// Evaluations that it has made as one batch at most.
  public var evaluationsAtOnce: Int
  /// Bytes it will hold at most.
  public var held: @Sendable (RunSizes) -> Int
  /// Who acts: a fresh one for every request.
  public var make: @Sendable () -> any CallPolicy

  /// A method between guidance and the network.
  public init(
    method: String, isExclusive: Bool = true, branches: Set<String> = [], planned: [String: [SiteAction]]? = nil,
    keeps: [String: SitePlan.Kept] = [:], rule: any Extrapolation = Hold(), evaluationsAtOnce: Int = 1,
    held: @escaping @Sendable (RunSizes) -> Int = { _ in 0 }, make: @escaping @Sendable () -> any CallPolicy
  ) {
    (self.method, self.isExclusive, self.branches, self.planned) = (method, isExclusive, branches, planned)
    (self.keeps, self.rule, self.evaluationsAtOnce, self.held, self.make) = (keeps, rule, evaluationsAtOnce, held, make)
  }
}
