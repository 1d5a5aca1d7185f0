import QuickstepFormats
import QuickstepModels
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

/// The smallest useful configuration of every architecture, with inputs of two or three different samples. A new architecture adds its own.
struct TinyModel: Sendable, CustomTestStringConvertible {
  let className: String
  let variant: String
  let members: [String: JSONValue]
  /// What a denoiser works on, `[C, H, W]`, where its inputs do not say so.
  var stateShape: [Int]? = nil
  /// Parameters that the architecture holds without using them.
  var idle: Set<String> = []
  /// The class whose tensor names it is saved under, where that is another one.
  var savedAs: String? = nil
  let inputs: @Sendable () throws -> [String: Tensor]

  var testDescription: String { variant.isEmpty ? className : "\(className), \(variant)" }

  /// With disturbed parameters: a fresh backbone predicts zero, which would hide everything.
  func load(seed: UInt64 = 1) throws -> LoadedComponent {
    let configuration = ConfigurationFile(path: "tiny \(className)", members: members.merging(["_class_name": .string(className)]) { $1 })
    let loaded = try Architectures.fresh(configuration, generator: Generator(seed: seed))
    try ModelLaws.disturb(loaded.parameters, seed: seed &+ 1)
    return loaded
  }

  static func random(_ shape: [Int], _ seed: UInt64) throws -> Tensor { .randn(shape, generator: try Generator(seed: seed)) }

  private static func promptInputs(_ side: Int) throws -> [String: Tensor] {
    [
      "sample": try random([2, 3, side, side], 1), "timestep": Tensor([20, 700] as [Float]),
      "encoder_hidden_states": try random([2, 4, 8], 2),
      "encoder_attention_mask": Tensor([true, true, true, false, true, true, false, false], shape: [2, 4]),
      "pooled_projections": try random([2, 8], 3),
    ]
  }

  static let transformer = TinyModel(
    className: "PromptTransformer2D", variant: "",
    members: [
      "in_channels": .integer(3), "sample_size": .integer(8), "patch_size": .integer(4), "hidden_size": .integer(16),
      "num_layers": .integer(3),
      "num_attention_heads": .integer(2), "mlp_ratio": .integer(2), "cross_attention_dim": .integer(8),
    ]
  ) { try promptInputs(8) }

  static let transformerWithHead = TinyModel(
    className: "PromptTransformer2D", variant: "with a convolutional head",
    members: transformer.members.merging(["head_channels": .integer(8)]) { $1 }, inputs: transformer.inputs)

  static let transformerWithSketch = TinyModel(
    className: "PromptTransformer2D", variant: "with a sketch",
    members: transformer.members.merging(["sketch_channels": .integer(3)]) { $1 }, inputs: transformer.inputs)

  static let unet = TinyModel(
    className: "PromptUNet2D", variant: "text",
    members: [
      "in_channels": .integer(3), "sample_size": .integer(8), "patch_size": .integer(2),
      "block_out_channels": .array([.integer(16), .integer(32)]),
      "layers_per_block": .integer(1), "attention_levels": .array([.bool(false), .bool(true)]), "num_attention_heads": .integer(2),
      "cross_attention_dim": .integer(8),
    ]
  ) { try promptInputs(8) }

  static func numbers(_ values: Int...) -> JSONValue { .array(values.map { .integer($0) }) }

  static func names(_ values: String...) -> JSONValue { .array(values.map { .string($0) }) }

