public import QuickstepTensor
internal import Foundation

/// A table of vectors, `[…] → […, size]`.
public struct Embedding: Sendable {
  let weight: Tensor

  /// - Parameters:
  ///   - weights: the scope of `weight`, `[count, size]`.
  ///   - count: rows of the table; indices lie in 0..<count.
  ///   - size: channels of a row.
  ///   - initial: how a fresh table is filled.
  public init(_ weights: Weights, count: Int, size: Int, initial: Initializer = .normal(0.02)) {
    weight = weights.parameter("weight", [count, size], initial: initial)
  }

  /// The rows at `indices`, int64 `[…]`. A row out of range is a failure of the error scope.
  public func callAsFunction(_ indices: Tensor) -> Tensor { weight.embedding(indices) }
}

/// Sines and cosines of a timestep at geometrically spaced frequencies (Ho et al. 2020; in diffusers `Timesteps` with `flip_sin_to_cos`).
public enum TimestepFeatures {
  /// `[B] → [B, size]`, cosines first. Frequencies run from 1 down to 1/`longestPeriod`.
  public static func make(_ timestep: Tensor, size: Int, longestPeriod: Double = 10000) -> Tensor {
    let half = size / 2
    let frequencies = ConstantTables.table("timestep features", [Double(half), longestPeriod], device: timestep.device) {
      Tensor((0..<half).map { Float(exp(-log(longestPeriod) * Double($0) / Double(half))) }, shape: [1, half])
    }
    let angles = timestep.to(.float32).unsqueeze(-1) * frequencies
    return .cat([angles.cos(), angles.sin()], dim: -1)
  }
}

/// The usual two-layer embedding of a timestep: features → linear → SiLU → linear. `[B] → [B, size]`.
public struct TimestepEmbedding: Sendable {
  let first: Linear
  let second: Linear
  let features: Int

  /// - Parameters:
  ///   - weights: the scope of `linear_1` and `linear_2`, as in diffusers' `TimestepEmbedding`.
  ///   - features: number of sines and cosines, even.
  ///   - size: channels of the result.
  public init(_ weights: Weights, features: Int = 256, size: Int) {
    self.features = features
    first = Linear(weights["linear_1"], features, size, initial: .normal(0.02))
    second = Linear(weights["linear_2"], size, size, initial: .normal(0.02))
  }

  /// - Parameter dtype: type of the network's weights. The features themselves are made in float32: half types cannot tell 998 from 999.
  public func callAsFunction(_ timestep: Tensor, dtype: DType = .float32) -> Tensor {
    second(first(TimestepFeatures.make(timestep, size: features).to(dtype)).silu())
  }
}

/// Fixed two-dimensional sine–cosine positions (Peebles & Xie 2023), `[1, rows · columns, size]`: half of the channels for the row, half for the column.
public enum GridPositions {
  /// A float32 table on the CPU, row by row. Per position: sines and cosines of the row, then of the column, each at size/4 frequencies
  /// that fall from 1 towards 1/10000.
  /// - Parameter size: channels, a multiple of 4.
  public static func make(rows: Int, columns: Int, size: Int) -> Tensor {
    let quarter = size / 4
    let frequencies = (0..<quarter).map { pow(10000, -Double($0) / Double(quarter)) }
    var values = [Float]()
    values.reserveCapacity(rows * columns * size)
    for row in 0..<rows {
      for column in 0..<columns {
        for position in [row, column] {
          values += frequencies.map { Float(sin(Double(position) * $0)) }
          values += frequencies.map { Float(cos(Double(position) * $0)) }
        }
      }
    }
    return Tensor(values, shape: [1, rows * columns, size])
  }
}
