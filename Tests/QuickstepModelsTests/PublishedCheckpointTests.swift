import Foundation
import QuickstepFormats
import QuickstepModels
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

/// Networks of published checkpoints, on random weights as diffusers and transformers save them (`Parity/checkpoints.py`).
@Suite struct PublishedCheckpointTests {
  struct Case: Sendable, CustomTestStringConvertible {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures/checkpoints").path
    static let all = ((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []).filter { !$0.hasPrefix(".") }.sorted().map(
      Case.init)
    let name: String
    var folder: String { Case.root + "/" + name }
    var testDescription: String { name }

    /// Without the number: the network that was drawn.
    var kind: String { name.split(separator: "-").dropLast().joined(separator: "-") }

    /// Whether all inputs have the same number of samples, and more than one; otherwise there is nothing to compare.
    var isBatch: Bool {
      guard let inputs = try? tensors("in.") else { return false }
      let sizes = Set(inputs.values.map { $0.rank > 0 ? $0.size(0) : 0 })
      return sizes.count == 1 && sizes.allSatisfy { $0 >= 2 }
    }

    func tensors(_ prefix: String) throws -> [String: Tensor] {
      let file = try SafetensorsFile(path: folder + "/golden.safetensors")
      let names = file.names.filter { $0.hasPrefix(prefix) }
      return try Dictionary(uniqueKeysWithValues: names.map { (String($0.dropFirst(prefix.count)), try file.tensor($0)) })
    }
  }

  @Test func everyArchitectureHasCases() throws {
    let classes = Set(try Case.all.map { try ConfigurationFile(path: $0.folder + "/config.json").className })
    for name in [
      "UNet2DConditionModel", "UNet2DModel", "AutoencoderKL", "AutoencoderTiny", "CLIPTextModel", "CLIPTextModelWithProjection",
      "CLIPModel", "CLIPVisionModelWithProjection",
      "DiTTransformer2DModel", "T5EncoderModel", "Gemma2Model", "Gemma2ForCausalLM", "FluxTransformer2DModel", "SD3Transformer2DModel",
      "PixArtTransformer2DModel",
      "SanaTransformer2DModel", "AutoencoderDC", "VQModel", "ControlNetModel",
    ] {
      #expect(classes.contains(name), "\(name)")
    }
  }

  @Test(arguments: Case.all)
  func forwardEqualsTheReference(_ item: Case) throws {
    let component = try Architectures.load(folder: item.folder).component
    let actual = try withInference { try component.forward(item.tensors("in.")) }
    for (name, expected) in try item.tensors("out.") {
      let difference = try relativeDifference(#require(actual[name]), expected)
      #expect(difference <= 2e-4, "\(name) differs by \(difference) standard deviations")
    }
  }

  @Test(
    "prepared layers give the reference's numbers", .enabled(if: LayerPreparation.isAvailable), arguments: Case.all,
    ConvolutionMethod.allCases)
  func preparedForwardEqualsTheReference(_ item: Case, method: ConvolutionMethod) throws {
    let component = try Architectures.load(folder: item.folder, preparation: LayerPreparation(convolution: method)).component
    let actual = try withInference { try component.forward(item.tensors("in.")) }
    for (name, expected) in try item.tensors("out.") {
      let difference = try relativeDifference(#require(actual[name]), expected)
      #expect(difference <= 2e-4, "\(name) differs by \(difference) standard deviations with \(method)")
    }
  }

  static let batches = Case.all.filter(\.isBatch)

  @Test("samples of a batch do not see each other", arguments: batches)
  func batchIndependence(_ item: Case) throws {
    let component = try Architectures.load(folder: item.folder).component
    try ModelLaws.checkBatch(item.name, inputs: item.tensors("in."), tolerance: 1e-4, component.forward)
  }

  @Test func everyNetworkIsAskedForABatch() {
    // CLIP's two towers are given other numbers of texts than of pictures.
    #expect(Set(Case.all.map(\.kind)).subtracting(Self.batches.map(\.kind)) == ["clip-both"])
    #expect(Self.batches.count >= 39)
  }

  @Test(
    "other types are the same network, rounded",
    arguments: Case.all.filter { item in ["t5", "gemma", "flux", "sd3", "pixart", "sana", "dc"].contains { item.name.hasPrefix($0) } },
    [DType.bfloat16, .float64])
  func otherTypes(_ item: Case, _ dtype: DType) throws {
    let component = try Architectures.load(folder: item.folder, dtype: dtype).component
    // As `quickstep forward` has it: numbers per sample keep their digits.
    let inputs = try item.tensors("in.").mapValues { $0.dtype.isFloatingPoint && $0.rank >= 2 ? $0.to(dtype) : $0 }
    let actual = try withInference { try component.forward(inputs) }
    for (name, expected) in try item.tensors("out.") {
      let output = try #require(actual[name])
      #expect(output.dtype == dtype)
      let (x, y) = (try output.to(.float64).scalars(Double.self), try expected.to(.float64).scalars(Double.self))
      let mean = y.reduce(0, +) / Double(y.count)
      let error = (zip(x, y).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } / y.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }).squareRoot()
      // bfloat16 keeps less than three digits, of which layers lose more; linear attention jumps where the last channel of a query falls
      // below 0, which gave 0.15 once (the reference's own error in this type goes to 0.06).
      #expect(error <= (dtype == .bfloat16 ? 0.2 : 1e-5), "\(name) differs by \(error) of its spread")
    }
  }

