import Foundation
import QuickstepFormats
import QuickstepModels
import QuickstepNN
import QuickstepPipelines
import QuickstepTensor
import QuickstepTesting
import Testing

/// Original single files against diffusers (`Parity/single_files.py`). A golden lists names and shapes; values are drawn from seeds, here as
/// there, so that no weights have to be kept.
@Suite struct SingleFileTests {
  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures").path
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func golden(_ family: String) throws -> SafetensorsFile {
    try SafetensorsFile(path: "\(Self.root)/single-file/\(family).safetensors")
  }

  /// Writes the model that a golden was made with, without the tensors whose names begin with `left`.
  private func write(
    _ family: String, _ name: String = "model.safetensors", dtype: DType = .float32, without left: String? = nil
  ) throws -> String {
    let list = try #require(try golden(family).metadata["tensors"])
    let entries = try #require(try JSONValue(parsing: list).array)
    let all = try entries.enumerated().map { index, entry in
      let name = try #require(entry.array?.first?.string)
      let shape = try #require(entry.array?.last?.array).compactMap(\.integer)
      return (name: name, tensor: try withTensorErrors { try Self.value(index, name, shape).to(dtype) })
    }
    let tensors = all.filter { entry in left.map { !entry.name.hasPrefix($0) } ?? true }
    let path = "\(folder.path)/\(name)"
    try SafetensorsWriter.write(tensors, to: path, makeFolder: true)
    return path
  }

  private static func value(_ index: Int, _ name: String, _ shape: [Int]) throws -> Tensor {
    let drawn = Tensor.randn(shape, generator: try Generator(seed: UInt64(1000 + index)))
    guard shape.count > 1 else { return drawn * 0.1 + (name.hasSuffix("weight") ? 1 : 0) }
    return drawn * (name.contains("embedding") ? 0.5 : 1 / Double(shape.dropFirst().reduce(1, *)).squareRoot())
  }

  private func gap(_ actual: Tensor, _ expected: Tensor) throws -> Double {
    #expect(actual.shape == expected.shape)
    let spread = try withTensorErrors { (expected - expected.mean()).square().mean().sqrt() }
    return try withTensorErrors { ((actual - expected).abs().max() / spread).to(.float64) }.item()
  }

  private var options: ModelOptions {
    var options = ModelOptions()
    options.tokenizer = Self.root + "/sd/tokenizer"
    return options
  }

  @Test("one evaluation of the network is the reference's", arguments: ["sd1", "sd2", "sdxl", "refiner"])
  func network(_ family: String) throws {
    let file = try golden(family)
    let part = try ModelSources.open(write(family)).part("unet")
    let loaded = try Architectures.load(part.configuration, from: part.weights)
    var inputs: [String: Tensor] = [:]
    for name in file.names where name.hasPrefix("in.") { inputs[String(name.dropFirst(3))] = try file.tensor(name) }
    let output = try withInference { try loaded.component.forward(inputs) }
    #expect(try gap(#require(output["sample"]), file.tensor("out.sample")) <= 2e-4)
  }

  @Test("ten steps are the reference's", arguments: ["sd1", "sd2", "sdxl"])
  func trajectory(_ family: String) throws {
    let file = try golden(family)
    var options = options
    options.prediction = file.metadata["prediction"]
    let model = try LoadedModel(folder: write(family), options: options)
    let texts = try #require(file.metadata["prompts"])
    let prompts = try #require(try JSONValue(parsing: texts).array?.compactMap(\.string))
    var request = GenerationRequest(prompts: prompts, seeds: prompts.indices.map { UInt64($0) })
    request.given.latents = try file.tensor("latents")
    (request.guidanceScale, request.steps, request.batch) = (5, 10, prompts.count)
    (request.solver, request.spacing, request.spacingParameters) = ("ddim", "leading", ["offset": "1", "final": "smallest"])
    let picture = try file.tensor("picture")
    (request.width, request.height) = (picture.shape[3], picture.shape[2])
    request.recordsTrajectory = true
    let result = try ImagePipeline(model).generate(request)
    let states = Dictionary(uniqueKeysWithValues: result.trajectory)
    #expect(try gap(#require(states["final"]), file.tensor("final")) <= 1e-3)
    for (index, image) in result.images.enumerated() {
      let clipped = try withTensorErrors { image.pixels.clamp(min: -1, max: 1) }
      #expect(try gap(clipped, withTensorErrors { picture.select(0, index: index) }) <= 1e-3)
      #expect(image.settings.alterations == options)
    }
  }

