public import QuickstepNN
public import QuickstepTensor
import QuickstepFormats

/// Configuration of ``VQModel``, read from diffusers' `config.json`.
public struct VQModelConfiguration: Sendable, Hashable {
  /// Channels of a picture, in and out.
  public var inChannels: Int, outChannels: Int
  /// Channels between the convolutional networks and the 1×1 convolutions around the codebook.
  public var latentChannels: Int
  /// Entries of the codebook, and channels of an entry: those of a latent.
  public var codeCount: Int, codeSize: Int
  /// Channels of each level, outermost first.
  public var blockChannels: [Int]
  /// Residual blocks of the encoder at each level; the decoder has one more.
  public var layersPerBlock: Int
  /// Groups of every normalisation.
  public var groups: Int
  /// Whether the middle attends.
  public var middleAttends: Bool
  /// Latents of unit variance are z·scale.
  public var scale: Double

  /// Reads the file.
  /// - Throws: `FormatError` naming file and key of what is missing, unknown or not supported.
  public init(_ file: ConfigurationFile) throws {
    let reader = SettingsReader(file)
    inChannels = try reader.integer("in_channels", 3)
    outChannels = try reader.integer("out_channels", 3)
    latentChannels = try reader.integer("latent_channels", 3)
    codeCount = try reader.integer("num_vq_embeddings", 256, in: 1...1_000_000)
    codeSize = try reader.integer("vq_embed_dim", latentChannels)
    blockChannels = try reader.integers("block_out_channels", [64], atMost: SettingsReader.mostHalvings)
    let down = try reader.texts("down_block_types", ["DownEncoderBlock2D"], of: ["DownEncoderBlock2D"])
    let up = try reader.texts("up_block_types", ["UpDecoderBlock2D"], of: ["UpDecoderBlock2D"])
    layersPerBlock = try reader.integer("layers_per_block", 1, in: 1...64)
    groups = try reader.integer("norm_num_groups", 32)
    middleAttends = try reader.flag("mid_block_add_attention", true)
    scale = try reader.number("scaling_factor", 0.18215)
    try reader.fixed("act_fn", .string("silu"), .string("swish"))
    // "spatial" is MoVQ, in which the codes steer every normalisation of the decoder.
    try reader.fixed("norm_type", .string("group"))
    // Says whether pipelines hand over entries or their numbers; here the argument says it.
    _ = try reader.flag("lookup_from_codebook", false)
    reader.ignore("sample_size", "force_upcast")
    try reader.finish()
    let count = blockChannels.count
    try reader.require(
      down.count == count && up.count == count,
      "'block_out_channels' has \(count) levels, 'down_block_types' \(down.count), 'up_block_types' \(up.count)")
    try reader.require(
      blockChannels.allSatisfy { $0 % groups == 0 },
      "'block_out_channels' \(blockChannels) must be multiples of 'norm_num_groups' \(groups)")
    try reader.require(scale > 0, "'scaling_factor' is \(scale); it must be above 0")
  }
}

extension VQModelConfiguration: ConvolutionalCodecConfiguration {}

/// The autoencoder with a codebook (Esser et al. 2020, arXiv 2012.09841) of early latent diffusion; diffusers' `VQModel`, with its names of
/// parameters. One latent pixel stands for 2^(levels − 1) pixels a side. Latents are replaced by the nearest entries of the codebook when
/// they are decoded.
public struct VQModel: PictureCodec {
  /// `sample`, a picture, is encoded and decoded again; `z`, a latent as the encoder gives it, is decoded; so are `indices`, numbers of
  /// entries of the codebook.
  public static let inputs = CodecInput.names + ["indices?"]
  /// As given to the initialiser.
  public let configuration: VQModelConfiguration
  let encoder: AutoencoderKLEncoder
  let quantConvolution: Convolution
  /// `[codes, channels]`.
  let codebook: Tensor
  let postQuantConvolution: Convolution
  let decoder: AutoencoderKLDecoder

