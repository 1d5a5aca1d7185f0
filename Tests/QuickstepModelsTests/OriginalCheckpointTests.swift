import Foundation
import QuickstepFormats
import QuickstepModels
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

/// Tensors of which only names and shapes are known.
private struct Shapes: TensorSource {
  var shapes: [String: [Int]]
  var metadata: [String: String] = [:]
  var origin: String { "model.safetensors" }
  var names: [String] { shapes.keys.sorted() }

  func info(_ name: String) -> TensorInfo? { shapes[name].map { TensorInfo(name: name, dtype: .float16, shape: $0) } }
  func tensor(_ name: String) throws -> Tensor { try withTensorErrors { Tensor.full(shapes[name] ?? [], fillValue: 1, dtype: .float16) } }
}

/// Original single files in the sizes that were published. `Fixtures/single-file/published.json.gz` has their names and shapes beside those that
/// diffusers' own conversion makes of them (`Parity/single_files.py`).
@Suite struct OriginalCheckpointTests {
  static let families = ["sd1", "sd2", "sdxl", "refiner"]

  private static let published: JSONValue? = {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures/single-file")
    guard let bytes = try? Gzip.readFile(folder.path + "/published.json.gz", limit: 1 << 24) else { return nil }
    return try? JSONValue(parsing: String(decoding: bytes, as: UTF8.self))
  }()

  private func shapes(_ value: JSONValue?) throws -> [String: [Int]] {
    Dictionary(
      uniqueKeysWithValues: try #require(value?.array).map { pair in
        (try #require(pair.array?.first?.string), try #require(pair.array?.last?.array).compactMap(\.integer))
      })
  }

  private func source(_ family: String) throws -> Shapes { Shapes(shapes: try shapes(Self.published?[family]?["original"])) }

  @Test("names, shapes and configurations are those of the published folders", arguments: families)
  func published(_ family: String) throws {
    let checkpoint = try OriginalCheckpoint(try source(family))
    let expected = try #require(Self.published?[family]?["parts"]?.object)
    #expect(Set(checkpoint.parts.map(\.name)) == Set(expected.keys))
    for part in checkpoint.parts {
      let tensors = try shapes(expected[part.name]?["tensors"])
      #expect(part.weights.names == tensors.keys.sorted(), "\(part.name)")
      for (name, shape) in tensors { #expect(part.weights.info(name)?.shape == shape, "\(part.name) \(name)") }
      for (key, value) in try #require(expected[part.name]?["configuration"]?.object) {
        // Where the reference has one number for all levels, ours has one for each; levels without attention have a depth that nobody reads.
        let ours = part.configuration.members[key]
        if key == "transformer_layers_per_block" { continue }
        let list = ours?.array.map { Set($0).count == 1 ? $0.first : nil } ?? nil
        #expect(ours == value || list == value || ours?.double == value.double && value.double != nil, "\(part.name) \(key)")
      }
      // The architecture reads every key and finds a tensor for each of its parameters.
      _ = try Architectures.of(part.configuration)
    }
  }

  @Test("depths of attention are told from the blocks")
  func depths() throws {
    func depths(_ family: String, _ key: String) throws -> [Int]? {
      try OriginalCheckpoint(source(family)).part("unet").configuration.members[key]?.array?.compactMap(\.integer)
    }
    #expect(try depths("sdxl", "transformer_layers_per_block") == [1, 2, 10])
    #expect(try depths("sdxl", "reverse_transformer_layers_per_block") == [10, 2, 1])
    #expect(try depths("refiner", "transformer_layers_per_block") == [1, 4, 4, 4])
    #expect(try depths("sd1", "transformer_layers_per_block") == [1, 1, 1, 1])
  }

