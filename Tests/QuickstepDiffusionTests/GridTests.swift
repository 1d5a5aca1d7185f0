import QuickstepDiffusion
import QuickstepNN
import Testing

@Suite struct GridTests {
  @Test func registryIsSortedAndFindsNames() throws {
    let names = AllGrids.all.map { $0.declaration.name }
    #expect(names == names.sorted())
    #expect(Set(names).count == names.count)
    #expect(try AllGrids.named("SGM_uniform") == Trailing.self)
    #expect { try AllGrids.named("karas") } throws: { "\($0)".contains("did you mean 'karras'") }
  }

  /// Every spacing on every schedule it accepts: n+1 levels, the end as asked for (that noise falls, the grid checks itself). What is
  /// not accepted is refused with a ``GridError``; the first schedule, discrete VP, is accepted by all.
  @Test(arguments: AllGrids.all.indices, [1, 2, 5, 50]) func shapes(_ index: Int, _ steps: Int) throws {
    let type = AllGrids.all[index]
    for schedule in ScheduleTests.schedules {
      for final in FinalLevel.allCases {
        let spacing = try type.init(ParameterValues(["final": final.rawValue], for: type.declaration))
        let grid: Grid
        do {
          grid = try spacing.grid(schedule: schedule, steps: steps)
        } catch is GridError where schedule.trainSteps == nil || final == .smallest {
          continue
        }
        #expect(grid.steps == steps)
        #expect((grid.levels[steps].sigma == 0) == (final == .zero))
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

  /// On VP and EDM schedules uniform log-SNR is the exponential spacing.
  @Test func logSNRIsExponential() throws {
    let schedule = try DiscreteVPSchedule()
    let a = try AllGrids.make("log-snr").grid(schedule: schedule, steps: 9)
    let b = try AllGrids.make("exponential").grid(schedule: schedule, steps: 9)
    for (left, right) in zip(a.levels, b.levels) { #expect(abs(left.sigma - right.sigma) < 1e-13) }
  }
}
