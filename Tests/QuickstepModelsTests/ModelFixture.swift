import Foundation
import QuickstepFormats
import QuickstepModels
import QuickstepNN
import QuickstepTensor
import Testing

/// A component folder made by `Parity/models.py`: configuration, weights, and inputs with the reference's outputs.
struct ModelFixture: Sendable, CustomTestStringConvertible {
  let name: String

  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures/models").path

  /// All fixtures, by name.
  static let all: [ModelFixture] = ((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []).sorted()
    .filter { !$0.hasPrefix(".") }.map(ModelFixture.init)

  /// Those of denoising networks.
  static let backbones = all.filter { $0.name.hasPrefix("transformer") || $0.name.hasPrefix("unet") }

  var folder: String { ModelFixture.root + "/" + name }
  var testDescription: String { name }

  func load() throws -> LoadedComponent { try Architectures.load(folder: folder) }

  func configuration() throws -> ConfigurationFile { try ConfigurationFile(path: folder + "/config.json") }

  /// The weights as stored.
  func weights() throws -> any TensorSource {
    let architecture = try Architectures.of(configuration())
    return try SafetensorsFile(path: "\(folder)/\(architecture.weightsName).safetensors")
  }

  /// Tensors of the golden whose names start with `prefix`, under the rest of their names.
  func golden(_ prefix: String) throws -> [String: Tensor] {
    let file = try SafetensorsFile(path: folder + "/golden.safetensors")
    var result: [String: Tensor] = [:]
    for name in file.names where name.hasPrefix(prefix) { result[String(name.dropFirst(prefix.count))] = try file.tensor(name) }
    return result
  }

  func inputs() throws -> [String: Tensor] { try golden("in.") }
  func outputs() throws -> [String: Tensor] { try golden("out.") }
}

/// A fixture's backbone with its inputs, to be called with an evaluation of the test's own.
struct BackboneFixture {
  let backbone: any Backbone
  var sample: Tensor
  let timestep: Tensor
  let conditioning: Conditioning

  init(_ name: String) throws {
    let fixture = ModelFixture(name: name)
    backbone = try #require(try fixture.load().component as? any Backbone)
    let inputs = try fixture.inputs()
    sample = try #require(inputs["sample"])
    timestep = try #require(inputs["timestep"])
    conditioning = Conditioning(
      sequence: inputs["encoder_hidden_states"], mask: inputs["encoder_attention_mask"], pooled: inputs["pooled_projections"],
      classes: inputs["class_labels"])
  }

  func callAsFunction(_ policy: (any SitePolicy)? = nil) throws -> Tensor {
    try withTensorErrors {
      try backbone(
        sample, timestep: timestep, conditioning: conditioning, evaluation: Evaluation(Evaluation.plain.context, policy: policy))
    }
  }
}

/// The largest difference between two tensors, in standard deviations of `expected`; infinite when shapes differ or a number is not finite.
func relativeDifference(_ actual: Tensor, _ expected: Tensor) throws -> Double {
  guard actual.shape == expected.shape else { return .infinity }
  let x = try actual.to(.float64).scalars(Double.self)
  let y = try expected.to(.float64).scalars(Double.self)
  let mean = y.reduce(0, +) / Double(y.count)
  let deviation = (y.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(y.count)).squareRoot()
  return zip(x, y).reduce(0) { worst, pair in
    let gap = abs(pair.0 - pair.1)
    return gap.isFinite ? max(worst, gap / deviation) : .infinity
  }
}

/// The values bit by bit.
func bits(_ tensor: Tensor) throws -> [UInt32] { try tensor.scalars(Float.self).map(\.bitPattern) }
