internal import Foundation
public import QuickstepTensor

/// Peak signal-to-noise ratio: 10·log₁₀(range² / mean squared error), in decibels.
public enum PeakSignalToNoise {
  /// One figure per picture; the larger, the closer. Equal to scikit-image's `peak_signal_noise_ratio` picture by picture.
  /// - Parameters:
  ///   - first: `[B, C, H, W]`.
  ///   - second: the same shape.
  ///   - range: largest minus smallest value a picture can hold: 2 for −1…1, 255 for bytes.
  /// - Returns: B figures in dB; infinity for equal pictures, so a set that may hold equal ones is summed up by its median.
  /// - Throws: ``EvaluationError`` for unequal shapes, no pictures, values that are not finite, a range that is not positive.
  public static func values(_ first: Tensor, _ second: Tensor, range: Double = 2) throws -> [Double] {
    try Checks.pictures(first, second, range: range)
    let errors = try withTensorErrors { (first.detach().to(.float64) - second.detach().to(.float64)).square().mean([1, 2, 3]) }
    return try errors.to(.cpu).scalars(Double.self).map { 10 * log10(range * range / $0) }
  }
}
