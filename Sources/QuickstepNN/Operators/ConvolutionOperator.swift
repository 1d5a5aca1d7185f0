public import QuickstepTensor

/// What a 2-D convolution layer computes with. `[B, in, H, W] → [B, out, H', W']`.
public protocol ConvolutionOperator: Sendable {
  /// Name for reports, such as `plain`.
  static var name: String { get }
  /// Whether a scope holds this form. Forms are asked in the order of ``ConvolutionForms/all``.
  static func matches(_ weights: Weights) -> Bool
  /// Takes its parameters from the scope. What does not fit `shape` is left to the audit.
  init(_ weights: Weights, shape: ConvolutionShape)
  /// `[B, in, H, W] → [B, out, H', W']`.
  func callAsFunction(_ input: Tensor) -> Tensor
  /// activation(self(input) + shift) + residual, possibly in one pass; `shift` is `[B, out]`.
  func callAsFunction(_ input: Tensor, shift: Tensor?, activation: Activation, residual: Tensor?) -> Tensor
}

extension ConvolutionOperator {
  /// One after the other.
  public func callAsFunction(_ input: Tensor, shift: Tensor?, activation: Activation, residual: Tensor?) -> Tensor {
    var result = self(input)
    if let shift { result += shift.unsqueeze(-1).unsqueeze(-1) }
    result = activation(result)
    return residual.map { $0 + result } ?? result
  }
}

/// What a layer demands of its operator.
public struct ConvolutionShape: Sendable {
  /// Channels in.
  public var input: Int
  /// Channels out.
  public var output: Int
  /// Side of the square kernel, in pixels.
  public var kernel: Int
  /// The same in both directions, in pixels.
  public var stride: Int
  /// Zeros added on each of the four sides, in pixels.
  public var padding: Int
  /// Further zeros added on the right and below, in pixels.
  public var endPadding = 0
  /// Channels are convolved in this many separate groups; 1 for an ordinary convolution. A divisor of `input` and of `output`.
  public var groups: Int
  /// Whether a bias `[output]` is added.
  public var hasBias: Bool
  /// How a fresh weight is filled. A fresh bias is 0.
  public var initial: Initializer
}

/// The plain convolution: our own kernels where layers are prepared, otherwise libtorch's (oneDNN on the CPU, cuDNN on a GPU).
public struct PlainConvolution: ConvolutionOperator {
  /// `plain`.
  public static let name = "plain"
  /// `[out, in / groups, kernel, kernel]`; `nil` when the layer holds it in the kernels' order only.
  public let weight: Tensor?
  /// `[out]`, or `nil`.
  public let bias: Tensor?
  let shape: ConvolutionShape
  private let packed: PackedConvolution?

  /// True: every scope is expected to hold a plain weight.
  public static func matches(_ weights: Weights) -> Bool { true }

  /// Takes `weight` and, where the shape asks for it, `bias` from the scope.
  public init(_ weights: Weights, shape: ConvolutionShape) {
    let sizes = [shape.output, shape.input / max(1, shape.groups), shape.kernel, shape.kernel]
    packed =
      shape.groups == 1
      ? weights.prepared("weight", sizes) {
        PackedConvolution($0, shape: shape, preparation: $1)
      } bytes: {
        $0.byteCount
      } : nil
    weight = packed == nil ? weights.parameter("weight", sizes, initial: shape.initial) : nil
    bias = shape.hasBias ? weights.parameter("bias", [shape.output], initial: .zeros) : nil
    self.shape = shape
  }

  /// `[B, in, H, W] → [B, out, H', W']`.
  public func callAsFunction(_ input: Tensor) -> Tensor {
    if let packed { return packed(input, bias: bias, shift: nil, activation: .none, residual: nil) }
    guard let weight else { return .undefined }
    let padded = shape.endPadding == 0 ? input : input.pad([0, shape.endPadding, 0, shape.endPadding])
    return padded.conv2d(
      weight, bias: bias, stride: [shape.stride, shape.stride], padding: [shape.padding, shape.padding], groups: shape.groups)
  }

  /// activation(self(input) + shift) + residual.
  public func callAsFunction(_ input: Tensor, shift: Tensor?, activation: Activation, residual: Tensor?) -> Tensor {
    if let packed { return packed(input, bias: bias, shift: shift, activation: activation, residual: residual) }
    var result = self(input)
    if let shift { result += shift.unsqueeze(-1).unsqueeze(-1) }
    result = activation(result)
    return residual.map { $0 + result } ?? result
  }
}

/// Every form a convolution's scope may hold, the most specific first.
public enum ConvolutionForms {
  /// In the order in which a scope is tried; the last one matches every scope.
  public static let all: [any ConvolutionOperator.Type] = [LowRankConvolution.self, PlainConvolution.self]

  static func make(_ weights: Weights, shape: ConvolutionShape) -> any ConvolutionOperator {
    let form = all.first { $0.matches(weights) } ?? PlainConvolution.self
    return form.init(weights, shape: shape)
  }
}
