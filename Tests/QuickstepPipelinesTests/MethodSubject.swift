import QuickstepFormats
import QuickstepPipelines
import QuickstepTensor
import QuickstepTesting
import Testing

/// A tiny model of one architecture, and which methods of acceleration it has the structure for.
struct MethodSubject: Sendable, CustomTestStringConvertible {
  /// A folder of the fixtures, or one of ``builtIn``.
  let name: String
  var testDescription: String { name }

  private static let builtIn: [String: TinyFolder.Kind] = ["built-in transformer": .transformer, "built-in unet": .unet]
  /// Models of other projects, as folders of the fixtures.
  static let published = ["sd", "sdxl", "dit", "pixart-alpha", "pixart-sigma", "sd3", "flux-dev", "sana"].map(MethodSubject.init)
  /// Every architecture.
  static let all = builtIn.keys.sorted().map(MethodSubject.init) + published

  /// U-Nets have skip connections and no list of blocks; all others have a list of blocks and no skip connections.
  var isUNet: Bool { ["sd", "sdxl", "built-in unet"].contains(name) }

  /// Whether the network has what a method needs, as each method's article says it; what is not named here fits nowhere.
  /// - Parameter method: as on a command line.
  func fits(_ method: String) -> Bool {
    switch String(method.prefix { $0 != ":" }) {
    case "deepcache", "faster-diffusion", "step-rehash": isUNet
    case "cg-taylor", "dbcache", "first-block-cache", "magcache", "speca", "teacache": !isUNet
    case "taylorseer": !isUNet || method.contains("level=module")
    // Sana's feed-forward layers are convolutions; U-Nets have no list of tokens.
    case "toca": !isUNet && name != "sana"
    // Distilled guidance has one branch.
    case "guidance-cache": name != "flux-dev"
    // Networks that run blocks of others' making.
    case "ilf": ["built-in transformer", "dit", "pixart-alpha", "pixart-sigma"].contains(name)
    case "cachequant", "easycache", "fastercache", "fora", "layer-skip", "pab", "plan", "smoothcache", "stitch": true
    default: false
    }
  }

  /// The model with its folder, and a request for two pictures in one batch.
  final class Opened {
    private let tiny: TinyFolder?
    let folder: String
    let model: LoadedModel
    let request: GenerationRequest

    fileprivate init(_ tiny: TinyFolder?, folder: String, request: GenerationRequest) throws {
      (self.tiny, self.folder, self.request) = (tiny, folder, request)
      model = try LoadedModel(folder: folder)
    }

    /// With what the methods of the request need beside the model.
    func generate(_ request: GenerationRequest) throws -> GenerationResult {
      try ImagePipeline(model, companions: ImagePipeline.companions(of: request, like: model)).generate(request)
    }
  }

  func open() throws -> Opened {
    if let kind = Self.builtIn[name] {
      let tiny = try TinyFolder(kind)
      var request = GenerationRequest(prompts: ["red fox", "cat"], seeds: [1, 2])
      (request.steps, request.batch) = (10, 2)
      return try Opened(tiny, folder: tiny.path, request: request)
    }
    var request = try Goldens.request(Goldens.file(name))
    (request.steps, request.recordsTrajectory) = (10, false)
    return try Opened(nil, folder: "\(Goldens.root)/\(name)", request: request)
  }
}

extension GenerationResult {
  /// Whether every picture is made of numbers.
  var isFinite: Bool {
    get throws { try images.allSatisfy { image in try withTensorErrors { image.pixels.isFinite().all() }.item() != 0 } }
  }
}