  @Test func withoutATokenizerTheWayOutIsTold() throws {
    let path = try write("sd1")
    let error = #expect(throws: FormatError.self) { try LoadedModel(folder: path) }
    #expect(error?.reason.contains("--tokenizer FOLDER") == true && error?.reason.contains("\(folder.path)/tokenizer") == true)
    // A folder beside the file serves all files in it.
    try FileManager.default.copyItem(atPath: Self.root + "/sd/tokenizer", toPath: folder.path + "/tokenizer")
    #expect(try LoadedModel(folder: path).name == "model")
    var wrong = ModelOptions()
    wrong.tokenizer = folder.path + "/none"
    #expect(throws: FormatError.self) { try LoadedModel(folder: path, options: wrong) }
  }

  @Test func entriesAndPaths() throws {
    let path = try write("sdxl", dtype: .float16)
    let entry = ModelEntry(id: "model", path: path)
    #expect(entry.problem == nil && entry.pipeline == "StableDiffusionXLPipeline" && entry.sampleSize == [128, 128])
    #expect(
      entry.parts.map(\.name) == ["text_encoder", "text_encoder_2", "unet", "vae"] && entry.parts.allSatisfy { $0.isSupported == true })
    #expect(entry.parameters > 0 && entry.bytes > entry.parameters && entry.summary?.contains("Stable Diffusion XL") == true)
    #expect(try ModelLibrary.find(path) == path && ModelLibrary.isSingleFile(path))
    let lora = folder.path + "/lora.safetensors"
    try SafetensorsWriter.write([("lora_unet_x.lora_down.weight", .ones([1, 1]))], to: lora)
    #expect(!ModelLibrary.isSingleFile(lora))
    let error = #expect(throws: FormatError.self) { try ModelLibrary.find(lora) }
    #expect(error?.reason.contains("is no original single file") == true)
    let pickle = try folder.write([0x80, 0x02, 0x7D, 0x71, 0x00, 0x2E] as [UInt8], to: "old.ckpt")
    #expect(#expect(throws: FormatError.self) { try ModelLibrary.find(pickle) }?.reason.contains("pickle") == true)
  }

  @Test("parts from elsewhere: a file in either naming, a component folder")
  func replacements() throws {
    let path = try write("sd1")
    let own = try ModelSources.open(path).part("vae")
    // The same autoencoder in our names, with one value changed.
    let tensors = try own.weights.names.map { name in
      (name: name, tensor: try withTensorErrors { try own.weights.tensor(name) * (name == "decoder.conv_out.bias" ? 2 : 1) })
    }
    let file = folder.path + "/vae.safetensors"
    try SafetensorsWriter.write(tensors, to: file)
    var options = ModelOptions()
    options.replacements = ["vae": file]
    let replaced = try ModelSources.open(path, options: options).part("vae")
    let doubled = try withTensorErrors { try own.weights.tensor("decoder.conv_out.bias") * 2 }
    #expect(try replaced.weights.tensor("decoder.conv_out.bias").hasBits(of: doubled) && replaced.paths == [file])
    options.replacements = ["vae": try write("sd1", "other.safetensors")]
    #expect(try ModelSources.open(path, options: options).part("vae").weights.names == own.weights.names)
    options.replacements = ["unet": Self.root + "/sd/unet"]
    #expect(try ModelSources.open(path, options: options).part("unet").configuration.path == Self.root + "/sd/unet/config.json")
    options.replacements = ["safety_checker": file]
    let error = #expect(throws: FormatError.self) { try ModelSources.open(path, options: options) }
    #expect(error?.reason.contains("has no part 'safety_checker' to replace; it has text_encoder, unet, vae") == true)
  }

  /// A part of a whole file as a component folder.
  private func component(_ part: String, of path: String) throws -> String {
    let stored = try ModelSources.open(path).part(part)
    let place = "\(folder.path)/\(part)-folder"
    let tensors = try stored.weights.names.map { (name: $0, tensor: try stored.weights.tensor($0)) }
    let name = try Architectures.of(stored.configuration).weightsName
    try SafetensorsWriter.write(tensors, to: "\(place)/\(name).safetensors", makeFolder: true)
    try ConfigurationFile.pretty(.object(stored.configuration.members)).write(
      toFile: place + "/config.json", atomically: true, encoding: .utf8)
    return place
  }

  @Test(
    "what a file lacks is given as a component folder",
    arguments: [("vae", "first_stage_model."), ("text_encoder", "cond_stage_model.")])
  func lackingParts(_ part: String, _ prefix: String) throws {
    let whole = try write("sd1")
    let path = try write("sd1", "lacking.safetensors", without: prefix)
    #expect(try !ModelSources.open(path).partNames.contains(part))
    var options = options
    let missing = #expect(throws: FormatError.self) { try LoadedModel(folder: path, options: options) }
    #expect(missing?.reason.contains("--replace \(part)=FOLDER") == true)
    // A file has no configuration to go by.
    options.replacements = [part: whole]
    let file = #expect(throws: FormatError.self) { try LoadedModel(folder: path, options: options) }
    #expect(file?.origin == whole && file?.reason.contains("give a component folder") == true)
    options.replacements = [part: try component(part, of: whole)]
    let files = try ModelSources.open(path, options: options)
    #expect(files.partNames == ["text_encoder", "unet", "vae"] && files.index.members[part]?.array?.count == 2)
    let shape = try golden("sd1").tensor("picture").shape
    func picture(_ path: String, _ options: ModelOptions) throws -> Tensor {
      var request = GenerationRequest(prompts: ["mars"], seeds: [1])
      (request.width, request.height, request.steps) = (shape[3], shape[2], 2)
      return try #require(try ImagePipeline(LoadedModel(folder: path, options: options)).generate(request).images.first).pixels
    }
    #expect(try picture(path, options).hasBits(of: picture(whole, self.options)))
    // Where to look for a vocabulary the encoder says, wherever it is from.
    try FileManager.default.copyItem(atPath: Self.root + "/sd/tokenizer", toPath: folder.path + "/tokenizer")
    options.tokenizer = nil
    #expect(try LoadedModel(folder: path, options: options).name == "lacking")
  }

  @Test("the index names parts that were added, and the family says how prompts are filled up")
  func lackingEncoders() throws {
    for (family, part, prefix) in [
      ("sd2", "text_encoder", "cond_stage_model."), ("sdxl", "text_encoder_2", "conditioner.embedders.1."),
    ] {
      let whole = try write(family)
      let path = try write(family, "lacking.safetensors", without: prefix)
      var options = options
      options.replacements = [part: try component(part, of: whole)]
      let (files, complete) = (try ModelSources.open(path, options: options), try ModelSources.open(whole, options: self.options))
      #expect(try !ModelSources.open(path).partNames.contains(part) && files.partNames == complete.partNames)
      #expect(files.index.members[part] != nil && files.index.members[part] == complete.index.members[part])
      let tokenizer = part.replacing("text_encoder", with: "tokenizer")
      #expect(try files.tokenizer(tokenizer).padding == "!" && complete.tokenizer(tokenizer).padding == "!")
    }
  }

  /// Published folders hold copies of their parts for other libraries.
  @Test func loRAsLeaveFoldersAloneThatTheIndexDoesNotName() throws {
    let copy = folder.path + "/sd"
    try FileManager.default.copyItem(atPath: Self.root + "/sd", toPath: copy)
    for name in ["vae_decoder", "unet_onnx", "text_encoder_onnx"] {
      try folder.write(#"{"_class_name": "OnnxRuntimeModel"}"#, to: "sd/\(name)/config.json")
    }
    let lora = folder.path + "/lora.safetensors"
    let layer = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
    try SafetensorsWriter.write(
      [(name: "\(layer).lora_A.weight", tensor: .ones([2, 8])), (name: "\(layer).lora_B.weight", tensor: .ones([8, 2]))], to: lora)
    var options = ModelOptions()
    options.adapters = [LoRAChoice(path: lora)]
    let files = try ModelSources.open(copy, options: options)
    #expect(files.partNames.contains("unet_onnx"))
    #expect(throws: Never.self) { try LoadedModel(folder: copy, options: options) }
  }

  @Test func loRAsOfAFolderAreRecorded() throws {
    let path = Self.root + "/sd"
    let layer = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
    let lora = folder.path + "/lora.safetensors"
    let factors = [
      (name: "unet.\(layer).lora_A.weight", tensor: Tensor.ones([2, 8])),
      (name: "unet.\(layer).lora_B.weight", tensor: Tensor.ones([8, 2])),
    ]
    try SafetensorsWriter.write(factors, to: lora)
    var options = ModelOptions()
    options.adapters = [LoRAChoice(path: lora, scale: 0.5)]
    let (plain, changed) = (try LoadedModel(folder: path), try LoadedModel(folder: path, options: options))
    #expect(plain.fingerprint != changed.fingerprint && plain.options.isEmpty && changed.notes.isEmpty)
    var request = GenerationRequest(prompts: ["mars"], seeds: [3])
    request.steps = 2
    let (before, after) = (try ImagePipeline(plain).generate(request).images[0], try ImagePipeline(changed).generate(request).images[0])
    #expect(try !before.pixels.hasBits(of: after.pixels) && before.settings.alterations == nil)
    let settings = try JSONDecoder().decode(GenerationSettings.self, from: Data(after.settings.json().utf8))
    #expect(settings.alterations == options)
    // Twice half of it is all of it.
    options.adapters = [LoRAChoice(path: lora, scale: 0.25), LoRAChoice(path: lora, scale: 0.25)]
    let twice = try ImagePipeline(LoadedModel(folder: path, options: options)).generate(request).images[0]
    #expect(try gap(twice.pixels, after.pixels) < 1e-4)
  }

  /// A model on the device without memory has shapes and no values: nothing of its files is read.
  @Test func outlinesReadNoValues() throws {
    let lora = folder.path + "/lora.safetensors"
    let layer = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
    try SafetensorsWriter.write(
      [(name: "\(layer).lora_A.weight", tensor: .ones([2, 8])), (name: "\(layer).lora_B.weight", tensor: .ones([8, 2]))], to: lora)
    for mode in LoRAMode.allCases {
      var options = ModelOptions()
      (options.adapters, options.adapterMode) = ([LoRAChoice(path: lora)], mode)
      let outline = try LoadedModel(folder: Self.root + "/sd", device: .meta, options: options)
      let whole = try LoadedModel(folder: Self.root + "/sd", options: options)
      #expect(outline.parameterBytes == whole.parameterBytes && outline.fingerprint == whole.fingerprint)
    }
  }

  @Test func foldersOfPicklesAreRefusedWithTheWayOut() throws {
    try FileManager.default.copyItem(atPath: Self.root + "/sd", toPath: folder.path + "/sd")
    let vae = folder.path + "/sd/vae/diffusion_pytorch_model"
    try FileManager.default.moveItem(atPath: vae + ".safetensors", toPath: vae + ".bin")
    let error = #expect(throws: FormatError.self) { try LoadedModel(folder: folder.path + "/sd") }
    #expect(error?.origin == vae + ".bin" && error?.reason.contains("can run any program") == true)
  }
}
