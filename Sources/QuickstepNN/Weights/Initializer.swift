internal import QuickstepTensor

/// How a fresh parameter is filled before training.
public enum Initializer: Sendable, Hashable {
  /// Every element 0.
  case zeros
  /// Every element 1.
  case ones
  /// Every element this number.
  case constant(Double)
  /// Normal with mean 0 and this standard deviation.
  case normal(Double)
  /// Uniform in ±bound.
  case uniform(Double)
  /// Uniform in ±1/√fanIn: what PyTorch gives linear and convolution layers (weights and biases).
  case fanIn(Int)
  /// Uniform in ±√(6/(fanIn + fanOut)) (Glorot & Bengio 2010), the usual choice in diffusion transformers.
  case xavier(fanIn: Int, fanOut: Int)

  /// A new float32 tensor on the CPU.
  func make(_ shape: [Int], generator: Generator) -> Tensor {
    switch self {
    case .zeros: return .zeros(shape)
    case .ones: return .ones(shape)
    case .constant(let value): return .full(shape, fillValue: .real(value))
    case .normal(let deviation): return .randn(shape, generator: generator) * deviation
    case .uniform(let bound): return (Tensor.rand(shape, generator: generator) * 2 - 1) * bound
    case .fanIn(let count): return Initializer.uniform(1 / Double(max(1, count)).squareRoot()).make(shape, generator: generator)
    case .xavier(let fanIn, let fanOut):
      return Initializer.uniform((6 / Double(max(1, fanIn + fanOut))).squareRoot()).make(shape, generator: generator)
    }
  }
}