  @Test func familiesAndTheirSchedules() throws {
    func checkpoint(_ family: String, _ metadata: [String: String] = [:], extra: [String: [Int]] = [:], asked: String? = nil) throws
      -> OriginalCheckpoint
    {
      var source = try source(family)
      source.metadata = metadata
      source.shapes.merge(extra) { $1 }
      return try OriginalCheckpoint(source, prediction: asked)
    }
    let one = try checkpoint("sd1")
    #expect(one.family == .stableDiffusion1 && one.index.className == "StableDiffusionPipeline" && one.notes.isEmpty)
    #expect(one.scheduler.members["prediction_type"]?.string == "epsilon")
    #expect(try one.part("vae").configuration.members["scaling_factor"]?.double == 0.18215)
    #expect(
      try checkpoint("sdxl").index.className == "StableDiffusionXLPipeline" && checkpoint("refiner").family == .stableDiffusionXLRefiner)
    let two = try checkpoint("sd2")
    #expect(two.scheduler.members["prediction_type"]?.string == "v_prediction" && two.notes.first?.contains("--prediction epsilon") == true)
    #expect(try two.part("unet").configuration.members["sample_size"]?.integer == 96)
    let base = try checkpoint("sd2", ["modelspec.architecture": "stable-diffusion-v2-512"])
    #expect(base.scheduler.members["prediction_type"]?.string == "epsilon" && base.notes.isEmpty)
    #expect(try base.part("unet").configuration.members["sample_size"]?.integer == 64)
    #expect(try checkpoint("sd2", asked: "epsilon").scheduler.members["prediction_type"]?.string == "epsilon")
    #expect(try checkpoint("sdxl", ["modelspec.prediction_type": "v"]).scheduler.members["prediction_type"]?.string == "v_prediction")
    let zero = try checkpoint("sdxl", extra: ["v_pred": [0], "ztsnr": [0]]).scheduler
    #expect(zero.members["prediction_type"]?.string == "v_prediction" && zero.members["rescale_betas_zero_snr"]?.bool == true)
    #expect(throws: FormatError.self) { try checkpoint("sd1", asked: "x0") }
  }

  /// What is left out is on a list; everything else is reported.
  @Test func unknownKeysAreReported() throws {
    var source = try source("sd1")
    source.shapes["control_model.input_hint_block.0.weight"] = [16, 3, 3, 3]
    source.shapes["model.diffusion_model.input_blocks.1.2.weight"] = [1]
    let error = #expect(throws: FormatError.self) { try OriginalCheckpoint(source) }
    #expect(error?.reason.contains("2 tensors that belong to no part of it: control_model.input_hint_block.0.weight") == true)
    #expect(error?.origin == "model.safetensors")
  }

  @Test func damagedStructuresAreRefused() throws {
    func refusal(_ change: (inout [String: [Int]]) -> Void) throws -> String {
      var source = try source("sd1")
      change(&source.shapes)
      do {
        _ = try OriginalCheckpoint(source)
        return ""
      } catch let error as FormatError { return error.reason }
    }
    let network = "model.diffusion_model."
    #expect(try refusal { shapes in shapes = ["a": [1]] }.contains("is no original single file"))
    #expect(try refusal { shapes in shapes = ["model_ema.x": [1]] }.contains("averaged weights only"))
    #expect(
      try refusal { shapes in for name in shapes.keys where name.contains("output_blocks.11.") { shapes[name] = nil } }.contains(
        "'model.diffusion_model.output_blocks.11' is missing"))
    #expect(try refusal { $0[network + "time_embed.0.weight"] = [1280] }.contains("expected 2 dimensions"))
    #expect(try refusal { $0[network + "input_blocks.1.1.proj_in.weight"] = nil }.contains("attend in different depths"))
    #expect(
      try refusal { $0["first_stage_model.encoder.down.0.block.0.conv1.weight"] = nil }.contains("the autoencoder's encoder is missing"))
    #expect(
      try refusal { $0["cond_stage_model.transformer.text_model.encoder.layers.0.layer_norm1.weight"] = nil }.contains(
        "the text encoder is not complete"))
  }

  /// A wrong shape inside a block is found by the audit before anything runs.
  @Test func partsAloneAndMissingOnes() throws {
    var source = try source("sd1")
    source.shapes = source.shapes.filter { $0.key.hasPrefix("model.diffusion_model.") }
    let checkpoint = try OriginalCheckpoint(source)
    #expect(checkpoint.parts.map(\.name) == ["unet"])
    let error = #expect(throws: FormatError.self) { try checkpoint.part("vae") }
    #expect(error?.reason.contains("holds no 'vae'; it holds unet") == true)
    let alone = Shapes(shapes: Dictionary(uniqueKeysWithValues: source.shapes.map { (String($0.key.dropFirst(22)), $0.value) }))
    #expect(try ComponentFile.tensors("unet", in: alone).names == checkpoint.part("unet").weights.names)
    var strange = alone
    strange.shapes["strange.weight"] = [1]
    #expect(throws: FormatError.self) { try ComponentFile.tensors("unet", in: strange) }
    #expect(try ComponentFile.tensors("unet", in: Shapes(shapes: ["conv_in.weight": [1]])).names == ["conv_in.weight"])
  }

  /// stable-diffusion.cpp's converter renames text encoders as it writes GGUF, and leaves the projection as open_clip has it.
  @Test(arguments: [false, true])
  func namesOfConvertedEncoders(fused: Bool) throws {
    let published = try source("sdxl")
    var converted = published
    converted.shapes = published.shapes.filter { !$0.key.hasPrefix("conditioner.") }
    for (part, prefix) in [("text_encoder", "cond_stage_model.transformer."), ("text_encoder_2", "cond_stage_model.1.transformer.")] {
      let weights = try OriginalCheckpoint(published).part(part).weights
      for name in weights.names {
        let shape = try #require(weights.info(name)?.shape)
        if name == "text_projection.weight" {
          converted.shapes[prefix + "text_model.text_projection"] = shape.reversed()
        } else if fused, name.contains(".q_proj.") {
          converted.shapes[prefix + name.replacing("q_proj", with: "in_proj")] = [shape[0] * 3] + shape.dropFirst()
        } else if !fused || !(name.contains(".k_proj.") || name.contains(".v_proj.")) {
          converted.shapes[prefix + name] = shape
        }
      }
    }
    let (one, other) = (try OriginalCheckpoint(published), try OriginalCheckpoint(converted))
    #expect(other.family == .stableDiffusionXL && other.parts.map(\.name) == one.parts.map(\.name))
    for part in one.parts {
      let found = try other.part(part.name)
      #expect(found.weights.names == part.weights.names && found.padding == part.padding)
      #expect(found.configuration.members == part.configuration.members, "\(part.name)")
      for name in part.weights.names { #expect(found.weights.info(name)?.shape == part.weights.info(name)?.shape) }
    }
  }

  /// open_clip's fused matrix of queries, keys and values, and its projection from the other side.
  @Test func layoutsOfOpenCLIP() throws {
    let source = try source("sdxl")
    let weights = try OriginalCheckpoint(source).part("text_encoder_2").weights
    let layer = "text_model.encoder.layers.31.self_attn."
    for name in ["q_proj", "k_proj", "v_proj"] {
      #expect(weights.storedName("\(layer)\(name).weight") == "conditioner.embedders.1.model.transformer.resblocks.31.attn.in_proj_weight")
      #expect(weights.info("\(layer)\(name).bias")?.shape == [1280])
    }
    #expect(weights.storedName("text_projection.weight") == "conditioner.embedders.1.model.text_projection")
  }
}
