internal import Foundation
public import QuickstepTensor

/// Structural similarity (Wang, Bovik, Sheikh & Simoncelli 2004, IEEE Trans. Image Processing 13:600).
///
/// As in the paper: an 11×11 Gaussian window of σ = 1.5, population (co)variances, K₁ = 0.01 and K₂ = 0.03, windows that lie wholly inside
/// the picture. That is scikit-image's `structural_similarity(gaussian_weights=True, use_sample_covariance=False)`, whose default settings
/// (a flat 7×7 window, sample covariances) give other numbers. The channels count alike.
public enum StructuralSimilarity {
  /// Side of the window.
  public static let window = 11
  static let deviation = 1.5

  /// One figure per picture, in −1…1; 1 for equal pictures. Computed in float64.
  /// - Parameters:
  ///   - first: `[B, C, H, W]` with sides of at least 11.
  ///   - second: the same shape.
  ///   - range: largest minus smallest value a picture can hold: 2 for −1…1, 255 for bytes.
  /// - Throws: ``EvaluationError`` for unequal shapes, sides below 11, no pictures, values that are not finite, a range that is not
  ///   positive.
  public static func values(_ first: Tensor, _ second: Tensor, range: Double = 2) throws -> [Double] {
    try Checks.pictures(first, second, range: range)
    guard first.shape.suffix(2).allSatisfy({ $0 >= window }) else {
      throw EvaluationError("pictures of \(first.size(3))×\(first.size(2)) pixels are smaller than the window of \(window)×\(window)")
    }
    let similarity = try withInference {
      try withTensorErrors { maps(first.to(.float64), second.to(.float64), range: range).similarity.mean([1, 2, 3]) }
    }
    return try similarity.to(.cpu).scalars(Double.self)
  }

  /// Equation 13 of the paper at every window, and its factor of contrast and structure (equations 9 and 10 with C₃ = C₂/2).
  static func maps(_ first: Tensor, _ second: Tensor, range: Double) -> (similarity: Tensor, contrast: Tensor) {
    let (c1, c2) = ((0.01 * range) * (0.01 * range), (0.03 * range) * (0.03 * range))
    let kernel = kernel().to(first.device)
    let (meanFirst, meanSecond) = (blurred(first, kernel), blurred(second, kernel))
    let (squareFirst, squareSecond, product) = (meanFirst.square(), meanSecond.square(), meanFirst * meanSecond)
    let varianceFirst = blurred(first.square(), kernel) - squareFirst
    let varianceSecond = blurred(second.square(), kernel) - squareSecond
    let covariance = blurred(first * second, kernel) - product
    let contrast = (covariance * 2 + c2) / (varianceFirst + varianceSecond + c2)
    return ((product * 2 + c1) / (squareFirst + squareSecond + c1) * contrast, contrast)
  }

  private static func kernel() -> Tensor {
    let weights = (0..<window).map { index in
      let distance = Double(index - window / 2) / deviation
      return exp(-distance * distance / 2)
    }
    let sum = weights.reduce(0, +)
    return Tensor(weights.map { $0 / sum })
  }

  /// The window's weighted mean around every place where it fits, channel by channel: rows, then columns.
  private static func blurred(_ images: Tensor, _ kernel: Tensor) -> Tensor {
    let (batch, channels, height, width) = (images.size(0), images.size(1), images.size(2), images.size(3))
    let planes = images.reshape([batch * channels, 1, height, width])
    let rows = planes.conv2d(kernel.reshape([1, 1, 1, window])).conv2d(kernel.reshape([1, 1, window, 1]))
    return rows.reshape([batch, channels, height - window + 1, width - window + 1])
  }
}
