public import QuickstepNN
public import QuickstepTensor

/// Stands between guidance and the network: may leave a branch's evaluation out, answer it from memory or make several at once. One object per
/// request: it holds the request's state.
public protocol CallPolicy: AnyObject {
  /// The network's outputs for some branches.
  /// - Parameters:
  ///   - input: the network's (scaled) input, `[B, …]`, the same for all branches.
  ///   - branches: the branches guidance asks for, in order; never empty.
  ///   - context: where in the run the call is; its branches are those of the parameter.
  ///   - evaluate: the network, or the next policy.
  /// - Returns: one output per branch, `[B, …]` each, in order.
  func outputs(
    _ input: Tensor, branches: [String], context: StepContext,
    evaluate: (_ input: Tensor, _ branches: [String], _ context: StepContext) throws -> [Tensor]
  ) throws -> [Tensor]
}
