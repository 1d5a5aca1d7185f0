import Foundation
import QuickstepFormats
import QuickstepModels
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

/// What is special to the text encoders and transformers of published text-to-image models. Equality with the reference is in
/// `PublishedCheckpointTests`.
@Suite struct TransformerTests {
  typealias Case = PublishedCheckpointTests.Case

  /// A copy of a fixture with other weights' names or another configuration, loaded.
  private func changed(
    _ name: String, members: [String: JSONValue] = [:], rename: (String) -> [String] = { [$0] }
  ) throws -> LoadedComponent {
    let source = Case(name: name).folder
    let file = try ConfigurationFile(path: source + "/config.json")
    let folder = try TemporaryFolder()
    try folder.write(ConfigurationFile.pretty(.object(file.members.merging(members) { $1 })), to: "config.json")
    let weightsName = try Architectures.of(file).weightsName
    let weights = try SafetensorsFile(path: "\(source)/\(weightsName).safetensors")
    let tensors = try weights.names.flatMap { old in try rename(old).map { (name: $0, tensor: try weights.tensor(old)) } }
    try SafetensorsWriter.write(tensors, metadata: [:], to: "\(folder.path)/\(weightsName).safetensors")
    return try Architectures.load(folder: folder.path)
  }

  /// Latents that fit, and conditions from a fixture's inputs.
  private func backbone(_ name: String) throws -> (backbone: any Backbone, inputs: [String: Tensor], conditioning: Conditioning) {
    let inputs = try Case(name: name).tensors("in.")
    let backbone = try #require(try Architectures.load(folder: Case(name: name).folder).component as? any Backbone)
    var conditioning = Conditioning(
      sequence: inputs["encoder_hidden_states"], mask: inputs["encoder_attention_mask"], pooled: inputs["pooled_projections"])
    conditioning.guidanceScale = inputs["guidance"]
    (conditioning.resolution, conditioning.aspectRatio) = (inputs["resolution"], inputs["aspect_ratio"])
    return (backbone, inputs, conditioning)
  }

  private func run(
    _ backbone: any Backbone, _ sample: Tensor, _ timestep: Tensor, _ conditioning: Conditioning
  ) throws -> Tensor {
    try withTensorErrors { try backbone(sample, timestep: timestep, conditioning: conditioning, evaluation: .plain) }
  }

  // T5

  @Test("T5's token table has two names, and what belongs to its decoder is left alone")
  func namesOfTheTokenTable() throws {
    let inputs = try Case(name: "t5-0").tensors("in.")
    let expected = try #require(Architectures.load(folder: Case(name: "t5-0").folder).component.forward(inputs)["last_hidden_state"])
    let other = "encoder.embed_tokens.weight"
    for names in [[other], ["shared.weight", other], ["shared.weight", "lm_head.weight", "decoder.final_layer_norm.weight"]] {
      let loaded = try changed("t5-0") { $0 == "shared.weight" ? names : [$0] }
      #expect(try bits(#require(loaded.component.forward(inputs)["last_hidden_state"])) == bits(expected), "\(names)")
    }
    let error = #expect(throws: WeightsError.self) { try changed("t5-0") { $0 == "shared.weight" ? [] : [$0] } }
    #expect("\(try #require(error))".contains("shared.weight"))
  }