  /// Parameters are taken from `weights` under diffusers' names.
  public init(_ configuration: VQModelConfiguration, weights: Weights) {
    self.configuration = configuration
    let (latent, code) = (configuration.latentChannels, configuration.codeSize)
    encoder = AutoencoderKLEncoder(configuration, outputChannels: latent, weights: weights["encoder"])
    quantConvolution = Convolution(weights["quant_conv"], latent, code, kernel: 1)
    codebook = weights["quantize", "embedding"].parameter(
      "weight", [configuration.codeCount, code], initial: .uniform(1 / Double(configuration.codeCount)))
    postQuantConvolution = Convolution(weights["post_quant_conv"], code, latent, kernel: 1)
    decoder = AutoencoderKLDecoder(configuration, weights: weights["decoder"])
  }

  /// Pixels per latent pixel and side.
  public var factor: Int { 1 << (configuration.blockChannels.count - 1) }
  /// `in_channels`.
  public var pictureChannels: Int { configuration.inChannels }

  /// As for ``AutoencoderKL``, whose encoder and decoder it has.
  public func workingBytes(pictureSide: (width: Int, height: Int), elementBytes: Int, inStrips: Bool) -> Int {
    configuration.workingBytes(pixels: pictureSide.width * pictureSide.height, elementBytes: elementBytes)
  }

  /// Latents before they are quantized, `[B, code, H/factor, W/factor]`.
  /// - Parameter picture: `[B, C, H, W]` in −1…1, sides multiples of ``factor``.
  public func encode(_ picture: Tensor) -> Tensor { quantConvolution(encoder(picture)) }

  /// Numbers of the nearest entries of the codebook, `[B, H, W]` int64.
  /// - Parameter latent: `[B, code, H, W]`.
  public func indices(_ latent: Tensor) -> Tensor {
    let pixels = latent.permute([0, 2, 3, 1])
    let distances = pixels.reshape([-1, configuration.codeSize]).cdist(codebook)
    return (-distances).argmax(1).reshape(Array(pixels.shape.dropLast()))
  }

  /// A picture `[B, C, H·factor, W·factor]`, about −1…1.
  /// - Parameter indices: `[B, H, W]` int64, entries of the codebook.
  public func decode(indices: Tensor) -> Tensor {
    decoder(postQuantConvolution(codebook.embedding(indices).permute([0, 3, 1, 2])))
  }

  /// The picture of the entries nearest to `latent`, `[B, code, H, W]` as ``encode(_:)`` gives it.
  public func decode(_ latent: Tensor) -> Tensor { decode(indices: indices(latent)) }

  /// Decodes latents of unit variance.
  public func picture(_ latents: Tensor) -> Tensor { decode(latents / configuration.scale) }

  /// The encoder's latents, not quantized, at unit variance.
  public func latents(_ picture: Tensor) -> Tensor { encode(picture) * configuration.scale }

  /// - Returns: `sample`, a picture; with a `sample` given also `latents`, before they are quantized.
  /// - Throws: ``ComponentError`` unless exactly one of `sample`, `z` and `indices` is given, the first two as `[B, C, H, W]` with sides that
  ///   can be halved as often as the network does, the last as whole numbers `[B, H, W]`; `TensorError` for indices beyond the codebook.
  public func forward(_ inputs: [String: Tensor]) throws -> [String: Tensor] {
    if inputs.count == 1, let indices = inputs["indices"] {
      guard indices.rank == 3, !indices.dtype.isFloatingPoint else {
        throw ComponentError("'indices' must be whole numbers [B, H, W], it is \(indices.dtype) \(indices.shape)")
      }
      return try withTensorErrors { ["sample": decode(indices: indices.to(.int64))] }
    }
    switch try input(inputs, pictureChannels: configuration.inChannels, latentChannels: configuration.codeSize) {
    case .latent(let latent): return try withTensorErrors { ["sample": decode(latent)] }
    case .picture(let picture):
      return try withTensorErrors {
        let latents = encode(picture)
        return ["sample": decode(latents), "latents": latents]
      }
    }
  }
}
