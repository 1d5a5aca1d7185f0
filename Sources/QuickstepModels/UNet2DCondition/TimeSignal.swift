import QuickstepNN
public import QuickstepTensor

/// Sines and cosines of numbers, as diffusers' `Timesteps` computes them: in float32, with its order and shift of frequencies.
struct SinusoidalFeatures: Sendable {
  let size: Int
  let cosinesFirst: Bool
  let shift: Double

  /// - Parameters:
  ///   - size: number of features; an odd one ends with a zero.
  ///   - shift: subtracted from size/2 where frequencies are spaced.
  init(size: Int, cosinesFirst: Bool, shift: Double) {
    self.size = size
    self.cosinesFirst = cosinesFirst
    self.shift = shift
  }

  /// `[size / 2]`, float32.
  private func frequencies(_ device: Device) -> Tensor {
    ConstantTables.table("sinusoidal features", [Double(size), shift], device: device) {
      let half = size / 2
      return ((Tensor.arange(0, end: Scalar(half), dtype: .float32) * -9.210340371976184) / (Double(half) - shift)).exp()
    }
  }

  /// `[N] → [N, size]`, float32.
  func callAsFunction(_ numbers: Tensor) -> Tensor {
    let angles = numbers.to(.float32).unsqueeze(-1) * frequencies(numbers.device).unsqueeze(0)
    let parts = cosinesFirst ? [angles.cos(), angles.sin()] : [angles.sin(), angles.cos()]
    let features = Tensor.cat(parts, dim: -1)
    return size % 2 == 0 ? features : features.pad([0, 1, 0, 0])
  }
}

/// The guidance scale as distilled networks are told it (Luo et al. 2023, arXiv 2310.04378).
public enum GuidanceFeatures {
  /// `[count, size]`, float32: sines and cosines of 1000·(scale − 1).
  public static func make(scale: Double, size: Int, count: Int) -> Tensor {
    let numbers = Tensor.full([count], fillValue: .real((scale - 1) * 1000), dtype: .float32)
    return SinusoidalFeatures(size: size, cosinesFirst: false, shift: 1)(numbers)
  }
}

/// Linear, SiLU, linear; diffusers' `TimestepEmbedding`. `[B, features] → [B, size]`.
struct SignalEmbedding: Sendable {
  let first: Linear
  let condition: Linear?
  let second: Linear

  /// - Parameter condition: channels of a further vector that is projected and added to the features (a guidance scale's embedding).
  init(_ weights: Weights, _ features: Int, _ size: Int, condition: Int? = nil) {
    first = Linear(weights["linear_1"], features, size)
    self.condition = condition.map { Linear(weights["cond_proj"], $0, features, bias: false) }
    second = Linear(weights["linear_2"], size, size)
  }

  func callAsFunction(_ features: Tensor, condition vector: Tensor? = nil) -> Tensor {
    var input = features
    if let condition, let vector { input += condition(vector) }
    return second(first(input, activation: .silu))
  }
}

/// Everything that tells the U-Net's residual blocks where they are: time, guidance scale, class, SDXL's sizes and pooled prompt.
struct TimeSignal: Sendable {
  let configuration: UNet2DConditionConfiguration
  let timeFeatures: SinusoidalFeatures
  let timeEmbedding: SignalEmbedding
  let classTable: Embedding?
  let classEmbedding: SignalEmbedding?
  let classLinear: Linear?
  let idFeatures: SinusoidalFeatures?
  let additionEmbedding: SignalEmbedding?

  init(_ configuration: UNet2DConditionConfiguration, weights: Weights) {
    self.configuration = configuration
    let (base, size) = (configuration.blockChannels[0], configuration.timeSize)
    func features(_ count: Int) -> SinusoidalFeatures {
      SinusoidalFeatures(size: count, cosinesFirst: configuration.cosinesFirst, shift: configuration.frequencyShift)
    }
    timeFeatures = features(base)
    timeEmbedding = SignalEmbedding(weights["time_embedding"], base, size, condition: configuration.guidanceSize)
    let scope = weights["class_embedding"]
    switch configuration.classEmbedding {
    case .table(let rows): (classTable, classEmbedding, classLinear) = (Embedding(scope, count: rows, size: size), nil, nil)
    case .timestep: (classTable, classEmbedding, classLinear) = (nil, SignalEmbedding(scope, base, size), nil)
    case .projection(let input): (classTable, classEmbedding, classLinear) = (nil, SignalEmbedding(scope, input, size), nil)
    case .simpleProjection(let input): (classTable, classEmbedding, classLinear) = (nil, nil, Linear(scope, input, size))
    case .identity, nil: (classTable, classEmbedding, classLinear) = (nil, nil, nil)
    }
    idFeatures = configuration.timeIDs.map { features($0.features) }
    additionEmbedding = configuration.timeIDs.map { SignalEmbedding(weights["add_embedding"], $0.total, size) }
  }

  /// Channels of the result.
  var size: Int { configuration.timeSize * (configuration.concatenatesClasses ? 2 : 1) }

  /// `[B, size]`, after SiLU.
  func callAsFunction(_ timestep: Tensor, _ conditioning: Conditioning, dtype: DType) throws -> Tensor {
    var signal = timeEmbedding(timeFeatures(timestep).to(dtype), condition: conditioning.guidance)
    if let embedded = try classes(conditioning, dtype: dtype) {
      signal = configuration.concatenatesClasses ? .cat([signal, embedded], dim: -1) : signal + embedded
    }
    if let idFeatures, let additionEmbedding, let total = configuration.timeIDs?.total {
      guard let ids = conditioning.timeIDs, let pooled = conditioning.pooled else {
        throw ComponentError("this UNet2DConditionModel needs 'time_ids' and 'text_embeds'")
      }
      let features = idFeatures(ids.flatten()).reshape([ids.size(0), -1]).to(dtype)
      guard features.size(1) + pooled.size(1) == total else {
        throw ComponentError(
          "'time_ids' \(ids.shape) and 'text_embeds' \(pooled.shape) give \(features.size(1) + pooled.size(1)) channels, the model needs \(total)"
        )
      }
      signal += additionEmbedding(.cat([pooled, features], dim: -1))
    }
    return signal.silu()
  }

  private func classes(_ conditioning: Conditioning, dtype: DType) throws -> Tensor? {
    guard let kind = configuration.classEmbedding else { return nil }
    guard let labels = conditioning.classes else { throw ComponentError("this UNet2DConditionModel needs 'class_labels'") }
    switch kind {
    case .table: return classTable?(labels.to(.int64))
    case .timestep: return classEmbedding?(timeFeatures(labels).to(dtype))
    case .projection: return classEmbedding?(labels.to(dtype))
    case .simpleProjection: return classLinear?(labels.to(dtype))
    case .identity: return labels.to(dtype)
    }
  }
}
