internal import Foundation
internal import QuickstepFormats
public import QuickstepNN
public import QuickstepTensor

/// How one class of component is made from its configuration and weights.
public struct Architecture: Sendable {
  /// `_class_name` in `config.json`.
  public let className: String
  /// One sentence.
  public let summary: String
  /// Weight file without extension: `diffusion_pytorch_model` for networks and codecs, `model` for encoders.
  public let weightsName: String
  /// What its `forward` takes.
  public let inputs: [String]
  /// A tensor whose presence tells this architecture in a file without configuration.
  public let tellingKey: String
  /// A second one that has to be there too, where no single tensor tells.
  public let secondTellingKey: String?
  /// The classes whose telling tensors its files hold as well.
  let bases: [String]
  /// Names that may be left unused in a checkpoint: tables that the network computes itself.
  public let ignores: @Sendable (String) -> Bool
  /// Builds the component from its configuration and its root scope. Throws for settings that make no network; missing weights are left to
  /// the audit.
  public let construct: @Sendable (ConfigurationFile, Weights) throws -> any Component

  /// Whether `forward` takes a tensor of this name.
  public func takes(_ name: String) -> Bool { InputNames.isKnown(name, in: inputs) }

  init<Made: Component>(
    _ className: String, _ summary: String, weightsName: String, tellingKey: String, _ secondTellingKey: String? = nil,
    bases: [String] = [], as type: Made.Type, ignoring ignores: @escaping @Sendable (String) -> Bool = { _ in false },
    _ construct: @escaping @Sendable (ConfigurationFile, Weights) throws -> Made
  ) {
    self.className = className
    self.summary = summary
    self.weightsName = weightsName
    self.tellingKey = tellingKey
    self.secondTellingKey = secondTellingKey
    self.bases = bases
    self.ignores = ignores
    inputs = Made.inputs
    self.construct = construct
  }
}

/// A component with its parameters, as loaded.
public struct LoadedComponent: Sendable {
  /// Ready to run.
  public let component: any Component
  /// The same tensors that `component` computes with, under their names in the checkpoint.
  public let parameters: ParameterTree
  /// What it was made from.
  public let configuration: ConfigurationFile
  /// How it was made.
  public let architecture: Architecture
}

