import Foundation
import QuickstepAcceleration
import QuickstepFormats
import QuickstepModels
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

/// A tiny network of published architecture, as `Parity/checkpoints.py` made it, with its inputs.
struct TinyNetwork: Sendable, CustomTestStringConvertible {
  let name: String

  private static let root =
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path
    + "/QuickstepModelsTests/Fixtures"

  /// Networks of every architecture that denoises.
  static let all = [
    "checkpoints/dit-2", "checkpoints/flux-3", "checkpoints/pixart-2", "checkpoints/sd3-2", "checkpoints/sana-1", "checkpoints/unet-0",
    "models/transformer-patch2-wide-sample", "models/unet-text-patch2",
  ].map(TinyNetwork.init)

  private var folder: String { "\(Self.root)/\(name)" }
  var testDescription: String { String(name.split(separator: "/").last ?? "") }

  func load() throws -> any Backbone { try #require(try Architectures.load(folder: folder).component as? any Backbone) }

  func inputs() throws -> [String: Tensor] {
    let file = try SafetensorsFile(path: folder + "/golden.safetensors")
    var result: [String: Tensor] = [:]
    for name in file.names where name.hasPrefix("in.") { result[String(name.dropFirst(3))] = try file.tensor(name) }
    return result
  }

  var isTokens: Bool { name.contains("flux") }

  /// The golden's state as the backbone takes it: FLUX takes pictures, the reference tokens.
  static func state(_ tokens: Tensor, _ inputs: [String: Tensor], isTokens: Bool) throws -> Tensor {
    guard isTokens, let places = inputs["img_ids"] else { return tokens }
    let flat = places.rank == 3 ? places.select(0, index: 0) : places
    let last = try flat.amax([0]).scalars(Float.self)
    return FluxTransformer.unpacked(tokens, rows: Int(last[1]) + 1, columns: Int(last[2]) + 1)
  }

  static func conditioning(_ inputs: [String: Tensor]) -> Conditioning {
    var conditioning = Conditioning(
      sequence: inputs["encoder_hidden_states"], mask: inputs["encoder_attention_mask"], pooled: inputs["pooled_projections"],
      classes: inputs["class_labels"])
    conditioning.guidanceScale = inputs["guidance"]
    (conditioning.resolution, conditioning.aspectRatio) = (inputs["resolution"], inputs["aspect_ratio"])
    if let text = inputs["text_embeds"] { conditioning.pooled = text }
    return conditioning
  }
}

/// A run over given states.
struct TinyRun {
  let backbone: any Backbone
  private(set) var outline: RunOutline
  let conditioning: Conditioning
  let start: Tensor, end: Tensor
  let isTokens: Bool
  static let count = 12

  init(_ network: TinyNetwork) throws {
    backbone = try network.load()
    let inputs = try network.inputs()
    conditioning = TinyNetwork.conditioning(inputs)
    isTokens = network.isTokens
    let sample = try #require(inputs["hidden_states"] ?? inputs["sample"])
    let turned = try withTensorErrors { -sample.roll([1], dims: [-1]) }
    start = try TinyNetwork.state(sample, inputs, isTokens: isTokens)
    end = try TinyNetwork.state(turned, inputs, isTokens: isTokens)
    let calls = (0..<Self.count).map { RunOutline.Call(step: $0, level: Self.level($0), branches: ["negative", "positive"]) }
    outline = RunOutline(network: network.testDescription, stepCount: Self.count, calls: calls, sites: backbone.sites)
    outline.trainedTime = 1000
    outline.tokens = backbone.tokenTraits.map { TokenLayout(traits: $0, rows: start.size(2) / $0.patch, columns: start.size(3) / $0.patch) }
  }

  /// As `Parity/caches.py` has it; the signal goes from little to much.
  static func level(_ index: Int) -> NoiseLevel {
    NoiseLevel(
      timestep: 990 - 30 * Double(index), alpha: Double(index + 1) / Double(count + 2), sigma: 1 - Double(index + 1) / Double(count + 2))
  }

  func state(_ index: Int) throws -> Tensor {
    let angle = 1.2 * pow(Double(index) / Double(Self.count), 2)
    return try withTensorErrors { start * cos(angle) + end * sin(angle) }
  }

  func context(_ index: Int, _ branches: [String]) -> StepContext {
    StepContext(
      step: index, stepCount: Self.count, evaluation: index, evaluationCount: Self.count, level: Self.level(index), branches: branches)
  }

  /// One evaluation of a batch that belongs to `branches`.
  func output(_ state: Tensor, _ conditioning: Conditioning, _ context: StepContext, _ policy: (any SitePolicy)?) throws -> Tensor {
    try withInference {
      try withTensorErrors {
        let time = Tensor.full([state.size(0)], fillValue: .real(context.level.timestep), dtype: .float32)
        return try backbone(state, timestep: time, conditioning: conditioning, evaluation: Evaluation(context, policy: policy))
      }
    }
  }

  /// Every evaluation of the path, one branch.
  func outputs(_ policy: (any SitePolicy)?) throws -> [Tensor] {
    try (0..<Self.count).map { try output(state($0), conditioning, context($0, []), policy) }
  }
}
