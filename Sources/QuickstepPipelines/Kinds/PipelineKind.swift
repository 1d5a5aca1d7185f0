import Foundation
import QuickstepDiffusion
import QuickstepFormats
import QuickstepModels
import QuickstepNN
import QuickstepTensor
import QuickstepTokenizers

/// How one class of pipeline in a `model_index.json` is put together. A new one is a value here.
struct PipelineKind: Sendable {
  /// `_class_name`.
  var className: String
  /// Whether the backbone works on a codec's latents.
  let hasCodec: Bool
  /// What the reference's pipeline uses where nothing is said.
  var guidanceScale: Double, steps: Int
  /// How steps of flow-matching models are spaced where the scheduler's file does not say: the reference's pipelines choose that.
  var flowSpacing = "linspace"
  /// The side of the sizes it was trained on (``SizeBins``) by the network's `sample_size`, where the reference works at these.
  var binSides: [Int: Int] = [:]
  /// Whether scales up to 1 mean no guidance, as in the reference's pipelines, which compare two branches above 1 only. This project's own models
  /// weigh the branches at every scale but 1.
  var guidesAboveOneOnly = true
  /// Whether a run of n steps that begins with a picture skips ⌊n − strength·n⌋ of them, and not n − ⌊strength·n⌋.
  var roundsStepsUp = false
  /// Reads what turns prompts into conditions.
  let conditioner: @Sendable (inout ComponentLoader, any Backbone, ConfigurationFile) throws -> any Conditioner

  /// Every kind, with the names that the reference's pipelines for pictures have.
  static let all = basic + ofTransformers + ofPictures

  /// Of models on U-Nets and of this project's own, sorted by class name.
  static let basic = [
    PipelineKind(className: "ClassToImagePipeline", hasCodec: false, guidanceScale: 1, steps: 20, guidesAboveOneOnly: false) {
      loader, backbone, _ in
      guard let count = (backbone as? PromptUNet)?.configuration.classCount else {
        throw FormatError(loader.folder, "its network is not conditioned on classes")
      }
      return ClassConditioner(model: loader.name, count: count, device: loader.device)
    },
    PipelineKind(className: "PromptToImagePipeline", hasCodec: false, guidanceScale: 1, steps: 20, guidesAboveOneOnly: false) {
      loader, _, _ in
      let encoder = try loader.component("text_encoder", as: PromptEncoder.self)
      let tokenizer = try WordTokenizer(path: loader.folder + "/tokenizer/vocab.json", length: encoder.configuration.length)
      return WordConditioner(model: loader.name, tokenizer: tokenizer, encoder: encoder, device: loader.device)
    },
    PipelineKind(className: "StableDiffusionPipeline", hasCodec: true, guidanceScale: 7.5, steps: 50) { loader, _, _ in
      StableDiffusionConditioner(model: loader.name, stage: try loader.clipStage(""), device: loader.device)
    },
    PipelineKind(className: "StableDiffusionXLPipeline", hasCodec: true, guidanceScale: 5, steps: 50) { loader, _, index in
      // The refiner has the second encoder only.
      let suffixes = ["", "_2"].filter { index.members["text_encoder" + $0]?.array?.last?.string != nil }
      guard suffixes.last == "_2" else { throw FormatError(index.path, "names no 'text_encoder_2'") }
      var stages: [CLIPStage] = []
      for suffix in suffixes { stages.append(try loader.clipStage(suffix)) }
      let zeros = index.members["force_zeros_for_empty_prompt"]?.bool ?? true
      return StableDiffusionXLConditioner(
        model: loader.name, stages: stages, zerosForEmpty: zeros, toldScores: index.members["requires_aesthetics_score"]?.bool ?? false,
        device: loader.device)
    },
  ]

  /// - Throws: `FormatError` naming the file and what is supported.
  static func of(_ index: ConfigurationFile) throws -> PipelineKind {
    guard let kind = all.first(where: { $0.className == index.className ?? "" }) else {
      let known = all.map(\.className).sorted().joined(separator: ", ")
      throw FormatError(index.path, "pipeline '\(index.className ?? "")' is not supported; supported: \(known)")
    }
    return kind
  }
}

/// Loads the components of one model and counts their bytes.
struct ComponentLoader {
  let files: any ModelFiles
  let dtype: DType
  let device: Device
  let preparation: LayerPreparation?
  private(set) var parameterBytes = 0
  /// Files of what was loaded, each once.
  private(set) var paths: [String] = []

  init(files: any ModelFiles, dtype: DType, device: Device, preparation: LayerPreparation?) {
    self.files = files
    self.dtype = dtype
    self.device = device
    self.preparation = preparation
  }

  /// The model's folder or file.
  var folder: String { files.path }
  /// For people.
  var name: String { files.name }

  /// The component `part`.
  /// - Throws: `FormatError` when it is of another kind.
  mutating func component<Kind>(_ part: String, as kind: Kind.Type) throws -> Kind { try load(files.part(part), as: kind, dtype: dtype) }

  /// The codec, and the type of what goes into and comes out of it. Where layers compute in float16 a codec whose configuration asks for more is
  /// loaded in float32, as the reference's pipelines for XL convert it before they use it.
  mutating func codec() throws -> (network: any PictureCodec, type: DType) {
    let part = try files.part("vae")
    var own = dtype
    if dtype == .float16, preparation == nil, part.configuration.className == "AutoencoderKL",
      try AutoencoderKLConfiguration(part.configuration).needsFloat32
    {
      own = .float32
    }
    return (try load(part, as: (any PictureCodec).self, dtype: own), preparation == nil ? own : .float32)
  }

  private mutating func load<Kind>(_ stored: ModelPart, as kind: Kind.Type, dtype: DType) throws -> Kind {
    let weights: any TensorSource = device == .meta ? OutlineTensors(base: stored.weights) : stored.weights
    let found = try Architectures.load(stored.configuration, from: weights, dtype: dtype, device: device, preparation: preparation)
    guard let typed = found.component as? Kind else {
      throw FormatError(stored.configuration.path, "\(found.architecture.className) is not supported as '\(stored.name)' of this pipeline")
    }
    parameterBytes += found.parameters.byteCount
    paths += stored.paths.filter { !paths.contains($0) }
    return typed
  }

  /// The tokenizer and text encoder whose folders end in `suffix`.
  mutating func clipStage(_ suffix: String) throws -> CLIPStage {
    // The tokenizer first: it is read faster than the encoder, and missing more often.
    let place = try files.tokenizer("tokenizer" + suffix)
    let tokenizer = try CLIPTokenizer(folder: place.folder, padding: place.padding)
    return CLIPStage(tokenizer: tokenizer, encoder: try component("text_encoder" + suffix, as: CLIPTextEncoder.self))
  }
}
