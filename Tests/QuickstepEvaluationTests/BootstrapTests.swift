import QuickstepEvaluation
import QuickstepTensor
import Testing

@Suite("Bootstrap intervals") struct BootstrapTests {
  @Test("Equal to scipy's percentile interval up to resampling noise") func parity() throws {
    let estimate = try Bootstrap(resamples: 50_000, confidence: 0.9, seed: 1).mean(try Golden.values("bootstrap.values"))
    let expected = try Golden.values("bootstrap.interval")
    let width = expected[1] - expected[0]
    // The ends of two runs of 50,000 resamples differ by about 0.5 % of the width.
    #expect(abs(estimate.lower - expected[0]) < 0.03 * width)
    #expect(abs(estimate.upper - expected[1]) < 0.03 * width)
  }

  @Test("95 % intervals cover the true mean in about 95 % of experiments") func coverage() throws {
    let experiments = 300
    let samples = try normal([experiments, 50], seed: 10).scalars(Double.self)
    let covered = try (0..<experiments).count { experiment in
      let values = Array(samples[(experiment * 50)..<(experiment * 50 + 50)])
      let estimate = try Bootstrap(resamples: 400, seed: UInt64(experiment)).mean(values)
      return estimate.lower <= 0 && 0 <= estimate.upper
    }
    // The percentile method covers a little less than it promises for 50 values; 3 standard errors of the count are 0.04.
    #expect((0.89...0.985).contains(Double(covered) / Double(experiments)))
  }

  @Test("Values that come in equal groups give the interval of the groups") func groups() throws {
    let values = try normal([40], seed: 11).scalars(Double.self)
    let plain = try Bootstrap(seed: 2).mean(values)
    let copied = values.flatMap { [$0, $0, $0, $0] }
    let numbers = values.indices.flatMap { [Int](repeating: $0 + 100, count: 4) }
    let grouped = try Bootstrap(seed: 2).mean(copied, groups: numbers)
    #expect(isClose([grouped.value, grouped.lower, grouped.upper], [plain.value, plain.lower, plain.upper], 1e-12))
    // Taken as independent, the copies would halve the interval.
    let naive = try Bootstrap(seed: 2).mean(copied)
    #expect((naive.upper - naive.lower) / (plain.upper - plain.lower) < 0.6)
  }

  @Test("The seed decides; shares are means of 0 and 1") func determinism() throws {
    let hits = (0..<60).map { $0 % 3 == 0 }
    let first = try Bootstrap(seed: 3).share(hits)
    #expect(first == (try Bootstrap(seed: 3).share(hits)))
    #expect(first != (try Bootstrap(seed: 4).share(hits)))
    #expect(abs(first.value - 1.0 / 3) < 1e-12)
    #expect(first.lower < first.value && first.value < first.upper)
    #expect(first.count == 60)
  }

  @Test("All or no hits still leave doubt: the exact interval, a group being one trial") func certainty() throws {
    // 0.025^(1/10) = 0.69150…: the published bound for 10 of 10.
    let all = try Bootstrap().share([Bool](repeating: true, count: 10))
    #expect(all.value == 1 && all.upper == 1 && abs(all.lower - 0.6915) < 1e-4)
    let none = try Bootstrap().share([Bool](repeating: false, count: 20), groups: (0..<20).map { $0 / 2 })
    #expect(none.value == 0 && none.lower == 0 && abs(none.upper - 0.3085) < 1e-4)
  }

  @Test("What has no mean is refused") func badInput() {
    #expect(problem { _ = try Bootstrap().mean([]) }?.contains("no values") == true)
    #expect(problem { _ = try Bootstrap().mean([1, .nan]) }?.contains("not finite") == true)
    #expect(problem { _ = try Bootstrap().mean([1, 2], groups: [1]) }?.contains("group numbers") == true)
    #expect(problem { _ = try Bootstrap(confidence: 1).mean([1]) }?.contains("confidence") == true)
  }
}
