import Foundation
import QuickstepNN
import QuickstepTensor

/// Sine–cosine positions as diffusers makes them: columns in the first half of the channels and rows in the second, each stretched to the
/// grid that the network was trained on. `[1, rows · columns, size]`.
enum StretchedPositions {
  /// - Parameters:
  ///   - size: channels, a multiple of 4.
  ///   - base: side of the trained grid.
  ///   - scale: interpolation, as PixArt has it for larger pictures.
  ///   - table: side of a larger square grid of which this one is the middle (SD3); `nil` when it is the whole grid.
  ///   - sample: has the type and the device of the result.
  static func make(rows: Int, columns: Int, size: Int, base: Int, scale: Double = 1, table: Int? = nil, like sample: Tensor) -> Tensor {
    let numbers = [rows, columns, size, base, table ?? 0].map(Double.init) + [scale]
    return ConstantTables.table("stretched positions", numbers, dtype: sample.dtype, device: sample.device) {
      make(rows: rows, columns: columns, size: size, base: base, scale: scale, table: table)
    }
  }

  private static func make(rows: Int, columns: Int, size: Int, base: Int, scale: Double, table: Int?) -> Tensor {
    let quarter = size / 4
    let frequencies = (0..<quarter).map { pow(10000, -Double($0) / Double(quarter)) }
    // The reference divides in single precision.
    func places(_ count: Int) -> [Double] {
      let (side, start) = (table ?? count, ((table ?? count) - count) / 2)
      return (start..<start + count).map { Double(Float($0) / Float(Double(side) / Double(base)) / Float(scale)) }
    }
    /// `[count, size / 2]`: sines, then cosines.
    func waves(_ count: Int) -> Tensor {
      var values: [Float] = []
      for place in places(count) {
        values += frequencies.map { Float(sin(place * $0)) }
        values += frequencies.map { Float(cos(place * $0)) }
      }
      return Tensor(values, shape: [count, 2 * quarter])
    }
    let shape = [rows, columns, 2 * quarter]
    let parts = [waves(columns).unsqueeze(0).expand(shape), waves(rows).unsqueeze(1).expand(shape)]
    return Tensor.cat(parts, dim: 2).reshape([1, rows * columns, size])
  }
}
