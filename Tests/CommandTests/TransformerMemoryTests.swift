import Foundation
import QuickstepFormats
import QuickstepModels
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

/// The estimate of memory before a run holds afterwards for transformers, their codec and their text encoders: in each case one of them is
/// large and takes most of the run's memory.
@Suite(.serialized) struct TransformerMemoryTests {
  struct Case: Sendable, CustomTestStringConvertible {
    /// A model of the parity goldens.
    var model: String
    /// Part and settings of it that are changed.
    var part: String, changes: [String: JSONValue]
    var arguments: [String]
    var stage = "denoise_bytes"
    var testDescription: String { "\(model), \(part), \(arguments.joined(separator: " "))" }
  }

  private static let heads: [String: JSONValue] = [
    "num_attention_heads": .integer(8), "attention_head_dim": .integer(64), "num_layers": .integer(1),
  ]

  private static func network(
    _ model: String, _ changes: [String: JSONValue], batch: Int = 8, kernels: String = "plain", more: [String] = []
  ) -> Case {
    Case(
      model: model, part: "transformer", changes: heads.merging(changes) { $1 },
      arguments: ["--size", "128x128", "--count", "\(batch)", "--batch", "\(batch)", "--kernels", kernels] + more)
  }

  static let cases: [Case] = [
    network("dit", [:]), network("dit", [:], kernels: "winograd"),
    network("pixart-alpha", ["attention_head_dim": .integer(72), "cross_attention_dim": .integer(576)], more: ["--exact-size"]),
    network("sd3", ["caption_projection_dim": .integer(512), "pos_embed_max_size": .integer(40)]),
    network("flux-dev", ["axes_dims_rope": .array([.integer(16), .integer(24), .integer(24)])]),
    network(
      "sana-gemma",
      ["cross_attention_dim": .integer(512), "num_cross_attention_heads": .integer(8), "cross_attention_head_dim": .integer(64)], batch: 2),
    Case(
      model: "sana-gemma", part: "vae", changes: codec, arguments: ["--size", "768x768", "--kernels", "plain"], stage: "decode_bytes"),
    Case(
      model: "sana-gemma", part: "text_encoder", changes: ["intermediate_size": .integer(16384)],
      arguments: ["--size", "16x16", "--count", "2", "--batch", "2", "--kernels", "plain"], stage: "encode_bytes"),
    Case(
      model: "pixart-alpha", part: "text_encoder", changes: ["num_heads": .integer(96)],
      arguments: ["--size", "16x16", "--exact-size", "--count", "16", "--batch", "16", "--kernels", "plain"], stage: "encode_bytes"),
  ]

  /// Eight pixels to a latent pixel, with attention inside.
  private static var codec: [String: JSONValue] {
    func same(_ value: JSONValue) -> JSONValue { .array(Array(repeating: value, count: 4)) }
    let kinds = JSONValue.array(["ResBlock", "ResBlock", "ResBlock", "EfficientViTBlock"].map { .string($0) })
    let scales = JSONValue.array([.array([]), .array([]), .array([]), .array([.integer(5)])])
    return Dictionary(
      uniqueKeysWithValues: ["encoder", "decoder"].flatMap { side in
        [
          (side + "_block_types", kinds), (side + "_block_out_channels", same(.integer(24))),
          (side + "_layers_per_block", same(.integer(1))),
          (side + "_qkv_multiscales", scales),
        ]
      })
  }

  /// A copy of the model with one part changed, whose weights are new.
  private func folder(_ item: Case, _ place: Workplace) throws -> String {
    let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    let folder = place.path + "/model"
    try FileManager.default.copyItem(
      at: fixtures.appendingPathComponent("QuickstepPipelinesTests/Fixtures/\(item.model)"), to: URL(fileURLWithPath: folder))
    let part = "\(folder)/\(item.part)"
    let members = try ConfigurationFile(path: part + "/config.json").members.merging(item.changes) { $1 }
    for name in try FileManager.default.contentsOfDirectory(atPath: part) { try FileManager.default.removeItem(atPath: "\(part)/\(name)") }
    let configuration = ConfigurationFile(path: part, members: members)
    try ConfigurationFile.pretty(.object(members)).write(toFile: part + "/config.json", atomically: true, encoding: .utf8)
    let fresh = try Architectures.fresh(configuration, generator: Generator(seed: 1))
    try SafetensorsWriter.write(fresh.parameters.all, to: "\(part)/\(fresh.architecture.weightsName).safetensors")
    return folder
  }

  @Test("a run takes no more than was estimated, and the estimate is not idle", arguments: cases)
  func bounds(_ item: Case) throws {
    let place = try Workplace()
    let common = ["generate", item.model == "dit" ? "207" : "mars", "--model", try folder(item, place), "--steps", "1", "--guidance", "1"]
    let asked = try place.run(common + item.arguments + ["--dry-run", "--json"])
    #expect(asked.status == 0, "\(asked.errors)")
    let stages = try #require(asked.json()["models"]?.array?.first)
    let others = try ["encode_bytes", "denoise_bytes", "decode_bytes"].filter { $0 != item.stage }.map { try #require(stages[$0]?.integer) }
    #expect(try others.allSatisfy { $0 < (try #require(stages[item.stage]?.integer)) }, "\(stages.text)")
    let result = try place.run(common + item.arguments + ["--seed", "1", "--json", "-o", "out"])
    #expect(result.status == 0, "\(result.errors)")
    let report = try JSONValue(parsing: result.output)
    let (peak, estimated) = (
      try #require(report["peak_memory_bytes"]?.integer), try #require(report["estimated_memory_bytes"]?.integer)
    )
    #expect(peak <= estimated, "\(peak) bytes were taken, \(estimated) expected")
    // Beside the part that does not depend on the request.
    #expect(estimated - 350_000_000 <= 4 * (peak - 100_000_000), "\(estimated) bytes were expected, \(peak) taken")
    #expect(report["warnings"]?.array?.contains { $0.string?.contains("memory") == true } == false)
  }
}
