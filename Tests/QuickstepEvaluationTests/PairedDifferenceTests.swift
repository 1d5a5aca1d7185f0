import QuickstepEvaluation
import QuickstepTensor
import Testing

@Suite("Paired differences") struct PairedDifferenceTests {
  /// As `Parity/goldens_metrics.py` draws them.
  static func runs() throws -> (candidate: [Double], baseline: [Double]) {
    let (base, noise) = (try normal([11], seed: 7).scalars(Double.self), try normal([11], seed: 8).scalars(Double.self))
    return (zip(base, noise).map { $0 + 0.4 * $1 - 0.2 }, base)
  }

  @Test("Sign test and exact permutation test equal scipy's") func parity() throws {
    let runs = try Self.runs()
    let difference = try PairedDifference(candidate: runs.candidate, baseline: runs.baseline, direction: .higherIsBetter)
    #expect(isClose([difference.signTest], try Golden.setValues("paired.sign"), 1e-12))
    #expect(isClose([try difference.permutationTest()], try Golden.setValues("paired.permutation"), 1e-12))
    // Drawn ones agree within the error of drawing.
    let drawn = try difference.permutationTest(permutations: 1000)
    #expect(abs(drawn - (try difference.permutationTest())) < 0.03)
    #expect(drawn == (try difference.permutationTest(permutations: 1000)))
  }

  @Test("The direction decides what a loss is; exchanging the runs turns its sign") func direction() throws {
    let runs = try Self.runs()
    let high = try PairedDifference(candidate: runs.candidate, baseline: runs.baseline, direction: .higherIsBetter)
    let low = try PairedDifference(candidate: runs.baseline, baseline: runs.candidate, direction: .lowerIsBetter)
    #expect(high.losses == low.losses)
    let swapped = try PairedDifference(candidate: runs.baseline, baseline: runs.candidate, direction: .higherIsBetter)
    #expect(isClose([try swapped.estimate().value], [-(try high.estimate().value)], 1e-12))
    #expect(abs(high.signTest - swapped.signTest) < 1e-12)
  }

  @Test("Pairing finds a small loss that separate intervals do not") func power() throws {
    let (base, noise) = (try normal([80], seed: 20).scalars(Double.self), try normal([80], seed: 21).scalars(Double.self))
    let candidate = zip(base, noise).map { $0 - 0.1 + 0.05 * $1 }
    let (first, second) = (try Bootstrap().mean(candidate), try Bootstrap().mean(base))
    #expect(first.upper > second.lower)
    let difference = try PairedDifference(candidate: candidate, baseline: base, direction: .higherIsBetter)
    #expect(try difference.verdict(margin: 0) == .loss)
    #expect(try difference.verdict(margin: 0.2) == .noLoss)
    #expect(try difference.verdict(margin: 0.1) == .undecided)
    #expect(try difference.permutationTest() < 0.001)
    #expect(try difference.permutationTest(margin: 0.2) > 0.99)
  }

  @Test("A true loss of just the margin is called none in about 2.5 % of all comparisons") func errorRate() throws {
    let missed = try (0..<400).count { trial in
      let losses = try normal([40], seed: UInt64(100 + trial)).scalars(Double.self).map { $0 + 0.5 }
      let difference = try PairedDifference(candidate: losses, baseline: losses.map { _ in 0 }, direction: .lowerIsBetter)
      return try difference.verdict(margin: 0.5, Bootstrap(resamples: 400)) == .noLoss
    }
    #expect((2...26).contains(missed), "\(missed) of 400")
  }

  @Test("Pictures of one prompt count together") func groups() throws {
    // Twelve copies of four differences say no more than four.
    let losses = [0.1, 0.3, -0.05, 0.2]
    let repeated = (0..<12).flatMap { _ in losses }
    let groups = (0..<12).flatMap { _ in [0, 1, 2, 3] }
    func test(_ values: [Double], _ groups: [Int]?) throws -> PairedDifference {
      try PairedDifference(candidate: values, baseline: values.map { _ in 0 }, direction: .lowerIsBetter, groups: groups)
    }
    #expect(try test(repeated, groups).permutationTest() == (try test(losses, nil).permutationTest()))
    #expect(try test(repeated, groups).signTest == (try test(losses, nil).signTest))
    #expect(try test(repeated, nil).permutationTest() < (try test(losses, nil).permutationTest()))
    let (wide, narrow) = (try test(repeated, groups).estimate(), try test(repeated, nil).estimate())
    #expect(wide.upper - wide.lower > 2 * (narrow.upper - narrow.lower))
  }

  @Test("Equal runs: no loss, p of 1") func equal() throws {
    let difference = try PairedDifference(candidate: [1, 2, 3], baseline: [1, 2, 3], direction: .lowerIsBetter)
    #expect(difference.signTest == 1)
    #expect(try difference.permutationTest() == 1)
    #expect(try difference.verdict(margin: 0) == .noLoss)
  }

  @Test("The bootstrap of any figure: the mean's own interval, and a difference of Fréchet distances") func figures() throws {
    let values = try normal([60], seed: 30).scalars(Double.self)
    let mean = try Bootstrap().figure(count: 60) { places in places.reduce(0) { $0 + values[$1] } / Double(places.count) }
    let known = try Bootstrap().mean(values)
    #expect(isClose([mean.value, mean.lower, mean.upper], [known.value, known.lower, known.upper], 1e-9))
    let reference = try GaussianStatistics(features: try normal([500, 3], seed: 31))
    let (near, far) = (try normal([80, 3], seed: 32), try withTensorErrors { try normal([80, 3], seed: 32) + 0.5 })
    let difference = try Bootstrap(resamples: 60).figure(count: 80) { places in
      let index = Tensor(places)
      let drawn = try withTensorErrors { (far.indexSelect(0, index: index), near.indexSelect(0, index: index)) }
      return try FrechetDistance.squared(try GaussianStatistics(features: drawn.0), reference)
        - FrechetDistance.squared(try GaussianStatistics(features: drawn.1), reference)
    }
    #expect(difference.lower > 0 && difference.lower < difference.value && difference.value < difference.upper)
  }

  @Test("Input that is no comparison is refused with the reason") func badInput() throws {
    func make(_ a: [Double], _ b: [Double], _ groups: [Int]? = nil) throws -> PairedDifference {
      try PairedDifference(candidate: a, baseline: b, direction: .lowerIsBetter, groups: groups)
    }
    #expect(problem { _ = try make([], []) }?.contains("no pairs") == true)
    #expect(problem { _ = try make([1], [1, 2]) }?.contains("1 values of the candidate and 2") == true)
    #expect(problem { _ = try make([.nan], [1]) }?.contains("NaN") == true)
    #expect(problem { _ = try make([1], [1], [1, 2]) }?.contains("2 group numbers") == true)
    let good = try make([1, 2], [2, 1])
    #expect(problem { _ = try good.verdict(margin: -1) }?.contains("margin") == true)
    #expect(problem { _ = try good.permutationTest(permutations: 5) }?.contains("at least 100") == true)
    #expect(problem { _ = try Bootstrap().figure(count: 3) { _ in .infinity } }?.contains("inf") == true)
  }
}
