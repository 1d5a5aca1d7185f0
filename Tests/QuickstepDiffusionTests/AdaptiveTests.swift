import Foundation
import QuickstepDiffusion
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

/// Steps chosen while running, against the authors' program and closed forms.
@Suite struct AdaptiveTests {
  private func run(
    _ parameters: [String: String], final: String = "smallest", denoiser: (any Denoiser)? = nil, initial: Tensor? = nil,
    steps: Int = 5, stopAfter: Int? = nil
  ) throws -> (state: [Double], report: SamplingRun.Report) {
    let schedule = try ContinuousVPSchedule.linear()
    let network = ClosedFormNetwork(prediction: "epsilon")
    let ours = GuidedDenoiser(parametrisation: .epsilon) { input, context in
      Tensor(network(try input.scalars(Double.self), timestep: context.level.timestep), shape: input.shape)
    }
    let start = try Golden.shared.initial
    let run = try SamplingRun(
      solver: AllSolvers.make("dpm-adaptive", parameters), schedule: schedule,
      grid: AllGrids.make("linspace", ["final": final]).grid(schedule: schedule, steps: steps),
      start: .given(initial ?? Tensor(start, shape: [1, start.count])), stopAfter: stopAfter)
    let outcome = try run.run(denoiser ?? ours, noise: FixedNoise([]))
    return (try outcome.state.scalars(), outcome.report)
  }

  /// The same steps and the same end as LuChengTHU/dpm-solver. A rejected step costs one evaluation less here.
  @Test(arguments: Golden.adaptive) func authors(_ golden: Golden.Adaptive) throws {
    let found = try run(["order": "\(golden.order)", "prediction": golden.prediction, "rtol": "\(golden.tolerance)"])
    #expect(distance(found.state, golden.end) < 1e-8, "\(found.state) and \(golden.end)")
    #expect(found.report.evaluations == golden.evaluations - found.report.rejectedSteps)
    #expect(found.report.evaluations == golden.order * found.report.steps + (golden.order - 1) * found.report.rejectedSteps)
  }

  /// Smaller tolerances come nearer to the exact flow, at more evaluations.
  @Test(arguments: ["2", "3"]) func tolerancesCount(_ order: String) throws {
    let density = ToyMixture()
    let schedule = try ContinuousVPSchedule.linear()
    let denoiser = ClosureDenoiser { state, context in
      Tensor(density.denoised(try state.scalars(Double.self), at: context.level), shape: state.shape)
    }
    let exact = try density.transported([0.6], from: schedule.largest(), to: schedule.smallest())[0]
    let results = try ["0.1", "0.01", "0.001"].map { tolerance in
      try run(["order": order, "rtol": tolerance, "atol": tolerance], denoiser: denoiser, initial: Tensor([0.6], shape: [1, 1]))
    }
    let errors = results.map { abs($0.state[0] - exact) }
    #expect(errors[2] < errors[0] / 5 && errors[2] < 5e-3, "\(errors)")
    #expect(results[0].report.evaluations < results[2].report.evaluations)
  }

  @Test func endsAtCleanData() throws {
    let found = try run([:], final: "zero")
    let noisy = try run([:])
    #expect(found.report.evaluations == noisy.report.evaluations + 1 && found.report.steps == noisy.report.steps + 1)
    #expect(found.state != noisy.state && distance(found.state, noisy.state) < 0.05)
    #expect(found.report.steps == found.report.stepSeconds.count)
  }

  @Test func evaluationsAreBounded() throws {
    #expect { try run(["max-evaluations": "7"]) } throws: {
      "\($0)".contains("have taken 7 evaluations") && "\($0)".contains("raise max-evaluations")
    }
    #expect { try run([:], denoiser: ClosureDenoiser { state, _ in state * Double.nan }) } throws: { "\($0)".contains("not finite") }
  }

  @Test func whatCannotBeDoneIsRefused() throws {
    #expect { try run([:], stopAfter: 2) } throws: { "\($0)".contains("cannot be stopped after") }
    let schedule = try ContinuousVPSchedule.linear()
    let grid = try AllGrids.make("linspace").grid(schedule: schedule, steps: 3)
    let adaptive = try SamplingRun(
      solver: AllSolvers.make("dpm-adaptive"), schedule: schedule, grid: grid, start: .given(Tensor([0.1], shape: [1, 1])))
    #expect(throws: SamplingError.self) {
      try adaptive.run(ClosureDenoiser { state, _ in state }, noise: FixedNoise([]), change: { state, _, _ in state })
    }
  }

  @Test func cancellationIsHonoured() async throws {
    let task = Task { () -> String in
      withUnsafeCurrentTask { $0?.cancel() }
      do {
        _ = try run([:])
        return "finished"
      } catch { return "\(type(of: error))" }
    }
    #expect(await task.value == "CancellationError")
  }

  /// Pure noise has no λ; the grid's first step is taken as it is.
  @Test func beginsAtPureNoise() throws {
    let schedule = try FlowSchedule()
    let grid = try AllGrids.make("linspace").grid(schedule: schedule, steps: 10)
    let density = ToyGaussian(means: [0.4], deviations: [0.5])
    let adaptive = try SamplingRun(
      solver: AllSolvers.make("dpm-adaptive", ["rtol": "0.001", "atol": "0.001"]), schedule: schedule, grid: grid,
      start: .given(Tensor([0.9], shape: [1, 1])))
    let denoiser = ClosureDenoiser { state, context in
      Tensor(density.denoised(try state.scalars(Double.self), at: context.level), shape: state.shape)
    }
    let found: [Double] = try adaptive.run(denoiser, noise: FixedNoise([])).state.scalars()
    #expect(abs(found[0] - density.transported([0.9], from: grid.levels[0], to: schedule.clean)[0]) < 0.05)
  }

  /// A grid of one step leads from pure noise to clean data: to the prediction.
  @Test func oneStepFromPureNoise() throws {
    for schedule in [try FlowSchedule(), try DiscreteVPSchedule(terminalSNR: .zero)] as [any NoiseSchedule] {
      let grid = try Grid(levels: [schedule.largest(), schedule.clean], spacing: "explicit")
      let adaptive = try SamplingRun(
        solver: AllSolvers.make("dpm-adaptive"), schedule: schedule, grid: grid, start: .given(Tensor([0.9], shape: [1, 1])))
      let (state, report) = try adaptive.run(ClosureDenoiser { state, _ in state * 0.5 }, noise: FixedNoise([]))
      let found: [Double] = try state.scalars()
      #expect(abs(found[0] - 0.45) < 1e-6 && report.evaluations == 1 && report.steps == 1, "\(schedule.summary): \(found), \(report)")
    }
  }
}