/// Every architecture. A new one is its folder and one line here.
public enum Architectures {
  /// Sorted by class name.
  public static let all: [Architecture] = [
    Architecture(
      "AutoencoderDC", "Deep-compression autoencoder of Sana", weightsName: "diffusion_pytorch_model",
      tellingKey: "decoder.norm_out.bias", as: AutoencoderDC.self, ignoring: { $0.hasSuffix(".num_batches_tracked") }
    ) { AutoencoderDC(try AutoencoderDCConfiguration($0), weights: $1) },
    Architecture(
      "AutoencoderKL", "Convolutional autoencoder of latent diffusion (SD, SDXL, SD3, FLUX)", weightsName: "diffusion_pytorch_model",
      tellingKey: "decoder.mid_block.resnets.0.conv1.weight", as: AutoencoderKL.self
    ) { AutoencoderKL(try AutoencoderKLConfiguration($0), weights: $1) },
    Architecture(
      "AutoencoderTiny", "Codec of plain convolutions (TAESD)", weightsName: "diffusion_pytorch_model",
      tellingKey: "decoder.layers.0.weight", as: AutoencoderTiny.self
    ) { AutoencoderTiny(try AutoencoderTinyConfiguration($0), weights: $1) },
    Architecture(
      "CLIPModel", "Both towers of CLIP, texts and pictures in one space", weightsName: "model",
      tellingKey: "visual_projection.weight", "text_projection.weight",
      bases: ["CLIPTextModel", "CLIPTextModelWithProjection", "CLIPVisionModelWithProjection"], as: CLIPModel.self,
      ignoring: { $0.hasSuffix("embeddings.position_ids") || $0 == "logit_scale" }
    ) { try CLIPModel($0, weights: $1) },
    clipText("CLIPTextModel", "CLIP's text tower", tellingKey: "text_model.embeddings.position_embedding.weight"),
    clipText("CLIPTextModelWithProjection", "CLIP's text tower with its projection", tellingKey: "text_projection.weight"),
    Architecture(
      "CLIPVisionModelWithProjection", "CLIP's vision tower with its projection", weightsName: "model",
      tellingKey: "visual_projection.weight", as: CLIPVisionEncoder.self, ignoring: { $0.hasSuffix("embeddings.position_ids") }
    ) { CLIPVisionEncoder(try CLIPVisionConfiguration($0), weights: $1) },
    Architecture(
      "ControlNetModel", "What steers Stable Diffusion's U-Net by a picture", weightsName: "diffusion_pytorch_model",
      tellingKey: "controlnet_cond_embedding.conv_in.weight", bases: ["UNet2DConditionModel"], as: ControlNet.self
    ) { try ControlNet(try ControlNetConfiguration($0), weights: $1) },
    Architecture(
      "DiTTransformer2DModel", "Class-conditional diffusion transformer", weightsName: "diffusion_pytorch_model",
      tellingKey: "transformer_blocks.0.norm1.emb.class_embedder.embedding_table.weight", as: DiT.self
    ) { DiT(try DiTConfiguration($0), weights: $1) },
    Architecture(
      "DigitClassifier", "Convolutional classifier and feature net for digits", weightsName: "model", tellingKey: "features.weight",
      as: DigitClassifier.self
    ) { try DigitClassifier(try $0.decode(DigitClassifierConfiguration.self), weights: $1) },
    Architecture(
      "EmojiClassifier", "Convolutional classifier and feature net for emoji", weightsName: "model", tellingKey: "style_head.weight",
      as: EmojiClassifier.self
    ) { try EmojiClassifier(try $0.decode(EmojiClassifierConfiguration.self), weights: $1) },
    Architecture(
      "FluxTransformer2DModel", "Transformer of FLUX.1 with two streams, then one", weightsName: "diffusion_pytorch_model",
      tellingKey: "single_transformer_blocks.0.proj_mlp.weight", as: FluxTransformer.self
    ) { FluxTransformer(try FluxConfiguration($0), weights: $1) },
    gemma2("Gemma2ForCausalLM", "Gemma 2 with its word predictor, as a text encoder", prefix: "model."),
    gemma2("Gemma2Model", "Gemma 2 as a text encoder (Sana)", prefix: ""),
    Architecture(
      "NoiseLevelClassifier", "Convolutional classifier of how much noise a sample holds", weightsName: "model",
      tellingKey: "hidden.weight", "convs.0.weight", as: NoiseLevelClassifier.self
    ) { try NoiseLevelClassifier(try $0.decode(NoiseLevelClassifierConfiguration.self), weights: $1) },
    Architecture(
      "PixArtTransformer2DModel", "Transformer of PixArt-α and PixArt-Σ", weightsName: "diffusion_pytorch_model",
      tellingKey: "adaln_single.linear.weight", as: PixArtTransformer.self
    ) { PixArtTransformer(try PixArtConfiguration($0), weights: $1) },
    Architecture(
      "PromptEncoder", "Small trained text encoder", weightsName: "model", tellingKey: "embeddings.position_embedding.weight",
      as: PromptEncoder.self
    ) { try PromptEncoder(try $0.decode(PromptEncoderConfiguration.self), weights: $1) },
    Architecture(
      "PromptSketch", "Linear picture of a prompt, trained by regression", weightsName: "model", tellingKey: "patches.weight",
      as: PromptSketch.self
    ) { try PromptSketch(try $0.decode(PromptSketchConfiguration.self), weights: $1) },
    Architecture(
      "PromptTransformer2D", "Diffusion transformer with adaLN-Zero and text cross-attention", weightsName: "diffusion_pytorch_model",
      tellingKey: "blocks.0.adaln.weight", as: PromptTransformer.self
    ) { try PromptTransformer(try $0.decode(PromptTransformerConfiguration.self), weights: $1) },
    Architecture(
      "PromptUNet2D", "Recursive U-Net conditioned on text or class", weightsName: "diffusion_pytorch_model",
      tellingKey: "down_blocks.0.0.resnet.conv1.weight", as: PromptUNet.self
    ) { try PromptUNet(try $0.decode(PromptUNetConfiguration.self), weights: $1) },
    Architecture(
      "SD3Transformer2DModel", "Transformer of Stable Diffusion 3 and 3.5 with two streams", weightsName: "diffusion_pytorch_model",
      tellingKey: "pos_embed.proj.weight", "context_embedder.weight", as: SD3Transformer.self
    ) { SD3Transformer(try SD3Configuration($0), weights: $1) },
    Architecture(
      "SanaTransformer2DModel", "Transformer of Sana with linear attention", weightsName: "diffusion_pytorch_model",
      tellingKey: "patch_embed.proj.weight", "caption_norm.weight", as: SanaTransformer.self
    ) { SanaTransformer(try SanaConfiguration($0), weights: $1) },
    Architecture(
      "T5EncoderModel", "Text encoder of T5, versions 1.0 and 1.1", weightsName: "model",
      tellingKey: "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", as: T5Encoder.self,
      ignoring: { $0 == "encoder.embed_tokens.weight" || $0.hasPrefix("decoder.") || $0.hasPrefix("lm_head.") }
    ) { T5Encoder(try T5Configuration($0), weights: $1) },
    Architecture(
      "UNet2DConditionModel", "U-Net of Stable Diffusion 1.x, 2.x and XL", weightsName: "diffusion_pytorch_model",
      tellingKey: "mid_block.attentions.0.transformer_blocks.0.attn1.to_q.weight", as: UNet2DCondition.self
    ) { try UNet2DCondition(try UNet2DConditionConfiguration($0), weights: $1) },
    Architecture(
      "UNet2DModel", "U-Net of DDPM, unconditional or with classes", weightsName: "diffusion_pytorch_model",
      tellingKey: "mid_block.attentions.0.group_norm.weight", as: UNet2D.self
    ) { UNet2D(try UNet2DConfiguration($0), weights: $1) },
    Architecture(
      "VQModel", "Autoencoder with a codebook", weightsName: "diffusion_pytorch_model", tellingKey: "quantize.embedding.weight",
      as: VQModel.self
    ) { VQModel(try VQModelConfiguration($0), weights: $1) },
  ]

