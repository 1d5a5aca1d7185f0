import Foundation
import QuickstepFormats
import QuickstepModels
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

/// What is particular to Gemma 2; its numbers are compared in `PublishedCheckpointTests`.
@Suite struct Gemma2Tests {
  private let item = PublishedCheckpointTests.Case(name: "gemma-1")

  private func configuration(_ changes: [String: JSONValue], without: [String] = []) throws -> Gemma2Configuration {
    let file = try ConfigurationFile(path: item.folder + "/config.json")
    let members = file.members.merging(changes) { $1 }.filter { !without.contains($0.key) }
    return try Gemma2Configuration(ConfigurationFile(path: "config.json", members: members))
  }

  @Test("settings that make no network, or another one, are errors that name the key")
  func damage() throws {
    let full = JSONValue.string("full_attention")
    let cases: [(String, JSONValue)] = [
      ("num_key_value_heads", .integer(3)), ("head_dim", .integer(5)), ("query_pre_attn_scalar", .integer(0)),
      ("attn_logit_softcapping", .integer(-1)), ("attn_logit_softcapping", .string("50")), ("sliding_window", .null),
      ("layer_types", .array([full])), ("layer_types", .array([full, full, .string("chunked_attention")])), ("layer_types", full),
      ("hidden_activation", .string("relu")), ("use_bidirectional_attention", .bool(true)), ("rope_scaling", .object([:])),
      ("rope_parameters", .object(["rope_type": .string("yarn")])), ("rope_parameters", .object(["factor": .integer(8)])),
      ("rope_parameters", .integer(1)), ("hidden_size", .integer(0)), ("num_hidden_layers", .integer(1 << 40)),
      ("model_type", .string("gemma3")), ("rope_parameters", .object(["rope_theta": .integer(0)])),
    ]
    for (key, value) in cases {
      let error = #expect(throws: FormatError.self, "\(key)") { try configuration([key: value]) }
      let words = key == "num_hidden_layers" || key != "rope_parameters" ? key : "rope_"
      #expect("\(try #require(error))".contains(words), "\(key): \(String(describing: error))")
    }
  }

  @Test("files of earlier versions of the library mean the same")
  func formerKeys() throws {
    let now = try configuration(["layer_types": .null])
    let then = try configuration(
      [
        "rope_theta": .number(500), "rope_scaling": .null, "hidden_act": .string("gelu_pytorch_tanh"),
        "cache_implementation": .string("hybrid"),
      ],
      without: ["rope_parameters", "layer_types", "use_bidirectional_attention", "dtype"])
    #expect(now == then && now.rotaryBase == 500 && now.spans == [.sliding, .full, .sliding])
    // `null` and absence are not the same here.
    #expect(try configuration(["attn_logit_softcapping": .null]).scoreCap == nil)
    #expect(try configuration([:], without: ["attn_logit_softcapping"]).scoreCap == 50)
  }

  @Test("either prefix, one file or shards, with or without a word predictor: the same network")
  func spellings() throws {
    let weights = try SafetensorsFile(path: item.folder + "/model.safetensors")
    #expect(!weights.names.contains { $0.hasPrefix("model.") })
    let inputs = try item.tensors("in.")
    let expected = try Architectures.load(folder: item.folder).component.forward(inputs)
    let folder = try TemporaryFolder()
    try folder.write(Data(contentsOf: URL(fileURLWithPath: item.folder + "/config.json")), to: "config.json")
    var tensors = try weights.names.map { (name: "model." + $0, tensor: try weights.tensor($0)) }
    tensors.append((name: "lm_head.weight", tensor: .zeros([50, 20])))
    tensors.append((name: "model.layers.0.self_attn.rotary_emb.inv_freq", tensor: .zeros([2])))
    var map: [String: JSONValue] = [:]
    for (index, part) in [tensors[..<7], tensors[7...]].enumerated() {
      let name = "model-0000\(index + 1)-of-00002.safetensors"
      try SafetensorsWriter.write(Array(part), metadata: [:], to: "\(folder.path)/\(name)")
      for entry in part { map[entry.name] = .string(name) }
    }
    try folder.write(JSONValue.object(["metadata": .object([:]), "weight_map": .object(map)]).text, to: "model.safetensors.index.json")
    let actual = try Architectures.load(folder: folder.path).component.forward(inputs)
    for (name, tensor) in expected { #expect(try bits(tensor) == bits(#require(actual[name]))) }
  }

  @Test("keys that no query sees are left out without a trace, whatever the length")
  func longTexts() throws {
    // Longer than the rows that are computed at once, with a window that begins within them: a mask without effect takes the other way.
    for name in ["gemma-0", "gemma-2", "gemma-3"] {
      let encoder = try Architectures.load(folder: PublishedCheckpointTests.Case(name: name).folder).component
      let ids = Tensor((0..<600).map { $0 * 7 % 50 }, shape: [1, 600])
      let short = try encoder.forward(["input_ids": ids])
      let long = try encoder.forward(["input_ids": ids, "attention_mask": ids.onesLike()])
      let output = try #require(short["last_hidden_state"])
      #expect(try relativeDifference(output, #require(long["last_hidden_state"])) < 1e-5)
      // Causal: what follows changes nothing.
      let part = try withTensorErrors { ids.narrow(1, start: 0, length: 300) }
      let begin = try withTensorErrors { output.narrow(1, start: 0, length: 300) }
      #expect(try relativeDifference(#require(encoder.forward(["input_ids": part])["last_hidden_state"]), begin) < 1e-5)
    }
  }

  @Test func inputsThatDoNotFit() throws {
    let encoder = try Architectures.load(folder: item.folder).component
    let ids = Tensor.zeros([2, 5], dtype: .int64)
    #expect(throws: ComponentError.self) { try encoder.forward([:]) }
    #expect(throws: ComponentError.self) { try encoder.forward(["input_ids": .zeros([5], dtype: .int64)]) }
    #expect(throws: ComponentError.self) { try encoder.forward(["input_ids": ids, "attention_mask": .ones([2, 4])]) }
    #expect(throws: ComponentError.self) { try encoder.forward(["input_ids": ids, "position_ids": ids]) }
    #expect(throws: TensorError.self) { try encoder.forward(["input_ids": ids + 50]) }
  }
}