  @Test("a setting that is unknown, or known and not supported, is refused by name", arguments: Case.all)
  func settings(_ item: Case) throws {
    let file = try ConfigurationFile(path: item.folder + "/config.json")
    let architecture = try Architectures.of(file)
    for (key, value) in [("nonsense", JSONValue.integer(1)), ("act_fn", .string("mish")), ("hidden_act", .string("mish"))] {
      guard key == "nonsense" || file.members[key] != nil else { continue }
      let changed = ConfigurationFile(path: "config.json", members: file.members.merging([key: value]) { $1 })
      let error = #expect(throws: FormatError.self) { try Architectures.fresh(changed, generator: Generator(seed: 1)) }
      #expect("\(try #require(error))".contains(key), "\(architecture.className) \(key): \(String(describing: error))")
    }
  }

  @Test(
    "numbers that make no network are errors",
    arguments: [
      ("unet-0", "block_out_channels", JSONValue.array([])), ("unet-0", "block_out_channels", .array([.integer(-8)])),
      ("unet-0", "block_out_channels", .array(Array(repeating: .integer(8), count: 65))), ("unet-0", "attention_head_dim", .integer(0)),
      ("unet-0", "attention_head_dim", .integer(7)), ("unet-0", "norm_num_groups", .integer(5)),
      ("unet-0", "layers_per_block", .integer(0)),
      ("unet-0", "cross_attention_dim", .array([.integer(1)])), ("unet-0", "down_block_types", .array([.string("AttnDownBlock3D")])),
      ("autoencoder-0", "block_out_channels", .array([.integer(8), .number(2.5)])), ("autoencoder-0", "norm_num_groups", .integer(1 << 40)),
      ("autoencoder-0", "scaling_factor", .integer(0)), ("clip-0", "num_attention_heads", .integer(3)),
      ("clip-0", "vocab_size", .string("50")),
      ("clip-0", "hidden_size", .integer(-32)),
    ])
  func numbers(_ name: String, _ key: String, _ value: JSONValue) throws {
    let file = try ConfigurationFile(path: Case(name: name).folder + "/config.json")
    let changed = ConfigurationFile(path: "config.json", members: file.members.merging([key: value]) { $1 })
    #expect(throws: FormatError.self) { try Architectures.fresh(changed, generator: Generator(seed: 1)) }
  }

