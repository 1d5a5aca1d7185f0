public import QuickstepFormats
public import QuickstepNN
import QuickstepTensor

/// A single file in the names of the original repositories: Stable Diffusion 1, 2, XL or its refiner with autoencoder and text encoders.
///
/// Each part is seen under our names, with the configuration that its tensors tell; the file stays mapped and is not copied. What shapes do
/// not tell follows the family: 8 heads in Stable Diffusion 1 and heads of 64 channels later, 32 groups, the codec's scale, the schedule.
/// Every key must belong to a part or to the list of what training leaves behind; others are an error.
public struct OriginalCheckpoint: Sendable {
  /// A network in the file.
  public struct Part: Sendable {
    /// The name of the folder it would have: `unet`, `vae`, `text_encoder`, `text_encoder_2`.
    public let name: String
    /// What its `config.json` would say.
    public let configuration: ConfigurationFile
    /// Its tensors under our names.
    public let weights: MappedTensors
    /// Text encoders: the token that fills up prompts, where it is not the end token.
    public let padding: String?
  }

  /// Told from the keys.
  public let family: OriginalFamily
  /// What the file holds, the U-Net first.
  public let parts: [Part]
  /// What `model_index.json` would say.
  public let index: ConfigurationFile
  /// What `scheduler_config.json` would say.
  public let scheduler: ConfigurationFile
  /// What had to be assumed, in sentences for the user.
  public let notes: [String]

  /// - Parameter prediction: `epsilon` or `v_prediction`; `nil` goes by the file and its family.
  /// - Throws: `FormatError` for files of another kind, with keys that belong to no part, or with shapes that fit no network.
  public init(_ source: any TensorSource, prediction asked: String? = nil) throws {
    guard let family = OriginalFamily(source) else { throw FormatError(source.origin, Self.unknownKind(source)) }
    let prediction = try OriginalPrediction(source, family: family, asked: asked)
    var used: Set<String> = []
    let encoders = try Self.textParts(source, family, &used)
    let unet = try OriginalUNet(source, prefix: OriginalFamily.networkPrefix)
    let pooled = encoders.last { $0.configuration.members["projection_dim"] != nil }?.configuration.members["projection_dim"]?.integer
    let size = family.sampleSize(prediction.name)
    let configuration = try unet.configuration(sampleSize: size, idCount: family == .stableDiffusionXLRefiner ? 5 : 6, pooled: pooled)
    var parts = [try Self.part("unet", source, OriginalFamily.networkPrefix, unet.names, configuration, &used)]
    if source.names.contains(where: { $0.hasPrefix(OriginalFamily.codecPrefix) && !IgnoredKeys.contains($0) }) {
      let codec = try OriginalAutoencoder(source, prefix: OriginalFamily.codecPrefix)
      let configuration = try codec.configuration(scale: family.codecScale, sampleSize: size * 8)
      parts.append(try Self.part("vae", source, OriginalFamily.codecPrefix, codec.names, configuration, &used, codec.steps))
    }
    parts += encoders
    let unknown = source.names.filter { !used.contains($0) && !IgnoredKeys.contains($0) }
    guard unknown.isEmpty else {
      throw FormatError(
        source.origin,
        "looks like \(family.rawValue), but has \(unknown.count) tensors that belong to no part of it: "
          + unknown.prefix(8).joined(separator: ", ") + (unknown.count > 8 ? ", …" : ""))
    }
    self.family = family
    self.parts = parts
    index = Self.index(source, family, parts, inChannels: unet.inChannels ?? 4)
    scheduler = Self.scheduler(source, family, prediction.name)
    notes = prediction.note.map { [$0] } ?? []
  }

  /// The network in the file that `name` stands for, or an error that lists what there is.
  public func part(_ name: String) throws -> Part {
    guard let part = parts.first(where: { $0.name == name }) else {
      throw FormatError(
        index.path, "holds no '\(name)'; it holds \(parts.map(\.name).joined(separator: ", ")). Give one with --replace \(name)=FOLDER")
    }
    return part
  }

  private static func unknownKind(_ source: any TensorSource) -> String {
    if source.names.contains(where: { $0.hasPrefix("model_ema.") }), source.info(OriginalFamily.networkPrefix + "out.2.weight") == nil {
      return "holds averaged weights only (model_ema.*), under names without dots; save the model with its averaged weights in place"
    }
    let known = OriginalFamily.allCases.map(\.rawValue).joined(separator: ", ")
    return "is no original single file that is known here (\(known)): it has no U-Net under '\(OriginalFamily.networkPrefix)'"
  }

  private static func textParts(_ source: any TensorSource, _ family: OriginalFamily, _ used: inout Set<String>) throws -> [Part] {
    var parts: [Part] = []
    for use in family.textEncoders where !parts.contains(where: { $0.name == use.part }) {
      guard source.names.contains(where: { $0.hasPrefix(use.prefix) }) else { continue }
      let encoder = try OriginalTextEncoder(source, use)
      let (views, ignored) = encoder.views()
      used.formUnion(ignored)
      used.formUnion(views.values.map(\.name))
      let weights = try MappedTensors(source, views: views, origin: "\(source.origin) (\(use.part))")
      parts.append(
        Part(
          name: use.part, configuration: try encoder.configuration(), weights: weights, padding: use.padsWithExclamation ? "!" : nil))
    }
    return parts
  }

