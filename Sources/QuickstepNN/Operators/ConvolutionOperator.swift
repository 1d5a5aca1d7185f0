public import QuickstepTensor

/// What a 2-D convolution layer computes with. `[B, in, H, W] → [B, out, H', W']`.
public protocol ConvolutionOperator: Sendable {
  static var name: String { get }
  static func matches(_ weights: Weights) -> Bool
  init(_ weights: Weights, shape: ConvolutionShape)
  func callAsFunction(_ input: Tensor) -> Tensor
}

/// What a layer demands of its operator.
public struct ConvolutionShape: Sendable {
  public var input: Int
  public var output: Int
  public var kernel: Int
  public var stride: Int
  public var padding: Int
  public var groups: Int
  public var hasBias: Bool
  public var initial: Initializer
}

/// The plain convolution of libtorch (oneDNN on the CPU, cuDNN on a GPU).
public struct PlainConvolution: ConvolutionOperator {
  public static let name = "plain"
  public let weight: Tensor
  public let bias: Tensor?
  let shape: ConvolutionShape

  public static func matches(_ weights: Weights) -> Bool { true }

  public init(_ weights: Weights, shape: ConvolutionShape) {
    weight = weights.parameter(
      "weight", [shape.output, shape.input / max(1, shape.groups), shape.kernel, shape.kernel], initial: shape.initial)
    bias = shape.hasBias ? weights.parameter("bias", [shape.output], initial: .zeros) : nil
    self.shape = shape
  }

  public func callAsFunction(_ input: Tensor) -> Tensor {
    input.conv2d(
      weight, bias: bias, stride: [shape.stride, shape.stride], padding: [shape.padding, shape.padding], groups: shape.groups)
  }
}

/// Every form a convolution's scope may hold, the most specific first.
public enum ConvolutionForms {
  public static let all: [any ConvolutionOperator.Type] = [PlainConvolution.self]

  static func make(_ weights: Weights, shape: ConvolutionShape) -> any ConvolutionOperator {
    let form = all.first { $0.matches(weights) } ?? PlainConvolution.self
    return form.init(weights, shape: shape)
  }
}
