public import QuickstepDiffusion
public import QuickstepNN

/// A method that makes a run cheaper by doing less inside its evaluations or around them. One file per method; ``AllAccelerators`` lists them.
public protocol Accelerator: Sendable {
  /// What the method says about itself.
  static var declaration: MethodDeclaration { get }
  /// - Throws: when the values contradict each other or name a file that cannot be used.
  init(_ values: ParameterValues) throws
  /// What it does in a run.
  /// - Throws: ``AccelerationError`` naming what of the run or the network does not fit.
  func parts(for run: RunOutline) throws -> [Part]
  /// What the user should know, in sentences.
  func warnings(for run: RunOutline) -> [String]
  /// Ids or folders of other models that it needs.
  var companions: [String] { get }
  /// Bytes of weights and tables that it brings along, as long as it acts.
  var ownBytes: Int { get }
}

extension Accelerator {
  /// Nothing.
  public func warnings(for run: RunOutline) -> [String] { [] }
  /// None.
  public var companions: [String] { [] }
  /// None.
  public var ownBytes: Int { 0 }
}

/// What a method contributes to a run. Parts of several methods are checked together, and carried out by one ``SiteInterpreter``.
public enum Part: Sendable {
  /// Single sites are answered from memory in some evaluations.
  case sites(SiteCache)
  /// A range of the list of blocks is answered from memory in some evaluations.
  case range(RangeCache)
  /// The list of blocks is run by the method itself.
  case list(ListMethod)
  /// Something stands between guidance and the network.
  case call(CallMethod)
  /// Several models share the run.
  case models(ModelSchedule)
  /// The solver's table is changed.
  case table(@Sendable (Tableau) throws -> Tableau)
}

/// A run as methods see it before it begins.
public struct RunOutline: Sendable {
  /// One evaluation of the network.
  public struct Call: Sendable, Hashable {
    /// The solver step it belongs to.
    public var step: Int
    /// Where it takes place.
    public var level: NoiseLevel
    /// Guidance branches that are evaluated.
    public var branches: [String]

    /// An evaluation of the network.
    public init(step: Int, level: NoiseLevel, branches: [String] = []) { (self.step, self.level, self.branches) = (step, level, branches) }
  }

  /// Name of the network, for messages.
  public var network: String
  /// Solver steps.
  public var stepCount: Int
  /// The evaluations in order; their indices are those of ``StepContext/evaluation``.
  public var calls: [Call]
  /// The network's sites, in the order in which they are visited.
  public var sites: [Site]
  /// What calibrations and trained modules are bound to; `nil` where nobody says, so that it cannot be checked.
  public var identity: RunIdentity?
  /// Where the network's tokens stand and what they allow; `nil` where it has none, or does not tell.
  public var tokens: TokenLayout?
  /// Makes blocks like the network's own; `nil` where nobody said how.
  public var guests: GuestMaker?
  /// T, of which timesteps are parts: 1000 for most models; `nil` where the model counts no time, or nobody says.
  public var trainedTime: Double?

  /// - Parameters:
  ///   - network: for messages.
  ///   - stepCount: solver steps.
  ///   - calls: the evaluations in order.
  ///   - sites: the network's.
  public init(network: String, stepCount: Int, calls: [Call], sites: [Site]) {
    (self.network, self.stepCount, self.calls, self.sites) = (network, stepCount, calls, sites)
  }

  /// From a solver's table and a guidance table.
  public init(network: String, tableau: Tableau, guidance: Guidance, sites: [Site]) {
    let rows = tableau.rows.filter { $0.evaluation != nil }
    let calls = rows.enumerated().compactMap { index, row in
      row.evaluation.map { call in
        let context = StepContext(
          step: row.step, stepCount: tableau.stepCount, evaluation: index, evaluationCount: rows.count, level: call.level)
        return Call(step: row.step, level: call.level, branches: guidance.active(context).map(\.name))
      }
    }
    self.init(network: network, stepCount: tableau.stepCount, calls: calls, sites: sites)
  }

