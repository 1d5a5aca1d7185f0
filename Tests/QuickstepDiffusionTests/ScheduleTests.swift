import QuickstepDiffusion
import QuickstepNN
import Testing

@Suite struct ScheduleTests {
  static let schedules: [any NoiseSchedule] = (try? make()) ?? []

  private static func make() throws -> [any NoiseSchedule] {
    [
      try DiscreteVPSchedule(), try DiscreteVPSchedule(.cosine, interpolation: .sigma), try ContinuousVPSchedule.linear(),
      try ContinuousVPSchedule.cosine(), try EDMSchedule(), try FlowSchedule(shift: 3),
    ]
  }

  @Test func allAreThere() { #expect(Self.schedules.count == 6) }

  /// Time → level → λ → level gives the time back at trained times, and λ rises as time falls.
  @Test(arguments: schedules.indices) func inverse(_ index: Int) throws {
    let schedule = Self.schedules[index]
    let range = schedule.timeRange
    var previous = -Double.infinity
    for i in 0...37 {
      let exact = range.upperBound - (range.upperBound - range.lowerBound) * Double(i) / 37
      let time = min(max(schedule.trainSteps == nil ? exact : exact.rounded(), range.lowerBound), range.upperBound)
      let level = try schedule.level(at: time)
      #expect(level.lambda >= previous)
      previous = level.lambda
      guard level.lambda > -.infinity else { continue }
      let back = try schedule.level(lambda: level.lambda)
      #expect(abs(back.timestep - time) < 1e-7 * max(1, abs(time)), "\(schedule.summary)")
      #expect(abs(back.alpha - level.alpha) < 1e-12 && abs(back.sigma - level.sigma) < 1e-12 * max(1, level.sigma))
      let coordinate = schedule.frame.coordinate(level)
      #expect(abs(try schedule.level(coordinate: coordinate).sigma - level.sigma) < 1e-11 * max(1, level.sigma))
    }
  }

  @Test func interpolations() throws {
    let lambda = try DiscreteVPSchedule()
    let sigma = try DiscreteVPSchedule(interpolation: .sigma)
    let (low, high) = (try lambda.level(at: 500), try lambda.level(at: 501))
    #expect(abs(try lambda.level(at: 500.25).lambda - (0.75 * low.lambda + 0.25 * high.lambda)) < 1e-13)
    let between = try sigma.level(at: 500.25)
    let ratio = 0.75 * Frame.sigma.coordinate(low) + 0.25 * Frame.sigma.coordinate(high)
    #expect(abs(between.sigma / between.alpha - ratio) < 1e-13)
    #expect(abs(between.alpha * between.alpha + between.sigma * between.sigma - 1) < 1e-14)
  }

  @Test func terminalSNR() throws {
    #expect(try DiscreteVPSchedule(terminalSNR: .zero).largest().alpha == 0)
    #expect(try DiscreteVPSchedule(terminalSNR: .zero).largest().lambda == -.infinity)
    #expect(abs(Frame.sigma.coordinate(try DiscreteVPSchedule(terminalSNR: .nearZero).largest()) - 4096) < 1e-3)
  }

  @Test func dynamicShift() throws {
    #expect(abs(try FlowSchedule.dynamicShift(tokens: 256) - 1.6487212707001282) < 1e-12)
    #expect(abs(try FlowSchedule.dynamicShift(tokens: 4096) - 3.158192909689768) < 1e-12)
    #expect(throws: ScheduleError.self) { try FlowSchedule.dynamicShift(tokens: 0) }
  }

  @Test func restorationByName() throws {
    #expect(try BetaSchedule.named("restoration") == .restoration(8) && BetaSchedule.named("restoration-8") == .restoration(8))
    #expect(try BetaSchedule.named("restoration-5") == .restoration(5) && BetaSchedule.named("restoration-2.5") == .restoration(2.5))
    for schedule in [BetaSchedule.restoration(8), .restoration(5), .restoration(2.5)] {
      #expect(try BetaSchedule.named(schedule.description) == schedule && !schedule.hasEnds)
    }
    for name in ["restoration-", "restoration-0", "restoration-21", "restoration-nan", "restoration-k"] {
      #expect { try BetaSchedule.named(name) } throws: { "\($0)".contains("'\(name)'") && "\($0)".contains("1…20") }
    }
    let ended = try ["linear", "scaled_linear", "sigmoid", "squaredcos_cap_v2", "exp", "laplace"].map { try BetaSchedule.named($0).hasEnds }
    #expect(ended == [true, true, true, false, false, false])
  }

  @Test func errorsNameTheValue() throws {
    let schedule = try DiscreteVPSchedule()
    #expect { try schedule.level(at: 1000) } throws: { "\($0)".contains("1000.0") && "\($0)".contains("0.0…999.0") }
    #expect { try schedule.level(at: .nan) } throws: { "\($0)".contains("nan") }
    #expect { try DiscreteVPSchedule(.trained([0.1, 1.5]), trainSteps: 2) } throws: { "\($0)".contains("1.5") }
    #expect { try BetaSchedule.named("cubic") } throws: { "\($0)".contains("cubic") && "\($0)".contains("scaled_linear") }
    #expect { try schedule.level(lambda: -.infinity) } throws: { "\($0)".contains("pure noise") }
    #expect(throws: ScheduleError.self) { try EDMSchedule(sigmaMin: 2, sigmaMax: 1) }
    #expect(throws: ScheduleError.self) { try FlowSchedule(shift: 0) }
  }
}
