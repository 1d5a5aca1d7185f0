internal import Foundation
package import QuickstepAcceleration
internal import QuickstepDiffusion
internal import QuickstepFormats
public import QuickstepModels
public import QuickstepNN
public import QuickstepTensor

/// A model folder, loaded and ready: immutable, so any number of requests may run on it at once.
public struct LoadedModel: Sendable {
  /// The folder's name.
  public let name: String
  /// Path as given to the initialiser.
  public let folder: String
  /// What was changed of it when it was loaded.
  public let options: ModelOptions
  /// What had to be assumed, in sentences for the user.
  public let notes: [String]
  /// The denoising network.
  public let backbone: any Backbone
  /// Name of the backbone's folder: `transformer` or `unet`.
  public let backboneName: String
  /// Turns prompts into what the backbone is conditioned on.
  public let conditioner: any Conditioner
  /// Between the backbone's latents and pictures; `nil` for models that work on pixels.
  public let codec: (any PictureCodec)?
  /// The noise schedule and what the network predicts.
  public let scheduler: SchedulerConfiguration
  /// How the class of its pipeline runs.
  let kind: PipelineKind
  /// The sizes it was trained on, where there are several.
  package let sizeBins: SizeBins?
  /// What is used where a request says nothing.
  public let defaults: ModelDefaults
  /// Where the weights are and the network runs.
  public let device: Device
  /// Type of the weights.
  public let dtype: DType
  /// Type of what goes into and comes out of the components: float32 where layers are prepared, otherwise that of the weights.
  public let computeType: DType
  /// Type of what goes into and comes out of the codec: float32 where the others compute in float16 and the codec's `force_upcast` asks for more
  /// (``AutoencoderKLConfiguration/needsFloat32``).
  public let codecType: DType
  /// What the layers compute with.
  public var kernels: KernelChoice { KernelChoice(preparation) }
  /// What they were asked to compute with; an outline's compute with nothing.
  package let askedKernels: KernelChoice
  let preparation: LayerPreparation?
  /// Last ten hexadecimal digits of a checksum over samples of the weights' files: as long as other tools' model hashes, and not comparable
  /// with them.
  public let fingerprint: String
  /// Bytes of all parameters in memory.
  public let parameterBytes: Int

  /// Loads everything `generate` needs.
  /// - Parameters:
  ///   - folder: a folder with a `model_index.json`, or an original single file.
  ///   - dtype: element type of the weights, and of the computation where layers are not prepared.
  ///   - kernels: what layers compute with.
  ///   - options: parts from elsewhere, LoRAs, a tokenizer.
  /// - Throws: errors that name the file, key or tensor that does not fit.
  public init(
    folder: String, dtype: DType = .float32, device: Device = .cpu, kernels: KernelChoice = .standard,
    options: ModelOptions = ModelOptions()
  ) throws {
    let files = try ModelSources.open(folder, options: options)
    let index = files.index
    let kind = try PipelineKind.of(index)
    self.kind = kind
    guard let backboneName = ["transformer", "unet"].first(where: { index.members[$0]?.array != nil }) else {
      throw FormatError(index.path, "names neither a 'transformer' nor a 'unet'")
    }
    askedKernels = kernels
    // An outline has no values to prepare; its requests are checked, and its bytes counted, as those of the model it stands for.
    let stored = kernels.preparation(dtype: dtype, device: device == .meta ? .cpu : device)
    preparation = device == .meta ? nil : stored
    let ownType: DType = stored == nil ? dtype : .float32
    computeType = ownType
    var loader = ComponentLoader(files: files, dtype: dtype, device: device, preparation: stored)
    backbone = try loader.component(backboneName, as: (any Backbone).self)
    conditioner = try kind.conditioner(&loader, backbone, index)
    let codec = kind.hasCodec ? try loader.codec() : nil
    self.codec = codec?.network
    codecType = codec?.type ?? ownType
    sizeBins = kind.binSides[backbone.sampleShape[1]].map { SizeBins(side: $0) }
    scheduler = try SchedulerConfiguration(files.scheduler(), flowSpacing: kind.flowSpacing)
    defaults = ModelDefaults(index, kind: kind, scheduler: scheduler)
    name = loader.name
    self.folder = folder
    self.backboneName = backboneName
    self.device = device
    self.dtype = dtype
    parameterBytes = loader.parameterBytes
    self.options = options
    notes = files.notes
    fingerprint = try Fingerprint.of(loader.paths, options: options)
  }

