public import QuickstepNN
public import QuickstepTensor

/// Predicts clean data: everything between the sampler and the network (guidance, stitching, caches, corrections) has this form.
public protocol Denoiser {
  /// x̂0 of a state.
  /// - Parameters:
  ///   - state: [B, …] at `context.level`.
  ///   - context: where in the run the call is.
  /// - Returns: same shape, type and device as the state.
  /// - Throws: what the model throws.
  func denoised(_ state: Tensor, context: StepContext) throws -> Tensor
}

/// A denoiser from a closure, for tests and closed forms.
public struct ClosureDenoiser: Denoiser {
  private let body: (Tensor, StepContext) throws -> Tensor

  /// - Parameter body: x̂0 from state and context.
  public init(_ body: @escaping (Tensor, StepContext) throws -> Tensor) { self.body = body }

  /// What the closure returns.
  public func denoised(_ state: Tensor, context: StepContext) throws -> Tensor { try body(state, context) }
}
