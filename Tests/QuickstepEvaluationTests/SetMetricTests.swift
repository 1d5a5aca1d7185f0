import QuickstepEvaluation
import QuickstepTensor
import Testing

@Suite("Metrics of sets") struct SetMetricTests {
  /// As `Parity/goldens_metrics.py` draws them.
  static func sets() throws -> (Tensor, Tensor) {
    let (first, second) = (try normal([40, 7], seed: 5), try normal([50, 7], seed: 6))
    return (first, try withTensorErrors { second * 0.7 + 0.4 })
  }

  @Test("The kernel distance equals torchmetrics' formula, over all pictures and over one subset of all") func kernelParity() throws {
    let (first, whole) = try Self.sets()
    let second = try withTensorErrors { whole.narrow(0, start: 0, length: 40) }
    let expected = try Golden.setValues("kernel.40")
    // The estimate's term between the sets is the same sum; with equal counts both formulas agree.
    #expect(isClose([try KernelDistance.estimate(first, second).value], expected, 1e-12))
    let subsets = try KernelDistance.subsets(first, second, count: 3, size: 40)
    #expect(isClose(subsets.values, Array(repeating: expected[0], count: 3), 1e-12))
    #expect(subsets.deviation < 1e-12)
  }

  @Test("Subsets scatter around the estimate, and the jackknife's interval holds the truth as often as it says") func kernelSpread() throws
  {
    let (first, second) = try Self.sets()
    let whole = try KernelDistance.estimate(first, second)
    let subsets = try KernelDistance.subsets(first, second, count: 400, size: 15, seed: 1)
    #expect(subsets.deviation > 0 && abs(subsets.mean - whole.value) < 4 * subsets.deviation / 20)
    #expect(subsets == (try KernelDistance.subsets(first, second, count: 400, size: 15, seed: 1)))
    // Equal distributions: the truth is 0. Of 200 intervals of 90 % about 180 should hold it.
    let held = try (0..<200).count { trial in
      let estimate = try KernelDistance.estimate(
        try normal([60, 4], seed: UInt64(1000 + trial)), try normal([50, 4], seed: UInt64(5000 + trial)), confidence: 0.9)
      return estimate.lower <= 0 && 0 <= estimate.upper
    }
    #expect((160...199).contains(held), "\(held) of 200")
  }

  @Test("The kernel distance is symmetric, unchanged by rotation, and grows with the shift") func kernelLaws() throws {
    let (first, second) = try Self.sets()
    let rotation = try withTensorErrors { Tensor.qr(try normal([7, 7], seed: 8)).0 }
    let value = try KernelDistance.estimate(first, second).value
    #expect(isClose([try KernelDistance.estimate(second, first).value], [value], 1e-12))
    let rotated = try withTensorErrors { (first.matmul(rotation), second.matmul(rotation)) }
    #expect(isClose([try KernelDistance.estimate(rotated.0, rotated.1).value], [value], 1e-11))
    let shifted = try [0.0, 0.3, 0.9].map { shift in
      try KernelDistance.estimate(first, try withTensorErrors { first.flip([0]) + shift }).value
    }
    #expect(shifted == shifted.sorted())
  }

  @Test("Precision, recall, density and coverage equal the authors' package", arguments: [3, 5]) func manifoldParity(k: Int) throws {
    let (first, second) = try Self.sets()
    let comparison = try ManifoldComparison(first, reference: second, neighbours: k)
    func share(_ hits: [Bool]) -> Double { Double(hits.count { $0 }) / Double(hits.count) }
    let density = try comparison.density()
    let values = [
      share(try comparison.precision()), share(try comparison.recall()), density.reduce(0, +) / Double(density.count),
      share(try comparison.coverage()),
    ]
    #expect(isClose(values, try Golden.setValues("manifold.\(k)"), 1e-12))
  }

  @Test("A set is wholly like itself, and not at all like one far away") func manifoldLaws() throws {
    let (first, _) = try Self.sets()
    let same = try ManifoldComparison(first, reference: first, neighbours: 3)
    #expect(try same.precision().allSatisfy { $0 } && same.recall().allSatisfy { $0 } && same.coverage().allSatisfy { $0 })
    let far = try ManifoldComparison(first, reference: try withTensorErrors { first + 100 }, neighbours: 3)
    #expect(try far.density().allSatisfy { $0 == 0 } && far.coverage().allSatisfy { !$0 })
    // A spike of copies of one real picture is precise and covers little.
    let spike = try withTensorErrors { first.narrow(0, start: 0, length: 1).expand([30, 7]) + (try normal([30, 7], seed: 9)) * 1e-3 }
    let narrow = try ManifoldComparison(spike, reference: first, neighbours: 3)
    #expect(try narrow.precision().allSatisfy { $0 })
    #expect(try narrow.coverage().count { $0 } < 10)
  }

  @Test("Extrapolation finds the distance of endless pictures better than the distance itself") func extrapolation() throws {
    let reference = try GaussianStatistics(
      mean: try withTensorErrors { Tensor.zeros([16], dtype: .float64) },
      covariance: try withTensorErrors { Tensor.eye(16, dtype: .float64) })
    let features = try normal([300, 16], seed: 10)
    // The truth is 0.
    let plain = try FrechetDistance.squared(try GaussianStatistics(features: features), reference)
    let estimate = try FrechetDistance.extrapolated(features, reference)
    #expect(plain > 0.2 && abs(estimate.value) < plain / 3, "\(plain) and \(estimate)")
    #expect(estimate.lower < estimate.upper)
  }

  @Test("Sets that cannot be compared are refused with the reason") func badInput() throws {
    let (first, second) = try Self.sets()
    let wide = try normal([40, 8], seed: 1)
    let single = try withTensorErrors { first.narrow(0, start: 0, length: 1) }
    let holed = try withTensorErrors { first * Double.nan }
    #expect(problem { _ = try KernelDistance.estimate(first, wide) }?.contains("7 features on one side and 8") == true)
    #expect(problem { _ = try KernelDistance.estimate(first, single) }?.contains("at least 2") == true)
    #expect(problem { _ = try KernelDistance.estimate(first, holed) }?.contains("NaN") == true)
    #expect(problem { _ = try KernelDistance.subsets(first, second, size: 41) }?.contains("41") == true)
    #expect(problem { _ = try NeighbourManifold(features: first, neighbours: 40) }?.contains("1…39") == true)
    #expect(problem { _ = try ManifoldComparison(first, reference: wide, neighbours: 3) }?.contains("8 on the other") == true)
    let statistics = try GaussianStatistics(features: first)
    #expect(problem { _ = try FrechetDistance.extrapolated(single, statistics) }?.contains("at least 20") == true)
  }
}
