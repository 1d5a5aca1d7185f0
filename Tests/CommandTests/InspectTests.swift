import Foundation
import QuickstepFormats
import QuickstepTensor
import Testing

@Suite struct InspectTests {
  private let place: Workplace

  init() throws { place = try Workplace() }

  @Test func tensorsWithTypesShapesAndTotals() throws {
    try place.write(
      ["block.0.weight": .zeros([2, 3], dtype: .float16), "block.0.bias": .zeros([2]), "step": Tensor(scalar: 3)], "w.safetensors",
      metadata: ["format": "pt"])
    let json = try place.run("inspect", "w.safetensors", "--json").json()
    #expect(json["parameters"]?.integer == 9 && json["bytes"]?.integer == 12 + 8 + 8 && json["tensor_count"]?.integer == 3)
    #expect(json["dtypes"]?["float16"]?["parameters"]?.integer == 6)
    #expect(json["metadata"]?["format"]?.string == "pt")
    #expect(json["tensors"]?.array?.first { $0["name"]?.string == "block.0.weight" }?["shape"]?.array == [.integer(2), .integer(3)])
    let text = try place.run("inspect", "w.safetensors")
    #expect(text.status == 0 && text.output.contains("2 × 3") && text.output.contains("scalar"))
  }

  @Test func limitAndFilter() throws {
    let tensors = (0..<50).map { ("layer.\($0).weight", Tensor.zeros([1])) } + [("head.bias", .zeros([2]))]
    try place.write(Dictionary(uniqueKeysWithValues: tensors), "w.safetensors")
    #expect(try place.run("inspect", "w.safetensors").output.contains("… and 11 more"))
    #expect(try !place.run("inspect", "w.safetensors", "--limit", "0").output.contains("more"))
    let filtered = try place.run("inspect", "w.safetensors", "--filter", "*.bias", "--json").json()
    #expect(filtered["tensors"]?.array?.count == 1 && filtered["parameters"]?.integer == 2)
    let none = try place.run("inspect", "w.safetensors", "--filter", "x*")
    #expect(none.status == 1 && none.errors.contains("no tensor has a name that matches 'x*'"))
    #expect(try place.run("inspect", "w.safetensors", "--limit", "-1").status == 64)
  }

  @Test func foreignCheckpointsAreNamed() throws {
    try place.write(
      ["model.diffusion_model.output_blocks.11.0.skip_connection.weight": .zeros([2, 2, 1, 1]), "first_stage_model.x": .zeros([1])],
      "sd.safetensors")
    try place.write(["double_blocks.0.img_attn.norm.key_norm.scale": .zeros([2])], "flux.safetensors")
    try place.write(["lora_unet_x.lora_down.weight": .zeros([2, 2])], "lora.safetensors")
    for (file, kind) in [("sd", "Stable Diffusion 1"), ("flux", "FLUX.1"), ("lora", "LoRA with other things in it")] {
      let result = try place.run("inspect", file + ".safetensors")
      #expect(result.status == 0 && result.output.contains(kind) && result.output.contains("not supported yet"), "\(file)")
    }
  }

  @Test func loRAsAreKnown() throws {
    try place.write(["lora_unet_x.lora_down.weight": .zeros([2, 2]), "lora_unet_x.lora_up.weight": .zeros([2, 2])], "lora.safetensors")
    #expect(try place.run("inspect", "lora.safetensors").output.contains("LoRA, for --lora (told from its tensors)"))
  }

  @Test func ggufFiles() throws {
    let fixture = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("QuickstepFormatsTests/Fixtures/gguf/types.gguf").path
    let json = try place.run("inspect", fixture, "--json").json()
    let tensor = json["tensors"]?.array?.first { $0["name"]?.string == "q4_k.weight" }
    #expect(tensor?["dtype"]?.string == "Q4_K" && tensor?["bytes"]?.integer == 432 && json["tensor_count"]?.integer == 14)
    #expect(json["metadata"]?["general.architecture"]?.string == "sd1")
    let shown = try place.run("inspect", fixture)
    #expect(shown.status == 0 && shown.output.contains("Q6_K") && shown.output.contains("general.architecture"))
  }

