public import QuickstepTensor

/// A fully connected layer, `[…, in] → […, out]`. What its scope holds decides the operator.
public struct Linear: Sendable {
  /// The operator that was found in the scope.
  public let form: any LinearOperator

  /// - Parameters:
  ///   - weights: the scope of `weight`, `[output, input]`, of `bias`, `[output]`, and of what other forms hold.
  ///   - input: channels in.
  ///   - output: channels out.
  ///   - bias: whether there is one.
  ///   - initial: how a fresh weight is filled; ``Initializer/xavier(fanIn:fanOut:)`` when `nil`. A fresh bias is 0.
  public init(_ weights: Weights, _ input: Int, _ output: Int, bias: Bool = true, initial: Initializer? = nil) {
    form = LinearForms.make(
      weights, shape: LinearShape(input: input, output: output, hasBias: bias, initial: initial ?? .xavier(fanIn: input, fanOut: output)))
  }

  /// `[…, in] → […, out]`.
  public func callAsFunction(_ input: Tensor) -> Tensor { form(input) }
}

/// A 2-D convolution, `[B, in, H, W] → [B, out, H', W']`. What its scope holds decides the operator.
public struct Convolution: Sendable {
  /// The operator that was found in the scope.
  public let form: any ConvolutionOperator

  /// - Parameter padding: `nil` keeps the size at stride 1 and odd kernels.
  public init(
    _ weights: Weights, _ input: Int, _ output: Int, kernel: Int, stride: Int = 1, padding: Int? = nil, groups: Int = 1, bias: Bool = true,
    initial: Initializer? = nil
  ) {
    form = ConvolutionForms.make(
      weights,
      shape: ConvolutionShape(
        input: input, output: output, kernel: kernel, stride: stride, padding: padding ?? kernel / 2, groups: groups, hasBias: bias,
        initial: initial ?? .fanIn(input / max(1, groups) * kernel * kernel)))
  }

  /// `[B, in, H, W] → [B, out, H', W']` with H' = ⌊(H + 2·padding − kernel)/stride⌋ + 1, and W' likewise.
  public func callAsFunction(_ input: Tensor) -> Tensor { form(input) }
}
