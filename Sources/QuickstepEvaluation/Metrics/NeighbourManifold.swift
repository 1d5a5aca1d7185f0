internal import Foundation
public import QuickstepTensor

/// What region of a feature space a set of pictures fills, as balls around its pictures that reach to their k-th nearest neighbour in the set
/// (Kynkäänniemi et al. 2019, arXiv 1904.06991, equation 1; Naeem et al. 2020, arXiv 2002.09797).
///
/// Distances are Euclidean, computed in float64 block by block: memory grows with the number of pictures and not with its square.
public struct NeighbourManifold: Sendable {
  /// Neighbours that make a ball, k.
  public let neighbours: Int
  /// Radius around each picture.
  public let radii: [Double]
  /// `[N, F]`, float64 on the CPU.
  let features: Tensor

  /// - Parameters:
  ///   - features: `[N, F]` with N above k.
  ///   - neighbours: k, at least 1; 3 in Kynkäänniemi et al., 5 in Naeem et al.
  /// - Throws: ``EvaluationError`` for other shapes, too few pictures, values that are not finite; `TensorError`.
  public init(features: Tensor, neighbours: Int) throws {
    try Checks.features(features, "the features")
    let count = features.size(0)
    guard neighbours >= 1, neighbours < count else {
      throw EvaluationError("\(neighbours) neighbours among \(count) pictures; 1…\(max(1, count - 1)) are possible")
    }
    let values = try withTensorErrors { features.detach().to(.float64, .cpu) }
    radii = try Blocks.ranges(count, columns: count).flatMap { range in
      try withInference {
        try withTensorErrors {
          // The nearest of all is the picture itself.
          let distances = Self.distances(values.narrow(0, start: range.lowerBound, length: range.count), values)
          return distances.topK(neighbours + 1, dim: 1, largest: false).0.select(1, index: neighbours)
        }
      }.scalars(Double.self)
    }
    self.features = values
    self.neighbours = neighbours
  }

  /// For each of `queries`, in how many balls it lies.
  /// - Parameter queries: `[M, F]`.
  /// - Throws: ``EvaluationError`` for another number of features and values that are not finite.
  public func counts(of queries: Tensor) throws -> [Int] {
    try Checks.featureSets(queries, features)
    let (points, reach) = try withTensorErrors { (queries.detach().to(.float64, .cpu), Tensor(radii, shape: [1, radii.count])) }
    return try Blocks.ranges(points.size(0), columns: radii.count).flatMap { range in
      try withInference {
        try withTensorErrors {
          let gaps = Self.distances(points.narrow(0, start: range.lowerBound, length: range.count), features) - reach
          return gaps.lessOrEqual(0).to(.float64).sum([1])
        }
      }.scalars(Double.self).map { Int($0) }
    }
  }

  /// For each picture of this set, whether one of `queries` lies in its ball.
  /// - Parameter queries: `[M, F]`.
  /// - Throws: as ``counts(of:)``.
  public func isReached(by queries: Tensor) throws -> [Bool] {
    try Checks.featureSets(queries, features)
    let points = try withTensorErrors { queries.detach().to(.float64, .cpu) }
    let nearest = try Blocks.ranges(radii.count, columns: points.size(0)).flatMap { range in
      try withInference {
        try withTensorErrors { Self.distances(features.narrow(0, start: range.lowerBound, length: range.count), points).amin([1]) }
      }.scalars(Double.self)
    }
    return zip(nearest, radii).map { $0 <= $1 }
  }

  /// `[A, B]`. Mode 2 takes the differences themselves: by products, equal pictures would not be at distance 0.
  private static func distances(_ first: Tensor, _ second: Tensor) -> Tensor { first.cdist(second, computeMode: 2) }
}

/// The four figures that two manifolds give. Each is a list with one value per picture, whose mean is the figure.
public struct ManifoldComparison: Sendable {
  private let pictures: NeighbourManifold
  private let reference: NeighbourManifold

  /// - Parameters:
  ///   - pictures: what is judged, `[N, F]`.
  ///   - reference: what it should be like, `[M, F]`.
  ///   - neighbours: k of both.
  /// - Throws: ``EvaluationError`` for shapes that do not fit, too few pictures, values that are not finite; `TensorError`.
  public init(_ pictures: Tensor, reference: Tensor, neighbours: Int) throws {
    try Checks.featureSets(pictures, reference)
    self.pictures = try NeighbourManifold(features: pictures, neighbours: neighbours)
    self.reference = try NeighbourManifold(features: reference, neighbours: neighbours)
  }

  /// For each picture whether it lies where the reference does: their share is the precision (Kynkäänniemi et al., equation 2).
  public func precision() throws -> [Bool] { try reference.counts(of: pictures.features).map { $0 > 0 } }
  /// For each picture of the reference whether it lies where the pictures do: their share is the recall.
  public func recall() throws -> [Bool] { try pictures.counts(of: reference.features).map { $0 > 0 } }
  /// For each picture the number of the reference's balls around it, over k: the mean is the density (Naeem et al., equation 6); it may exceed 1.
  public func density() throws -> [Double] {
    try reference.counts(of: pictures.features).map { Double($0) / Double(reference.neighbours) }
  }
  /// For each picture of the reference whether its ball holds a picture: their share is the coverage (Naeem et al., equation 7).
  public func coverage() throws -> [Bool] { try reference.isReached(by: pictures.features) }
}
