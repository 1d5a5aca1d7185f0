internal import Foundation
package import QuickstepTensor

/// Resizing by separable filters that are widened where a picture shrinks, so that nothing aliases: what Pillow does, without its rounding to bytes
/// between the two directions.
package enum Resampling: Sendable {
  /// The windowed sinc of three lobes: Pillow's `LANCZOS`.
  case lanczos
  /// Keys' cubic with a = −1/2: Pillow's `BICUBIC`, and PyTorch's with antialiasing.
  case bicubic

  /// `[…, H, W] → […, height, width]`, float32. Values may overshoot at edges.
  package func resized(_ pixels: Tensor, width: Int, height: Int) -> Tensor {
    resized(pixels, width: width, height: height, columns: 0..<width, rows: 0..<height)
  }

  /// The part of the result in these columns and rows, without the rest being made: `[…, rows, columns]`.
  package func resized(_ pixels: Tensor, width: Int, height: Int, columns: Range<Int>, rows: Range<Int>) -> Tensor {
    let down = matrix(from: pixels.size(-2), to: height, rows).to(pixels.device)
    let across = matrix(from: pixels.size(-1), to: width, columns).to(pixels.device)
    return down.matmul(pixels.linear(across))
  }

  private var reach: Double { self == .lanczos ? 3 : 2 }

  /// Rows `kept` of `[to, from]`; every row sums to 1.
  private func matrix(from count: Int, to size: Int, _ kept: Range<Int>) -> Tensor {
    let scale = Double(count) / Double(size)
    let stretch = max(1, scale)
    var weights = [Float](repeating: 0, count: kept.count * count)
    for row in kept {
      let center = (Double(row) + 0.5) * scale
      let first = max(0, Int(center - reach * stretch + 0.5))
      let last = min(count, Int(center + reach * stretch + 0.5))
      let values = (first..<max(first + 1, last)).map { kernel((Double($0) - center + 0.5) / stretch) }
      let sum = values.reduce(0, +)
      for (offset, value) in values.enumerated() { weights[(row - kept.lowerBound) * count + first + offset] = Float(value / sum) }
    }
    return Tensor(weights, shape: [kept.count, count])
  }

  private func kernel(_ x: Double) -> Double {
    let x = abs(x)
    guard x < reach else { return 0 }
    switch self {
    case .lanczos: return Self.sinc(x) * Self.sinc(x / reach)
    case .bicubic: return x < 1 ? (1.5 * x - 2.5) * x * x + 1 : ((-0.5 * x + 2.5) * x - 4) * x + 2
    }
  }

  private static func sinc(_ x: Double) -> Double { x == 0 ? 1 : sin(.pi * x) / (.pi * x) }
}
