import Foundation
import QuickstepFormats
import QuickstepModels
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

/// The estimate before a run holds afterwards, and what cannot run is refused before anything is loaded or written.
@Suite struct MemoryTests {
  /// A Stable Diffusion folder whose networks are convolutions only, so that large pictures take seconds.
  private func writeModel(_ place: Workplace, channels: Int, codecChannels: Int) throws -> String {
    let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    let folder = place.path + "/model"
    try FileManager.default.copyItem(
      at: fixtures.appendingPathComponent("QuickstepPipelinesTests/Fixtures/sd"), to: URL(fileURLWithPath: folder))
    func sizes(_ count: Int) -> JSONValue { .array([.integer(count), .integer(count)]) }
    func names(_ name: String) -> JSONValue { .array([.string(name), .string(name)]) }
    try write(
      "\(folder)/unet",
      [
        "_class_name": .string("UNet2DConditionModel"), "sample_size": .integer(8), "block_out_channels": sizes(channels),
        "norm_num_groups": .integer(4), "layers_per_block": .integer(1), "down_block_types": names("DownBlock2D"),
        "up_block_types": names("UpBlock2D"), "mid_block_type": .string("UNetMidBlock2D"), "cross_attention_dim": .integer(12),
        "attention_head_dim": .integer(2),
      ])
    try write(
      "\(folder)/vae",
      [
        "_class_name": .string("AutoencoderKL"), "block_out_channels": sizes(codecChannels), "norm_num_groups": .integer(4),
        "down_block_types": names("DownEncoderBlock2D"), "up_block_types": names("UpDecoderBlock2D"),
        "mid_block_add_attention": .bool(false),
      ])
    return folder
  }

  private func write(_ folder: String, _ members: [String: JSONValue]) throws {
    try FileManager.default.removeItem(atPath: folder)
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let configuration = ConfigurationFile(path: folder, members: members)
    try ConfigurationFile.pretty(.object(members)).write(toFile: folder + "/config.json", atomically: true, encoding: .utf8)
    let loaded = try Architectures.fresh(configuration, generator: Generator(seed: 1))
    try ModelLaws.disturb(loaded.parameters, seed: 2)
    try SafetensorsWriter.write(loaded.parameters.all, to: folder + "/diffusion_pytorch_model.safetensors")
  }

  @Test(
    "a run takes no more than was estimated, and the estimate is not idle",
    arguments: [(8, 48, "off"), (8, 48, "on"), (32, 8, "on")])
  func bounds(_ channels: Int, _ codecChannels: Int, _ tiling: String) throws {
    let place = try Workplace()
    let model = try writeModel(place, channels: channels, codecChannels: codecChannels)
    let result = try place.run(
      "generate", "mars", "--model", model, "--size", "768x768", "--steps", "1", "--seed", "1", "--guidance", "1", "--vae-tiling", tiling,
      "--json", "-o", "x.png")
    #expect(result.status == 0, "\(result.errors)")
    let report = try JSONValue(parsing: result.output)
    let peak = try #require(report["peak_memory_bytes"]?.integer)
    let estimated = try #require(report["estimated_memory_bytes"]?.integer)
    #expect(peak <= estimated, "\(peak) bytes were taken, \(estimated) expected")
    // Beside the part that does not depend on the request.
    let program = 350_000_000
    let least = 100_000_000
    #expect(estimated - program <= 4 * (peak - least), "\(estimated) bytes were expected, \(peak) taken")
    #expect(report["warnings"]?.array?.contains { $0.string?.contains("memory") == true } == false)
    // The smallest run of all shows that the estimate of this one counts.
    let small = try place.run("generate", "mars", "--model", model, "--size", "16x16", "--steps", "1", "--dry-run", "--json")
    #expect(try #require(small.json()["estimated_memory_bytes"]?.integer) < program + 10_000_000)
  }