  @Test func aMissingMiddleIsRefusedByName() throws {
    let file = try ConfigurationFile(path: Case(name: "plain-unet-0").folder + "/config.json")
    let changed = ConfigurationFile(path: "config.json", members: file.members.merging(["mid_block_type": .null]) { $1 })
    let error = #expect(throws: FormatError.self) { try Architectures.fresh(changed, generator: Generator(seed: 1)) }
    #expect("\(try #require(error))".contains("'mid_block_type' is null"))
  }

  @Test(
    "levels that halve the side are at most sixteen",
    arguments: [
      ("autoencoder-0", "block_out_channels"), ("vq-0", "block_out_channels"), ("plain-unet-0", "block_out_channels"),
      ("dc-0", "encoder_block_out_channels"), ("dc-0", "decoder_block_out_channels"), ("tiny-0", "encoder_block_out_channels"),
      ("tiny-0", "decoder_block_out_channels"), ("controlnet-0", "conditioning_embedding_out_channels"),
    ])
  func halvings(_ name: String, _ key: String) throws {
    let file = try ConfigurationFile(path: Case(name: name).folder + "/config.json")
    let changed = ConfigurationFile(path: "config.json", members: file.members.merging([key: Self.levels(17)]) { $1 })
    let error = #expect(throws: FormatError.self) { try Architectures.fresh(changed, generator: Generator(seed: 1)) }
    let text = "\(try #require(error))"
    #expect(text.contains("'\(key)'") && text.contains("a list of 1 to 16 whole numbers"), "\(text)")
  }

  private static func levels(_ count: Int) -> JSONValue { .array(Array(repeating: .integer(8), count: count)) }

  @Test func sixteenLevelsAreAllowed() throws {
    let file = try ConfigurationFile(path: Case(name: "autoencoder-0").folder + "/config.json")
    func blocks(_ name: String) -> JSONValue { .array(Array(repeating: .string(name), count: 16)) }
    let members: [String: JSONValue] = [
      "block_out_channels": Self.levels(16), "norm_num_groups": .integer(4), "layers_per_block": .integer(1),
      "down_block_types": blocks("DownEncoderBlock2D"), "up_block_types": blocks("UpDecoderBlock2D"),
    ]
    let configuration = try AutoencoderKLConfiguration(
      ConfigurationFile(path: "config.json", members: file.members.merging(members) { $1 }))
    #expect(configuration.blockChannels.count == 16)
  }

