import QuickstepFormats
public import QuickstepNN
import QuickstepTensor

/// The families whose original single files are read.
public enum OriginalFamily: String, Sendable, Hashable, CaseIterable {
  case stableDiffusion1 = "Stable Diffusion 1"
  case stableDiffusion2 = "Stable Diffusion 2"
  case stableDiffusionXL = "Stable Diffusion XL"
  case stableDiffusionXLRefiner = "Stable Diffusion XL refiner"

  /// Scope of the U-Net in the file.
  static let networkPrefix = "model.diffusion_model."
  /// Scope of the autoencoder in the file.
  static let codecPrefix = "first_stage_model."

  /// Which family a file holds; `nil` when it holds no U-Net of these families.
  public init?(_ source: any TensorSource) {
    func has(_ name: String) -> Bool { source.info(name) != nil }
    func network(_ name: String) -> [Int]? { source.info(Self.networkPrefix + name)?.shape }
    // ControlNets and video models share names with these networks, and have more.
    guard network("input_blocks.0.0.weight")?.count == 4,
      let context = network("middle_block.1.transformer_blocks.0.attn2.to_k.weight")?.last,
      network("out.2.weight") != nil
    else { return nil }
    if network("label_emb.0.0.weight") != nil {
      if has("conditioner.embedders.1.model.ln_final.weight") {
        self = .stableDiffusionXL
      } else if has("conditioner.embedders.0.model.ln_final.weight") {
        self = .stableDiffusionXLRefiner
      } else {
        // Files without text encoders: the prompt of the refiner has the channels of its one encoder.
        self = context == 1280 ? .stableDiffusionXLRefiner : .stableDiffusionXL
      }
    } else {
      self = network("middle_block.1.proj_in.weight")?.count == 2 ? .stableDiffusion2 : .stableDiffusion1
    }
  }

  /// The class of diffusers' pipeline, by the channels that go into the network.
  func pipeline(inChannels: Int) -> String {
    let isLarge = self == .stableDiffusionXL || self == .stableDiffusionXLRefiner
    let stem = isLarge ? "StableDiffusionXL" : "StableDiffusion"
    if self == .stableDiffusionXLRefiner { return stem + "Img2ImgPipeline" }
    return stem + (inChannels == 9 ? "InpaintPipeline" : inChannels == 8 ? "InstructPix2PixPipeline" : "Pipeline")
  }

  /// Towers that the family may have, in the order in which a file is asked for them.
  var textEncoders: [OriginalTextEncoder.Use] {
    func use(_ prefix: String, _ part: String, projected: Bool = false, drops: Bool = false, pads: Bool = false) -> OriginalTextEncoder.Use
    {
      OriginalTextEncoder.Use(prefix: prefix, part: part, isProjected: projected, dropsLast: drops, padsWithExclamation: pads)
    }
    switch self {
    case .stableDiffusion1: return [use("cond_stage_model.transformer.", "text_encoder")]
    case .stableDiffusion2:
      return [
        use("cond_stage_model.model.", "text_encoder", drops: true, pads: true),
        use("cond_stage_model.transformer.", "text_encoder", drops: true, pads: true),
      ]
    case .stableDiffusionXL:
      return [
        use("conditioner.embedders.0.transformer.", "text_encoder"),
        use("conditioner.embedders.1.model.", "text_encoder_2", projected: true, pads: true),
        // GGUF files by stable-diffusion.cpp's converter.
        use("cond_stage_model.transformer.", "text_encoder"),
        use("cond_stage_model.1.transformer.", "text_encoder_2", projected: true, pads: true),
      ]
    case .stableDiffusionXLRefiner: return [use("conditioner.embedders.0.model.", "text_encoder_2", projected: true, pads: true)]
    }
  }

  /// Names of its networks, the U-Net first; a file may lack all others.
  package var partNames: [String] {
    let encoders = textEncoders.map(\.part)
    return ["unet", "vae"] + encoders.indices.filter { !encoders[..<$0].contains(encoders[$0]) }.map { encoders[$0] }
  }

  /// The token that fills up prompts for a text encoder, where it is not the end token.
  package func padding(of part: String) -> String? {
    textEncoders.contains { $0.part == part && $0.padsWithExclamation } ? "!" : nil
  }

  /// The autoencoders of XL were trained anew; their latents have another spread.
  var codecScale: Double { self == .stableDiffusionXL || self == .stableDiffusionXLRefiner ? 0.13025 : 0.18215 }

  /// Side of the latents a model was trained on, which no shape tells.
  func sampleSize(_ prediction: String) -> Int {
    switch self {
    case .stableDiffusion1: 64
    case .stableDiffusion2: prediction == "v_prediction" ? 96 : 64
    case .stableDiffusionXL, .stableDiffusionXLRefiner: 128
    }
  }

  /// Class of diffusers' scheduler that the published folders of the family name.
  var scheduler: String {
    switch self {
    case .stableDiffusion1: "PNDMScheduler"
    case .stableDiffusion2: "DDIMScheduler"
    case .stableDiffusionXL, .stableDiffusionXLRefiner: "EulerDiscreteScheduler"
    }
  }
}

/// What the network predicts, which shapes do not tell.
struct OriginalPrediction {
  /// diffusers' name.
  let name: String
  /// For the user, where the file does not say and the family has both kinds.
  let note: String?

  /// Names that may be asked for.
  static let names = ["epsilon", "v_prediction"]

  /// In this order: what is asked for; the file's `modelspec` notes; the key `v_pred` that trainers leave; the step at which Stable Diffusion
  /// 2 base was saved; for version 2 `v_prediction`, as the reference assumes, with a note; `epsilon`.
  init(_ source: any TensorSource, family: OriginalFamily, asked: String?) throws {
    if let asked {
      guard Self.names.contains(asked) else {
        throw FormatError(source.origin, "the prediction '\(asked)' is unknown; known: \(Self.names.joined(separator: ", "))")
      }
      (name, note) = (asked, nil)
    } else if let told = Self.told(source.metadata) {
      (name, note) = (told, nil)
    } else if source.info("v_pred") != nil {
      (name, note) = ("v_prediction", nil)
    } else if family == .stableDiffusion2 {
      let isBase = try source.info("global_step").map { $0.shape.isEmpty ? try source.tensor($0.name).item() == 875_000 : false } ?? false
      name = isBase ? "epsilon" : "v_prediction"
      note =
        isBase
        ? nil
        : "the file does not say what its network predicts; taken as v_prediction, as in Stable Diffusion 2 for 768 pixels. "
          + "For a 512-pixel base model say --prediction epsilon"
    } else {
      (name, note) = ("epsilon", nil)
    }
  }

  private static func told(_ metadata: [String: String]) -> String? {
    switch metadata["modelspec.prediction_type"] {
    case "v", "v_prediction", "v-prediction": return "v_prediction"
    case "epsilon", "eps": return "epsilon"
    default: break
    }
    switch metadata["modelspec.architecture"] {
    case "stable-diffusion-v2-768-v", "stable-diffusion-v2-768-v-unclip": return "v_prediction"
    case "stable-diffusion-v2-512", "stable-diffusion-v2-inpainting": return "epsilon"
    default: return nil
    }
  }
}
