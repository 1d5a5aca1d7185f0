import QuickstepNN
import QuickstepTensor

/// Two transformers over the same pixels, one for each part of a condition, and the mean of what they add; diffusers'
/// `DualTransformer2DModel` (Versatile Diffusion, Xu et al. 2022, arXiv 2211.08332). `[B, C, H, W] → [B, C, H, W]`.
struct DualPixelTransformer: Sendable {
  /// Tokens of the two parts of the condition: a prompt of CLIP and a picture's 1 + 16·16 patches. Fixed in the reference.
  static let lengths = [77, 257]
  let transformers: [PixelTransformer]

  init(_ weights: Weights, channels: Int, shape: PixelTransformerShape) {
    transformers = (0..<2).map { PixelTransformer(weights["transformers", $0], channels: channels, shape: shape) }
  }

  func sites(depth: Int) -> [Site] { transformers.reversed().flatMap { $0.sites(depth: depth) } }

  /// - Parameter context: `[B, 77 + 257, D]`: the part for the second transformer comes first.
  /// - Throws: ``ComponentError`` for a condition of another length; what the policy throws.
  func callAsFunction(_ input: Tensor, context: Tensor?, depth: Int, evaluation: Evaluation) throws -> Tensor {
    let total = Self.lengths.reduce(0, +)
    guard let context, context.rank == 3, context.size(1) == total else {
      throw ComponentError(
        "'encoder_hidden_states' is \(context?.shape ?? []); a network with 'dual_cross_attention' needs [B, \(total), D]")
    }
    let first = context.narrow(1, start: 0, length: Self.lengths[0])
    let second = context.narrow(1, start: Self.lengths[0], length: Self.lengths[1])
    let added = try transformers[1](input, context: first, mask: nil, depth: depth, evaluation: evaluation) - input
    let other = try transformers[0](input, context: second, mask: nil, depth: depth, evaluation: evaluation) - input
    return (added + other) * 0.5 + input
  }
}
