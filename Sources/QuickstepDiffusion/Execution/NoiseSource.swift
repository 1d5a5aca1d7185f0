public import QuickstepTensor

/// Where a run's random numbers come from. It belongs to one request and is asked in the order of the tableau: the initial noise first,
/// then z0, z1, …
public protocol NoiseSource {
  /// A standard normal draw.
  /// - Parameters:
  ///   - shape: of the whole batch, [B, …].
  ///   - dtype: element type of the result.
  ///   - device: where the result is wanted.
  /// - Throws: ``SamplingError`` when it has no such noise.
  mutating func draw(shape: [Int], dtype: DType, device: Device) throws -> Tensor
}

/// One seed per image: every sample of the batch is drawn at batch 1 from its own generator and the draws are joined, so that an image does
/// not depend on the batch it is part of.
///
/// Numbers are drawn in float32 on the CPU and then converted, as in the pipelines people compare with; float64 states draw in float64.
public struct SeededNoise: NoiseSource {
  private let generators: [Generator]

  /// - Parameter seeds: one per sample of the batch, in order.
  /// - Throws: ``SamplingError`` for an empty list, `TensorError` when a generator cannot be made.
  public init(seeds: [UInt64]) throws {
    guard !seeds.isEmpty else { throw SamplingError("no seeds were given; allowed: one per sample of the batch") }
    generators = try seeds.map { try Generator(seed: $0) }
  }

  /// Advances every generator by one sample.
  /// - Throws: ``SamplingError`` when the batch is not as large as the number of seeds.
  public mutating func draw(shape: [Int], dtype: DType, device: Device) throws -> Tensor {
    guard let batch = shape.first, batch == generators.count else {
      throw SamplingError("\(generators.count) seeds for a batch of shape \(shape); allowed: one seed per sample")
    }
    let drawn: DType = dtype == .float64 ? .float64 : .float32
    return try withTensorErrors {
      let samples = generators.map { Tensor.randn([1] + shape.dropFirst(), generator: $0, dtype: drawn) }
      return (samples.count == 1 ? samples[0] : Tensor.cat(samples, dim: 0)).to(dtype, device)
    }
  }
}

/// One generator for the whole batch, drawn in one call: PyTorch's `randn(shape, generator:)`. Images then depend on their batch.
public struct BatchNoise: NoiseSource {
  private let generator: Generator

  /// - Parameter generator: advanced by every draw.
  public init(_ generator: Generator) { self.generator = generator }

  /// Drawn on the generator's device, then moved.
  public mutating func draw(shape: [Int], dtype: DType, device: Device) throws -> Tensor {
    let drawn: DType = dtype == .float64 ? .float64 : .float32
    return try withTensorErrors { Tensor.randn(shape, generator: generator, dtype: drawn, device: generator.device).to(dtype, device) }
  }
}

/// Given noises, one after the other: for parity tests, and for replaying a recorded run.
public struct FixedNoise: NoiseSource {
  private let noises: [Tensor]
  private var position = 0

  /// - Parameter noises: in the order they are asked for.
  public init(_ noises: [Tensor]) { self.noises = noises }

  /// The next of the given noises.
  /// - Throws: ``SamplingError`` when there is none left or its shape is another one.
  public mutating func draw(shape: [Int], dtype: DType, device: Device) throws -> Tensor {
    guard position < noises.count else { throw SamplingError("noise \(position + 1) was asked for; \(noises.count) were given") }
    let noise = noises[position]
    guard noise.shape == shape else { throw SamplingError("noise \(position) has shape \(noise.shape); \(shape) was asked for") }
    position += 1
    return try withTensorErrors { noise.to(dtype, device) }
  }
}