  /// Makes blocks like the network's own.
  package var guests: GuestMaker {
    GuestMaker { index, source in
      try Weights.load(from: source, dtype: dtype, device: device, preparation: preparation) {
        try backbone.guestBlock(like: index, weights: $0)
      }.model
    }
  }

  /// Whether guidance at a scale compares two branches: not where the network is told the scale, and not at scales that mean no guidance, which are
  /// all up to 1 for published models and 1 alone for this project's own.
  package func comparesBranches(at scale: Double) -> Bool {
    guard conditioner.guidance == .branches, backbone.guidanceSize == nil else { return false }
    return kind.guidesAboveOneOnly ? scale > 1 : scale != 1
  }

  /// Number of classes of a class-conditional model.
  public var classCount: Int? { conditioner.classCount }
  /// Pixels per sample and side: 1 without a codec.
  public var pixelsPerSample: Int { codec?.factor ?? 1 }
  /// Of the pictures it was trained on, in pixels.
  public var pictureSize: (width: Int, height: Int) {
    (backbone.sampleShape[2] * pixelsPerSample, backbone.sampleShape[1] * pixelsPerSample)
  }
}

/// What a model suggests where the user says nothing; plain values in `model_index.json`.
public struct ModelDefaults: Sendable, Hashable {
  /// Names a request may ask for, in the order of the file; empty when the model has none.
  public var styles: [String]
  /// `default_style`; `nil` when there is none.
  public var style: String?
  /// `judge`: the built-in network that tells what its pictures show; `nil` when there is none.
  public var judge: String?
  /// `default_guidance_scale`; where the file does not say, that of the reference's pipeline, or 1: no guidance.
  public var guidanceScale: Double
  /// `default_steps`; where the file does not say, those of the reference's pipeline, or 20.
  public var steps: Int
  /// `default_solver`; where the file does not say, that of `scheduler_config.json`, or `ddim`.
  public var solver: String

  init(_ index: ConfigurationFile, kind: PipelineKind, scheduler: SchedulerConfiguration) {
    styles = index.members["styles"]?.array?.compactMap(\.string) ?? []
    style = index.members["default_style"]?.string
    judge = index.members["judge"]?.string
    guidanceScale = index.members["default_guidance_scale"]?.double ?? kind.guidanceScale
    steps = index.members["default_steps"]?.integer ?? kind.steps
    solver = index.members["default_solver"]?.string ?? scheduler.solver ?? "ddim"
  }
}

/// A checksum that tells one set of weights from another.
enum Fingerprint {
  /// FNV-1a over size, header and evenly spaced samples of each file: reading 30 MB of weights in full would cost more than loading them.
  /// LoRAs count with their scales.
  static func of(_ files: [String], options: ModelOptions) throws -> String {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    func mix(_ bytes: UnsafeRawBufferPointer) { for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 } }
    var paths = files
    for adapter in options.adapters {
      paths.append(try weightsFile(adapter.path))
      withUnsafeBytes(of: adapter.scale.bitPattern.littleEndian) { mix($0) }
    }
    for path in paths {
      let file = try MappedFile(path: path)
      withUnsafeBytes(of: UInt64(file.bytes.count)) { mix($0) }
      let step = max(1, file.bytes.count / 64)
      for start in stride(from: 0, to: file.bytes.count, by: step) {
        mix(UnsafeRawBufferPointer(rebasing: file.bytes[start..<min(file.bytes.count, start + 1024)]))
      }
      withExtendedLifetime(file) {}
    }
    return text(hash)
  }

  /// FNV-1a over all bytes of a file.
  static func mixed(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
  }

  /// Ten digits.
  static func text(_ hash: UInt64) -> String {
    let text = String(hash, radix: 16)
    return String((String(repeating: "0", count: 16 - text.count) + text).suffix(10))
  }

  /// The file itself, or the one in a folder that a LoRA was saved to.
  private static func weightsFile(_ path: String) throws -> String {
    guard ModelLibrary.isFolder(path) else { return path }
    return ModelLibrary.names(in: path).first { $0.hasSuffix(".safetensors") }.map { "\(path)/\($0)" } ?? path
  }
}
