import QuickstepAcceleration
import QuickstepDiffusion
import QuickstepFormats
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

@Suite struct FasterDiffusionTests {
  private static let steps = (0..<50).map { 981.0 - 20 * Double($0) }

  private func text(_ run: JSONValue, span: Int) throws -> String {
    let (mode, noise) = (try #require(run["mode"]?.string), try #require(run["noise"]?.double))
    let schedule = Int(mode).map { "schedule=uniform,interval=\($0)" } ?? "schedule=\(mode)"
    return "faster-diffusion:\(schedule),noise=\(noise),span=\(span)"
  }

  @Test(
    "whole runs are those of the authors' forward and loop: their lists, injection, DPM++, residuals of a ControlNet", arguments: [1, 50])
  func parity(_ span: Int) throws {
    let fixture = try UNetFixture("faster-diffusion")
    #expect(fixture.cases.count == 8)
    for run in fixture.cases {
      let name = try #require(run["name"]?.string)
      let outcome = try fixture.run(
        [text(run, span: span)], timesteps: #require(run["timesteps"]).numbers,
        solver: run["solver"]?.string == "dpm" ? "dpm++-2m" : "ddim",
        controlled: run["control"] == .bool(true))
      let difference = try gap(outcome.state, fixture.expected(run))
      #expect(difference <= 1e-4, "\(name) differs by \(difference)")
    }
  }

  @Test("decoding a span as one batch gives what one after the other gives", arguments: [2, 3, 7, 50])
  func parallel(_ span: Int) throws {
    let fixture = try UNetFixture("faster-diffusion")
    let alone = try fixture.run(["faster-diffusion"], timesteps: Self.steps)
    let joint = try fixture.run(["faster-diffusion:span=\(span)"], timesteps: Self.steps)
    #expect(try gap(joint.state, alone.state) <= 1e-5)
    #expect(alone.calls == 50)
    // Between the keys 0 1 2 3 5 10 15 25 35 lie 0 0 0 1 4 4 9 9 14 evaluations.
    let spans = [1, 4, 4, 9, 9, 14].map { ($0 + span - 1) / span }.reduce(0, +)
    #expect(joint.calls == 9 + spans)
    let call = try #require(joint.session.reports.last)
    #expect(call.computed == 9 + spans && call.saved == 50 - 9 - spans)
  }

  @Test("the encoder runs at keys only")
  func hits() throws {
    let fixture = try UNetFixture("faster-diffusion")
    let outcome = try fixture.run(["faster-diffusion:noise=0"], timesteps: Self.steps, controlled: true)
    let codes = String((0..<50).map { [0, 1, 2, 3, 5, 10, 15, 25, 35].contains($0) ? "C" : "R" })
    let report = outcome.session.reports[0]
    #expect(
      report.actions == Dictionary(uniqueKeysWithValues: (["controlnet", "middle"] + (0..<6).map { "down.\($0)" }).map { ($0, codes) }))
    #expect(report.computed == 8 * 9 && report.saved == 8 * 41 && report.forced == 0)
    #expect(outcome.outline.evaluations == 50)
  }

  @Test("lists of the authors, at other lengths at the same shares")
  func schedules() throws {
    #expect(KeySchedule.fifty.keys(count: 50, interval: 0).sorted() == [0, 1, 2, 3, 5, 10, 15, 25, 35])
    #expect(KeySchedule.fifty.keys(count: 100, interval: 0).sorted() == [0, 2, 4, 6, 10, 20, 30, 50, 70])
    #expect(KeySchedule.fifty.keys(count: 20, interval: 0).sorted() == [0, 1, 2, 4, 6, 10, 14])
    #expect(KeySchedule.squares.keys(count: 28, interval: 0).sorted() == [0, 2, 5, 9, 14, 20, 27])
    #expect(KeySchedule.second.keys(count: 50, interval: 0).count == 20 + 10 + 9 + 1)
    #expect(KeySchedule.hundred.keys(count: 100, interval: 0).count == 10 + 15 + 1 + 14)
    #expect(KeySchedule.seventyFive.keys(count: 75, interval: 0).count == 10 + 12 + 9)
    #expect(KeySchedule.uniform.keys(count: 7, interval: 3) == [0, 3, 6])
  }

  @Test("injection is a change of the table: δ moves with the state as the noise does")
  func injection() throws {
    let schedule = try DiscreteVPSchedule(.scaledLinear())
    let grid = try AllGrids.make("explicit", ["timesteps": "981,481,1"]).grid(schedule: schedule, steps: 3)
    let plain = try AllSolvers.make("ddim").compile(schedule: schedule, grid: grid)
    let changed = try plain.injecting(0.1, below: 500)
    #expect(changed.evaluationCount == 3)
    #expect(changed.rows[0] == plain.rows[0])
    // DDIM takes x' = α'·x̂0 + σ'·ε with ε as it was, so that δ becomes δ·α'/α.
    let (from, to) = (grid.levels[1], grid.levels[2])
    let term = try #require(changed.rows[1].terms.first { $0.register == .state(0) })
    let scale =
      0.1
      * ((from.alpha * from.alpha + from.sigma * from.sigma)
      / (plain.initialLevel.alpha * plain.initialLevel.alpha + plain.initialLevel.sigma * plain.initialLevel.sigma)).squareRoot()
    #expect(abs(term.coefficient.scalar - scale * to.alpha / from.alpha) < 1e-12)
    #expect(try plain.injecting(0.1, below: 0) == plain)
  }

  @Test("keys one by one; what cannot be is refused or warned of")
  func keys() throws {
    let fixture = try UNetFixture("faster-diffusion")
    let steps = Array(Self.steps.prefix(6))
    let outcome = try fixture.run(["faster-diffusion:keys=0;2;5,noise=0"], timesteps: steps)
    #expect(outcome.session.reports[0].actions["middle"] == "CRCRRC")
    #expect(throws: AccelerationError.self) { try fixture.run(["faster-diffusion:keys=1;2"], timesteps: steps) }
    #expect(throws: AccelerationError.self) { try fixture.run(["faster-diffusion:keys=0;6"], timesteps: steps) }
    #expect(throws: AccelerationError.self) { try UNetFixture.method("faster-diffusion:keys=0;1.5") }
    // A run that begins with a picture has no initial noise to add.
    let late = try fixture.run(["faster-diffusion"], timesteps: Array(Self.steps.suffix(20)))
    #expect(late.acceleration.warnings.contains { $0.contains("does not begin at noise") })
    #expect(!late.acceleration.changesTable(by: "faster-diffusion"))
    let plain = try fixture.run([String](), timesteps: steps)
    let neutral = try fixture.run(["faster-diffusion:schedule=all,span=4"], timesteps: steps)
    #expect(try neutral.state.hasBits(of: plain.state))
  }
}
