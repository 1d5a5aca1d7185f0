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
  /// Channels are convolved in this many separate groups; 1 for an ordinary convolution. A divisor of `input` and of `output`.
  public var groups: Int
  /// Whether a bias `[output]` is added.
  public var hasBias: Bool
  /// How a fresh weight is filled. A fresh bias is 0.
  public var initial: Initializer
}

/// The plain convolution of libtorch (oneDNN on the CPU, cuDNN on a GPU).
public struct PlainConvolution: ConvolutionOperator {
  /// `plain`.
  public static let name = "plain"
  /// `[out, in / groups, kernel, kernel]`.
  public let weight: Tensor
  /// `[out]`, or `nil`.
  public let bias: Tensor?
  let shape: ConvolutionShape

  /// True: every scope is expected to hold a plain weight.
  public static func matches(_ weights: Weights) -> Bool { true }

  /// Takes `weight` and, where the shape asks for it, `bias` from the scope.
  public init(_ weights: Weights, shape: ConvolutionShape) {
    weight = weights.parameter(
      "weight", [shape.output, shape.input / max(1, shape.groups), shape.kernel, shape.kernel], initial: shape.initial)
    bias = shape.hasBias ? weights.parameter("bias", [shape.output], initial: .zeros) : nil
    self.shape = shape
  }

  /// `[B, in, H, W] → [B, out, H', W']`.
  public func callAsFunction(_ input: Tensor) -> Tensor {
    input.conv2d(
      weight, bias: bias, stride: [shape.stride, shape.stride], padding: [shape.padding, shape.padding], groups: shape.groups)
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
