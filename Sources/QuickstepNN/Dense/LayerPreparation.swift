internal import CKernels
public import QuickstepTensor

/// How the layers of a model that is only run, not trained, prepare themselves while it is loaded.
///
/// On a CPU with AVX2 and FMA, matrices and convolution kernels are packed once in the order in which they are used, in place of the weights as
/// stored; activations are float32 with channels innermost. Results equal those of plain layers up to rounding: see ``ConvolutionMethod``.
public struct LayerPreparation: Sendable, Hashable {
  /// How packed weights are stored: `bfloat16`, `float16`, or `float32`, which every other type counts as. Sums are float32 in any case.
  public var storage: DType
  /// How 3×3 convolutions of stride 1 are computed.
  public var convolution: ConvolutionMethod

  /// - Parameters:
  ///   - storage: how packed weights are stored.
  ///   - convolution: how 3×3 convolutions are computed.
  public init(storage: DType = .float32, convolution: ConvolutionMethod = .winograd) {
    self.storage = storage
    self.convolution = convolution
  }

  /// Whether this machine's CPU can run prepared layers.
  public static var isAvailable: Bool { qs_dense_available() }

  /// The type that packed weights have in memory.
  var packedType: DType { [.bfloat16, .float16].contains(storage) ? storage : .float32 }

  var storageCode: Int32 { Int32(storage == .bfloat16 ? QS_BF16 : storage == .float16 ? QS_F16 : QS_F32) }
}

/// How 3×3 convolutions of stride 1 are computed; others are always direct.
public enum ConvolutionMethod: String, Sendable, Hashable, CaseIterable {
  /// Multiply and add as defined.
  case direct
  /// Winograd's minimal filtering with tiles of 2×2 results: 2.25 times fewer multiplications, rounding errors like those of `direct`.
  case winograd2
  /// Tiles of 4×4 results: 4 times fewer multiplications, rounding errors about five to ten times those of `direct`: at most some 2·10⁻⁵ of the
  /// result's standard deviation.
  case winograd4
  /// `winograd4` where there are enough tiles for it to pay, otherwise `winograd2`.
  case winograd
}

/// What a model's layers compute with, as users name it.
public struct KernelChoice: Sendable, Hashable, CustomStringConvertible {
  private let method: ConvolutionMethod?

  /// Prepared layers with Winograd's convolutions where they pay.
  public static let standard = KernelChoice(method: .winograd)
  /// libtorch's own operations on the weights as stored.
  public static let plain = KernelChoice(method: nil)
  /// Every choice; `plain` and the names of ``ConvolutionMethod`` for prepared layers.
  public static let all = [standard] + ConvolutionMethod.allCases.filter { $0 != .winograd }.map { KernelChoice(method: $0) } + [plain]

  private init(method: ConvolutionMethod?) { self.method = method }
  /// Prepared layers with this method for convolutions.
  public init(_ method: ConvolutionMethod) { self.method = method }
  /// What a model was loaded with.
  public init(_ preparation: LayerPreparation?) { method = preparation?.convolution }
  /// The choice of this name, or `nil`.
  public init?(named name: String) {
    guard let found = Self.all.first(where: { $0.description == name }) else { return nil }
    self = found
  }

  /// Its name: `winograd`, `direct`, `winograd2`, `winograd4` or `plain`.
  public var description: String { method?.rawValue ?? "plain" }

  /// The preparation for a model with weights of this type on this device. `nil` where layers are plain, and where prepared layers do not exist:
  /// on GPUs, on CPUs without AVX2 and FMA, for float64.
  public func preparation(dtype: DType, device: Device) -> LayerPreparation? {
    guard let method, device == .cpu, LayerPreparation.isAvailable, [.float32, .bfloat16, .float16].contains(dtype) else { return nil }
    return LayerPreparation(storage: dtype, convolution: method)
  }
}

/// What follows the sums of a linear layer or a convolution. Prepared layers do it in the same pass.
public enum Activation: Sendable, Hashable {
  case none
  /// x·σ(x).
  case silu
  /// x·Φ(x), in its exact form.
  case gelu
  /// GELU's approximation by tanh.
  case geluTanh

  /// Applied to a tensor of any shape.
  public func callAsFunction(_ input: Tensor) -> Tensor {
    switch self {
    case .none: input
    case .silu: input.silu()
    case .gelu: input.gelu()
    case .geluTanh: input.gelu(approximate: "tanh")
    }
  }

  var code: Int32 {
    switch self {
    case .none: Int32(QS_NONE)
    case .silu: Int32(QS_SILU)
    case .gelu: Int32(QS_GELU)
    case .geluTanh: Int32(QS_GELU_TANH)
    }
  }
}
