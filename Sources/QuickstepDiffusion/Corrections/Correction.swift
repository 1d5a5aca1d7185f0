public import QuickstepNN
public import QuickstepTensor

/// Changes x̂0 before the solver sees it: clipping, thresholding, data consistency, gradient guidance. ``AllCorrections`` lists them.
public protocol Correction: Sendable {
  /// What the correction says about itself.
  static var declaration: MethodDeclaration { get }
  /// - Throws: when the values contradict each other.
  init(_ values: ParameterValues) throws
  /// The corrected x̂0.
  /// - Parameters:
  ///   - denoised: x̂0, [B, …].
  ///   - state: the state it was predicted from, same shape.
  ///   - context: where in the run the call is.
  func apply(_ denoised: Tensor, state: Tensor, context: StepContext) throws -> Tensor
}

extension Correction {
  /// A correction with standard parameters, some of them replaced by raw texts.
  /// - Throws: `ParameterError` for unknown names and values.
  public init(_ parameters: [String: String] = [:]) throws {
    try self.init(ParameterValues(parameters, for: Self.declaration))
  }
}
