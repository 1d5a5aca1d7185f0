import QuickstepDiffusion
import QuickstepNN
import Testing

@Suite struct GridTests {
  @Test func registryIsSortedAndFindsNames() throws {
    let names = AllGrids.all.map { $0.declaration.name }
    #expect(names == names.sorted())
    #expect(Set(names).count == names.count)
    let uniform = try AllGrids.match("SGM_uniform")
    #expect(uniform.spacing == Linspace.self && uniform.parameters([:]) == ["skip-last": "true"])
    #expect { try AllGrids.named("karas") } throws: { "\($0)".contains("did you mean 'karras'") }
  }

  /// What a spacing with standard parameters refuses, whatever the number of steps; everything else it must make a grid of.
  private static func isRefused(_ spacing: String, _ schedule: any NoiseSchedule, _ final: FinalLevel) -> Bool {
    switch spacing {
    // Counts from timestep 0, which is the least trained noise already.
    case "leading": schedule.trainSteps == nil || final == .smallest
    case "lcm": schedule.trainSteps == nil
    // Flow models have a list of trained times, too.
    case "simple": schedule.trainSteps == nil && !(schedule is FlowSchedule)
    // ln(σ)/4 is negative at little noise.
    case "quadratic": schedule is EDMSchedule
    // There is no table for them, and they begin at λ = −∞.
    case "ays", "log-snr": schedule is FlowSchedule
    default: false
    }
  }

  /// Every spacing on every schedule, to either end: n+1 levels, the end as asked for (that noise falls, the grid checks itself), or a
  /// refusal where one is stated.
  @Test(arguments: AllGrids.all.indices, [1, 2, 5, 50]) func shapes(_ index: Int, _ steps: Int) throws {
    let type = AllGrids.all[index]
    if type == Explicit.self { return }
    for schedule in ScheduleTests.schedules {
      for final in FinalLevel.allCases {
        let spacing = try type.init(ParameterValues(["final": final.rawValue], for: type.declaration))
        if Self.isRefused(type.declaration.name, schedule, final) {
          #expect(throws: GridError.self, "\(schedule.summary), \(final)") { try spacing.grid(schedule: schedule, steps: steps) }
          continue
        }
        let grid = try spacing.grid(schedule: schedule, steps: steps)
        #expect(grid.steps == steps)
        #expect((grid.levels[steps].sigma == 0) == (final == .zero), "\(schedule.summary), \(final)")
      }
    }
  }