  @Test func componentAndModelFolders() throws {
    try place.writeModel("tiny")
    let component = try place.run("inspect", "tiny/classifier", "--json").json()
    #expect(component["class"]?.string == "DigitClassifier" && component["supported"]?.bool == true)
    #expect(component["configuration"]?["feature_dim"]?.integer == 4)
    #expect(try place.run("inspect", "tiny/classifier/model.safetensors").output.contains("DigitClassifier"))
    for path in ["tiny", "tiny/model_index.json"] {
      let model = try place.run("inspect", path, "--json").json()
      #expect(model["id"]?.string == "tiny" && model["pipeline"]?.string == "ClassToImagePipeline")
      #expect(model["weights"]?["classifier"]?["tensor_count"]?.integer == 8)
    }
    #expect(try place.run("inspect", "tiny").output.contains("A very small model"))
  }

  /// Published checkpoints of PixArt and DiT name a class that diffusers has given up.
  @Test func formerClassNames() throws {
    try place.write(["adaln_single.linear.weight": .zeros([2, 3])], "pix/transformer/diffusion_pytorch_model.safetensors")
    try place.write(
      #"{"_class_name": "PixArtAlphaPipeline", "transformer": ["diffusers", "Transformer2DModel"]}"#, "pix/model_index.json")
    for (kind, isKnown) in [("ada_norm_single", true), ("ada_norm_zero", true), ("layer_norm", false)] {
      try place.write(#"{"_class_name": "Transformer2DModel", "norm_type": "\#(kind)"}"#, "pix/transformer/config.json")
      let component = try place.run("inspect", "pix/transformer", "--json").json()
      #expect(component["class"]?.string == "Transformer2DModel" && component["supported"]?.bool == isKnown, "\(kind)")
      let text = try place.run("inspect", "pix/transformer").output
      #expect(text.contains("not supported yet") == !isKnown, "\(text)")
      let part = try place.run("inspect", "pix", "--json").json()["components"]?.array?.first
      #expect(part?["name"]?.string == "transformer" && part?["supported"]?.bool == isKnown && part?["parameters"]?.integer == 6, "\(kind)")
    }
  }

  @Test func shardsOfVariantsCountAsOne() throws {
    try place.write(#"{"_class_name": "T5EncoderModel"}"#, "m/net/config.json")
    for (index, name) in ["a", "b"].enumerated() {
      try place.write([name: .zeros([2, 3], dtype: .float16)], "m/net/model.fp16-0000\(index + 1)-of-00002.safetensors")
    }
    try place.write(
      #"{"weight_map": {"a": "model.fp16-00001-of-00002.safetensors", "b": "model.fp16-00002-of-00002.safetensors"}}"#,
      "m/net/model.safetensors.index.fp16.json")
    for path in ["m/net", "m/net/model.safetensors.index.fp16.json"] {
      let json = try place.run("inspect", path, "--json").json()
      #expect(json["parameters"]?.integer == 12 && json["tensor_count"]?.integer == 2, "\(path)")
    }
    try place.write(#"{"_class_name": "X", "net": ["transformers", "T5EncoderModel"]}"#, "m/model_index.json")
    let part = try place.run("inspect", "m", "--json").json()["components"]?.array?.first
    #expect(part?["parameters"]?.integer == 12)
  }

  @Test func picturesTellHowTheyWereMade() throws {
    let image = try PixelImage(width: 3, height: 2, channels: 3, pixels: [UInt8](repeating: 9, count: 18))
    let text = "a fox\nNegative prompt: blur\nSteps: 20, Sampler: Euler a, Seed: 42"
    try PNG.write(image, text: [PNGText("parameters", text), PNGText("note", "x\u{1B}[31m")], to: place.path + "/p.png")
    let json = try place.run("inspect", "p.png", "--json").json()
    #expect(json["width"]?.integer == 3 && json["height"]?.integer == 2)
    #expect(json["parameters"]?["prompt"]?.string == "a fox" && json["parameters"]?["negative_prompt"]?.string == "blur")
    let shown = try place.run("inspect", "p.png")
    #expect(shown.status == 0 && shown.output.contains("a fox") && shown.output.contains("Euler a"))
    #expect(!shown.output.contains("\u{1B}"), "control characters out of a file reach the terminal")
    #expect(try place.run("inspect", "p.png", "--filter", "x").status == 64)
  }
}

@Suite struct InspectRefusalTests {
  private let place: Workplace

  init() throws { place = try Workplace() }

  private func refusal(_ name: String) throws -> String {
    for arguments in [[], ["--json"]] {
      let result = try arguments.isEmpty ? place.run("inspect", name) : place.run("inspect", name, "--json")
      #expect(result.status == 1 && result.output.isEmpty, "\(name)")
      #expect(result.errors.hasPrefix("Error: \(name): "), "\(result.errors)")
      if !arguments.isEmpty { return result.errors }
    }
    return ""
  }

  @Test func missingAndDamagedFiles() throws {
    #expect(try refusal("nothing.safetensors").contains("there is no such file"))
    try place.write([1, 2, 3], "short.safetensors")
    #expect(try refusal("short.safetensors").contains("too few"))
    try place.write([UInt8](repeating: 0xFF, count: 64), "noise.safetensors")
    #expect(try refusal("noise.safetensors").contains("not a safetensors file"))
    let whole = try place.write(["a": .zeros([8])], "whole.safetensors")
    try place.write(Array([UInt8](Data(contentsOf: URL(fileURLWithPath: whole))).dropLast(4)), "cut.safetensors")
    #expect(try refusal("cut.safetensors").contains("cut short"))
    try place.write(#"{"weight_map": {"a": "gone.safetensors"}}"#, "m.safetensors.index.json")
    #expect(try refusal("m.safetensors.index.json").contains("gone.safetensors is missing"))
    try place.write([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0], "cut.png")
    #expect(try refusal("cut.png").contains("PNG"))
    try place.write("hello", "text.txt")
    #expect(try refusal("text.txt").contains("none of the kinds"))
  }

  @Test func picklesAreNeverOpened() throws {
    try place.write([0x80, 0x02, 0x7D, 0x71, 0x00, 0x2E], "old.ckpt")
    try place.write([0x50, 0x4B, 0x03, 0x04] + Array("....archive/data.pkl".utf8), "new.bin")
    try place.write([0x50, 0x4B, 0x03, 0x04] + Array("....archive/data.pkl".utf8), "renamed")
    for name in ["old.ckpt", "new.bin", "renamed"] {
      let text = try refusal(name)
      #expect(text.contains("pickle") && text.contains("weights_only=True") && text.contains("safetensors"), "\(name)")
    }
    try place.write([0x50, 0x4B, 0x03, 0x04] + Array("....readme".utf8), "other.zip")
    #expect(try refusal("other.zip").contains("zip archive"))
    try place.write(Array("GGUF".utf8), "m.gguf")
    #expect(try refusal("m.gguf").contains("the version at byte 4"))
  }

  /// A header of 640 bytes starts with 0x80 0x02, as a pickle does.
  @Test func aHeaderThatLooksLikeAPickle() throws {
    let header = Array(#"{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#.utf8)
    let bytes: [UInt8] = [0x80, 0x02, 0, 0, 0, 0, 0, 0] + header + [UInt8](repeating: 0x20, count: 640 - header.count)
    try place.write(bytes, "weights.bin")
    #expect(try place.run("inspect", "weights.bin").status == 0)
  }
}
