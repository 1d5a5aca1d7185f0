internal import CTorch

/// Counts the multiplications of a piece of work, each with its addition (half of what is called FLOPs): those of matrix products, convolutions
/// and attention, which are nearly all there are. Convolutions count as direct ones, whatever method computes them.
///
/// Calls of libtorch's operators and this package's own kernels on the calling thread are seen; what libtorch does by itself, such as the
/// gradients of an autograd run, is not.
public enum OperationCount {
  /// Does the work and counts. Counting within counting begins anew: not to be nested.
  public static func measure<Result>(_ work: () throws -> Result) rethrows -> (result: Result, count: Double) {
    qs_operations_begin()
    do {
      let result = try work()
      return (result, qs_operations_end())
    } catch {
      _ = qs_operations_end()
      throw error
    }
  }

  /// Tells of multiplications done by a kernel that is no operator of libtorch.
  package static func add(_ count: Double) { qs_operations_add(count) }
}
