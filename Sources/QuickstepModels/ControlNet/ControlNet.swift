internal import Foundation
public import QuickstepNN
public import QuickstepTensor

/// A copy of the U-Net's way down that sees a control picture as well and adds to the U-Net's skip connections (Zhang et al. 2023,
/// arXiv 2302.05543); diffusers' `ControlNetModel`, with its names of parameters.
public struct ControlNet: Component {
  /// The arguments of diffusers' class; `text_embeds` and `time_ids` are its `added_cond_kwargs`.
  public static let inputs = [
    "sample", "timestep", "encoder_hidden_states", "controlnet_cond", "conditioning_scale?", "guess_mode?", "class_labels?", "text_embeds?",
    "time_ids?",
  ]
  /// As given to the initialiser.
  public let configuration: ControlNetConfiguration
  let time: TimeSignal
  let input: Convolution
  let hint: ControlHintEmbedding
  let levels: [UNet2DDescent]
  let middle: UNet2DMiddle
  /// 1×1 convolutions that were zero before training: one for each skip connection, and one for the middle.
  let outputs: [Convolution]
  let middleOutput: Convolution

  /// How strongly the residuals act.
  public struct Strength: Sendable, Hashable {
    /// Factor of all residuals.
    public var scale: Double
    /// Outer residuals count less, from a tenth on, as suits networks that guess without a prompt (`guess_mode`).
    public var fadesOutwards: Bool

    /// - Parameters:
    ///   - scale: factor of all residuals.
    ///   - fadesOutwards: whether outer residuals count less.
    public init(scale: Double = 1, fadesOutwards: Bool = false) {
      self.scale = scale
      self.fadesOutwards = fadesOutwards
    }
  }

  /// Parameters are taken from `weights` under diffusers' names.
  public init(_ configuration: ControlNetConfiguration, weights: Weights) throws {
    self.configuration = configuration
    let network = configuration.network
    let shape = network.shape
    let channels = shape.channels
    let time = TimeSignal(network, weights: weights)
    self.time = time
    input = Convolution(weights["conv_in"], network.inChannels, channels[0], kernel: 3)
    hint = ControlHintEmbedding(configuration, output: channels[0], weights: weights["controlnet_cond_embedding"])
    levels = channels.indices.map { level in
      UNet2DDescent(shape, level: level, input: channels[max(0, level - 1)], signal: time.size, weights: weights)
    }
    middle = UNet2DMiddle(shape, channels: channels[channels.count - 1], signal: time.size, weights: weights["mid_block"])
    outputs = Self.skipChannels(shape).enumerated().map { index, size in
      Convolution(weights["controlnet_down_blocks", index], size, size, kernel: 1, initial: .zeros)
    }
    let last = channels[channels.count - 1]
    middleOutput = Convolution(weights["controlnet_mid_block"], last, last, kernel: 1, initial: .zeros)
  }

  /// Channels of the skip connections in the order in which they arise.
  static func skipChannels(_ shape: UNet2DShape) -> [Int] {
    let last = shape.channels.count - 1
    return [shape.channels[0]]
      + shape.channels.indices.flatMap { Array(repeating: shape.channels[$0], count: shape.layers[$0] + ($0 == last ? 0 : 1)) }
  }

  /// The control picture as the network takes it in. It does not depend on the time: once per request is enough.
  /// - Parameter picture: `[B, C, H·factor, W·factor]` in 0…1.
  /// - Returns: `[B, channels, H, W]`.
  public func embedded(_ picture: Tensor) -> Tensor {
    hint(configuration.reversesChannels ? .cat(picture.chunk(picture.size(1), dim: 1).reversed(), dim: 1) : picture)
  }