  /// The evaluations with which steps begin.
  var firstCalls: [Call] { calls.indices.filter { $0 == 0 || calls[$0 - 1].step != calls[$0].step }.map { calls[$0] } }
  /// Branches of guidance that are evaluated for the same state, at most.
  var mostBranches: Int { max(1, calls.map(\.branches.count).max() ?? 1) }
  /// Number of evaluations.
  public var evaluations: Int { calls.count }
  /// The network's blocks, where it is a list of blocks.
  public var blocks: [Site] { sites.filter { $0.kind == .block } }
  /// A network beside the backbone, where there is one.
  public var control: Site? { sites.first { $0.kind == .control } }
  /// Skip connections, where it is a U-Net; otherwise 0.
  public var skipCount: Int { sites.count { $0.kind == .down } }

  /// Sites of these kinds, leaving out those that stand within another one of them.
  public func modules(_ kinds: Set<Site.Kind>) -> [Site] {
    let chosen = sites.filter { kinds.contains($0.kind) }
    let joint = chosen.filter { $0.kind == .parallel }.map { $0.path.split(separator: ".").dropLast().joined(separator: ".") + "." }
    return chosen.filter { site in site.kind == .parallel || !joint.contains { site.path.hasPrefix($0) } }
  }

  /// - Throws: ``AccelerationError`` where the network is no list of blocks.
  public func needBlocks(_ method: String, atLeast count: Int = 2) throws -> [Site] {
    let blocks = blocks
    guard blocks.count >= count else {
      throw AccelerationError(
        "'\(method)' needs a network that is a list of at least \(count) blocks; \(network) has \(blocks.isEmpty ? "no such list" : "\(blocks.count)")"
      )
    }
    return blocks
  }

  /// T, of which shares of the trained time are parts.
  /// - Throws: ``AccelerationError`` where the model counts no time, or nobody says.
  public func needTrainedTime(_ method: String) throws -> Double {
    guard let trainedTime, trainedTime > 0 else {
      throw AccelerationError(
        "'\(method)' acts in a part of the trained time, and needs a model with a last trained timestep; \(network) has none")
    }
    return trainedTime
  }

  /// - Throws: ``AccelerationError`` where the network is no U-Net.
  public func needSkips(_ method: String) throws -> Int {
    guard skipCount > 0 else { throw AccelerationError("'\(method)' needs a U-Net with skip connections; \(network) is none") }
    return skipCount
  }
}

/// What a fit to a model's runs holds for, beside the levels of the evaluations.
public struct RunIdentity: Sendable, Hashable, Codable {
  /// Checksum of the model.
  public var fingerprint: String
  /// Name of the solver.
  public var solver: String
  /// Guidance scale.
  public var guidanceScale: Double

  /// What a fit to a model's runs holds for.
  public init(fingerprint: String, solver: String, guidanceScale: Double) {
    (self.fingerprint, self.solver, self.guidanceScale) = (fingerprint, solver, guidanceScale)
  }
}

/// Makes blocks that are built like a network's own, from weights that came with a method.
public struct GuestMaker: Sendable {
  /// A block like the network's with this index. `nil` where the network makes none. Throws where the weights do not fit.
  public var make: @Sendable (_ index: Int, _ weights: any TensorSource) throws -> (any GuestBlock)?

  /// - Parameter make: a block like the one with this index, from weights under the names of that block's scope.
  public init(make: @escaping @Sendable (_ index: Int, _ weights: any TensorSource) throws -> (any GuestBlock)?) { self.make = make }
}

/// A method does not fit a model, a run or another method.
public struct AccelerationError: Error, Sendable, CustomStringConvertible {
  public let description: String
  /// An error with this text.
  public init(_ description: String) { self.description = description }
}

extension Family {
  /// Less work inside evaluations or around them: caches, skipping, stitching.
  public static let acceleration = Family("acceleration")
}
