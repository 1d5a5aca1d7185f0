internal import Foundation
public import QuickstepDiffusion
public import QuickstepFormats

/// Everything that determines one picture. Stored in the picture; the same settings on the same machine give the same bits.
public struct GenerationSettings: Codable, Sendable, Hashable {
  /// Name of the model's folder, which ``ModelLibrary/find(_:)`` takes when the folder is one that is looked into.
  public var model: String
  /// Checksum of the model's weights; see ``LoadedModel/fingerprint``.
  public var modelHash: String
  /// As given, or the class's number.
  public var prompt: String
  /// As given; empty when there was none.
  public var negative: String
  /// The style used; `nil` when none was.
  public var style: String?
  /// How brackets in the prompts were read; `nil` when they were taken literally.
  public var weighting: PromptWeighting?
  /// Seed of this picture's initial noise and of the noise the solver adds.
  public var seed: UInt64
  /// Kind of random number generator: `torch-cpu`.
  public var generator: String
  /// The registered name.
  public var solver: String
  /// Parameter texts by name: those that were given, and those that another tool's name for the solver implies.
  public var solverParameters: [String: String]
  /// The scheduler's configuration in diffusers' words, as JSON, where it was not the model's own (``GenerationRequest/scheduler``).
  public var scheduler: String?
  /// How the run began; `nil` when it began at noise.
  public var start: MethodChoice?
  /// The registered name.
  public var spacing: String
  /// Parameter texts by name: those that were given, and the model's own where its spacing was used.
  public var spacingParameters: [String: String]
  /// Solver steps of the full grid.
  public var steps: Int
  /// 1 when guidance was off.
  public var guidanceScale: Double
  /// Guidance acts on the steps from `guidanceStart`·n to `guidanceEnd`·n.
  public var guidanceStart: Double
  /// From `guidanceStart` to 1.
  public var guidanceEnd: Double
  /// How branches of guidance were evaluated; `nil` when they were together, or there was one.
  public var guidanceBatching: GuidedDenoiser.Batching?
  /// In the order in which they acted; empty when there were none.
  public var corrections: [MethodChoice]
  /// Methods of acceleration, in order; `nil` when there were none.
  public var accelerations: [MethodChoice]?
  /// In pixels.
  public var width: Int
  /// In pixels.
  public var height: Int
  /// Whether it was worked at the nearest size the model was trained on; `nil` for models without such sizes.
  public var usesTrainedSizes: Bool?
  /// Element type of the computation.
  public var dtype: String
  /// What its layers computed with: a name of `KernelChoice`; `nil` in pictures of version 0.1.0, which had plain layers only.
  public var kernels: String?
  /// Where the network ran: `cpu`, `cuda:0`. Devices round differently.
  public var device: String
  /// Threads per operator; another number may round differently.
  public var threads: Int
  /// Pictures computed together; above 1 a picture equals the one made alone only up to rounding.
  public var batch: Int
  /// Parts from elsewhere, LoRAs and what else was changed of the model; `nil` when nothing was.
  public var alterations: ModelOptions?
  /// Initial noise or encoded prompts came from a file: such a picture cannot be repeated from its settings alone.
  public var hasGivenTensors: Bool
  /// Pictures it was made from, and the part of the run; such a picture cannot be repeated from its settings alone.
  public var pictures: PictureRecord?
  /// Whether the codec worked in strips, which rounds differently; `nil` without a codec.
  public var worksInStrips: Bool?
  /// Checksums of the files that parameters name, by path; `nil` when they named none.
  public var files: [String: String]?
  /// Checksums of the weights of models that did a part of the run, by the names methods have for them; `nil` when one model did all of it.
  public var companions: [String: String]?
  /// Version of Quickstep that made the picture; see ``ImagePipeline/version``.
  public var version: String

  /// PNG text key of the settings as JSON.
  public static let key = "quickstep"

  /// The settings as JSON with sorted keys.
  public func json() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(self), as: UTF8.self)
  }

  /// Reads the settings of a picture this program made.
  /// - Throws: `FormatError` when the file holds none, or they are damaged.
  public static func read(from picture: PNGFile, path: String) throws -> GenerationSettings {
    guard let text = picture.text(key) else {
      throw FormatError(
        path, "holds no settings of quickstep" + (picture.text(GenerationParameters.key) == nil ? "" : ", only those of another program"))
    }
    do {
      // Foundation's decoder: it lets members of later versions through and keeps seeds above 2⁶³ exact.
      return try JSONDecoder().decode(GenerationSettings.self, from: Data(text.utf8))
    } catch {
      throw FormatError(path, "the settings in it are damaged: \(error)")
    }
  }

  /// The same in the form that A1111 and most galleries read.
  public var parameters: GenerationParameters {
    var result = GenerationParameters(prompt: prompt, negativePrompt: negative)
    result.steps = steps
    result.sampler = solver
    result.scheduleType = spacing
    result.guidanceScale = guidanceScale
    result.seed = seed
    result.size = (width, height)
    result["Model hash"] = modelHash
    if let strength = pictures?.strength { result["Denoising strength"] = String(strength) }
    result["Model"] = model
    if let style { result["Style"] = style }
    result["RNG"] = generator
    result["Version"] = "quickstep \(version)"
    return result
  }

  /// Both forms as PNG text chunks.
  public func chunks() throws -> [PNGText] {
    [PNGText(GenerationParameters.key, try parameters.text()), PNGText(Self.key, try json())]
  }
}
