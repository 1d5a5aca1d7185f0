internal import Foundation
internal import QuickstepTensor

/// Resizing with the windowed sinc of three lobes, widened where a picture shrinks so that nothing aliases: Pillow's `LANCZOS`, without its
/// rounding to bytes between the two directions.
enum Lanczos {
  private static let lobes = 3.0

  /// `[C, H, W] → [C, height, width]`, values in −1…1; overshoot at edges is cut off.
  static func resized(_ pixels: Tensor, width: Int, height: Int) throws -> Tensor {
    try withTensorErrors {
      let rows = matrix(from: pixels.size(1), to: height)
      let columns = matrix(from: pixels.size(2), to: width)
      return rows.matmul(pixels.linear(columns)).clamp(min: -1, max: 1)
    }
  }

  /// `[to, from]`; every row sums to 1.
  private static func matrix(from count: Int, to size: Int) -> Tensor {
    let scale = Double(count) / Double(size)
    let stretch = max(1, scale)
    var weights = [Float](repeating: 0, count: size * count)
    for row in 0..<size {
      let center = (Double(row) + 0.5) * scale
      let first = max(0, Int(center - lobes * stretch + 0.5))
      let last = min(count, Int(center + lobes * stretch + 0.5))
      let values = (first..<max(first + 1, last)).map { kernel((Double($0) - center + 0.5) / stretch) }
      let sum = values.reduce(0, +)
      for (offset, value) in values.enumerated() { weights[row * count + first + offset] = Float(value / sum) }
    }
    return Tensor(weights, shape: [size, count])
  }

  private static func kernel(_ x: Double) -> Double { abs(x) < lobes ? sinc(x) * sinc(x / lobes) : 0 }

  private static func sinc(_ x: Double) -> Double { x == 0 ? 1 : sin(.pi * x) / (.pi * x) }
}
