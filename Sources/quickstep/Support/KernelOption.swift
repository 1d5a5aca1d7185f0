import ArgumentParser
import QuickstepNN
import QuickstepTensor

/// `--kernels`, the same for every command that runs networks.
enum KernelOption {
  static let help =
    "What layers compute with on a CPU: winograd (default: weights packed at load, 3×3 convolutions by Winograd's filtering), direct (the same without it), winograd2, winograd4 (its tile sizes), plain (libtorch's own operations)."

  static func check(_ name: String) throws {
    guard KernelChoice(named: name) != nil else {
      throw ValidationError("--kernels is '\(name)'; allowed: \(KernelChoice.all.map(\.description).joined(separator: ", ")).")
    }
  }

  /// - Throws: `ValidationError` where kernels are asked for that do not exist for the device or type.
  static func choice(_ name: String?, dtype: DType, device: Device) throws -> KernelChoice {
    guard let name else { return .standard }
    let choice = KernelChoice(named: name) ?? .standard
    guard choice == .plain || choice.preparation(dtype: dtype, device: device) != nil else {
      throw ValidationError(
        "--kernels \(name) needs a CPU with AVX2 and FMA and one of the types float32, bfloat16, float16; leave it out.")
    }
    return choice
  }
}
