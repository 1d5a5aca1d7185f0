import Foundation
import QuickstepAcceleration
import QuickstepDiffusion
import QuickstepFormats
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

/// DeepCache and Step Rehash on a U-Net of diffusers' shape, against the authors' program.
@Suite struct UNetCacheTests {
  private static let steps: [Double] = [901, 801, 701, 601, 501, 401, 301, 201, 101, 1]

  @Test("DeepCache runs as the authors' program does: every branch, intervals, late starts, ControlNet")
  func deepCacheParity() throws {
    let fixture = try UNetFixture("deepcache")
    #expect(fixture.cases.count == 15)
    for run in fixture.cases {
      let name = try #require(run["name"]?.string)
      let (branch, interval) = (try #require(run["branch"]?.integer), try #require(run["interval"]?.integer))
      let timesteps = try #require(run["timesteps"]).numbers
      let controlled = run["control"] == .bool(true)
      let outcome = try fixture.run(["deepcache:interval=\(interval),branch=\(branch)"], timesteps: timesteps, controlled: controlled)
      let difference = try gap(outcome.state, fixture.expected(run))
      #expect(difference <= 1e-4, "\(name) differs by \(difference)")
      guard interval > 1 else { continue }
      // Another branch is another result, by more than the tolerance.
      let other = try fixture.run(
        ["deepcache:interval=\(interval),branch=\((branch + 1) % 6)"], timesteps: timesteps, controlled: controlled)
      #expect(try gap(other.state, fixture.expected(run)) > 1e-3, "\(name) does not tell branches apart")
      let full = (timesteps.count + interval - 1) / interval
      let report = outcome.session.reports[0]
      #expect(report.computed == full && report.saved == timesteps.count - full && report.forced == 0)
      #expect(try report.actions == outcome.acceleration.plan(for: outcome.outline).actions.mapValues(\.codes))
    }
  }

  @Test("the centred schedule is the authors'")
  func centred() throws {
    struct Case: Decodable {
      var steps, interval, centre: Int
      var full: [Int]
    }
    let data = try #require(FileManager.default.contents(atPath: UNetFixture.root + "/centred.json"))
    for run in try JSONDecoder().decode([Case].self, from: data) {
      let found = try DeepCache.centred(
        count: run.steps, wanted: (run.steps + run.interval - 1) / run.interval, centre: run.centre, power: 1.2)
      #expect(found == run.full, "\(run)")
    }
    // The values of the specification.
    #expect(try DeepCache.centred(count: 50, wanted: 10, centre: 15, power: 1.2) == [0, 5, 10, 14, 18, 22, 27, 32, 38, 44])
    #expect(try DeepCache.centred(count: 50, wanted: 10, centre: 10, power: 1.2) == [0, 5, 9, 12, 16, 21, 26, 32, 38, 43])
    #expect(throws: AccelerationError.self) { try DeepCache.centred(count: 4, wanted: 4, centre: 2, power: 1.2) }
  }

  @Test("branches apart give what branches together give")
  func batching() throws {
    let fixture = try UNetFixture("deepcache")
    for text in ["deepcache:interval=3,branch=2", "deepcache:interval=3,order=1", "faster-diffusion:schedule=uniform,span=3"] {
      let together = try fixture.run([text], timesteps: Self.steps)
      let apart = try fixture.run([text], timesteps: Self.steps, batching: .split)
      #expect(try gap(apart.state, together.state) <= 1e-5, "\(text)")
    }
  }

  @Test("residuals at shallow skip connections still act, deep ones do not, and the user is told")
  func control() throws {
    let fixture = try UNetFixture("deepcache")
    let computed = try fixture.run(["deepcache:interval=3,branch=1"], timesteps: Self.steps, controlled: true)
    let reused = try fixture.run(["deepcache:interval=3,branch=1,control=reuse"], timesteps: Self.steps, controlled: true)
    // The old residuals at skips 0 and 1 are others than fresh ones.
    #expect(try gap(reused.state, computed.state) > 1e-3)
    #expect(reused.session.reports[0].actions["controlnet"] == "CRRCRRCRRC")
    #expect(computed.session.reports[0].actions["controlnet"] == nil)
    #expect(computed.acceleration.warnings.count == 1 && computed.acceleration.warnings[0].contains("ControlNet"))
    let without = try fixture.run(["deepcache:interval=3,control=reuse"], timesteps: Self.steps)
    #expect(without.acceleration.warnings.count == 1)
    #expect(try fixture.run(["deepcache:interval=3"], timesteps: Self.steps).acceleration.warnings.isEmpty)
  }

  @Test("a branch that does not exist and a network without skip connections are refused")
  func refusals() throws {
    let fixture = try UNetFixture("deepcache")
    #expect(throws: AccelerationError.self) { try fixture.run(["deepcache:branch=6"], timesteps: Self.steps) }
    #expect(throws: AccelerationError.self) { try fixture.run(["deepcache:interval=2", "step-rehash"], timesteps: Self.steps) }
    #expect(throws: AccelerationError.self) { try fixture.run(["deepcache:interval=2", "faster-diffusion"], timesteps: Self.steps) }
    let list = RunOutline(
      network: "a list", stepCount: 4,
      calls: Array(repeating: .init(step: 0, level: NoiseLevel(timestep: 1, alpha: 1, sigma: 1)), count: 20),
      sites: Site.blocks([(BlockRun("blocks", count: 4), [("attn", .attention)])]))
    for name in ["deepcache", "faster-diffusion", "step-rehash"] {
      #expect(throws: AccelerationError.self) { try method(name).parts(for: list) }
    }
  }

  @Test("Step Rehash: the deepest level going up, neither in the first tenth nor at the end")
  func rehash() throws {
    let fixture = try UNetFixture("deepcache")
    let outcome = try fixture.run(["step-rehash"], timesteps: Self.steps)
    // Skips 3 to 5 belong to the deepest level: what goes up to skip 2 is kept.
    #expect(try outcome.acceleration.plan(for: outcome.outline).actions.mapValues(\.codes) == ["inner.2": "CCRCRCRCRC"])
    #expect(outcome.session.reports[0].actions == ["inner.2": "CCRCRCRCRC"])
    // One buffer: [2 branches × 2 pictures, 16 channels, 8, 8] in float32.
    #expect(outcome.session.reports[0].peakBytes == 4 * 16 * 64 * 4)
    let same = try fixture.run(["deepcache:interval=1"], timesteps: Self.steps)
    let neutral = try fixture.run(["step-rehash:interval=1"], timesteps: Self.steps)
    #expect(try neutral.state.hasBits(of: same.state))
    let wide = try fixture.run(["step-rehash:interval=3,begin=0.3"], timesteps: Self.steps)
    #expect(try wide.acceleration.plan(for: wide.outline).actions["inner.2"]?.codes == "CCCCRRCRRC")
    let twenty = (0..<20).map { 951.0 - 50 * Double($0) }
    let long = try fixture.run(["step-rehash"], timesteps: twenty)
    #expect(try long.acceleration.plan(for: long.outline).actions["inner.2"]?.codes == "CCCRCRCRCRCRCRCRCRCC")
  }
}
