import QuickstepEvaluation
import QuickstepTensor
import Testing

@Suite("Similarity over scales") struct MultiScaleTests {
  typealias Convention = MultiScaleSimilarity.Convention

  /// As `Parity/goldens_metrics.py` draws them.
  static func pictures(_ height: Int, _ width: Int, channels: Int = 3) throws -> (Tensor, Tensor) {
    let coarse = try normal([2, channels, (height + 7) / 8, (width + 7) / 8], seed: 1)
    let (texture, noise) = (try normal([2, channels, height, width], seed: 2), try normal([2, channels, height, width], seed: 3))
    return try withTensorErrors {
      let large = coarse.repeatInterleave(8, dim: 2).repeatInterleave(8, dim: 3).narrow(2, start: 0, length: height)
        .narrow(3, start: 0, length: width)
      let clean = (large + texture * 0.1).tanh()
      return (clean, (clean + noise * Tensor([0.1, 0.4], shape: [2, 1, 1, 1])).clamp(min: -1, max: 1))
    }
  }

  @Test("Equal to pytorch_msssim and torchmetrics", arguments: [("even", 176, 192), ("odd", 181, 179)], Convention.allCases)
  func parity(size: (name: String, height: Int, width: Int), convention: Convention) throws {
    let (first, second) = try Self.pictures(size.height, size.width)
    let values = try MultiScaleSimilarity.values(first, second, convention: convention)
    let expected = try Golden.setValues("ms-ssim.\(size.name).\(convention.rawValue)")
    // torchmetrics holds the weights in float32.
    #expect(isClose(values, expected, convention == .pytorch ? 1e-10 : 1e-7), "\(values) \(expected)")
  }

  @Test("Three scales with weights divided by their sum: equal to torchmetrics") func fewerScales() throws {
    let (first, second) = try Self.pictures(64, 72)
    let values = try MultiScaleSimilarity.values(first, second, scales: 3, convention: .torchmetrics)
    #expect(isClose(values, try Golden.setValues("ms-ssim.three.torchmetrics"), 1e-9))
  }

  @Test("Equal pictures 1; symmetric; falls with noise; one scale is the similarity itself", arguments: Convention.allCases)
  func laws(convention: Convention) throws {
    let (first, second) = try Self.pictures(168, 176, channels: 1)
    #expect(isClose(try MultiScaleSimilarity.values(first, first, convention: convention), [1, 1], 1e-12))
    let values = try MultiScaleSimilarity.values(first, second, convention: convention)
    #expect(isClose(try MultiScaleSimilarity.values(second, first, convention: convention), values, 1e-12))
    #expect(values[0] > values[1] && values[0] < 1 && values[1] > 0)
    if convention == .pytorch {
      #expect(
        isClose(try MultiScaleSimilarity.values(first, second, scales: 1), try StructuralSimilarity.values(first, second), 1e-12))
    }
  }

  @Test("A negative picture has nothing in common and scores 0, not NaN") func negative() throws {
    let (first, _) = try Self.pictures(168, 176, channels: 1)
    let values = try MultiScaleSimilarity.values(first, try withTensorErrors { -first })
    #expect(values == [0, 0])
  }

  @Test("Pictures too small say how many scales they allow") func tooSmall() throws {
    let (first, second) = try Self.pictures(64, 72)
    let message = problem { _ = try MultiScaleSimilarity.values(first, second) }
    #expect(message?.contains("72×64 pixels are too small for 5 scales") == true && message?.contains("allow 3") == true)
    #expect(MultiScaleSimilarity.largestScales(height: 161, width: 400) == 5)
    #expect(MultiScaleSimilarity.largestScales(height: 160, width: 400) == 4)
    #expect(MultiScaleSimilarity.largestScales(height: 10, width: 10) == 0)
    #expect(problem { _ = try MultiScaleSimilarity.values(first, second, scales: 6) }?.contains("1…5") == true)
  }
}