  private static func clipText(_ className: String, _ summary: String, tellingKey: String) -> Architecture {
    Architecture(
      className, summary, weightsName: "model", tellingKey: tellingKey, as: CLIPTextEncoder.self,
      ignoring: { $0.hasSuffix("embeddings.position_ids") }
    ) { CLIPTextEncoder(try CLIPTextConfiguration($0), weights: $1) }
  }

  /// The word predictor is not part of an encoder, and rotary frequencies follow from the configuration.
  private static func gemma2(_ className: String, _ summary: String, prefix: String) -> Architecture {
    Architecture(
      className, summary, weightsName: "model", tellingKey: prefix + "layers.0.pre_feedforward_layernorm.weight", as: Gemma2Encoder.self,
      ignoring: { $0 == "lm_head.weight" || $0.hasSuffix(".rotary_emb.inv_freq") }
    ) { Gemma2Encoder(try Gemma2Configuration($0), weights: $1) }
  }

  /// - Throws: `FormatError` naming the file and what is supported.
  public static func of(_ configuration: ConfigurationFile) throws -> Architecture {
    guard let given = configuration.className else { throw FormatError(configuration.path, "has no '_class_name'") }
    let name = try FormerTransformer.currentName(given, of: configuration)
    guard let found = all.first(where: { $0.className == name }) else {
      throw FormatError(
        configuration.path, "architecture '\(name)' is not supported; supported: \(all.map(\.className).joined(separator: ", "))")
    }
    return found
  }