  @Test("a divisor that the reference's blocks of these types do not read changes nothing", arguments: ["unet-0", "unet-attention-0"])
  func unreadDivisor(_ name: String) throws {
    let item = Case(name: name)
    let file = try ConfigurationFile(path: item.folder + "/config.json")
    let changed = ConfigurationFile(path: file.path, members: file.members.merging(["resnet_out_scale_factor": .number(2)]) { $1 })
    let weights = try SafetensorsFile(path: item.folder + "/diffusion_pytorch_model.safetensors")
    let component = try Architectures.load(changed, from: weights).component
    let actual = try withInference { try component.forward(item.tensors("in.")) }
    for (name, expected) in try item.tensors("out.") { #expect(try relativeDifference(#require(actual[name]), expected) <= 2e-4) }
  }

  @Test("a variant serves where there is nothing else", arguments: ["fp16", "bf16"])
  func variants(_ variant: String) throws {
    let item = Case(name: "tiny-0")
    let folder = try TemporaryFolder()
    try folder.write(Data(contentsOf: URL(fileURLWithPath: item.folder + "/config.json")), to: "config.json")
    let weights = try Data(contentsOf: URL(fileURLWithPath: item.folder + "/diffusion_pytorch_model.safetensors"))
    let error = #expect(throws: FormatError.self) { try Architectures.load(folder: folder.path) }
    #expect("\(try #require(error))".contains("fp16"))
    try folder.write(weights, to: "diffusion_pytorch_model.\(variant).safetensors")
    #expect(try Architectures.load(folder: folder.path).parameters.count > 0)
  }

  @Test("codecs of Stable Diffusion 1 and 2 name their attention as diffusers did before 2023")
  func oldNamesOfAttention() throws {
    let renames = [".to_q.": ".query.", ".to_k.": ".key.", ".to_v.": ".value.", ".to_out.0.": ".proj_attn."]
    var renamed = 0
    for item in Case.all where item.name.hasPrefix("autoencoder") {
      let weights = try SafetensorsFile(path: item.folder + "/diffusion_pytorch_model.safetensors")
      let folder = try TemporaryFolder()
      try folder.write(Data(contentsOf: URL(fileURLWithPath: item.folder + "/config.json")), to: "config.json")
      let tensors = try weights.names.map { name -> (name: String, tensor: Tensor) in
        let other = renames.reduce(name) { $0.replacing($1.key, with: $1.value) }
        renamed += other == name ? 0 : 1
        return (other, try weights.tensor(name))
      }
      try SafetensorsWriter.write(tensors, metadata: [:], to: folder.path + "/diffusion_pytorch_model.safetensors")
      let inputs = try item.tensors("in.")
      let expected = try Architectures.load(folder: item.folder).component.forward(inputs)
      let actual = try Architectures.load(folder: folder.path).component.forward(inputs)
      for (name, tensor) in expected { #expect(try bits(tensor) == bits(#require(actual[name]))) }
    }
    #expect(renamed >= 16)
  }

  @Test("CLIP's keys may lack the prefix 'text_model.'")
  func bothNamesOfCLIP() throws {
    let item = Case(name: "clip-0")
    let weights = try SafetensorsFile(path: item.folder + "/model.safetensors")
    let isPrefixed = weights.names.contains { $0.hasPrefix("text_model.") }
    let folder = try TemporaryFolder()
    try folder.write(Data(contentsOf: URL(fileURLWithPath: item.folder + "/config.json")), to: "config.json")
    let renamed = try weights.names.map { name -> (name: String, tensor: Tensor) in
      let isProjection = name.hasPrefix("text_projection")
      let other = isProjection ? name : isPrefixed ? String(name.dropFirst("text_model.".count)) : "text_model." + name
      return (other, try weights.tensor(name))
    }
    try SafetensorsWriter.write(renamed, metadata: [:], to: folder.path + "/model.safetensors")
    let inputs = try item.tensors("in.")
    let expected = try Architectures.load(folder: item.folder).component.forward(inputs)
    let actual = try Architectures.load(folder: folder.path).component.forward(inputs)
    for (name, tensor) in expected { #expect(try bits(tensor) == bits(#require(actual[name]))) }
  }

  @Test("the real tiny autoencoder of FLUX.2 gives the reference's numbers", .enabled(if: TAEF2.folder != nil, "needs QUICKSTEP_DATA"))
  func taef2() throws {
    let folder = try #require(TAEF2.folder)
    func file(_ name: String) throws -> SafetensorsFile { try SafetensorsFile(path: "\(folder)/\(name).safetensors") }
    let codec = try AutoencoderTiny.original(
      encoder: file("taef2_encoder"), decoder: file("taef2_decoder"), latentChannels: 32)
    let reference = try file("reference")
    let pictures = try withTensorErrors { try reference.tensor("images_u8").to(.float32) / 127.5 - 1 }
    let latents = try withInference { try withTensorErrors { codec.encode(pictures) } }
    #expect(try relativeDifference(latents, reference.tensor("latents")) <= 1e-4)
    let decoded = try withInference { try withTensorErrors { try (codec.decode(reference.tensor("latents")) + 1) / 2 } }
    #expect(try relativeDifference(decoded, reference.tensor("decoded")) <= 1e-4)
  }

  /// Real weights are not part of the repository.
  enum TAEF2 {
    static let folder: String? = (try? DataLocation.find("weights/taef2"))
  }
}