  @Test("tokens that do not count have no effect on those that do")
  func maskOfT5() throws {
    let item = Case(name: "t5-3")
    let component = try Architectures.load(folder: item.folder).component
    var inputs = try item.tensors("in.")
    let (ids, mask) = (try #require(inputs["input_ids"]), try #require(inputs["attention_mask"]))
    func counted() throws -> Tensor {
      try #require(component.forward(inputs)["last_hidden_state"]) * mask.unsqueeze(-1).to(.float32)
    }
    let before = try counted()
    inputs["input_ids"] = ids * mask + (1 - mask) * 7
    #expect(try relativeDifference(counted(), before) <= 1e-6)
    inputs["attention_mask"] = nil
    #expect(try relativeDifference(counted(), before) > 1e-2)
    inputs["attention_mask"] = mask.narrow(1, start: 0, length: 5)
    #expect(throws: ComponentError.self) { try component.forward(inputs) }
  }

  // Names of earlier versions

  @Test(
    "checkpoints of DiT and PixArt may name the class that both once were",
    arguments: ["dit-0", "dit-2", "pixart-0", "pixart-1", "pixart-2", "pixart-3"])
  func formerClassName(_ name: String) throws {
    let former: [String: JSONValue] = [
      "_class_name": .string("Transformer2DModel"), "only_cross_attention": .bool(false), "double_self_attention": .bool(false),
      "use_linear_projection": .bool(false), "num_vector_embeds": .null, "attention_type": .string("default"),
    ]
    let item = Case(name: name)
    let expected = try #require(Architectures.load(folder: item.folder).component.forward(item.tensors("in."))["sample"])
    let loaded = try changed(name, members: former)
    #expect(try bits(#require(loaded.component.forward(item.tensors("in."))["sample"])) == bits(expected))
    for (key, value) in [("norm_type", JSONValue.string("layer_norm")), ("norm_type", .null), ("double_self_attention", .bool(true))] {
      let error = #expect(throws: FormatError.self) { try changed(name, members: former.merging([key: value]) { $1 }) }
      #expect("\(try #require(error))".contains(key), "\(String(describing: error))")
    }
  }

  // FLUX

  @Test func tokensOfFluxHoldFourPixelsChannelByChannel() throws {
    let latents = Tensor((0..<16).map(Float.init), shape: [1, 2, 2, 4])
    let tokens = FluxTransformer.packed(latents)
    #expect(tokens.shape == [1, 2, 8])
    #expect(try tokens.scalars(Float.self) == [0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15])
    #expect(try bits(FluxTransformer.unpacked(tokens, rows: 1, columns: 2)) == bits(latents))
    #expect(try FluxTransformer.positions(rows: 2, columns: 2).scalars(Float.self) == [0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 1, 1])
  }

  @Test("FLUX on latents is FLUX on their tokens, with times a thousand times as large", arguments: ["flux-1", "flux-2", "flux-3"])
  func fluxOnLatents(_ name: String) throws {
    let (backbone, inputs, conditioning) = try backbone(name)
    let (tokens, places) = (try #require(inputs["hidden_states"]), try #require(inputs["img_ids"]))
    let last = try (places.rank == 3 ? places.select(0, index: 0) : places).amax([0]).scalars(Float.self)
    let (rows, columns) = (Int(last[1]) + 1, Int(last[2]) + 1)
    let latents = FluxTransformer.unpacked(tokens, rows: rows, columns: columns)
    let output = try run(backbone, latents, #require(inputs["timestep"]) * 1000, conditioning)
    let expected = try #require(Case(name: name).tensors("out.")["sample"])
    #expect(output.shape == latents.shape)
    #expect(try relativeDifference(FluxTransformer.packed(output), expected) <= 2e-4)
  }

  @Test func guidanceOfFluxIsNeededOrRefused() throws {
    let (dev, inputs, given) = try backbone("flux-1")
    let (schnell, others, plain) = try backbone("flux-2")
    let sample = Tensor.ones([1, 4, 4, 6])
    var conditioning = given
    conditioning.guidanceScale = nil
    let missing = #expect(throws: ComponentError.self) { try run(dev, sample, #require(inputs["timestep"]), conditioning) }
    #expect(try #require(missing).description.contains("'guidance'"))
    conditioning = plain
    conditioning.guidanceScale = Tensor([3.5, 3.5] as [Float])
    let refused = #expect(throws: ComponentError.self) {
      try run(schnell, .ones([2, 2, 4, 6]), #require(others["timestep"]), conditioning)
    }
    #expect(try #require(refused).description.contains("'guidance'"))
  }

  @Test(
    "tokens of FLUX and their positions have to belong together",
    arguments: [
      ("img_ids", [5, 3]), ("img_ids", [6, 2]), ("txt_ids", [6, 3]), ("hidden_states", [1, 6, 8]), ("hidden_states", [6, 16]),
    ])
  func shapesOfFlux(_ input: String, _ shape: [Int]) throws {
    let item = Case(name: "flux-1")
    let component = try Architectures.load(folder: item.folder).component
    var inputs = try item.tensors("in.")
    inputs[input] = .zeros(shape)
    #expect(throws: ComponentError.self) { try component.forward(inputs) }
  }

  // The others

  @Test("a sample that does not fit is an error that says so", arguments: ["flux-2", "sd3-0", "pixart-1", "sana-2", "dit-0"])
  func samples(_ name: String) throws {
    let (backbone, inputs, given) = try backbone(name)
    var conditioning = given
    conditioning.classes = inputs["class_labels"]
    let channels = backbone.sampleShape[0]
    let time = try #require(inputs["timestep"])
    var shapes = [[1, channels + 1, 8, 8], [channels, 8, 8], [1, channels, 0, 8]]
    if backbone.sizeMultiple > 1 { shapes.append([1, channels, 8, 7]) }
    for shape in shapes {
      let error = #expect(throws: ComponentError.self, "\(shape)") { try run(backbone, .zeros(shape), time, conditioning) }
      #expect("\(try #require(error))".contains("\(shape)"))
    }
  }

  @Test func sd3RefusesWhatExceedsItsTableOfPositions() throws {
    let (backbone, inputs, conditioning) = try backbone("sd3-0")
    let side = 2 * 12
    let error = #expect(throws: ComponentError.self) {
      try run(backbone, .zeros([2, backbone.sampleShape[0], side, 4]), #require(inputs["timestep"]), conditioning)
    }
    #expect("\(try #require(error))".contains("too large"))
  }

  @Test("Sana multiplies times and guidance by its factors")
  func factorsOfSana() throws {
    for name in ["sana-1", "sana-2"] {
      let (backbone, inputs, given) = try backbone(name)
      let configuration = try #require(backbone as? SanaTransformer).configuration
      var conditioning = given
      conditioning.guidanceScale = given.guidanceScale.map { $0 / configuration.guidanceFactor }
      let times = try #require(inputs["timestep"]) / configuration.timestepFactor
      let output = try run(backbone, #require(inputs["hidden_states"]), times, conditioning)
      #expect(try relativeDifference(output, #require(Case(name: name).tensors("out.")["sample"])) <= 2e-4)
    }
  }

  @Test("a prompt of which nothing counts is no division by zero", arguments: ["pixart-1", "sana-2"])
  func emptyMask(_ name: String) throws {
    let (backbone, inputs, given) = try backbone(name)
    var conditioning = given
    let prompt = try #require(given.sequence)
    conditioning.mask = .zeros([1, prompt.size(1)])
    let output = try run(backbone, #require(inputs["hidden_states"]), #require(inputs["timestep"]), conditioning)
    #expect(try output.scalars(Float.self).allSatisfy(\.isFinite))
  }

  @Test(
    "a condition the model needs",
    arguments: [
      ("flux-2", "encoder_hidden_states"), ("flux-2", "pooled_projections"), ("flux-1", "guidance"), ("sd3-0", "encoder_hidden_states"),
      ("sd3-0", "pooled_projections"), ("pixart-0", "resolution"), ("pixart-0", "aspect_ratio"), ("pixart-1", "encoder_hidden_states"),
      ("sana-1", "encoder_hidden_states"), ("sana-2", "guidance"), ("t5-0", "input_ids"),
    ])
  func conditions(_ name: String, _ input: String) throws {
    let item = Case(name: name)
    let component = try Architectures.load(folder: item.folder).component
    var inputs = try item.tensors("in.")
    inputs[input] = nil
    let error = #expect(throws: ComponentError.self) { try component.forward(inputs) }
    #expect("\(try #require(error))".contains("'\(input)'"))
  }

  @Test(
    "numbers that make no network are errors that name the key",
    arguments: [
      ("t5-0", "feed_forward_proj", JSONValue.string("gated-silu")), ("t5-0", "is_gated_act", .bool(false)),
      ("t5-0", "relative_attention_max_distance", .integer(2)), ("t5-0", "d_kv", .integer(0)), ("t5-0", "is_decoder", .bool(true)),
      ("flux-0", "axes_dims_rope", .array([.integer(6), .integer(6)])),
      ("flux-0", "axes_dims_rope", .array([.integer(1), .integer(5), .integer(6)])), ("flux-0", "in_channels", .integer(6)),
      ("flux-0", "patch_size", .integer(2)), ("flux-0", "attention_head_dim", .integer(16)),
      ("sd3-0", "dual_attention_layers", .array([.integer(1)])), ("sd3-0", "dual_attention_layers", .array([.integer(0), .integer(0)])),
      ("sd3-0", "qk_norm", .string("layer_norm")), ("sd3-0", "caption_projection_dim", .integer(16)),
      ("sd3-0", "pos_embed_max_size", .null), ("pixart-0", "cross_attention_dim", .integer(20)),
      ("pixart-0", "cross_attention_dim", .null), ("pixart-0", "interpolation_scale", .integer(0)),
      ("pixart-0", "norm_type", .string("ada_norm_zero")), ("pixart-0", "norm_elementwise_affine", .bool(true)),
      ("sana-0", "cross_attention_dim", .integer(16)), ("sana-0", "qk_norm", .string("rms_norm")), ("sana-0", "mlp_ratio", .integer(0)),
      ("sana-1", "interpolation_scale", .integer(-1)),
    ])
  func numbers(_ name: String, _ key: String, _ value: JSONValue) throws {
    let file = try ConfigurationFile(path: Case(name: name).folder + "/config.json")
    let changed = ConfigurationFile(path: "config.json", members: file.members.merging([key: value]) { $1 })
    let error = #expect(throws: FormatError.self) { try Architectures.fresh(changed, generator: Generator(seed: 1)) }
    #expect("\(try #require(error))".contains("'\(key)'"))
  }
}
