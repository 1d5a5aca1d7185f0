import QuickstepNN
import QuickstepTensor

/// Linear, GELU in its tanh form, linear; diffusers' `FeedForward` of kind `gelu-approximate`. `[…, C] → […, C]`.
struct PlainFeedForward: Sendable {
  let first: Linear
  let second: Linear

  init(_ weights: Weights, size: Int) {
    first = Linear(weights["net", 0, "proj"], size, 4 * size)
    second = Linear(weights["net", 2], 4 * size, size)
  }

  func callAsFunction(_ input: Tensor) -> Tensor { second(first(input, activation: .geluTanh)) }
}

/// A normalisation whose scale and shift come from the signal; diffusers' `AdaLayerNormContinuous`, which has the scale first.
struct SignalNorm: Sendable {
  let norm: LayerNorm
  let linear: Linear

  init(_ weights: Weights, size: Int) {
    norm = LayerNorm(weights["norm"], size, affine: false)
    linear = Linear(weights["linear"], size, 2 * size)
  }

  /// - Parameters:
  ///   - input: `[B, N, C]`.
  ///   - signal: `[B, C]`, after its SiLU.
  func callAsFunction(_ input: Tensor, signal: Tensor) -> Tensor {
    let parts = linear(signal).unsqueeze(1).chunk(2, dim: -1)
    return modulate(norm(input), shift: parts[1], scale: parts[0])
  }
}

/// Time, a guidance scale where the model embeds one, and the pooled prompt as one vector; diffusers'
/// `CombinedTimestepTextProjEmbeddings` and `CombinedTimestepGuidanceTextProjEmbeddings`.
struct PooledTimeEmbedding: Sendable {
  let features: SinusoidalFeatures
  let time: SignalEmbedding
  let guidance: SignalEmbedding?
  let text: SignalEmbedding

  init(_ weights: Weights, pooled: Int, size: Int, embedsGuidance: Bool = false) {
    features = SinusoidalFeatures(size: 256, cosinesFirst: true, shift: 0)
    time = SignalEmbedding(weights["timestep_embedder"], 256, size)
    guidance = embedsGuidance ? SignalEmbedding(weights["guidance_embedder"], 256, size) : nil
    text = SignalEmbedding(weights["text_embedder"], pooled, size)
  }

  /// - Parameters:
  ///   - timestep: `[B]`, 0…1000.
  ///   - scale: `[B]`, a thousand times the guidance scale; needed by models that embed it.
  ///   - pooled: `[B, P]`.
  /// - Returns: `[B, size]`, before SiLU.
  func callAsFunction(_ timestep: Tensor, scale: Tensor?, pooled: Tensor) -> Tensor {
    var signal = time(features(timestep).to(pooled.dtype))
    if let guidance, let scale { signal += guidance(features(scale).to(pooled.dtype)) }
    return signal + text(pooled)
  }
}

/// One modulation for all blocks, to which each adds a table of its own (adaLN-single, Chen et al. 2023, arXiv 2310.00426, section 2.3);
/// diffusers' `AdaLayerNormSingle`.
struct SharedModulation: Sendable {
  let features: SinusoidalFeatures
  let time: SignalEmbedding
  let resolution: SignalEmbedding?
  let aspectRatio: SignalEmbedding?
  let linear: Linear

  /// - Parameter hasSizes: whether size and aspect ratio of the picture are embedded as well, in a third of the channels each.
  init(_ weights: Weights, size: Int, hasSizes: Bool = false) {
    features = SinusoidalFeatures(size: 256, cosinesFirst: true, shift: 0)
    time = SignalEmbedding(weights["emb", "timestep_embedder"], 256, size)
    resolution = hasSizes ? SignalEmbedding(weights["emb", "resolution_embedder"], 256, size / 3) : nil
    aspectRatio = hasSizes ? SignalEmbedding(weights["emb", "aspect_ratio_embedder"], 256, size / 3) : nil
    linear = Linear(weights["linear"], size, 6 * size)
  }

  /// - Returns: six parts `[B, 6, C]`, and the embedding `[B, C]` that they are made from.
  /// - Throws: ``ComponentError`` without the sizes where the model needs them.
  func callAsFunction(_ timestep: Tensor, _ conditioning: Conditioning, dtype: DType) throws -> (parts: Tensor, embedding: Tensor) {
    var embedding = time(features(timestep).to(dtype))
    if let resolution, let aspectRatio {
      guard let size = conditioning.resolution, let ratio = conditioning.aspectRatio else {
        throw ComponentError("this PixArtTransformer2DModel needs 'resolution' [B, 2] and 'aspect_ratio' [B, 1]")
      }
      func embed(_ numbers: Tensor, _ layer: SignalEmbedding) -> Tensor {
        layer(features(numbers.flatten()).to(dtype)).reshape([timestep.size(0), -1])
      }
      embedding += Tensor.cat([embed(size, resolution), embed(ratio, aspectRatio)], dim: 1)
    }
    return (linear(embedding.silu()).unflatten(-1, sizes: [6, -1]), embedding)
  }
}

/// An encoded prompt in the channels of the transformer: linear, GELU in its tanh form, linear; diffusers' `PixArtAlphaTextProjection`.
struct CaptionProjection: Sendable {
  let first: Linear
  let second: Linear

  init(_ weights: Weights, _ input: Int, size: Int) {
    first = Linear(weights["linear_1"], input, size)
    second = Linear(weights["linear_2"], size, size)
  }

  /// `[B, L, input] → [B, L, size]`.
  func callAsFunction(_ input: Tensor) -> Tensor { second(first(input, activation: .geluTanh)) }
}