  /// What a spacing refuses, it refuses with a reason.
  @Test func refusals() throws {
    let vp = try DiscreteVPSchedule()
    let flow = try FlowSchedule()
    #expect { try AllGrids.make("karras").grid(schedule: vp, steps: 0) } throws: { "\($0)".contains("0 steps; allowed: 1 and above") }
    #expect { try AllGrids.make("karras").grid(schedule: vp, steps: 1001) } throws: { "\($0)".contains("allowed: 1…1000") }
    #expect { try AllGrids.make("leading").grid(schedule: flow, steps: 4) } throws: { "\($0)".contains("trained integer timesteps") }
    #expect { try AllGrids.make("log-snr").grid(schedule: flow, steps: 4) } throws: { "\($0)".contains("lambda-min") }
    #expect { try AllGrids.make("karras", ["timestep": "round"]).grid(schedule: flow, steps: 4) } throws: {
      "\($0)".contains("timestep=exact")
    }
    #expect { try AllGrids.make("leading", ["final": "smallest"]).grid(schedule: vp, steps: 4) } throws: {
      "\($0)".contains("must fall strictly")
    }
    #expect { try AllGrids.make("leading", ["offset": "500"]).grid(schedule: vp, steps: 4) } throws: { "\($0)".contains("offset 500") }
    #expect { try AllGrids.make("leading", ["offset": "x"]) } throws: { "\($0)".contains("offset") }
    for (name, value) in ["sigma-min": "0.5", "sigma-max": "3", "timestep": "round"] {
      #expect { try AllGrids.make("beta", ["of": "time", name: value]) } throws: {
        "\($0)".contains("'\(name)' has no effect with of=time; it needs of=noise")
      }
      _ = try AllGrids.make("beta", [name: value]).grid(schedule: vp, steps: 4)
    }
    #expect(try AllGrids.make("beta", ["of": "time", "final": "smallest"]).grid(schedule: vp, steps: 4).levels[4].sigma > 0)
  }

  @Test func explicitLists() throws {
    let schedule = try DiscreteVPSchedule()
    let grid = try Grid(timesteps: [999, 700, 12.5], on: schedule)
    #expect(grid.timesteps == [999, 700, 12.5])
    #expect(grid.levels[3].sigma == 0)
    let edm = try Grid(sigmas: [80, 3, 0.2, 0], on: EDMSchedule())
    #expect(abs(edm.levels[1].sigma - 3) < 1e-14 && edm.levels[1].alpha == 1)
    #expect { try Grid(timesteps: [10, 10], on: schedule) } throws: { "\($0)".contains("level 1") }
    #expect(throws: GridError.self) { try Grid(levels: [schedule.clean], spacing: "explicit") }
    #expect(try grid.suffix(fromStep: 1).timesteps == [700, 12.5])
    #expect(throws: GridError.self) { try grid.suffix(fromStep: 3) }
  }

  @Test func explicitSpacing() throws {
    let schedule = try DiscreteVPSchedule()
    let spacing = try AllGrids.make("explicit", ["timesteps": "999,850.5;12 3/1"])
    #expect(spacing.fixedSteps == 5)
    let grid = try spacing.grid(schedule: schedule, steps: 5)
    #expect(grid.timesteps == [999, 850.5, 12, 3, 1] && grid.levels[5].sigma == 0)
    #expect { try spacing.grid(schedule: schedule, steps: 4) } throws: { "\($0)".contains("5 levels, but 4 steps") }
    let sigmas = try AllGrids.make("explicit", ["sigmas": "80,3,0.2,0"])
    #expect(sigmas.fixedSteps == 3)
    #expect(try abs(sigmas.grid(schedule: EDMSchedule(), steps: 3).levels[1].sigma - 3) < 1e-14)
    let refused: [([String: String], Int, String)] = [
      ([:], 2, "without levels"), (["timesteps": "10,10"], 2, "value 2 (10.0) repeats value 1"),
      (["timesteps": "10,20"], 2, "value 2 (20.0) is above value 1"), (["timesteps": "1000,3"], 2, "outside"),
      (["timesteps": "nan,3"], 2, "numbers of"), (["timesteps": "5,x"], 2, "numbers of"), (["sigmas": "0"], 1, "nothing but the end"),
      (["sigmas": "-1"], 1, "numbers of"), (["sigmas": "3,1", "timesteps": "3"], 2, "not both"),
      (["sigmas": "3,0", "final": "smallest"], 1, "ends at 0"), (["timesteps": "5,0", "final": "smallest"], 2, "must fall strictly"),
    ]
    for (parameters, steps, reason) in refused {
      #expect("\(parameters)") { try AllGrids.make("explicit", parameters).grid(schedule: schedule, steps: steps) } throws: {
        "\($0)".contains(reason)
      }
    }
  }

  /// Respaced betas of all timesteps are the trained ones, and of some have ᾱ there as products (AutoDiffusion's card, check a).
  @Test func respacedBetas() throws {
    let schedule = try DiscreteVPSchedule()
    let betas = try BetaSchedule.scaledLinear().betas(count: 1000)
    for (ours, trained) in zip(try schedule.respacedBetas(Array(0..<1000)), betas) { #expect(abs(ours - trained) < 1e-13) }
    let chosen = [94, 217, 354, 574, 834, 944]
    var product = 1.0
    for (beta, timestep) in zip(try schedule.respacedBetas(chosen), chosen) {
      product *= 1 - beta
      #expect(abs(product - schedule.alphasCumprod[timestep]) < 1e-14)
    }
    for wrong in [[], [5, 5], [7, 3], [1000], [-1]] { #expect(throws: ScheduleError.self) { try schedule.respacedBetas(wrong) } }
  }

  /// The quantile turns the distribution function around; symmetric shapes have their middle at ½.
  @Test func betaQuantiles() {
    for (a, b) in [(0.6, 0.6), (0.05, 20), (3, 0.5), (12, 7)] {
      let beta = BetaDistribution(a: a, b: b)
      for p in [1e-6, 0.01, 0.3, 0.5, 0.77, 0.999] { #expect(abs(beta.share(below: beta.quantile(p)) - p) < 1e-11, "\(a) \(b) \(p)") }
    }
    #expect(abs(BetaDistribution(a: 0.6, b: 0.6).quantile(0.5) - 0.5) < 1e-12)
    #expect(abs(BetaDistribution(a: 1, b: 1).quantile(0.3) - 0.3) < 1e-12)
  }

  /// On VP and EDM schedules uniform log-SNR is the exponential spacing.
  @Test func logSNRIsExponential() throws {
    let schedule = try DiscreteVPSchedule()
    let a = try AllGrids.make("log-snr").grid(schedule: schedule, steps: 9)
    let b = try AllGrids.make("exponential").grid(schedule: schedule, steps: 9)
    for (left, right) in zip(a.levels, b.levels) { #expect(abs(left.sigma - right.sigma) < 1e-13) }
  }
}
