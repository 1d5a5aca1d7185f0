import Foundation
import QuickstepFormats
import QuickstepModels
import QuickstepNN
import QuickstepPipelines
import QuickstepTensor
import QuickstepTesting

/// A whole model of a few thousand random parameters in a temporary folder, as a user would have it on disk.
final class TinyFolder: Sendable {
  enum Kind: CaseIterable {
    /// A transformer with a prompt encoder; predicts the data on a cosine schedule.
    case transformer
    /// A U-Net with a prompt encoder; predicts the velocity of a flow.
    case unet
    /// A class-conditional U-Net; predicts v.
    case classes
  }

  let folder: TemporaryFolder
  var path: String { folder.path }

  static let words = ["<pad>", "<unk>", "<start>", "<style:flat>", "<style:mono>", "red", "fox", "apple", "green", "cat", "a"]

  /// - Parameter seed: of the transformer's weights.
  init(_ kind: Kind = .transformer, seed: UInt64 = 1) throws {
    folder = try TemporaryFolder()
    switch kind {
    case .transformer:
      try write("transformer", Self.transformer, seed: seed)
      try writeScheduler("DDIMScheduler", prediction: "sample")
    case .unet:
      try write("unet", Self.unet.merging(["cross_attention_dim": .integer(8), "in_channels": .integer(3)]) { $1 }, seed: 2)
      try writeScheduler("FlowMatchEulerDiscreteScheduler", prediction: "flow_prediction")
    case .classes:
      try write("unet", Self.unet.merging(["num_class_embeds": .integer(4), "in_channels": .integer(1)]) { $1 }, seed: 3)
      try writeScheduler("DDIMScheduler", prediction: "v_prediction")
    }
    var index: [String: JSONValue] = [
      "_class_name": .string(kind == .classes ? "ClassToImagePipeline" : "PromptToImagePipeline"), "default_steps": .integer(4),
      "default_guidance_scale": .integer(2), "default_solver": .string("ddim"),
      kind == .transformer ? "transformer" : "unet": .array([.string("quickstep"), .string("Backbone")]),
    ]
    if kind != .classes {
      try write("text_encoder", Self.encoder, seed: 4)
      let vocabulary = Dictionary(uniqueKeysWithValues: Self.words.enumerated().map { ($0.element, JSONValue.integer($0.offset)) })
      try folder.write(JSONValue.object(vocabulary).text, to: "tokenizer/vocab.json")
      index["text_encoder"] = .array([.string("quickstep"), .string("PromptEncoder")])
      index["styles"] = .array([.string("flat"), .string("mono")])
      index["default_style"] = .string("flat")
    }
    try folder.write(ConfigurationFile.pretty(.object(index)), to: "model_index.json")
  }

  func load() throws -> LoadedModel { try LoadedModel(folder: path) }

  /// Names of all its files, relative.
  var files: [String] {
    (FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? []).filter { $0.contains(".") }.sorted()
  }

  private func write(_ name: String, _ members: [String: JSONValue], seed: UInt64) throws {
    try folder.write(ConfigurationFile.pretty(.object(members)), to: name + "/config.json")
    let loaded = try Architectures.fresh(ConfigurationFile(path: "\(path)/\(name)/config.json"), generator: Generator(seed: seed))
    try ModelLaws.disturb(loaded.parameters, seed: seed + 10)
    try SafetensorsWriter.write(loaded.parameters.all, to: "\(path)/\(name)/\(loaded.architecture.weightsName).safetensors")
  }

  func writeScheduler(_ className: String, prediction: String, more: [String: JSONValue] = [:]) throws {
    let members: [String: JSONValue] = [
      "_class_name": .string(className), "num_train_timesteps": .integer(1000), "beta_schedule": .string("squaredcos_cap_v2"),
      "prediction_type": .string(prediction), "timestep_spacing": .string("trailing"), "clip_sample": .bool(false),
    ]
    try folder.write(ConfigurationFile.pretty(.object(members.merging(more) { $1 })), to: "scheduler/scheduler_config.json")
  }

  private static let transformer: [String: JSONValue] = [
    "_class_name": .string("PromptTransformer2D"), "in_channels": .integer(3), "sample_size": .integer(8), "patch_size": .integer(4),
    "hidden_size": .integer(16), "num_layers": .integer(2), "num_attention_heads": .integer(2), "mlp_ratio": .integer(2),
    "cross_attention_dim": .integer(8),
  ]
  private static let unet: [String: JSONValue] = [
    "_class_name": .string("PromptUNet2D"), "sample_size": .integer(8), "patch_size": .integer(1),
    "block_out_channels": .array([.integer(8), .integer(16)]), "layers_per_block": .integer(1),
    "attention_levels": .array([.bool(false), .bool(true)]), "num_attention_heads": .integer(2),
  ]
  private static let encoder: [String: JSONValue] = [
    "_class_name": .string("PromptEncoder"), "vocab_size": .integer(11), "hidden_size": .integer(8), "num_hidden_layers": .integer(1),
    "num_attention_heads": .integer(2), "max_position_embeddings": .integer(6),
  ]
}

/// A request for one picture.
func request(_ prompt: String = "red fox", seed: UInt64 = 1, _ change: (inout GenerationRequest) -> Void = { _ in }) -> GenerationRequest {
  var request = GenerationRequest(prompts: [prompt], seeds: [seed])
  change(&request)
  return request
}

extension LoadedModel {
  func generate(_ request: GenerationRequest) throws -> GenerationResult { try ImagePipeline(self).generate(request) }

  /// The bytes of every picture.
  func pictures(_ request: GenerationRequest) throws -> [[UInt8]] { try generate(request).images.map { try $0.pixels.elementBytes() } }
}
