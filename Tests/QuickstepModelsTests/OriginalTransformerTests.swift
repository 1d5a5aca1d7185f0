import Foundation
import QuickstepFormats
import QuickstepModels
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

/// Transformers under their original names (`Parity/original_transformers.py`), whose files diffusers' own conversion turns into the networks of
/// `PublishedCheckpointTests`.
@Suite struct OriginalTransformerTests {
  static let networks = ["flux-0", "flux-2", "sd3-0", "sd3-1"]

  private func original(_ name: String) throws -> SafetensorsFile {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures/single-file").path
    return try SafetensorsFile(path: "\(folder)/\(name).safetensors")
  }

  private func folder(_ name: String) -> String { PublishedCheckpointTests.Case(name: name).folder }

  @Test("names and numbers are those of diffusers' conversion", arguments: networks)
  func restored(_ name: String) throws {
    let file = try original(name)
    let mapped = try ComponentFile.tensors("transformer", in: file)
    let expected = try SafetensorsFile(path: folder(name) + "/diffusion_pytorch_model.safetensors")
    #expect(mapped.names == expected.names && mapped.names != file.names)
    for name in expected.names {
      let (ours, theirs) = (try mapped.tensor(name), try expected.tensor(name))
      #expect(try ours.shape == theirs.shape && ours.withUnsafeBytes { Array($0) } == theirs.withUnsafeBytes { Array($0) }, "\(name)")
      #expect(mapped.info(name)?.shape == theirs.shape)
    }
    let loaded = try Architectures.load(ConfigurationFile(path: folder(name) + "/config.json"), from: mapped)
    let golden = PublishedCheckpointTests.Case(name: name)
    let actual = try withInference { try loaded.component.forward(golden.tensors("in.")) }
    for (output, tensor) in try golden.tensors("out.") { #expect(try relativeDifference(#require(actual[output]), tensor) <= 2e-4) }
  }

  /// A file with some tensors more or less.
  private func changed(_ name: String, _ change: (inout [String: Tensor]) throws -> Void) throws -> TensorDictionary {
    let file = try original(name)
    var tensors = Dictionary(uniqueKeysWithValues: try file.names.map { ($0, try file.tensor($0)) })
    try change(&tensors)
    return TensorDictionary(tensors)
  }

  @Test func whatDoesNotFitIsNamed() throws {
    func refusal(_ name: String, _ change: (inout [String: Tensor]) throws -> Void) throws -> String {
      let source = try changed(name, change)
      let error = #expect(throws: (any Error).self) {
        let weights = try ComponentFile.tensors("transformer", in: source)
        _ = try Architectures.load(ConfigurationFile(path: folder(name) + "/config.json"), from: weights)
      }
      return "\(try #require(error))"
    }
    #expect(try refusal("flux-0") { $0["double_blocks.0.img_attn.extra.weight"] = .zeros([2]) }.contains("double_blocks.0.img_attn.extra"))
    #expect(try refusal("flux-0") { $0["double_blocks.0.img_attn.qkv.weight"] = .zeros([7, 24]) }.contains("double_blocks.0.img_attn.qkv"))
    #expect(try refusal("flux-0") { $0["single_blocks.1.linear1.weight"] = nil }.contains("single_blocks.1.linear1.weight"))
    #expect(try refusal("flux-0") { $0["single_blocks.1.linear1.weight"] = .zeros([20, 24]) }.contains("single_blocks.1.linear1.weight"))
    #expect(try refusal("flux-0") { $0["single_blocks.1.linear1.bias"] = .zeros([20]) }.contains("single_blocks.1.linear1.bias"))
    #expect(try refusal("flux-0") { $0["final_layer.adaLN_modulation.1.weight"] = .zeros([7, 24]) }.contains("adaLN_modulation"))
    #expect(
      try refusal("sd3-0") { $0["joint_blocks.0.x_block.mlp.fc1.weight"] = nil }.contains("transformer_blocks.0.ff.net.0.proj.weight"))
    // Numbers that no network has: neither counted up to nor added to.
    for name in ["double_blocks.9223372036854775807.x", "single_blocks.999999999999.x", "double_blocks.99999999999999999999.x"] {
      #expect(try refusal("flux-0") { $0[name] = .zeros([1]) }.contains(name))
    }
    #expect(try refusal("sd3-0") { $0["joint_blocks.9223372036854775807.x"] = .zeros([1]) }.contains("joint_blocks.9223372036854775807.x"))
    #expect(try refusal("sd3-1") { $0["model.diffusion_model.odd"] = .zeros([1]) }.contains("model.diffusion_model.odd"))
  }

  @Test func otherNamesAreLeftAlone() throws {
    let file = try SafetensorsFile(path: folder("flux-0") + "/diffusion_pytorch_model.safetensors")
    #expect(try ComponentFile.tensors("transformer", in: file).names == file.names)
  }
}