  @Test func stripsTakeLessMemoryAndGiveTheSamePicture() throws {
    let place = try Workplace()
    let model = try writeModel(place, channels: 8, codecChannels: 48)
    var peaks: [Int] = []
    var pictures: [PixelImage] = []
    for tiling in ["off", "on"] {
      let result = try place.run(
        "generate", "mars", "--model", model, "--size", "768x768", "--steps", "1", "--seed", "1", "--guidance", "1", "--vae-tiling", tiling,
        "--json", "-o", tiling + ".png")
      #expect(result.status == 0, "\(result.errors)")
      peaks.append(try #require(try JSONValue(parsing: result.output)["peak_memory_bytes"]?.integer))
      pictures.append(try PNG.read("\(place.path)/\(tiling).png").image)
    }
    #expect(Double(peaks[1]) < 0.8 * Double(peaks[0]), "\(peaks)")
    let differences = zip(pictures[0].pixels, pictures[1].pixels).map { abs(Int($0) - Int($1)) }
    #expect(try #require(differences.max()) <= 1)
    #expect(differences.count { $0 > 0 } <= differences.count / 1000)
  }

  @Test func aRunThatDoesNotFitIsRefusedBeforeItBegins() throws {
    let place = try Workplace()
    let model = try writeModel(place, channels: 8, codecChannels: 8)
    let arguments = ["generate", "mars", "--model", model, "--size", "4096x4096", "--batch", "5000", "--count", "5000", "-o", "out"]
    func run(_ more: String...) throws -> CommandResult { try place.run(arguments + more) }
    let refused = try run()
    #expect(refused.status != 0 && refused.errors.contains("--ignore-memory") && refused.errors.contains("of weights"), "\(refused.errors)")
    #expect(!refused.errors.contains("--exact-size"), "this model works at the size asked for")
    #expect(refused.errors.contains("--guidance-branches split"), "\(refused.errors)")
    for more in [["--guidance-branches", "split"], ["--guidance", "1"]] {
      let other = try place.run(arguments + more)
      #expect(other.status != 0 && other.errors.contains("--ignore-memory") && !other.errors.contains("--guidance-branches"))
    }
    #expect(!FileManager.default.fileExists(atPath: place.path + "/out"))
    // Asking what it would take is no run.
    let asked = try run("--dry-run", "--json")
    #expect(asked.status == 0)
    let split = try run("--dry-run", "--json", "--guidance-branches", "split")
    func denoise(_ result: CommandResult) throws -> Int { try #require(result.json()["models"]?.array?.first?["denoise_bytes"]?.integer) }
    #expect(try Double(denoise(split)) < 0.6 * Double(denoise(asked)))
    #expect(try #require(asked.json()["estimated_memory_bytes"]?.integer) > 1 << 40)
    #expect(!FileManager.default.fileExists(atPath: place.path + "/out"))
  }

  @Test("where a trained size is too large, the message names the way to the size asked for") func trainedSizes() throws {
    let place = try Workplace()
    let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    let folder = place.path + "/model"
    try FileManager.default.copyItem(
      at: fixtures.appendingPathComponent("QuickstepPipelinesTests/Fixtures/pixart-sigma"), to: URL(fileURLWithPath: folder))
    // Trained on pictures of 2048 x 2048.
    let path = folder + "/transformer/config.json"
    let members = try ConfigurationFile(path: path).members.merging(["sample_size": .integer(256)]) { $1 }
    try JSONValue.object(members).text.write(toFile: path, atomically: true, encoding: .utf8)
    let arguments = ["generate", "mars", "--model", folder, "--size", "64x64", "--batch", "10000", "--count", "10000", "-o", "out"]
    let refused = try place.run(arguments)
    #expect(refused.status != 0 && refused.errors.contains("--ignore-memory"), "\(refused.errors)")
    #expect(refused.errors.contains("--exact-size keeps the size asked for"), "\(refused.errors)")
    #expect(!FileManager.default.fileExists(atPath: place.path + "/out"))
    func estimated(_ more: String...) throws -> Int {
      try #require(place.run(arguments + ["--dry-run", "--json"] + more).json()["estimated_memory_bytes"]?.integer)
    }
    #expect(try estimated() > 1 << 40 && estimated("--exact-size") < estimated() / 2)
  }
}