  /// Which architecture a file without configuration probably holds. Where a class extends another, the longer name comes later and wins.
  public static func guess(_ source: any TensorSource) -> Architecture? {
    let candidates = all.filter {
      source.info($0.tellingKey) != nil && ($0.secondTellingKey.map { source.info($0) != nil } ?? true)
    }
    return candidates.last { candidate in !candidates.contains { $0.bases.contains(candidate.className) } }
  }

  /// Loads a component folder: `config.json` and its weights (one file, or shards with an index).
  /// - Parameters:
  ///   - dtype: what floating-point weights are converted to; `nil` keeps them as stored.
  ///   - preparation: how layers prepare themselves for running on a CPU. The component then takes and gives float32, and its parameters
  ///     cannot be trained or read back.
  public static func load(
    folder: String, dtype: DType? = .float32, device: Device = .cpu, preparation: LayerPreparation? = nil
  ) throws -> LoadedComponent {
    let configuration = try ConfigurationFile(path: folder + "/config.json")
    let source = try weights(in: folder, named: of(configuration).weightsName)
    return try load(configuration, from: source, dtype: dtype, device: device, preparation: preparation)
  }

  /// Loads a component from its configuration and weights, wherever they lie.
  /// - Parameters:
  ///   - dtype: what floating-point weights are converted to; `nil` keeps them as stored.
  ///   - preparation: see ``load(folder:dtype:device:preparation:)``.
  public static func load(
    _ configuration: ConfigurationFile, from source: any TensorSource, dtype: DType? = .float32, device: Device = .cpu,
    preparation: LayerPreparation? = nil
  ) throws -> LoadedComponent {
    let architecture = try of(configuration)
    for name in source.names where !architecture.ignores(name) {
      guard let info = source.info(name), !info.dtype.isFloatingPoint else { continue }
      throw FormatError(source.origin, "tensor \"\(name)\" is of type \(info.dtype); weights are floating-point numbers")
    }
    let (component, parameters) = try Weights.load(
      from: source, dtype: dtype, device: device, preparation: preparation, ignoring: architecture.ignores
    ) { try architecture.construct(configuration, $0) }
    return LoadedComponent(component: component, parameters: parameters, configuration: configuration, architecture: architecture)
  }

  /// A component with fresh parameters.
  public static func fresh(_ configuration: ConfigurationFile, generator: Generator, device: Device = .cpu) throws -> LoadedComponent {
    let architecture = try of(configuration)
    let (component, parameters) = try Weights.initialise(generator: generator, device: device) {
      try architecture.construct(configuration, $0)
    }
    return LoadedComponent(component: component, parameters: parameters, configuration: configuration, architecture: architecture)
  }

  /// The weights of a component folder, for reading.
  /// - Throws: `FormatError` when the folder holds no component.
  public static func weights(folder: String) throws -> any TensorSource {
    try weights(in: folder, named: of(ConfigurationFile(path: folder + "/config.json")).weightsName)
  }

  /// Files that the weights of a component may be in, the first that is there counting. Some folders hold half precision only, under names of
  /// their own (diffusers' variants).
  package static func weightFiles(_ name: String) -> [String] {
    ["\(name).safetensors", "\(name).safetensors.index.json"]
      + ["fp16", "bf16"].flatMap { ["\(name).\($0).safetensors", "\(name).safetensors.index.\($0).json"] }
  }

  private static func weights(in folder: String, named name: String) throws -> any TensorSource {
    guard let path = weightFiles(name).map({ "\(folder)/\($0)" }).first(where: { FileManager.default.fileExists(atPath: $0) }) else {
      let files = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
      if let pickle = files.sorted().first(where: ForeignFile.hasPickleEnding) {
        throw FormatError("\(folder)/\(pickle)", ForeignFile.pickleAdvice("\(folder)/\(pickle)"))
      }
      throw FormatError(folder, "holds neither \(name).safetensors nor \(name).safetensors.index.json, nor a variant of them (fp16, bf16)")
    }
    return try TensorFiles.open(path)
  }
}
