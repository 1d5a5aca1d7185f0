public import QuickstepNN
public import QuickstepTensor

/// Looks at runs and changes nothing: what calibrations are made from, and what predicts times.
///
/// Whatever watches runs is one of these. All of a request's observers are told by one ``RunRecorder``; each takes what it wants and leaves the rest
/// to the implementations here, which do nothing. One object may watch several runs one after the other.
public protocol RunObserver: Sendable {
  /// Whether it can only make use of runs that no method of acceleration changes.
  var needsPlainRun: Bool { get }
  /// A run of one batch begins.
  func began()
  /// Whether it wants to see what passes at a site; `nil` stands for the list of blocks as a whole.
  func watches(_ site: Site?) -> Bool
  /// Something passed at a site that it ``watches(_:)``.
  func visited(_ visit: SiteVisit) throws
  /// The network answered for all branches of guidance that were asked for, `[B, …]` each.
  func answered(_ outputs: [Tensor], context: StepContext) throws
  /// An evaluation was made into x̂0.
  func denoised(_ evaluation: RunEvaluation) throws
  /// A part of a network was computed.
  /// - Parameter seconds: without the parts within it.
  func computed(_ part: RunPart, seconds: Double)
  /// Methods were at work at the network's sites.
  /// - Parameter seconds: what they took for themselves: comparing, forecasting, copying.
  func decided(seconds: Double)
}

extension RunObserver {
  /// It takes runs as they are.
  public var needsPlainRun: Bool { false }
  /// Nothing is done.
  public func began() {}
  /// No site.
  public func watches(_ site: Site?) -> Bool { false }
  /// Nothing is done.
  public func visited(_ visit: SiteVisit) throws {}
  /// Nothing is done.
  public func answered(_ outputs: [Tensor], context: StepContext) throws {}
  /// Nothing is done.
  public func denoised(_ evaluation: RunEvaluation) throws {}
  /// Nothing is done.
  public func computed(_ part: RunPart, seconds: Double) {}
  /// Nothing is done.
  public func decided(seconds: Double) {}
}

/// What passed at a site, or at the whole list of blocks, in one evaluation.
public struct SiteVisit {
  /// The site; `nil` for the whole list of blocks.
  public let site: Site?
  /// Where in the run.
  public let context: StepContext
  /// What went in, and what came out. Belongs to the run: to be copied where it is kept.
  public let input: [Tensor], output: [Tensor]
  /// Of the list of blocks: the first block's input after its normalisation and modulation; gives `nil` where there is no such thing.
  public let modulated: () throws -> Tensor?
}

/// One evaluation as the solver sees it. Its tensors belong to the run: to be copied where they are kept.
public struct RunEvaluation: Sendable {
  /// Where in the run it was.
  public let context: StepContext
  /// What the network was shown, `[B, C, H, W]`, before any scaling of inputs.
  public let state: Tensor
  /// x̂0 after guidance and corrections, `[B, C, H, W]`.
  public let denoised: Tensor

  /// - Parameters:
  ///   - context: where in the run it was.
  ///   - state: what the network was shown.
  ///   - denoised: x̂0 after guidance and corrections.
  public init(context: StepContext, state: Tensor, denoised: Tensor) {
    (self.context, self.state, self.denoised) = (context, state, denoised)
  }
}

/// A part of a network, or what of a call stands outside of all parts.
public struct RunPart: Hashable, Sendable, Codable {
  /// Name of the model.
  public var model: String
  /// Dotted path of the site; `nil` for a call's rest: embeddings, first and last layers.
  public var site: String?
  /// Branches of guidance that were computed together.
  public var branches: Int

  /// A part of a network.
  public init(model: String, site: String?, branches: Int) { (self.model, self.site, self.branches) = (model, site, branches) }
}
