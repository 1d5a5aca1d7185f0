public import QuickstepNN
public import QuickstepTensor
import QuickstepFormats

/// Configuration of ``CLIPVisionEncoder``, read from transformers' `config.json`.
public struct CLIPVisionConfiguration: Sendable, Hashable {
  /// Channels of a patch, and between the two layers of a block's feed-forward part.
  public var hiddenSize: Int, feedForwardSize: Int
  /// Transformer blocks.
  public var layers: Int
  /// Attention heads.
  public var heads: Int
  /// Channels of a picture.
  public var channels: Int
  /// Side of a picture and of a patch, in pixels.
  public var imageSize: Int, patchSize: Int
  /// Of every layer normalisation.
  public var epsilon: Double
  /// GELU as x·sigmoid(1.702·x) (OpenAI's models), and not in its exact form.
  public var usesQuickGELU: Bool
  /// Channels of the projected summary.
  public var projectionSize: Int

  /// Reads the file.
  /// - Throws: `FormatError` naming file and key of what is missing, unknown or not supported.
  public init(_ file: ConfigurationFile) throws {
    let reader = SettingsReader(file)
    hiddenSize = try reader.integer("hidden_size", 768)
    feedForwardSize = try reader.integer("intermediate_size", 3072)
    layers = try reader.integer("num_hidden_layers", 12, in: 1...1000)
    heads = try reader.integer("num_attention_heads", 12, in: 1...1024)
    channels = try reader.integer("num_channels", 3, in: 1...64)
    imageSize = try reader.integer("image_size", 224, in: 1...4096)
    patchSize = try reader.integer("patch_size", 32, in: 1...4096)
    epsilon = try reader.number("layer_norm_eps", 1e-5)
    usesQuickGELU = try reader.text("hidden_act", "quick_gelu", of: ["quick_gelu", "gelu"]) == "quick_gelu"
    projectionSize = try reader.integer("projection_dim", 512)
    try reader.fixed("model_type", .string("clip_vision_model"))
    // Of training and of the library.
    reader.ignore(
      "architectures", "attention_dropout", "dropout", "initializer_factor", "initializer_range", "torch_dtype", "dtype",
      "transformers_version", "gradient_checkpointing")
    try reader.finish()
    try reader.require(hiddenSize % heads == 0, "'hidden_size' is \(hiddenSize), no multiple of 'num_attention_heads' (\(heads))")
    try reader.require(patchSize <= imageSize, "'patch_size' is \(patchSize), larger than 'image_size' (\(imageSize))")
  }

  /// Patches of a picture, and one summary.
  var positions: Int { (imageSize / patchSize) * (imageSize / patchSize) + 1 }

  var layer: CLIPLayerShape {
    CLIPLayerShape(size: hiddenSize, feedForwardSize: feedForwardSize, heads: heads, epsilon: epsilon, usesQuickGELU: usesQuickGELU)
  }
}

/// CLIP's vision tower (Radford et al. 2021, arXiv 2103.00020): a transformer over patches of a picture; transformers' `CLIPVisionModelWithProjection`,
/// with its names of parameters.
public struct CLIPVisionEncoder: Component {
  /// The arguments of transformers' class.
  public static let inputs = ["pixel_values"]
  /// As given to the initialiser.
  public let configuration: CLIPVisionConfiguration
  let patches: Convolution
  let summary: Tensor
  let positions: Tensor
  let entryNorm: LayerNorm
  let layers: [CLIPLayer]
  let exitNorm: LayerNorm
  let projection: Linear

  /// Parameters are taken from `vision_model` and `visual_projection` of `weights`.
  public init(_ configuration: CLIPVisionConfiguration, weights: Weights) {
    self.configuration = configuration
    let (size, epsilon) = (configuration.hiddenSize, configuration.epsilon)
    let scope = weights["vision_model"]
    let embeddings = scope["embeddings"]
    patches = Convolution(
      embeddings["patch_embedding"], configuration.channels, size, kernel: configuration.patchSize, stride: configuration.patchSize,
      padding: 0, bias: false)
    summary = embeddings.parameter("class_embedding", [size], initial: .normal(0.02))
    positions = embeddings["position_embedding"].parameter("weight", [configuration.positions, size], initial: .normal(0.02))
    // The checkpoint's own spelling.
    entryNorm = LayerNorm(scope["pre_layrnorm"], size, epsilon: epsilon)
    layers = (0..<configuration.layers).map { CLIPLayer(configuration.layer, weights: scope["encoder", "layers", $0]) }
    exitNorm = LayerNorm(scope["post_layernorm"], size, epsilon: epsilon)
    projection = Linear(weights["visual_projection"], size, configuration.projectionSize, bias: false)
  }

  /// - Parameter pixels: `[B, channels, imageSize, imageSize]`, normalised as the checkpoint's preprocessor says.
  /// - Returns: the last block's `[B, 1 + patches, D]`, and its summary, normalised and projected, `[B, P]`.
  public func callAsFunction(_ pixels: Tensor) -> (sequence: Tensor, projected: Tensor) {
    let batch = pixels.size(0)
    let tokens = patches(pixels).flatten(startDim: 2).transpose(1, dim1: 2)
    let first = summary.reshape([1, 1, configuration.hiddenSize]).expand([batch, 1, configuration.hiddenSize])
    let sequence = layers.reduce(entryNorm(Tensor.cat([first, tokens], dim: 1) + positions)) { $1($0) }
    return (sequence, projection(exitNorm(sequence.select(1, index: 0))))
  }

  /// - Returns: `last_hidden_state` `[B, 1 + patches, D]` and `image_embeds` `[B, P]`.
  /// - Throws: ``ComponentError`` for missing and unknown names and pictures of another size; `TensorError`.
  public func forward(_ inputs: [String: Tensor]) throws -> [String: Tensor] {
    try checkNames(inputs)
    let pixels = try checked(try required("pixel_values", of: inputs))
    return try withTensorErrors {
      let output = self(pixels)
      return ["last_hidden_state": output.sequence, "image_embeds": output.projected]
    }
  }

  func checked(_ pixels: Tensor) throws -> Tensor {
    let shape = [configuration.channels, configuration.imageSize, configuration.imageSize]
    guard pixels.rank == 4, Array(pixels.shape.dropFirst()) == shape else {
      throw ComponentError("'pixel_values' must be [B, \(shape.map(String.init).joined(separator: ", "))], it is \(pixels.shape)")
    }
    return pixels
  }
}
