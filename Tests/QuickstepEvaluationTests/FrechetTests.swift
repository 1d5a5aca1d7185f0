import QuickstepEvaluation
import QuickstepTensor
import Testing

@Suite("Fréchet distance") struct FrechetTests {
  @Test("Equal to the formula with scipy's matrix square root") func parity() throws {
    let value = try FrechetDistance.squared(try Golden.tensor("frechet.first"), try Golden.tensor("frechet.second"))
    #expect(isClose([value], try Golden.values("frechet.value"), 1e-10))
  }

  @Test("Fewer samples than features: equal to the sample-space formula") func fewSamples() throws {
    let value = try FrechetDistance.squared(try Golden.tensor("few.first"), try Golden.tensor("few.second"))
    #expect(isClose([value], try Golden.values("few.value"), 1e-10))
  }

  @Test("0 between a set and itself, also with a singular covariance", arguments: [40, 5, 2])
  func identity(count: Int) throws {
    let features = try normal([count, 16], seed: 5)
    let scale = try GaussianStatistics(features: features).covariance.trace().item()
    #expect(try FrechetDistance.squared(features, features) <= 1e-12 * scale)
  }

  @Test("Closed form in one dimension: (μ₁ − μ₂)² + (σ₁ − σ₂)²") func oneDimension() throws {
    let first = try GaussianStatistics(mean: Tensor([1.0]), covariance: Tensor([4.0], shape: [1, 1]))
    let second = try GaussianStatistics(mean: Tensor([-0.5]), covariance: Tensor([0.25], shape: [1, 1]))
    #expect(abs(try FrechetDistance.squared(first, second) - (2.25 + 2.25)) < 1e-13)
  }

  @Test("Closed form for diagonal covariances, also without spread in some direction") func diagonal() throws {
    func statistics(_ mean: [Double], _ deviations: [Double]) throws -> GaussianStatistics {
      var matrix = [Double](repeating: 0, count: mean.count * mean.count)
      for (index, deviation) in deviations.enumerated() { matrix[index * (mean.count + 1)] = deviation * deviation }
      return try GaussianStatistics(mean: Tensor(mean), covariance: Tensor(matrix, shape: [mean.count, mean.count]))
    }
    let (a, b) = ([0.3, 2, 0, 1e-3], [1.1, 0.5, 0.7, 0])
    let expected = 4 + zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    let value = try FrechetDistance.squared(try statistics([0, 0, 0, 2], a), try statistics([0, 0, 0, 0], b))
    #expect(abs(value - expected) < 1e-12)
  }

  @Test("Symmetric; unchanged by rotation and shift; scales with the square") func laws() throws {
    let (first, second) = (try normal([50, 6], seed: 6), try withTensorErrors { try normal([70, 6], seed: 7) * 1.7 + 0.4 })
    let rotation = try withTensorErrors { Tensor.qr(try normal([6, 6], seed: 8)).0 }
    let value = try FrechetDistance.squared(first, second)
    func moved(_ x: Tensor) throws -> Tensor { try withTensorErrors { x.matmul(rotation) * 3 + 11 } }
    #expect(value > 0.5)
    #expect(isClose([try FrechetDistance.squared(second, first)], [value], 1e-10))
    #expect(isClose([try FrechetDistance.squared(try moved(first), try moved(second))], [9 * value], 1e-10))
  }

  @Test("The moments are the unbiased ones") func moments() throws {
    let statistics = try GaussianStatistics(features: Tensor([1.0, 10, 3, 14, 5, 18], shape: [3, 2]))
    #expect(try statistics.mean.scalars(Double.self) == [3, 14])
    #expect(try statistics.covariance.scalars(Double.self) == [4, 8, 8, 16])
    #expect(statistics.count == 3)
  }

  @Test("Input that has no moments is refused with the reason") func badInput() throws {
    let features = try normal([6, 3], seed: 9)
    let (single, wide) = (try normal([1, 3], seed: 9), try normal([6, 4], seed: 9))
    let holed = try withTensorErrors { features / 0 }
    let flat = try normal([6], seed: 9)
    #expect(problem { _ = try FrechetDistance.squared(features, single) }?.contains("at least 2") == true)
    #expect(problem { _ = try FrechetDistance.squared(features, wide) }?.contains("3 features on one side and 4") == true)
    #expect(problem { _ = try FrechetDistance.squared(features, holed) }?.contains("not finite") == true)
    #expect(problem { _ = try FrechetDistance.squared(features, flat) }?.contains("[count, features]") == true)
    let mean = Tensor([0.0, 0])
    #expect(problem { _ = try GaussianStatistics(mean: mean, covariance: Tensor([1.0], shape: [1, 1])) }?.contains("[F, F]") == true)
    #expect(
      problem { _ = try GaussianStatistics(mean: mean, covariance: Tensor([1.0, 2, 0, 1], shape: [2, 2])) }?.contains("symmetric") == true)
    let impossible = try GaussianStatistics(mean: mean, covariance: Tensor([1.0, 2, 2, 1], shape: [2, 2]))
    #expect(problem { _ = try FrechetDistance.squared(impossible, impossible) }?.contains("eigenvalue") == true)
  }
}
