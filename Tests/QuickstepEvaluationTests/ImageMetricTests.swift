import QuickstepEvaluation
import QuickstepTensor
import Testing

@Suite("Pixel metrics") struct ImageMetricTests {
  @Test("Equal to scikit-image", arguments: [("colour", 2.0), ("grey", 255.0)])
  func parity(name: String, range: Double) throws {
    let (first, second) = (try Golden.tensor("\(name).first"), try Golden.tensor("\(name).second"))
    let ratios = try PeakSignalToNoise.values(first, second, range: range)
    let similarities = try StructuralSimilarity.values(first, second, range: range)
    #expect(isClose(ratios, try Golden.values("\(name).psnr"), 1e-12))
    #expect(isClose(similarities, try Golden.values("\(name).ssim"), 1e-11))
  }

  @Test("Equal pictures: similarity 1, infinite ratio") func identity() throws {
    let images = try normal([2, 3, 16, 12], seed: 1)
    #expect(isClose(try StructuralSimilarity.values(images, images), [1, 1], 1e-12))
    #expect(try PeakSignalToNoise.values(images, images) == [.infinity, .infinity])
  }

  @Test("A constant error d gives 20·log₁₀(range/d) dB") func ratioFormula() throws {
    let images = try withTensorErrors { Tensor.zeros([1, 1, 4, 4]) }
    let shifted = try withTensorErrors { images + 0.02 }
    // float32 holds 0.02 to 8 digits.
    #expect(isClose(try PeakSignalToNoise.values(images, shifted), [40], 1e-6))
    #expect(isClose(try PeakSignalToNoise.values(images, shifted, range: 0.2), [20], 1e-6))
  }

  @Test("Similarity is symmetric and falls with noise") func monotony() throws {
    let clean = try normal([1, 1, 32, 32], seed: 2)
    let noise = try normal([1, 1, 32, 32], seed: 3)
    let levels = try [0.1, 0.3, 1.0].map { level in
      let noisy = try withTensorErrors { clean + noise * level }
      let there = try StructuralSimilarity.values(clean, noisy)[0]
      #expect(abs(try StructuralSimilarity.values(noisy, clean)[0] - there) < 1e-12)
      return there
    }
    #expect(levels == levels.sorted(by: >))
    #expect(levels.allSatisfy { $0 < 1 })
  }

  @Test("Input that cannot be compared is refused with the reason") func badInput() throws {
    let good = try normal([2, 1, 16, 16], seed: 4)
    let (other, small) = (try normal([2, 1, 16, 15], seed: 4), try normal([2, 1, 10, 16], seed: 4))
    let holed = try withTensorErrors { good * Double.nan }
    let bytes = try withTensorErrors { Tensor.zeros([2, 1, 16, 16], dtype: .uint8) }
    let none = try withTensorErrors { Tensor.zeros([0, 1, 16, 16]) }
    for metric in [PeakSignalToNoise.values, StructuralSimilarity.values] {
      #expect(problem { _ = try metric(good, other, 2) }?.contains("[2, 1, 16, 15]") == true)
      #expect(problem { _ = try metric(good, holed, 2) }?.contains("NaN") == true)
      #expect(problem { _ = try metric(bytes, bytes, 2) }?.contains("uint8") == true)
      #expect(problem { _ = try metric(none, none, 2) }?.contains("empty") == true)
      #expect(problem { _ = try metric(good, good, 0) }?.contains("positive") == true)
    }
    #expect(problem { _ = try StructuralSimilarity.values(small, small) }?.contains("11×11") == true)
  }
}
