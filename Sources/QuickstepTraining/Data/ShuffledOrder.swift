import QuickstepTensor

/// The order in which samples are visited: every epoch its own permutation, a function of the seed and the step alone.
/// So a resumed run needs no stored position and sees the very same batches.
public final class ShuffledOrder {
  private let count: Int
  private let batch: Int
  private let seed: UInt64
  private var cached: (epoch: Int, order: [Int])?

  /// - Parameters:
  ///   - count: number of samples; less than 1 counts as 1.
  ///   - batch: samples per step, at least 1.
  ///   - seed: of the run; each epoch derives its own from it.
  public init(count: Int, batch: Int, seed: UInt64) {
    self.count = max(1, count)
    self.batch = batch
    self.seed = seed
  }

  /// Indices of the batch for `step` (from 0). A batch may span two epochs.
  public func indices(step: Int) throws -> [Int] {
    try (step * batch..<(step + 1) * batch).map { position in try permutation(epoch: position / count)[position % count] }
  }

  private func permutation(epoch: Int) throws -> [Int] {
    if let cached, cached.epoch == epoch { return cached.order }
    let generator = try Generator(seed: SplitMix64.mixed(seed, UInt64(epoch)))
    let order = try withTensorErrors { Tensor.randperm(count, generator: generator) }.scalars(Int.self)
    cached = (epoch, order)
    return order
  }
}

/// A small random number generator for choices that are not tensors (Steele, Lea & Flood 2014).
public struct SplitMix64: RandomNumberGenerator {
  private var state: UInt64
  /// A stream that starts at `seed`; every value is a good one.
  public init(seed: UInt64) { state = seed }

  /// The next 64 bits.
  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return value ^ (value >> 31)
  }

  /// A seed that depends on both arguments.
  public static func mixed(_ a: UInt64, _ b: UInt64) -> UInt64 {
    var generator = SplitMix64(seed: a ^ (b &* 0xD6E8_FEB8_6659_FD93))
    return generator.next()
  }
}
