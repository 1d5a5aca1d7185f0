import QuickstepNN
public import QuickstepTensor

/// Which axis of its input a group of operators does not mix, so that it may be run slice by slice along it (Streamlined Inference, Zhan et al.
/// 2024, arXiv 2411.01171, section 3.2).
///
/// Spatial layers of a video network, `[B·F, C, H, W]`, mix nothing along the batch of frames; temporal attention on `[B·H·W, F, C]` nothing along
/// the batch of pixels; temporal convolutions on `[B, C, F, H, W]` nothing along the width. Whoever forms the group answers for that.
public struct SliceAxis: Sendable, Hashable {
  /// Of the input, from 0.
  public var input: Int
  /// Of the output; the same length as the input's.
  public var output: Int

  /// The same axis of input and output.
  public init(_ axis: Int) { (input, output) = (axis, axis) }
  /// Axes that differ.
  public init(input: Int, output: Int) { (self.input, self.output) = (input, output) }
}

/// Runs groups of operators slice by slice. What a group makes on its way exists for one slice at a time, so that at the peak there are input,
/// output and (what is in use at once within the group)/n, in place of all of it. The result is the same up to rounding.
public struct Slices: Sendable, Hashable {
  /// Into how many slices an axis is cut; 1 runs groups as they are.
  public let count: Int

  /// - Throws: ``AccelerationError`` for less than one.
  public init(_ count: Int) throws {
    guard count >= 1 else { throw AccelerationError("\(count) slices; allowed: 1 and above") }
    self.count = count
  }

  /// The ranges of an axis of `size`: ⌈size/n⌉ each, the last one perhaps shorter.
  public func ranges(of size: Int) -> [Range<Int>] {
    guard size > 0 else { return [] }
    let length = (size + count - 1) / count
    return stride(from: 0, to: size, by: length).map { $0..<min(size, $0 + length) }
  }

  /// Runs a group of operators.
  /// - Parameters:
  ///   - input: is cut along the axis.
  ///   - group: the operators, for a slice of the input and its range, by which it may cut what else it reads (embedded times, conditions).
  /// - Returns: what the group gives for the whole input, in one tensor into which slices are written as they come.
  /// - Throws: ``AccelerationError`` where the group gives an output of another length along the axis than its input; what the group throws.
  public func run(
    _ input: Tensor, along axis: SliceAxis, _ group: (_ slice: Tensor, _ range: Range<Int>) throws -> Tensor
  ) throws -> Tensor {
    let size = input.size(axis.input)
    let ranges = ranges(of: size)
    guard ranges.count > 1 else { return try group(input, 0..<size) }
    var output: Tensor?
    for range in ranges {
      do {
        let slice = try withTensorErrors { input.narrow(axis.input, start: range.lowerBound, length: range.count) }
        let part = try group(slice, range)
        guard part.rank > axis.output, part.size(axis.output) == range.count else {
          throw AccelerationError(
            "a group of operators gives \(part.shape) for a slice of \(range.count) along axis \(axis.input); axis \(axis.output) must have that length"
          )
        }
        try withTensorErrors {
          var shape = part.shape
          shape[axis.output] = size
          let whole = output ?? .empty(shape, dtype: part.dtype, device: part.device)
          whole.narrow(axis.output, start: range.lowerBound, length: range.count).copyInPlace(part)
          output = whole
        }
      }
    }
    return output ?? input
  }

  /// Bytes in use at once by one group beyond its input: output, and what the group needs at once for the longest slice, its part of the output
  /// included.
  /// - Parameters:
  ///   - output: bytes of the whole output.
  ///   - inside: bytes that the group holds at once for the whole input, its output included.
  ///   - size: of the axis.
  public func peakBytes(output: Int, inside: Int, size: Int) -> Int {
    let ranges = ranges(of: size)
    guard ranges.count > 1, let longest = ranges.map(\.count).max() else { return inside }
    return output + inside * longest / size
  }

}

/// GroupNorm over axes that are cut, in two passes: sums and sums of squares over all slices first, then each slice with the statistics of all. A
/// norm within a group that is cut along an axis it averages over would otherwise take each slice's own statistics, as the authors' program does.
public struct SlicedGroupNorm: Sendable {
  let groups: Int
  let epsilon: Double
  let weight: Tensor, bias: Tensor

  /// - Parameters:
  ///   - weight, bias: one number per channel.
  ///   - groups: divides the channels.
  public init(groups: Int, epsilon: Double, weight: Tensor, bias: Tensor) {
    (self.groups, self.epsilon, self.weight, self.bias) = (groups, epsilon, weight, bias)
  }

  /// Mean and variance by sample and group, `[B, groups]`, in float64.
  public struct Statistics {
    var sum: Tensor?, squares: Tensor?
    var count = 0.0

    /// Statistics of nothing yet.
    public init() {}
  }

  /// First pass: adds a slice `[B, C, …]`.
  public func add(_ slice: Tensor, to statistics: inout Statistics) throws {
    try withTensorErrors {
      let rows = slice.reshape([slice.size(0), groups, -1])
      // In float64, where a difference of squares keeps its digits; by sums, so that the slice itself is not converted.
      let sum = rows.sum([2], dtype: .float64)
      let squares = (rows * rows).sum([2], dtype: .float64)
      statistics.sum = statistics.sum.map { $0 + sum } ?? sum
      statistics.squares = statistics.squares.map { $0 + squares } ?? squares
    }
    statistics.count += Double(slice.shape.dropFirst().reduce(1, *) / groups)
  }

  /// Second pass: a slice with the statistics of all.
  /// - Throws: ``AccelerationError`` before any slice was added.
  public func apply(_ slice: Tensor, _ statistics: Statistics) throws -> Tensor {
    guard let sum = statistics.sum, let squares = statistics.squares, statistics.count > 0 else {
      throw AccelerationError("a norm without statistics: the first pass adds every slice")
    }
    return try withTensorErrors {
      let mean = sum / statistics.count
      let variance = (squares / statistics.count - mean * mean).clamp(min: 0)
      let scale = (variance + epsilon).rsqrt()
      let channels = slice.size(1)
      let shape = [slice.size(0), channels] + Array(repeating: 1, count: slice.rank - 2)
      func spread(_ values: Tensor) -> Tensor { values.repeatInterleave(channels / groups, dim: 1) }
      let factor = spread(scale) * weight.to(.float64)
      let offset = bias.to(.float64) - spread(mean) * factor
      return slice * factor.to(slice.dtype).reshape(shape) + offset.to(slice.dtype).reshape(shape)
    }
  }
}
