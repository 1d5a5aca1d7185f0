public import QuickstepNN

/// Linear multistep (Adams–Bashforth) for any spacing of the levels, orders 1 to 4: k-diffusion's `sample_lms`.
///
/// y' = y + Σ_j w_j·d_j, where d_j is the slope dy/dτ at the j-th last level and w_j the integral over τ…τ' of Lagrange's polynomial through
/// those levels. The order grows with the history: 1 in the first step, then 2, ….
public struct LMS: Solver {
  public static let declaration = MethodDeclaration(
    name: "lms", family: .solver, summary: "Linear multistep of order 1 to 4 on the slopes, for any spacing.", points: [.step],
    reads: ["state", "denoised", "previous slopes"], changes: ["state"], needs: ["as many steps as its order to reach it"],
    state: "order − 1 earlier slopes",
    parameters: [
      ParameterDeclaration(
        name: "order", summary: "Greatest number of slopes used; 1 is Euler.", domain: .integer(1...4), standard: .integer(4),
        neutral: .integer(1)),
      ParameterDeclaration(
        name: "frame", summary: "What is taken to be smooth: ε (sigma), velocity (flow), or as the schedule says (auto).",
        domain: .choice(["auto", "sigma", "flow"]), standard: .choice("auto")),
      ParameterDeclaration(
        name: "euler-at-final", summary: "Take the last step at first order (ComfyUI).", domain: .flag, standard: .flag(false)),
    ], exactness: .approximate, reference: "k-diffusion, sample_lms; Hairer, Nørsett, Wanner, section III.5")

  /// Names of diffusers, k-diffusion, A1111 and ComfyUI, which takes the last step at first order.
  public static let aliases = [
    SolverAlias("LMSDiscreteScheduler", tool: "diffusers"),
    SolverAlias("sample_lms", tool: "k-diffusion"),
    SolverAlias("LMS", tool: "A1111"),
    SolverAlias("lms", tool: "ComfyUI"),
  ]

  let largestOrder: Int
  let frame: Frame?
  let eulerAtFinal: Bool

  /// Reads `order`, `frame` and `euler-at-final`.
  public init(_ values: ParameterValues) throws {
    largestOrder = values.integer("order") ?? 4
    frame = Frame(rawValue: values.choice("frame") ?? "")
    eulerAtFinal = values.flag("euler-at-final")
  }

  /// 1 or 2: the first step is an Euler step, whose error of second order no later one takes back. Once the history is full, every step is
  /// of the order asked for.
  public var order: Int { min(largestOrder, 2) }

  /// Orders above the number of steps.
  public func fallbacks(steps: Int) -> [String] {
    steps < largestOrder ? ["lms of order \(largestOrder) reaches order \(steps) in \(steps) steps: its order grows with the history"] : []
  }

  /// One evaluation per step. A step from where the frame's slope says nothing (pure noise in the sigma frame) is first order and leaves no
  /// slope behind.
  public func compile(schedule: any NoiseSchedule, grid: Grid) throws -> Tableau {
    let frame = frame ?? schedule.frame
    let slope = PathSlope(frame)
    var table = TableauBuilder(solver: Self.name, grid: grid)
    var x = table.initial
    var history: [(slope: Register, coordinate: Double)] = []
    for (index, (from, to)) in zip(grid.levels, grid.levels.dropFirst()).enumerated() {
      let m = table.evaluate(x, at: from)
      let isFirstOrder = largestOrder == 1 || (eulerAtFinal && index == grid.steps - 1)
      guard !isFirstOrder, slope.determinesStep(from: from) else {
        let euler = FirstOrderStep(from: from, to: to)
        x = table.combine([(x, euler.state), (m, euler.denoised)], to: to)
        continue
      }
      let newest = table.combine(slope.form(LinearForm(x), m, at: from), to: from, finishing: false)
      history.insert((newest, frame.coordinate(from)), at: 0)
      history = Array(history.prefix(largestOrder))
      let weights = AdamsBashforth.weights(points: history.map(\.coordinate), to: frame.coordinate(to))
      let mean = zip(weights, history).reduce(LinearForm()) { $0 + $1.0 * LinearForm($1.1.slope) }
      x = table.combine(slope.transfer(LinearForm(x), along: mean, from: from, to: to), to: to)
    }
    return try table.build()
  }
}