  /// What is to be added inside the U-Net.
  /// - Parameters:
  ///   - sample: `[B, C, H, W]`, what the U-Net sees.
  ///   - timestep: `[B]`, in the model's own units.
  ///   - hint: from ``embedded(_:)``.
  ///   - conditioning: what the U-Net is told.
  ///   - strength: how strongly the residuals act.
  /// - Throws: ``ComponentError`` without a condition; what the policy throws.
  public func callAsFunction(
    _ sample: Tensor, timestep: Tensor, hint: Tensor, conditioning: Conditioning, strength: Strength = Strength(), evaluation: Evaluation
  ) throws -> ControlResiduals {
    guard let prompt = conditioning.sequence else { throw ComponentError("ControlNetModel needs 'encoder_hidden_states'") }
    let state = UNet2DState(
      signal: try time(timestep, conditioning, dtype: sample.dtype), context: prompt, mask: nil, residuals: nil, evaluation: evaluation)
    var skips = [input(sample) + hint]
    for level in levels {
      skips += try level(skips[skips.count - 1], state)
      if let downsample = level.downsample { skips.append(downsample(skips[skips.count - 1])) }
    }
    let inner = try middle(skips[skips.count - 1], state)
    let factors = self.factors(strength)
    return ControlResiduals(
      down: zip(zip(outputs, skips), factors).map { finished($0.0($0.1), $1) },
      middle: finished(middleOutput(inner), factors[outputs.count]))
  }

  private func finished(_ residual: Tensor, _ factor: Double) -> Tensor {
    let scaled = factor == 1 ? residual : residual * factor
    return configuration.poolsResiduals ? scaled.mean([2, 3], keepdim: true) : scaled
  }

  /// One factor per skip connection and one for the middle.
  private func factors(_ strength: Strength) -> [Double] {
    let count = outputs.count
    guard strength.fadesOutwards, !configuration.poolsResiduals else { return Array(repeating: strength.scale, count: count + 1) }
    return (0...count).map { strength.scale * pow(10, Double($0) / Double(count) - 1) }
  }

  /// - Returns: `down_block_res_samples.0` and so on, `mid_block_res_sample`.
  /// - Throws: ``ComponentError`` for missing and unknown names and for pictures that do not fit; `TensorError` when other shapes do not fit.
  public func forward(_ inputs: [String: Tensor]) throws -> [String: Tensor] {
    try checkNames(inputs)
    let sample = try required("sample", of: inputs)
    let picture = try required("controlnet_cond", of: inputs)
    guard sample.rank == 4 else { throw ComponentError("'sample' must be [B, C, H, W], it is \(sample.shape)") }
    let needed = [sample.size(0), configuration.conditioningChannels] + sample.shape[2...].map { $0 * configuration.factor }
    guard picture.shape == needed else { throw ComponentError("'controlnet_cond' is \(picture.shape); this sample needs \(needed)") }
    let timestep = try required("timestep", of: inputs)
    let strength = Strength(
      scale: try inputs["conditioning_scale"]?.to(.float64).item() ?? 1, fadesOutwards: try inputs["guess_mode"]?.item() ?? 0 != 0)
    let residuals = try withTensorErrors {
      try self(
        sample, timestep: timestep.to(.float32).reshape([-1]).expand([sample.size(0)]), hint: embedded(picture),
        conditioning: Conditioning(named: inputs), strength: strength, evaluation: .plain)
    }
    var result = ["mid_block_res_sample": residuals.middle ?? .undefined]
    for (index, tensor) in residuals.down.enumerated() { result["down_block_res_samples.\(index)"] = tensor }
    return result
  }
}

/// Convolutions with SiLU between that bring a control picture to the size of the latents. `[B, C, H·factor, W·factor] → [B, out, H, W]`.
struct ControlHintEmbedding: Sendable {
  let input: Convolution
  let blocks: [Convolution]
  let output: Convolution

  init(_ configuration: ControlNetConfiguration, output channels: Int, weights: Weights) {
    let sizes = configuration.embeddingChannels
    input = Convolution(weights["conv_in"], configuration.conditioningChannels, sizes[0], kernel: 3)
    blocks = zip(sizes, sizes.dropFirst()).enumerated().flatMap { index, pair in
      [
        Convolution(weights["blocks", 2 * index], pair.0, pair.0, kernel: 3),
        Convolution(weights["blocks", 2 * index + 1], pair.0, pair.1, kernel: 3, stride: 2),
      ]
    }
    output = Convolution(weights["conv_out"], sizes[sizes.count - 1], channels, kernel: 3, initial: .zeros)
  }

  func callAsFunction(_ picture: Tensor) -> Tensor {
    output(blocks.reduce(input(picture, activation: .silu)) { $1($0, activation: .silu) })
  }
}
