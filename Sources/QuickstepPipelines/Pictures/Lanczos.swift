internal import QuickstepFormats
internal import QuickstepTensor

/// Resizing with the windowed sinc of three lobes.
enum Lanczos {
  /// `[C, H, W] → [C, height, width]`, values in −1…1; overshoot at edges is cut off.
  static func resized(_ pixels: Tensor, width: Int, height: Int) throws -> Tensor {
    try withTensorErrors { Resampling.lanczos.resized(pixels, width: width, height: height).clamp(min: -1, max: 1) }
  }
}
