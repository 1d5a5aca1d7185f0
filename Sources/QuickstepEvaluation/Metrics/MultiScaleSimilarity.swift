internal import Foundation
public import QuickstepTensor

/// Structural similarity over several scales (Wang, Simoncelli & Bovik 2003, Asilomar Conference, equation 7): contrast and structure at every
/// scale and the whole similarity at the coarsest, raised to the paper's weights and multiplied; each scale halves the picture.
///
/// Negative factors count as 0, as in the programs that are compared with. Programs differ in details the paper leaves open; ``Convention`` names
/// two of them.
public enum MultiScaleSimilarity {
  /// β of the paper's section 3.2, finest scale first. As printed they add up to 1.0001, and so they are used.
  public static let weights = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333]

  /// Whose details are followed.
  public enum Convention: String, Sendable, CaseIterable {
    /// The package `pytorch_msssim` 1.0: each channel's product by itself, their mean at the end; odd sides are padded with zeros before halving.
    case pytorch = "pytorch-msssim"
    /// torchmetrics 1.9: the factors are means over the channels; odd sides lose a line; the similarity of the coarsest scale is taken over the
    /// whole picture, mirrored at its edges.
    case torchmetrics
  }

  /// How many scales pictures with these sides allow: at the coarsest the window still has to fit with room to move, as both programs ask.
  public static func largestScales(height: Int, width: Int) -> Int {
    let side = min(height, width)
    return (1...weights.count).last { side > (StructuralSimilarity.window - 1) << ($0 - 1) } ?? 0
  }

  /// One figure per picture, in 0…1; 1 for equal pictures. Computed in float64.
  /// - Parameters:
  ///   - first: `[B, C, H, W]`; for five scales both sides are longer than 160.
  ///   - second: the same shape.
  ///   - range: largest minus smallest value a picture can hold: 2 for −1…1, 255 for bytes.
  ///   - scales: 1…5. With fewer than five the first weights are divided by their sum: a figure of its own, not to be compared with the paper's.
  ///   - convention: whose details are followed.
  /// - Throws: ``EvaluationError`` for unequal shapes, pictures too small for the scales (it says how many they allow), no pictures, values that
  ///   are not finite, a range that is not positive.
  public static func values(
    _ first: Tensor, _ second: Tensor, range: Double = 2, scales: Int = 5, convention: Convention = .pytorch
  ) throws -> [Double] {
    try Checks.pictures(first, second, range: range)
    guard (1...weights.count).contains(scales) else {
      throw EvaluationError("\(scales) scales; allowed: 1…\(weights.count)")
    }
    let allowed = largestScales(height: first.size(2), width: first.size(3))
    guard scales <= allowed else {
      let advice = allowed == 0 ? "they allow none" : "they allow \(allowed)"
      throw EvaluationError(
        "pictures of \(first.size(3))×\(first.size(2)) pixels are too small for \(scales) scales, which need sides longer than "
          + "\((StructuralSimilarity.window - 1) << (scales - 1)); \(advice)")
    }
    let used = weights.prefix(scales)
    let exponents = scales == weights.count ? weights : used.map { $0 / used.reduce(0, +) }
    let result = try withInference {
      try withTensorErrors { product(first.to(.float64), second.to(.float64), range, exponents, convention) }
    }
    return try result.to(.cpu).scalars(Double.self)
  }

  private static func product(
    _ first: Tensor, _ second: Tensor, _ range: Double, _ exponents: [Double], _ convention: Convention
  ) -> Tensor {
    var (first, second) = (first, second)
    let isPerChannel = convention == .pytorch
    func mean(_ map: Tensor) -> Tensor { isPerChannel ? map.mean([2, 3]) : map.mean([1, 2, 3]) }
    var result: Tensor?
    for (scale, exponent) in exponents.enumerated() {
      let isLast = scale == exponents.count - 1
      if isLast, !isPerChannel { (first, second) = (mirrored(first), mirrored(second)) }
      let maps = StructuralSimilarity.maps(first, second, range: range)
      // One number to a power at a time: 0 to a positive power is 0, so that a negative factor makes the product 0.
      let factor = mean(isLast ? maps.similarity : maps.contrast).relu().pow(Scalar(exponent))
      result = result.map { $0 * factor } ?? factor
      if !isLast { (first, second) = (halved(first, padsOdd: isPerChannel), halved(second, padsOdd: isPerChannel)) }
    }
    let product = result ?? .undefined
    return isPerChannel ? product.mean([1]) : product
  }

  private static func halved(_ images: Tensor, padsOdd: Bool) -> Tensor {
    images.avgPool2d([2, 2], padding: padsOdd ? [images.size(2) % 2, images.size(3) % 2] : [0, 0])
  }

  /// With as many mirrored lines around as the window reaches beyond its middle, the edge itself not repeated.
  private static func mirrored(_ images: Tensor) -> Tensor {
    let reach = StructuralSimilarity.window / 2
    func places(_ count: Int) -> Tensor {
      Tensor((-reach..<(count + reach)).map { $0 < 0 ? -$0 : $0 < count ? $0 : 2 * (count - 1) - $0 })
    }
    return images.indexSelect(2, index: places(images.size(2)).to(images.device))
      .indexSelect(3, index: places(images.size(3)).to(images.device))
  }
}
