public import QuickstepTensor

/// A fully connected layer, `[…, in] → […, out]`. What its scope holds decides the operator.
public struct Linear: Sendable {
  /// The operator that was found in the scope.
  public let form: any LinearOperator

  /// - Parameters:
  ///   - weights: the scope of `weight`, `[output, input]`, of `bias`, `[output]`, and of what other forms hold.
  ///   - input: channels in.
  ///   - output: channels out; of a gated layer the rows of its weight, twice as many as come out.
  ///   - isGated: whether the result is a·GELU(g) with a from the first half of the rows and g from the second.
  ///   - bias: whether there is one.
  ///   - initial: how a fresh weight is filled; ``Initializer/xavier(fanIn:fanOut:)`` when `nil`. A fresh bias is 0.
  public init(
    _ weights: Weights, _ input: Int, _ output: Int, isGated: Bool = false, bias: Bool = true, initial: Initializer? = nil
  ) {
    form = LinearForms.make(
      weights,
      shape: LinearShape(
        input: input, output: output, isGated: isGated, hasBias: bias, initial: initial ?? .xavier(fanIn: input, fanOut: output)))
  }

  /// `[…, in] → […, out]`.
  public func callAsFunction(_ input: Tensor) -> Tensor { form(input) }

  /// activation(self(input)) + residual, in one pass where the layer can.
  public func callAsFunction(_ input: Tensor, activation: Activation, residual: Tensor? = nil) -> Tensor {
    form(input, activation: activation, residual: residual)
  }
}

/// A 2-D convolution, `[B, in, H, W] → [B, out, H', W']`. What its scope holds decides the operator.
public struct Convolution: Sendable {
  /// The operator that was found in the scope.
  public let form: any ConvolutionOperator

  /// - Parameters:
  ///   - padding: zeros on each side; `nil` keeps the size at stride 1 and odd kernels.
  ///   - endPadding: further zeros on the right and below.
  public init(
    _ weights: Weights, _ input: Int, _ output: Int, kernel: Int, stride: Int = 1, padding: Int? = nil, endPadding: Int = 0,
    groups: Int = 1,
    bias: Bool = true, initial: Initializer? = nil
  ) {
    form = ConvolutionForms.make(
      weights,
      shape: ConvolutionShape(
        input: input, output: output, kernel: kernel, stride: stride, padding: padding ?? kernel / 2, endPadding: endPadding,
        groups: groups, hasBias: bias,
        initial: initial ?? .fanIn(input / max(1, groups) * kernel * kernel)))
  }

  /// `[B, in, H, W] → [B, out, H', W']` with H' = ⌊(H + 2·padding − kernel)/stride⌋ + 1, and W' likewise.
  public func callAsFunction(_ input: Tensor) -> Tensor { form(input) }

  /// activation(self(input) + shift) + residual, in one pass where the layer can.
  /// - Parameters:
  ///   - shift: `[B, out]`, the same for all pixels of a sample.
  ///   - residual: of the result's shape.
  public func callAsFunction(
    _ input: Tensor, shift: Tensor? = nil, activation: Activation = .none, residual: Tensor? = nil
  ) -> Tensor {
    form(input, shift: shift, activation: activation, residual: residual)
  }
}