  private static func part(
    _ name: String, _ source: any TensorSource, _ prefix: String, _ names: ScopeNames, _ configuration: ConfigurationFile,
    _ used: inout Set<String>, _ steps: (String, Int) -> [TensorView.Step] = { _, _ in [] }
  ) throws -> Part {
    let views = views(source, prefix, names, steps)
    used.formUnion(views.values.map(\.name))
    let weights = try MappedTensors(source, views: views, origin: "\(source.origin) (\(name))")
    return Part(name: name, configuration: configuration, weights: weights, padding: nil)
  }

  static func views(
    _ source: any TensorSource, _ prefix: String, _ names: ScopeNames, _ steps: (String, Int) -> [TensorView.Step]
  ) -> [String: TensorView] {
    var views: [String: TensorView] = [:]
    for stored in source.names where stored.hasPrefix(prefix) {
      guard let ours = names.name(of: String(stored.dropFirst(prefix.count))) else { continue }
      views[ours] = TensorView(stored, steps(ours, source.info(stored)?.shape.count ?? 0))
    }
    return views
  }

  private static func index(
    _ source: any TensorSource, _ family: OriginalFamily, _ parts: [Part], inChannels: Int
  ) -> ConfigurationFile {
    var members: [String: JSONValue] = ["_class_name": .string(family.pipeline(inChannels: inChannels))]
    for part in parts {
      let library = part.name.hasPrefix("text_encoder") ? "transformers" : "diffusers"
      members[part.name] = .array([.string(library), .string(part.configuration.className ?? "")])
    }
    if family == .stableDiffusionXL { members["force_zeros_for_empty_prompt"] = .bool(true) }
    if family == .stableDiffusionXLRefiner {
      members["force_zeros_for_empty_prompt"] = .bool(false)
      members["requires_aesthetics_score"] = .bool(true)
    }
    return ConfigurationFile(path: source.origin, members: members)
  }

  /// The schedule all these families were trained with.
  private static func scheduler(_ source: any TensorSource, _ family: OriginalFamily, _ prediction: String) -> ConfigurationFile {
    var members: [String: JSONValue] = [
      "_class_name": .string(family.scheduler), "beta_schedule": .string("scaled_linear"), "beta_start": .number(0.00085),
      "beta_end": .number(0.012), "num_train_timesteps": .integer(1000), "prediction_type": .string(prediction),
      "steps_offset": .integer(1), "timestep_spacing": .string("leading"), "clip_sample": .bool(false),
    ]
    if family == .stableDiffusion1 || family == .stableDiffusion2 { members["set_alpha_to_one"] = .bool(false) }
    if family == .stableDiffusion1 { members["skip_prk_steps"] = .bool(true) }
    if source.info("ztsnr") != nil {
      // Such models have to begin at the last time, which holds no signal (Lin et al. 2024, arXiv 2305.08891).
      members["rescale_betas_zero_snr"] = .bool(true)
      members["timestep_spacing"] = .string("trailing")
    }
    return ConfigurationFile(path: "\(source.origin) (schedule of \(family.rawValue))", members: members)
  }
}

/// One network out of a file in either naming, for use in place of a model's own.
public enum ComponentFile {
  /// The tensors of `part` in a file, under our names.
  ///
  /// Files in our names are taken as they are. Of files in original names (whole models, or the network alone) the part is taken.
  /// - Parameter part: `unet`, `vae`, `transformer` (FLUX.1 and Stable Diffusion 3), `text_encoder`, ….
  /// - Throws: `FormatError` when the names are original ones that fit no such part.
  public static func tensors(_ part: String, in source: any TensorSource) throws -> any TensorSource {
    func has(_ name: String) -> Bool { source.info(name) != nil }
    let origin = "\(source.origin) (\(part))"
    switch part {
    case "unet":
      guard let prefix = [OriginalFamily.networkPrefix, ""].first(where: { has($0 + "input_blocks.0.0.weight") }) else { return source }
      return try mapped(source, prefix, try OriginalUNet(source, prefix: prefix).names, origin: origin) { _, _ in [] }
    case "vae":
      guard let prefix = [OriginalFamily.codecPrefix, ""].first(where: { has($0 + "encoder.down.0.block.0.conv1.weight") }) else {
        return source
      }
      let codec = try OriginalAutoencoder(source, prefix: prefix)
      return try mapped(source, prefix, codec.names, origin: origin, codec.steps)
    case "transformer":
      guard let network = try OriginalTransformer(source) else { return source }
      return try MappedTensors(source, views: network.views, origin: origin)
    default:
      guard OriginalFamily(source) != nil else { return source }
      return try OriginalCheckpoint(source).part(part).weights
    }
  }

  private static func mapped(
    _ source: any TensorSource, _ prefix: String, _ names: ScopeNames, origin: String, _ steps: (String, Int) -> [TensorView.Step]
  ) throws -> MappedTensors {
    let unknown = source.names.filter { stored in
      stored.hasPrefix(prefix) && names.name(of: String(stored.dropFirst(prefix.count))) == nil && !IgnoredKeys.contains(stored)
    }
    guard unknown.isEmpty else {
      throw FormatError(origin, "has \(unknown.count) tensors that belong to no such network: \(unknown.prefix(8).joined(separator: ", "))")
    }
    return try MappedTensors(source, views: OriginalCheckpoint.views(source, prefix, names, steps), origin: origin)
  }
}