  /// Networks of published checkpoints.
  static let published = [
    TinyModel(
      className: "UNet2DConditionModel", variant: "",
      members: [
        "sample_size": .integer(8), "block_out_channels": numbers(8, 16), "norm_num_groups": .integer(4), "layers_per_block": .integer(1),
        "down_block_types": names("DownBlock2D", "CrossAttnDownBlock2D"), "up_block_types": names("CrossAttnUpBlock2D", "UpBlock2D"),
        "cross_attention_dim": .integer(8), "attention_head_dim": .integer(2),
      ]
    ) {
      [
        "sample": try random([2, 4, 8, 8], 1), "timestep": Tensor([20, 700] as [Float]), "encoder_hidden_states": try random([2, 4, 8], 2),
      ]
    },
    TinyModel(
      className: "AutoencoderKL", variant: "",
      members: [
        "block_out_channels": numbers(8, 16), "norm_num_groups": .integer(4),
        "down_block_types": names("DownEncoderBlock2D", "DownEncoderBlock2D"),
        "up_block_types": names("UpDecoderBlock2D", "UpDecoderBlock2D"),
      ]
    ) { ["sample": try random([2, 3, 8, 8], 1)] },
    TinyModel(
      className: "UNet2DModel", variant: "",
      members: [
        "sample_size": .integer(8), "block_out_channels": numbers(8, 16), "norm_num_groups": .integer(4), "layers_per_block": .integer(1),
        "down_block_types": names("DownBlock2D", "AttnDownBlock2D"), "up_block_types": names("AttnUpBlock2D", "UpBlock2D"),
        "attention_head_dim": .integer(4), "num_class_embeds": .integer(3),
      ]
    ) { ["sample": try random([2, 3, 8, 8], 1), "timestep": Tensor([20, 700] as [Float]), "class_labels": Tensor([0, 2])] },
    TinyModel(
      className: "AutoencoderTiny", variant: "",
      members: [
        "encoder_block_out_channels": numbers(8, 8), "decoder_block_out_channels": numbers(8, 8), "num_encoder_blocks": numbers(1, 1),
        "num_decoder_blocks": numbers(1, 1),
      ]
    ) { ["sample": try random([2, 3, 8, 8], 1)] },
    TinyModel(
      className: "DiTTransformer2DModel", variant: "",
      members: [
        "num_attention_heads": .integer(2), "attention_head_dim": .integer(4), "num_layers": .integer(2), "sample_size": .integer(4),
        "patch_size": .integer(2), "num_embeds_ada_norm": .integer(3),
      ]
    ) { ["hidden_states": try random([2, 4, 4, 4], 1), "timestep": Tensor([20, 700] as [Float]), "class_labels": Tensor([0, 3])] },
  ]

  static let all =
    [
      TinyModel(
        className: "DigitClassifier", variant: "",
        members: [
          "in_channels": .integer(1), "block_out_channels": .array([.integer(16), .integer(16)]), "feature_dim": .integer(6),
          "num_classes": .integer(4),
        ]
      ) { ["pixel_values": try random([3, 1, 12, 12], 1)] },
      TinyModel(
        className: "EmojiClassifier", variant: "",
        members: [
          "in_channels": .integer(3), "sample_size": .integer(16), "block_out_channels": .array([.integer(8), .integer(16)]),
          "feature_dim": .integer(6), "class_names": .array([.string("apple"), .string("fox")]), "style_names": .array([.string("flat")]),
        ]
      ) { ["pixel_values": try random([2, 3, 16, 16], 1)] },
      TinyModel(
        className: "NoiseLevelClassifier", variant: "",
        members: [
          "in_channels": .integer(1), "block_out_channels": .array([.integer(4), .integer(6)]), "hidden_size": .integer(6),
          "num_classes": .integer(4), "sigma_min": .number(0.1), "sigma_max": .number(9),
        ]
      ) { ["pixel_values": try random([3, 1, 12, 12], 1)] },
      TinyModel(
        className: "PromptEncoder", variant: "",
        members: [
          "vocab_size": .integer(12), "hidden_size": .integer(8), "num_hidden_layers": .integer(2), "num_attention_heads": .integer(2),
          "max_position_embeddings": .integer(5),
        ]
      ) {
        [
          "input_ids": Tensor([2, 5, 7, 0, 0, 2, 11, 3, 4, 0], shape: [2, 5]),
          "attention_mask": Tensor([1, 1, 1, 0, 0, 1, 1, 1, 1, 0], shape: [2, 5]),
        ]
      },
      TinyModel(
        className: "PromptSketch", variant: "",
        members: [
          "in_channels": .integer(1), "sample_size": .integer(8), "patch_size": .integer(4), "sketch_channels": .integer(3),
          "cross_attention_dim": .integer(6),
        ]
      ) { ["pooled_projections": try random([3, 6], 1)] },
      transformer, transformerWithHead, transformerWithSketch, unet,
      TinyModel(
        className: "PromptUNet2D", variant: "text and sketch",
        members: unet.members.merging(["sketch_channels": .integer(3), "sketch_patch_size": .integer(4)]) { $1 }, inputs: unet.inputs),
      TinyModel(
        className: "PromptUNet2D", variant: "classes",
        members: [
          "in_channels": .integer(1), "sample_size": .integer(8), "patch_size": .integer(1),
          "block_out_channels": .array([.integer(16), .integer(16)]),
          "layers_per_block": .integer(2), "attention_levels": .array([.bool(true), .bool(false)]), "num_attention_heads": .integer(4),
          "num_class_embeds": .integer(3),
        ]
      ) { ["sample": try random([2, 1, 8, 8], 1), "timestep": Tensor([3, 900] as [Float]), "class_labels": Tensor([0, 3])] },
    ] + published + transformers + codecs + steering + towers
}

