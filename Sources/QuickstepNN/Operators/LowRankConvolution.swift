public import QuickstepTensor

/// A plain convolution with a LoRA branch kept apart: a convolution of the same kernel to r channels, then a 1×1 one to the output.
///
/// Keys in the scope, as PEFT writes them: `lora_A.weight` `[r, in, kernel, kernel]` and `lora_B.weight` `[out, r, 1, 1]`; scales are part of
/// the factors.
public struct LowRankConvolution: ConvolutionOperator {
  /// `low-rank`.
  public static let name = "low-rank"
  let base: PlainConvolution
  let down: Tensor
  let up: Tensor
  let shape: ConvolutionShape

  /// Whether the scope holds one of the branch's two factors; a missing other one is reported by the audit.
  public static func matches(_ weights: Weights) -> Bool { weights.has("lora_A.weight") || weights.has("lora_B.weight") }

  /// Takes the plain convolution and the branch from the scope. The rank r is that of the stored `lora_A.weight`.
  public init(_ weights: Weights, shape: ConvolutionShape) {
    base = PlainConvolution(weights, shape: shape)
    let rank = weights.info("lora_A.weight")?.shape.first ?? 1
    if shape.groups != 1 { weights.report("a LoRA of a convolution in \(shape.groups) groups is not supported") }
    down = weights.parameter(
      "lora_A.weight", [rank, shape.input, shape.kernel, shape.kernel], initial: .fanIn(shape.input * shape.kernel * shape.kernel))
    up = weights.parameter("lora_B.weight", [shape.output, rank, 1, 1], initial: .zeros)
    self.shape = shape
  }

  /// `[B, in, H, W] → [B, out, H', W']`.
  public func callAsFunction(_ input: Tensor) -> Tensor {
    let padded = shape.endPadding == 0 ? input : input.pad([0, shape.endPadding, 0, shape.endPadding])
    let narrow = padded.conv2d(down, stride: [shape.stride, shape.stride], padding: [shape.padding, shape.padding])
    return base(input) + narrow.conv2d(up)
  }
}
