import Foundation
import QuickstepFormats
import QuickstepNN
import QuickstepTensor
import Testing

/// Weights as `Parity/goldens_nets.py` draws them: from a seed and each tensor's name, so that no golden holds them.
enum Drawn {
  /// As `random_weights.noise`.
  static func noise(_ seed: Int, _ name: String, _ shape: [Int]) throws -> Tensor {
    let generator = try Generator(seed: UInt64(checksum("\(seed)/\(name)")))
    return try withTensorErrors { Tensor.randn(shape, generator: generator, dtype: .float32) }
  }

  /// Names and shapes of a network, as the golden lists them.
  static func layout(_ network: String) throws -> [String: [Int]] {
    let members = try #require(try JSONValue(path: fixtures + "/nets.json")[network]?.object)
    return members.mapValues { $0.array?.compactMap(\.integer) ?? [] }
  }

  /// All tensors of a network. `named` is the name a tensor is drawn by.
  static func weights(
    _ network: String, seed: Int = 1, absolute: Bool = false, named: (String) -> String = { $0 }
  ) throws -> TensorDictionary {
    var tensors: [String: Tensor] = [:]
    for (name, shape) in try layout(network) {
      let drawn = try noise(seed, named(name), shape)
      tensors[name] = try withTensorErrors {
        let value =
          if shape.count > 1 {
            drawn * (2 / Double(shape.dropFirst().reduce(1, *))).squareRoot()
          } else if name.hasSuffix("running_var") {
            (drawn * 0.1).exp()
          } else if name.hasSuffix("bn.weight") {
            drawn * 0.1 + 1
          } else {
            drawn * 0.1
          }
        return absolute ? value.abs() : value
      }
    }
    return TensorDictionary(tensors, origin: network)
  }

  static func golden(_ name: String) throws -> Tensor { try SafetensorsFile(path: fixtures + "/nets.safetensors").tensor(name) }
  static func goldenValues(_ name: String) throws -> [Double] {
    let stored = try golden(name)
    return try withTensorErrors { stored.to(.float64) }.scalars(Double.self)
  }

  /// zlib's CRC-32.
  private static func checksum(_ text: String) -> UInt32 {
    ~text.utf8.reduce(UInt32.max) { sum, byte in
      (0..<8).reduce(sum ^ UInt32(byte)) { sum, _ in sum & 1 == 1 ? sum >> 1 ^ 0xEDB8_8320 : sum >> 1 }
    }
  }
}

/// The largest difference, in standard deviations of what is expected.
func gap(_ actual: Tensor, _ expected: Tensor) throws -> Double {
  try #require(actual.shape == expected.shape, "\(actual.shape) instead of \(expected.shape)")
  return try withTensorErrors { (actual - expected).abs().max() / expected.standardDeviation(correction: 0) }.item()
}
