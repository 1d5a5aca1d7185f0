import QuickstepDiffusion
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import QuickstepTraining
import Testing

/// The distillation of two fine steps into one, on numbers.
@Suite struct FeedbackObjectiveTests {
  private static func levels(_ steps: Int) throws -> [NoiseLevel] {
    let schedule = try FlowSchedule()
    return try (0...steps).map { try schedule.level(at: 900 - 800 * Double($0) / Double(steps)) }
  }
  private static func table(_ solver: String, _ steps: Int) throws -> Tableau {
    try AllSolvers.make(solver).compile(schedule: FlowSchedule(), grid: Grid(levels: levels(steps), spacing: "explicit"))
  }

  /// A run of a scalar denoiser with everything it passes.
  private static func run(_ table: Tableau, _ denoise: (Double, NoiseLevel) -> Double) throws -> (states: [Tensor], denoised: [Tensor]) {
    let executor = try TableauExecutor(table, initial: Tensor([0.7], shape: [1, 1]), noise: FixedNoise([]))
    var (states, denoised): ([Tensor], [Tensor]) = ([], [])
    while let (state, context) = try executor.nextEvaluation() {
      let answer = Tensor([denoise(try state.item(), context.level)], shape: [1, 1])
      states.append(state)
      denoised.append(answer)
      try executor.accept(denoised: answer)
    }
    return (states + [try executor.result], denoised)
  }

  private static func denoise(_ x: Double, _ level: NoiseLevel) -> Double { 0.4 * x + 0.3 * level.alpha * level.alpha - 0.2 }

  @Test("the prediction that leads to the teacher's state has no loss", arguments: ["ddim", "dpm++-2m"])
  func zero(_ solver: String) throws {
    let (coarse, fine) = (try Self.table(solver, 5), try Self.table(solver, 10))
    let run = try Self.run(fine, Self.denoise)
    let objective = try FeedbackObjective(table: coarse, fine: Self.levels(10), refinement: 2, steps: 1..<4, weight: 0)
    let teacher = FeedbackObjective.Teacher(states: run.states, denoised: run.denoised, refinement: 2)
    var made: [Int: Double] = [0: try run.denoised[0].item()]
    let loss = try objective.loss(teacher) { state, context in
      // Solves the row of the table for its newest prediction.
      let row = coarse.rows[context.step]
      var (rest, own) = (0.0, 0.0)
      for term in row.terms {
        switch term.register {
        case .state(let index): rest += term.coefficient.scalar * (try teacher.states[index].item())
        case .denoised(context.step): own = term.coefficient.scalar
        case .denoised(let index): rest += term.coefficient.scalar * (try #require(made[index]))
        default: Issue.record("\(term.register)")
        }
      }
      let answer = (try teacher.states[context.step + 1].item() - rest) / own
      made[context.step] = answer
      #expect(try state.item() == teacher.states[context.step].item())
      return Tensor([answer], shape: [1, 1])
    }
    #expect(try loss.item() < 1e-20 && made.count == 4)
  }

  @Test("the loss is the mean of the steps' formula")
  func formula() throws {
    let coarse = try Self.table("ddim", 4)
    let run = try Self.run(Self.table("ddim", 8), Self.denoise)
    let (weight, bound) = (0.1, 0.5)
    let objective = try FeedbackObjective(table: coarse, fine: Self.levels(8), refinement: 2, steps: 1..<3, weight: weight, bound: bound)
    let teacher = FeedbackObjective.Teacher(states: run.states, denoised: run.denoised, refinement: 2)
    let loss = try objective.loss(teacher) { state, _ in state * 0.5 }.item()
    var expected = 0.0
    for step in 1..<3 {
      let (from, to, middle) = (try Self.levels(8)[2 * step], try Self.levels(8)[2 * step + 2], try Self.levels(8)[2 * step + 1])
      let x: Double = try run.states[2 * step].item()
      let reached = to.sigma / from.sigma * x + (to.alpha - from.alpha * to.sigma / from.sigma) * 0.5 * x
      let error = (reached - (try run.states[2 * step + 2].item())) / to.alpha
      let noise = 0.5 * x - (try run.denoised[2 * step + 1].item())
      let ratio = min(bound, (middle.alpha / middle.sigma) * (middle.alpha / middle.sigma))
      expected += (error * error + weight * ratio * noise * noise) / 2
    }
    #expect(abs(loss - expected) < 1e-9 && loss > 1e-4, "\(loss) \(expected)")
  }

  @Test("no gradient flows through earlier predictions")
  func history() throws {
    let run = try Self.run(Self.table("dpm++-2m", 10), Self.denoise)
    let teacher = FeedbackObjective.Teacher(states: run.states, denoised: run.denoised, refinement: 2)
    let coarse = try Self.table("dpm++-2m", 5)
    let objective = try FeedbackObjective(table: coarse, fine: Self.levels(10), refinement: 2, steps: 1..<3, weight: 0)
    let scales = (0..<2).map { _ in Tensor([0.45], shape: [1, 1]) }
    for scale in scales { scale.setRequiresGradient(true) }
    let loss = try withTensorErrors {
      let loss = try objective.loss(teacher) { state, context in state * scales[context.step - 1] }
      loss.backward()
      return loss
    }
    #expect(try loss.item() > 0)
    // By hand: step 1 alone depends on the first scale, though step 2 reads its prediction.
    let row = coarse.rows[1]
    var reached = 0.0
    var own = 0.0
    for term in row.terms {
      switch term.register {
      case .state(let index): reached += term.coefficient.scalar * (try teacher.states[index].item())
      case .denoised(1): own = term.coefficient.scalar
      case .denoised(let index): reached += term.coefficient.scalar * (try teacher.denoised[index].item())
      default: break
      }
    }
    let x: Double = try teacher.states[1].item()
    reached += own * 0.45 * x
    let error = (reached - (try teacher.states[2].item())) / row.level.alpha
    let expected = 2 * error * own * x / row.level.alpha / 2
    #expect(abs(try #require(scales[0].gradient).item() - expected) < 1e-9)
  }

  @Test func whatCannotBeTrainedIsRefused() throws {
    let ddim = try Self.table("ddim", 4)
    func refused(_ part: String, _ make: () throws -> FeedbackObjective) throws {
      let error = #expect(throws: PlanError.self) { try make() }
      #expect(try #require(error).description.contains(part), "\(error as Any)")
    }
    let fine = try Self.levels(8)
    try refused("teacher of 8 steps") { try FeedbackObjective(table: ddim, fine: fine, refinement: 3, steps: 1..<3) }
    try refused("no step") { try FeedbackObjective(table: ddim, fine: fine, refinement: 2, steps: 2..<2) }
    try refused("no step") { try FeedbackObjective(table: ddim, fine: fine, refinement: 2, steps: 1..<5) }
    try refused("heun") { try FeedbackObjective(table: Self.table("heun", 4), fine: fine, refinement: 2, steps: 1..<3) }
    try refused("noise_bound") { try FeedbackObjective(table: ddim, fine: fine, refinement: 2, steps: 1..<3, bound: 0) }
    var other = fine
    other[4] = try FlowSchedule().level(at: 420)
    try refused("step 2 begins") { try FeedbackObjective(table: ddim, fine: other, refinement: 2, steps: 1..<3) }
  }
}
