internal import Foundation
internal import QuickstepDiffusion
internal import QuickstepFormats
public import QuickstepModels
internal import QuickstepNN
public import QuickstepTensor
public import QuickstepTokenizers

/// A model folder, loaded and ready: immutable, so any number of requests may run on it at once.
public struct LoadedModel: Sendable {
  /// The folder's name.
  public let name: String
  /// Path as given to the initialiser.
  public let folder: String
  /// The denoising network.
  public let backbone: any Backbone
  /// Name of the backbone's folder: `transformer` or `unet`.
  public let backboneName: String
  /// The text encoder; `nil` for class-conditional models.
  public let encoder: PromptEncoder?
  /// Turns prompts into the encoder's token ids; `nil` for class-conditional models.
  public let tokenizer: WordTokenizer?
  /// The noise schedule and what the network predicts.
  public let scheduler: SchedulerConfiguration
  /// What is used where a request says nothing.
  public let defaults: ModelDefaults
  /// Where the weights are and the network runs.
  public let device: Device
  /// Type of the weights and of the network's computation.
  public let dtype: DType
  /// Last ten hexadecimal digits of a checksum over samples of the weights' files: as long as other tools' model hashes, and not comparable
  /// with them.
  public let fingerprint: String
  /// Bytes of all parameters in memory.
  public let parameterBytes: Int

  /// Loads everything `generate` needs.
  /// - Parameters:
  ///   - folder: a folder with a `model_index.json`.
  ///   - dtype: element type of weights and computation.
  /// - Throws: errors that name the file, key or tensor that does not fit.
  public init(folder: String, dtype: DType = .float32, device: Device = .cpu) throws {
    let index = try ConfigurationFile(path: folder + "/model_index.json")
    let className = index.className ?? ""
    guard ["PromptToImagePipeline", "ClassToImagePipeline"].contains(className) else {
      throw FormatError(index.path, "pipeline '\(className)' is not supported; supported: PromptToImagePipeline, ClassToImagePipeline")
    }
    guard let backboneName = ["transformer", "unet"].first(where: { index.members[$0]?.array != nil }) else {
      throw FormatError(index.path, "names neither a 'transformer' nor a 'unet'")
    }
    let loaded = try Architectures.load(folder: "\(folder)/\(backboneName)", dtype: dtype, device: device)
    guard let backbone = loaded.component as? any Backbone else {
      throw FormatError("\(folder)/\(backboneName)", "\(loaded.architecture.className) is no denoising network")
    }
    var bytes = loaded.parameters.byteCount
    if index.members["text_encoder"]?.array != nil {
      let encoder = try Architectures.load(folder: folder + "/text_encoder", dtype: dtype, device: device)
      guard let typed = encoder.component as? PromptEncoder else {
        throw FormatError(folder + "/text_encoder", "\(encoder.architecture.className) is not supported as text encoder")
      }
      self.encoder = typed
      tokenizer = try WordTokenizer(path: folder + "/tokenizer/vocab.json", length: typed.configuration.length)
      bytes += encoder.parameters.byteCount
    } else {
      encoder = nil
      tokenizer = nil
    }
    scheduler = try SchedulerConfiguration(path: folder + "/scheduler/scheduler_config.json")
    defaults = ModelDefaults(index)
    name = URL(fileURLWithPath: folder).standardizedFileURL.lastPathComponent
    self.folder = folder
    self.backbone = backbone
    self.backboneName = backboneName
    self.device = device
    self.dtype = dtype
    parameterBytes = bytes
    fingerprint = try Fingerprint.of(folder: folder, components: [backboneName] + (encoder == nil ? [] : ["text_encoder"]))
  }

  /// Number of classes of a class-conditional model.
  public var classCount: Int? { (backbone as? PromptUNet)?.configuration.classCount }
}

/// What a model suggests where the user says nothing; plain values in `model_index.json`.
public struct ModelDefaults: Sendable, Hashable {
  /// Names a request may ask for, in the order of the file; empty when the model has none.
  public var styles: [String]
  /// `default_style`; `nil` when there is none.
  public var style: String?
  /// `default_guidance_scale`; 1, no guidance, where the file does not say.
  public var guidanceScale: Double
  /// `default_steps`; 20 where the file does not say.
  public var steps: Int
  /// `default_solver`; `ddim` where the file does not say.
  public var solver: String

  init(_ index: ConfigurationFile) {
    styles = index.members["styles"]?.array?.compactMap(\.string) ?? []
    style = index.members["default_style"]?.string
    guidanceScale = index.members["default_guidance_scale"]?.double ?? 1
    steps = index.members["default_steps"]?.integer ?? 20
    solver = index.members["default_solver"]?.string ?? "ddim"
  }
}

/// A checksum that tells one set of weights from another.
enum Fingerprint {
  /// FNV-1a over size, header and evenly spaced samples of each file: reading 30 MB of weights in full would cost more than loading them.
  static func of(folder: String, components: [String]) throws -> String {
    let paths = try components.flatMap { component in
      try FileManager.default.contentsOfDirectory(atPath: "\(folder)/\(component)").sorted().filter { $0.hasSuffix(".safetensors") }
        .map { "\(folder)/\(component)/\($0)" }
    }
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    func mix(_ bytes: UnsafeRawBufferPointer) { for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 } }
    for path in paths {
      let file = try MappedFile(path: path)
      withUnsafeBytes(of: UInt64(file.bytes.count)) { mix($0) }
      let step = max(1, file.bytes.count / 64)
      for start in stride(from: 0, to: file.bytes.count, by: step) {
        mix(UnsafeRawBufferPointer(rebasing: file.bytes[start..<min(file.bytes.count, start + 1024)]))
      }
      withExtendedLifetime(file) {}
    }
    let text = String(hash, radix: 16)
    return String((String(repeating: "0", count: 16 - text.count) + text).suffix(10))
  }
}
