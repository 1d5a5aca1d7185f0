internal import QuickstepFormats
internal import QuickstepTensor

/// Resizing with the windowed sinc of three lobes.
enum Lanczos {
  /// `[C, H, W] → [C, height, width]`, values in −1…1; overshoot at edges is cut off.
  static func resized(_ pixels: Tensor, width: Int, height: Int) throws -> Tensor {
    try resized(pixels, width: width, height: height, columns: 0..<width, rows: 0..<height)
  }

  /// These columns and rows of it: what is cut off is never made.
  static func resized(_ pixels: Tensor, width: Int, height: Int, columns: Range<Int>, rows: Range<Int>) throws -> Tensor {
    try withTensorErrors {
      Resampling.lanczos.resized(pixels, width: width, height: height, columns: columns, rows: rows).clamp(min: -1, max: 1)
    }
  }
}
