public import QuickstepNN
public import QuickstepTensor

/// Configuration of ``PromptSketch``, as in its `config.json`.
public struct PromptSketchConfiguration: Codable, Sendable, Hashable {
  /// Channels C of the picture: 1…4096, in JSON `in_channels`.
  public var inChannels: Int
  /// Side of the square picture.
  public var sampleSize: Int
  /// Side of the patches it is put together from: a divisor of `sampleSize`, in JSON `patch_size`.
  public var patchSize: Int
  /// Numbers that describe one patch: 1…4096, in JSON `sketch_channels`.
  public var channels: Int
  /// Channels of the pooled prompt, in JSON `cross_attention_dim`.
  public var crossAttentionSize: Int

  enum CodingKeys: String, CodingKey {
    case inChannels = "in_channels"
    case sampleSize = "sample_size"
    case patchSize = "patch_size"
    case channels = "sketch_channels"
    case crossAttentionSize = "cross_attention_dim"
  }

  /// The numbers are checked when a ``PromptSketch`` is made from them.
  public init(inChannels: Int = 3, sampleSize: Int = 64, patchSize: Int = 8, channels: Int, crossAttentionSize: Int) {
    self.inChannels = inChannels
    self.sampleSize = sampleSize
    self.patchSize = patchSize
    self.channels = channels
    self.crossAttentionSize = crossAttentionSize
  }

  /// What is wrong with the numbers, if anything.
  var problem: String? {
    ConfigurationCheck.problem([
      ("in_channels", inChannels, 1...4096), ("sample_size", sampleSize, 1...16384), ("patch_size", patchSize, 1...1024),
      ("sketch_channels", channels, 1...4096), ("cross_attention_dim", crossAttentionSize, 1...65536),
    ]) ?? ConfigurationCheck.multiple("sample_size", sampleSize, of: "patch_size", patchSize)
  }
}

/// A linear picture of a prompt: what the training pictures with such a prompt look like on average.
///
/// Trained by itself by regression together with the prompt's encoder, and then part of a backbone, which sees it beside the noisy sample.
/// At high noise the best prediction of x̂0 is that mean picture; a small network takes very long to find it from noised samples alone, and
/// a regression over prompts finds it in minutes. `[B, D] → [B, C, H, W]`.
public struct PromptSketch: Component {
  /// `pooled_projections` `[B, D]`, an encoder's `pooled_output`.
  public static let inputs = ["pooled_projections"]
  /// As given to the initialiser.
  public let configuration: PromptSketchConfiguration
  let projection: Linear
  let patches: Linear

  /// - Throws: ``ComponentError`` when the configuration's numbers make no network.
  public init(_ configuration: PromptSketchConfiguration, weights: Weights) throws {
    if let problem = configuration.problem { throw ComponentError("PromptSketch: \(problem)") }
    self.configuration = configuration
    let side = configuration.sampleSize / configuration.patchSize
    let patch = configuration.inChannels * configuration.patchSize * configuration.patchSize
    projection = Linear(weights["proj"], configuration.crossAttentionSize, side * side * configuration.channels)
    patches = Linear(weights["patches"], configuration.channels, patch)
  }

  /// - Parameters:
  ///   - pooled: `[B, D]`.
  ///   - size: height and width; other than the configured ones are interpolated.
  /// - Returns: `[B, C, height, width]`, about −1…1.
  public func callAsFunction(_ pooled: Tensor, size: (height: Int, width: Int)? = nil) -> Tensor {
    let side = configuration.sampleSize / configuration.patchSize
    let cells = patches(projection(pooled).reshape([pooled.size(0), side * side, configuration.channels]))
    let picture = cells.transposed.reshape([pooled.size(0), -1, side, side]).pixelShuffle(configuration.patchSize)
    guard let size, size != (configuration.sampleSize, configuration.sampleSize) else { return picture }
    return picture.upsampleBilinear2d([size.height, size.width], alignCorners: false)
  }

  /// Names of what does not depend on the time in a condition that has been prepared.
  static let preparedName = "sketch", preparedPooled = "pooled_projection"

  /// A backbone's input: the sample, with the sketch as further channels where the backbone has one.
  static func beside(_ sample: Tensor, _ sketch: PromptSketch?, _ conditioning: Conditioning) -> Tensor {
    guard let sketch, let pooled = conditioning.pooled else { return sample }
    return .cat([sample, conditioning.prepared[preparedName] ?? sketch(pooled, size: (sample.size(2), sample.size(3)))], dim: 1)
  }

  /// The condition with the sketch and the projection of the pooled prompt, which every evaluation needs and none changes.
  static func prepared(
    _ conditioning: Conditioning, _ sketch: PromptSketch?, _ projection: Linear?, sampleSide: (height: Int, width: Int)
  ) -> Conditioning {
    guard let pooled = conditioning.pooled else { return conditioning }
    var result = conditioning
    result.prepared[preparedName] = sketch.map { $0(pooled, size: sampleSide) }
    result.prepared[preparedPooled] = projection.map { $0(pooled) }
    return result
  }

  /// - Returns: `sample`, `[B, C, H, W]`.
  /// - Throws: ``ComponentError`` for missing and unknown names and for `pooled_projections` that are not `[B, D]`.
  public func forward(_ inputs: [String: Tensor]) throws -> [String: Tensor] {
    try checkNames(inputs)
    let pooled = try required("pooled_projections", of: inputs)
    guard pooled.rank == 2, pooled.size(1) == configuration.crossAttentionSize else {
      throw ComponentError("'pooled_projections' must be [B, \(configuration.crossAttentionSize)], it is \(pooled.shape)")
    }
    return ["sample": try withTensorErrors { self(pooled) }]
  }
}
