import Foundation
import QuickstepAcceleration
import QuickstepModels
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Synchronization
import Testing

@Suite struct CacheQuantTests {
  private static let steps = (0..<20).map { 951.0 - 50 * Double($0) }

  private struct Golden: Decodable {
    struct Schedule: Decodable {
      var interval: Int
      var features: [[Float]]
      var starts: [Int]
    }
    var schedules: [Schedule]
    var held, wanted, factors, offsets: [Float]
    var shape: [Int]
  }

  private func golden() throws -> Golden {
    try JSONDecoder().decode(Golden.self, from: #require(FileManager.default.contents(atPath: UNetFixture.root + "/cachequant.json")))
  }

  @Test("schedules are those of the authors' program")
  func authorsSchedules() throws {
    for run in try golden().schedules {
      let found = try CacheSchedule.starts(count: run.features.count, interval: run.interval) { start, evaluation in
        zip(run.features[start], run.features[evaluation]).reduce(0) { $0 + Double(abs($1.1 - $1.0)) }
      }
      #expect(found == run.starts, "interval \(run.interval)")
    }
  }

  /// Every division into groups of allowed lengths.
  private func divisions(_ count: Int, _ groups: Int, _ lengths: ClosedRange<Int>) -> [[Int]] {
    guard groups > 0 else { return count == 0 ? [[]] : [] }
    return lengths.filter { $0 <= count }.flatMap { length in divisions(count - length, groups - 1, lengths).map { $0 + [count - length] } }
  }

  @Test("dynamic programming finds what trying everything finds", arguments: [(12, 3), (13, 4), (9, 2), (14, 5), (10, 10), (7, 1)])
  func bruteForce(_ size: (count: Int, interval: Int)) throws {
    let (count, interval) = size
    for seed in 0..<5 {
      let noise = try Tensor.randn([count, count], generator: Generator(seed: UInt64(seed))).scalars(Float.self)
      func distance(_ start: Int, _ evaluation: Int) -> Double { Double(abs(noise[start * count + evaluation])) }
      func cost(_ starts: [Int]) -> Double {
        (0..<count).reduce(0) { sum, index in
          let start = starts.last { $0 <= index } ?? 0
          return start == index ? sum : sum + distance(start, index)
        }
      }
      let found = try CacheSchedule.starts(count: count, interval: interval, distance: distance)
      let groups = (count + interval - 1) / interval
      let all = divisions(count, groups, ((interval + 1) / 2)...(2 * interval))
      #expect(all.contains(found), "\(found) is no division of \(count) into \(groups)")
      #expect(abs(cost(found) - (all.map(cost).min() ?? -1)) < 1e-9)
    }
  }

  @Test func impossibleSchedules() {
    // One group of at least five does not fit into four.
    #expect(throws: AccelerationError.self) { try CacheSchedule.starts(count: 4, interval: 10) { _, _ in 0 } }
    #expect(throws: AccelerationError.self) { try CacheSchedule.starts(count: 4, interval: 2) { _, _ in .nan } }
    #expect(throws: AccelerationError.self) { try CacheSchedule.starts(count: 0, interval: 2) { _, _ in 0 } }
  }

  @Test("factors and offsets are the authors', but for their biased covariance over an unbiased variance")
  func authorsFit() throws {
    let golden = try golden()
    var statistics = CacheStatistics(evaluations: 2, reach: 4)
    try statistics.add([Tensor(golden.held, shape: golden.shape), Tensor(golden.wanted, shape: golden.shape)])
    let fit = statistics.fit(from: 0, to: 1)
    let count = Double(golden.shape[0] * golden.shape[2] * golden.shape[3])
    for channel in 0..<golden.shape[1] {
      #expect(abs(fit.factors[channel] * (count - 1) / count - Double(golden.factors[channel])) < 1e-5)
    }
    #expect(fit.factors.count == 3)
    let error = statistics.error(from: 0, to: 1)
    #expect(error.corrected > 0 && error.corrected < 0.5 * error.plain)
  }

  @Test("an affine change is recovered, over batches, for pictures and for tokens")
  func exactRecovery() throws {
    let generator = try Generator(seed: 4)
    for shape in [[2, 3, 4, 5], [2, 7, 3], [6, 3]] {
      var broadcast = Array(repeating: 1, count: shape.count)
      broadcast[shape.count == 3 ? 2 : 1] = 3
      var statistics = CacheStatistics(evaluations: 3, reach: 2)
      for _ in 0..<2 {
        let x = Tensor.randn(shape, generator: generator)
        let y = try withTensorErrors {
          x * Tensor([2, -0.5, 1] as [Float], shape: broadcast) + Tensor([1, 0, 3] as [Float], shape: broadcast)
        }
        try statistics.add([x, y, y])
      }
      let fit = statistics.fit(from: 0, to: 1)
      for (found, expected) in zip(fit.factors + fit.offsets, [2, -0.5, 1, 1, 0, 3]) { #expect(abs(found - expected) < 1e-6) }
      #expect(statistics.error(from: 0, to: 1).corrected < 1e-10)
      #expect(statistics.distance(from: 1, to: 2) == 0)
      #expect(statistics.distance(from: 0, to: 1) > 0)
    }
  }

  @Test("a channel that does not vary keeps its factor")
  func constantChannel() throws {
    var statistics = CacheStatistics(evaluations: 2, reach: 2)
    try statistics.add([Tensor([2, 2, 2, 2] as [Float], shape: [4, 1]), Tensor([5, 6, 7, 6] as [Float], shape: [4, 1])])
    let fit = statistics.fit(from: 0, to: 1)
    #expect(fit.factors == [1] && abs(fit.offsets[0] - 4) < 1e-9)
    #expect(throws: AccelerationError.self) { try statistics.add([Tensor([1, 2] as [Float], shape: [2, 1])]) }
    let broken = Tensor([Float.nan, 0], shape: [2, 1])
    #expect(throws: AccelerationError.self) { try statistics.add([broken, broken]) }
  }

  /// Records a full run of the tiny U-Net and fits a correction to it.
  private func calibrated(_ fixture: UNetFixture, interval: Int, branch: Int = 0) throws -> (CacheCorrection, CacheStatistics) {
    let kept = Mutex<[Tensor]>([])
    let site = try #require(fixture.network.sites.first { $0.kind == .inner && $0.depth == branch })
    let outcome = try fixture.run(
      [String](), timesteps: Self.steps,
      tap: SiteTap(sites: [site]) { visit in kept.withLock { $0.append(visit.output[0].clone()) } })
    let values = kept.withLock { $0 }
    #expect(values.count == Self.steps.count)
    var statistics = CacheStatistics(evaluations: values.count, reach: 2 * interval)
    try statistics.add(values)
    let starts = try CacheSchedule.starts(count: values.count, interval: interval) { statistics.distance(from: $0, to: $1) }
    let origin = CacheCorrection.Origin(
      identity: RunIdentity(fingerprint: "tiny", solver: "ddim", guidanceScale: fixture.scale),
      timesteps: outcome.outline.calls.map(\.level.timestep), samples: 2)
    return (try CacheCorrection(statistics, starts: starts, point: .inner(branch), origin: origin), statistics)
  }

  @Test("the schedule never adds to the sum of distances, the correction lessens the errors of full runs, and both act as planned")
  func effect() throws {
    let fixture = try UNetFixture("deepcache")
    let full = try fixture.run([String](), timesteps: Self.steps)
    let (calibration, statistics) = try calibrated(fixture, interval: 4)
    func sum(_ starts: [Int], _ value: (Int, Int) -> Double) -> Double {
      (0..<20).reduce(0) { sum, evaluation in sum + value(starts.last { $0 <= evaluation } ?? 0, evaluation) }
    }
    func distance(_ start: Int, _ evaluation: Int) -> Double { statistics.distance(from: start, to: evaluation) }
    let uniform = CacheSchedule.uniform(count: 20, interval: 4)
    #expect(sum(calibration.starts, distance) <= sum(uniform, distance) * (1 + 1e-12))
    let plain = sum(calibration.starts) { statistics.error(from: $0, to: $1).plain }
    #expect(sum(calibration.starts) { statistics.error(from: $0, to: $1).corrected } < 0.9 * plain)
    let scheduled = try fixture.run([CacheQuant(calibration, corrects: false)], timesteps: Self.steps)
    let outcome = try fixture.run([CacheQuant(calibration)], timesteps: Self.steps)
    // Another run than without correction, and near the full one. That it is nearer is not promised: errors of the state are not in the fit.
    #expect(try gap(outcome.state, scheduled.state) > 1e-4)
    #expect(try gap(outcome.state, full.state) < 1)
    let codes = String((0..<20).map { calibration.starts.contains($0) ? "C" : "A" })
    #expect(outcome.session.reports[0].actions == ["inner.0": codes])
    #expect(outcome.session.reports[0].forced == 0)
  }

  @Test("a file holds what was written, and says to what it is bound")
  func files() throws {
    let fixture = try UNetFixture("deepcache")
    let (calibration, _) = try calibrated(fixture, interval: 5, branch: 2)
    let folder = try TemporaryFolder()
    let path = folder.path + "/tiny.cache.safetensors"
    try calibration.write(to: path)
    let read = try CacheCorrection(path: path)
    #expect(read.point == .inner(2) && read.starts == calibration.starts && read.origin == calibration.origin)
    for (own, other) in zip(read.factors.joined(), calibration.factors.joined()) { #expect(own == Double(Float(other))) }
    let outcome = try fixture.run(["cachequant:file=\(path)"], timesteps: Self.steps)
    let direct = try fixture.run([CacheQuant(calibration)], timesteps: Self.steps)
    #expect(try outcome.state.hasBits(of: direct.state))

    var outline = outcome.outline
    func refused(_ text: String) throws {
      let error = #expect(throws: AccelerationError.self) { try CacheQuant(calibration).parts(for: outline) }
      #expect(error?.description.contains(text) == true, "\(error?.description ?? "")")
    }
    let identity = RunIdentity(fingerprint: "tiny", solver: "ddim", guidanceScale: fixture.scale)
    outline.identity = identity
    #expect(try CacheQuant(calibration).parts(for: outline).count == 1)
    outline.identity?.fingerprint = "other"
    try refused("checksum")
    outline.identity = RunIdentity(fingerprint: "tiny", solver: "euler", guidanceScale: fixture.scale)
    try refused("solver")
    outline.identity = RunIdentity(fingerprint: "tiny", solver: "ddim", guidanceScale: 7)
    try refused("guidance scale")
    outline.identity = identity
    outline.calls[3].level.timestep += 1
    try refused("evaluation 3")
    outline.calls.removeLast()
    try refused("number of evaluations")

    #expect(throws: AccelerationError.self) { try method("cachequant") }
    #expect(throws: (any Error).self) { try method("cachequant:file=/nowhere/at/all.safetensors") }
    #expect(throws: AccelerationError.self) { try method("cachequant:file=\(UNetFixture.root)/deepcache.safetensors") }
  }

  @Test("what a list of blocks adds is corrected as well")
  func blocks() throws {
    let network = try ToyNetwork.random(seed: 1)
    let run = outline(network, steps: 9)
    let kept = Mutex<[Tensor]>([])
    let tap = SiteTap(sites: [], recordsList: true) { visit in
      let change = try withTensorErrors { visit.output[0] - visit.input[0] }
      kept.withLock { $0.append(change) }
    }
    let initial = try network.sample(seed: 2)
    let full = try SitePolicyLaws.Request(network.callAsFunction, policy: RunRecorder([tap]), initial: initial, steps: 9).finish()
    var statistics = CacheStatistics(evaluations: 9, reach: 6)
    try statistics.add(kept.withLock { $0 })
    let origin = CacheCorrection.Origin(
      identity: RunIdentity(fingerprint: "", solver: "", guidanceScale: 1), timesteps: run.calls.map(\.level.timestep), samples: 2)
    let calibration = try CacheCorrection(statistics, starts: [0, 3, 6], point: .blocks, origin: origin)
    func errors(_ corrects: Bool) throws -> Double {
      let session = try Acceleration([CacheQuant(calibration, corrects: corrects)], run: run).makeSession()
      let found = try SitePolicyLaws.Request(network.callAsFunction, policy: session.sites, initial: initial, steps: 9).finish()
      #expect(session.reports[0].actions == ["blocks[0..<4]": corrects ? "CAACAACAA" : "CRRCRRCRR"])
      return try zip(found, full).reduce(0) { try $0 + $1.0.largestDifference(from: $1.1) }
    }
    #expect(try errors(true) < errors(false))
  }
}
