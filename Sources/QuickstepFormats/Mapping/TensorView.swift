/// How one tensor is made of a stored one: whose bytes it shares, and the steps from there.
public struct TensorView: Sendable, Hashable {
  /// What is done to a tensor. None of them computes with its values.
  public enum Step: Sendable, Hashable {
    /// Part number `part` of `count` equal parts along the first dimension: one of several matrices stored as one.
    case part(Int, of: Int)
    /// These of the first dimension: one of several matrices of different heights stored as one.
    case rows(Range<Int>)
    /// The second half of the first dimension before the first.
    case halvesSwapped
    /// The two dimensions of a matrix swapped.
    case transposed
    /// Without final dimensions of size 1, down to a matrix: a 1×1 convolution as a linear layer.
    case matrix
  }

  /// Name in the source.
  public var name: String
  /// In the order in which they are done.
  public var steps: [Step]

  /// - Parameters:
  ///   - name: name in the source.
  ///   - steps: in the order in which they are done.
  public init(_ name: String, _ steps: [Step] = []) {
    self.name = name
    self.steps = steps
  }

  /// The shape after all steps; `nil` when a step cannot be done.
  public func shape(from stored: [Int]) -> [Int]? {
    var shape = stored
    for step in steps {
      switch step {
      case .part(let part, let count):
        guard let first = shape.first, count > 0, (0..<count).contains(part), first % count == 0 else { return nil }
        shape[0] = first / count
      case .rows(let rows):
        guard let first = shape.first, rows.lowerBound >= 0, rows.upperBound <= first, !rows.isEmpty else { return nil }
        shape[0] = rows.count
      case .halvesSwapped:
        guard let first = shape.first, first % 2 == 0 else { return nil }
      case .transposed:
        guard shape.count == 2 else { return nil }
        shape.swapAt(0, 1)
      case .matrix:
        guard shape.count >= 2, shape.dropFirst(2).allSatisfy({ $0 == 1 }) else { return nil }
        shape = Array(shape.prefix(2))
      }
    }
    return shape
  }
}
