internal import CTorch

/// Counts the bytes of tensors in main memory that a piece of work holds at once.
///
/// What is counted is what libtorch's allocator is asked for on the calling thread: results of operators and their temporary memory. Kernels of
/// this package that use memory of their own, and worker threads, are not seen. Not to be nested.
public enum AllocationCount {
  /// What a piece of work held.
  public struct Bytes: Sendable, Hashable {
    /// The most at once, beyond what was there before.
    public var peak: Int
    /// What was left when it was done, its result included.
    public var left: Int
  }

  /// Does the work and counts.
  /// - Throws: `TensorError` where counting cannot begin; what the work throws.
  public static func measure<Result>(_ work: () throws -> Result) throws -> (result: Result, bytes: Bytes) {
    try withTensorErrors { _ = qs_count_begin() }
    defer { qs_count_end() }
    let result = try work()
    return (result, Bytes(peak: Int(qs_count_peak()), left: Int(qs_count_live())))
  }
}
