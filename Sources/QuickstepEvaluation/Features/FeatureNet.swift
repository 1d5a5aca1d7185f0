public import QuickstepTensor

/// A network whose features stand for what a picture shows. Distances between pictures or sets of pictures are taken in its features.
///
/// Numbers of two feature nets cannot be compared with each other, so every figure names its net.
public protocol FeatureNet: EvaluationNet {
  /// Channels of the pictures it takes: 3 (RGB) or 1 (grey).
  var channels: Int { get }
  /// `[height, width]` the network sees; `features(_:batch:progress:)` brings pictures to it.
  var inputSize: [Int] { get }
  /// What is done to pictures before the network sees them, in one sentence.
  var preprocessing: String { get }
  /// F, the number of features of a picture.
  var featureCount: Int { get }
  /// Where the weights are, and pictures are sent.
  var device: Device { get }

  /// The network's input for pictures `[B, channels, H, W]` in −1…1.
  func preprocess(_ images: Tensor) -> Tensor
  /// Features `[B, F]` of a preprocessed batch.
  func evaluate(_ input: Tensor) throws -> Tensor
  /// Refuses sizes that ``preprocess(_:)`` would distort.
  func check(_ shape: [Int]) throws
}

extension FeatureNet {
  /// Features of pictures, computed in batches.
  /// - Parameters:
  ///   - images: `[N, channels, H, W]` in −1…1; values outside are clamped, as they are when a picture is stored.
  ///   - batch: pictures per evaluation; bounds the memory, does not change the result beyond rounding.
  ///   - progress: told how many pictures are done.
  /// - Returns: `[N, F]` float32 on the CPU.
  /// - Throws: ``EvaluationError`` for other shapes, no pictures, and values that are not finite; `TensorError`.
  public func features(_ images: Tensor, batch: Int = 16, progress: (Int) throws -> Void = { _ in }) throws -> Tensor {
    try inBatches(images, batch: batch, progress: progress) { try evaluate($0) }
  }

  /// Checks pictures, then joins what `body` makes of each preprocessed batch.
  func inBatches(
    _ images: Tensor, batch: Int, progress: (Int) throws -> Void = { _ in }, _ body: (Tensor) throws -> Tensor
  ) throws -> Tensor {
    guard images.rank == 4, images.size(1) == channels else {
      throw EvaluationError("\(name) takes pictures [B, \(channels), H, W], not \(images.shape)")
    }
    guard batch > 0 else { throw EvaluationError("the batch is \(batch); it must be at least 1") }
    try Checks.finite(images, "the pictures")
    try check(images.shape)
    let count = images.size(0)
    var parts: [Tensor] = []
    for start in stride(from: 0, to: count, by: batch) {
      let length = Swift.min(batch, count - start)
      let part = try withInference {
        try withTensorErrors {
          let slice = images.narrow(0, start: start, length: length).to(.float32, device).clamp(min: -1, max: 1)
          return try body(preprocess(slice)).to(.float32, .cpu)
        }
      }
      parts.append(part)
      try progress(start + length)
    }
    return try withTensorErrors { Tensor.cat(parts) }
  }
}
