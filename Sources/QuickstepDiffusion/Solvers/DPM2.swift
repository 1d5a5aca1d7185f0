public import QuickstepNN

/// Midpoint method with the middle taken in log σ (k-diffusion's `sample_dpm_2`, after DPM-Solver-2): two evaluations per step, order 2.
///
/// y_m = y + (τ_m − τ)·d1 with τ_m = √(τ·τ'), then y' = y + (τ' − τ)·d2, d = (y − m)/τ. A step to σ = 0 is an Euler step, and so is one from
/// pure noise in the sigma frame.
public struct DPM2: Solver {
  public static let declaration = MethodDeclaration(
    name: "dpm2", family: .solver, summary: "Midpoint method, the middle in log σ; two evaluations per step.", points: [.step],
    reads: ["state", "denoised"], changes: ["state"],
    parameters: [Frame.parameter] + Churn.parameters, exactness: .approximate,
    reference: "k-diffusion, sample_dpm_2; arXiv 2206.00927, algorithm 1")

  /// Names of diffusers, k-diffusion, A1111, ComfyUI and stable-diffusion.cpp.
  public static let aliases = [
    SolverAlias("KDPM2DiscreteScheduler", tool: "diffusers"),
    SolverAlias("sample_dpm_2", tool: "k-diffusion"),
    SolverAlias("DPM2", tool: "A1111"),
    SolverAlias("dpm_2", tool: "ComfyUI"),
    SolverAlias("dpm2", tool: "stable-diffusion.cpp"),
  ]

  let frame: Frame?
  let churn: Churn

  /// Reads `frame` and the parameters of added noise.
  public init(_ values: ParameterValues) throws {
    frame = Frame(values)
    churn = try Churn(values)
  }

  /// 2.
  public var order: Int { 2 }

  /// Two evaluations per step, one in a step to σ = 0.
  public func compile(schedule: any NoiseSchedule, grid: Grid) throws -> Tableau {
    let frame = frame ?? schedule.frame
    var table = TableauBuilder(solver: Self.name, grid: grid)
    var x = table.initial
    for (level, to) in zip(grid.levels, grid.levels.dropFirst()) {
      let (begin, from) = try churn.raise(x, at: level, steps: grid.steps, schedule: schedule, in: &table)
      x = table.combine(try MidpointStep(frame, from: from, to: to, schedule: schedule)(begin, in: &table), to: to)
    }
    return try table.build()
  }
}

/// One step of the midpoint method from one level to another, which need not lie on the schedule.
struct MidpointStep {
  let slope: PathSlope
  let from: NoiseLevel
  let to: NoiseLevel
  /// `nil` where the step is first order: to σ = 0, and from where the slope says nothing.
  let middle: NoiseLevel?

  init(_ frame: Frame, from: NoiseLevel, to: NoiseLevel, schedule: any NoiseSchedule) throws {
    (self.from, self.to) = (from, to)
    slope = PathSlope(frame)
    let isFirstOrder = to.sigma == 0 || !slope.determinesStep(from: from)
    middle =
      isFirstOrder
      ? nil
      : try schedule.level(
        coordinate: (frame.coordinate(from) * frame.coordinate(to)).squareRoot(), in: frame)
  }

  /// The evaluations, and the new state as a sum. The state in the middle is written out, so that its rounding is not multiplied by the
  /// slope's large factor on long steps.
  func callAsFunction(_ x: Register, in table: inout TableauBuilder) -> LinearForm {
    let m = table.evaluate(x, at: from)
    let first = FirstOrderStep(from: from, to: middle ?? to)
    let predicted = LinearForm(x, first.state) + LinearForm(m, first.denoised)
    guard let middle else { return predicted }
    let second = table.evaluate(table.combine(predicted, to: middle, finishing: false), at: middle)
    return slope.transfer(LinearForm(x), along: slope.form(predicted, second, at: middle), from: from, to: to)
  }
}