/// Laws that hold for every registered architecture.
@Suite struct ArchitectureLawTests {
  @Test("every registered architecture has a tiny configuration", arguments: Architectures.all.map(\.className))
  func isCovered(_ className: String) {
    #expect(
      TinyModel.all.contains { $0.className == className },
      "architecture '\(className)' is registered but has no entry in TinyModel.all (Tests/QuickstepNNTests/TinyModels.swift)")
  }

  @Test(arguments: TinyModel.all)
  func isDeterministic(_ tiny: TinyModel) throws {
    try ModelLaws.checkDeterminism(tiny.testDescription, inputs: tiny.inputs(), tiny.load().component.forward)
  }

  @Test(arguments: TinyModel.all)
  func samplesOfABatchAreIndependent(_ tiny: TinyModel) throws {
    try ModelLaws.checkBatch(tiny.testDescription, inputs: tiny.inputs(), tolerance: 1e-5, tiny.load().component.forward)
  }

  @Test(arguments: TinyModel.all)
  func everyParameterLearns(_ tiny: TinyModel) throws {
    let loaded = try tiny.load()
    try ModelLaws.checkGradients(
      tiny.testDescription, parameters: loaded.parameters, inputs: tiny.inputs(), idle: tiny.idle, loaded.component.forward)
    #expect(loaded.parameters.all.allSatisfy { $0.tensor.gradient == nil && !$0.tensor.requiresGradient })
  }

  @Test("a component survives the way to disk and back", arguments: TinyModel.all)
  func roundTrip(_ tiny: TinyModel) throws {
    let loaded = try tiny.load()
    let folder = try TemporaryFolder()
    try folder.write(ConfigurationFile.pretty(.object(loaded.configuration.members)), to: "config.json")
    try SafetensorsWriter.write(loaded.parameters.all, to: folder.path + "/\(loaded.architecture.weightsName).safetensors")
    let copy = try Architectures.load(folder: folder.path)
    #expect(copy.parameters.names == loaded.parameters.names)
    #expect(
      Architectures.guess(try TensorFiles.open(folder.path + "/\(loaded.architecture.weightsName).safetensors"))?.className
        == (tiny.savedAs ?? tiny.className))
    let (before, after) = (try loaded.component.forward(tiny.inputs()), try copy.component.forward(tiny.inputs()))
    for (name, tensor) in before { #expect(try tensor.hasBits(of: #require(after[name])), "\(name)") }
  }

  /// Numbers no network can have; each has to be refused, whatever the architecture makes of it.
  @Test("impossible numbers in a configuration are errors", arguments: TinyModel.all, [-1, 0, 1 << 33, Int.max])
  func impossibleNumbers(_ tiny: TinyModel, _ number: Int) throws {
    for (key, value) in tiny.members.sorted(by: { $0.key < $1.key }) {
      var changed = tiny.members
      switch value {
      case .integer: changed[key] = .integer(number)
      case .array(let values) where values.contains { $0.integer != nil }: changed[key] = .array(values.map { _ in .integer(number) })
      default: continue
      }
      let configuration = ConfigurationFile(path: "odd.json", members: changed.merging(["_class_name": .string(tiny.className)]) { $1 })
      #expect(throws: (any Error).self, "\(key): \(number)") {
        let loaded = try Architectures.fresh(configuration, generator: Generator(seed: 1), device: .meta)
        // What construction lets pass (a size that only the inputs can contradict) has to fail when it is used.
        _ = try loaded.component.forward(tiny.inputs())
      }
    }
  }

  // The checkers themselves notice faults.

  private struct Toy {
    let inputs: [String: Tensor]
    let weight = Tensor([1, 2] as [Float])
    init() throws { inputs = ["x": try TinyModel.random([3, 2], 1)] }
  }

  @Test func theDeterminismLawNoticesNoise() throws {
    let toy = try Toy()
    #expect(throws: LawViolation.self) {
      try ModelLaws.checkDeterminism("noisy", inputs: toy.inputs) { ["y": ($0["x"] ?? .undefined) + Tensor.rand([2], generator: nil)] }
    }
  }

  @Test func theBatchLawNoticesSamplesThatSeeEachOther() throws {
    let toy = try Toy()
    func check(_ forward: ModelLaws.Forward) throws { try ModelLaws.checkBatch("toy", inputs: toy.inputs, forward) }
    try check { ["y": ($0["x"] ?? .undefined) * 2] }
    #expect(throws: LawViolation.self) { try check { ["y": ($0["x"] ?? .undefined) - ($0["x"] ?? .undefined).mean([0], keepdim: true)] } }
    #expect(throws: LawViolation.self) { try check { ["y": ($0["x"] ?? .undefined).zerosLike()] } }
    #expect(throws: LawViolation.self) { try check { ["y": ($0["x"] ?? .undefined).log()] } }
    #expect(throws: LawViolation.self) { try check { _ in [:] } }
  }

  @Test func theGradientLawNoticesParametersWithoutEffect() throws {
    let toy = try Toy()
    var parameters = try Weights.load(from: TensorDictionary(["w": toy.weight])) { $0.parameter("w", [2], initial: .zeros) }.parameters
    let used = try #require(parameters["w"])
    func check(_ forward: @escaping (Tensor) -> Tensor) throws {
      try ModelLaws.checkGradients("toy", parameters: parameters, inputs: toy.inputs) { ["y": forward($0["x"] ?? .undefined)] }
    }
    try check { $0 * used }
    #expect(throws: LawViolation.self) { try check { $0 * used * 0 } }
    #expect(throws: LawViolation.self) { try check { $0 + (used - used).sqrt() } }
    let idle = try Weights.load(from: TensorDictionary(["idle": toy.weight.clone()])) { $0.parameter("idle", [2], initial: .zeros) }
      .parameters
    parameters.merge(idle)
    let error = #expect(throws: LawViolation.self) { try check { $0 * used } }
    #expect(try #require(error).description.contains("'idle' has no effect"))
    try ModelLaws.checkGradients("toy", parameters: parameters, inputs: toy.inputs, idle: ["idle"]) {
      ["y": ($0["x"] ?? .undefined) * used]
    }
    for wrong in ["w", "nothing"] {
      #expect(throws: LawViolation.self) {
        try ModelLaws.checkGradients("toy", parameters: parameters, inputs: toy.inputs, idle: ["idle", wrong]) {
          ["y": ($0["x"] ?? .undefined) * used]
        }
      }
    }
  }
}
