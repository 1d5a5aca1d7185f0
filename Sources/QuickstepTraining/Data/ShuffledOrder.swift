import QuickstepNN
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
