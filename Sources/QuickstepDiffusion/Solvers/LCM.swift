public import QuickstepNN

/// Multistep consistency sampling (Song et al. 2023, algorithm 1) with the boundary conditions of latent consistency models: jump to clean
/// data, noise it anew to the next level.
///
/// f = c_out·x̂0 + c_skip·x, x' = α'·f + σ'·z, with c_skip = σ_d²/((s·t)² + σ_d²), c_out = s·t/√((s·t)² + σ_d²), σ_d = ½, t the timestep
/// and s its scaling (Luo et al. 2023, section 3). Without scaling f = x̂0, which is diffusers' stochastic flow-matching Euler and
/// ComfyUI's `lcm`.
public struct LCM: Solver {
  public static let declaration = MethodDeclaration(
    name: "lcm", family: .solver, summary: "Jumps to clean data and noises it anew, for networks distilled to make that jump.",
    points: [.step], reads: ["state", "denoised"], changes: ["state"], needs: ["a network distilled for consistency, 1 to 8 steps"],
    parameters: [
      ParameterDeclaration(
        name: "timestep-scaling", summary: "s of the boundary conditions; 0 leaves them out.", domain: .number(0...1000),
        standard: .number(10), neutral: .number(0)),
      ParameterDeclaration(
        name: "s-noise", summary: "Factor on the fresh noise.", domain: .number(0...2), standard: .number(1), neutral: .number(1)),
    ], exactness: .approximate, reference: "arXiv 2303.01469, algorithm 1; arXiv 2310.04378, section 3")

  /// Names of diffusers, ComfyUI and stable-diffusion.cpp.
  public static let aliases = [
    SolverAlias("LCMScheduler", tool: "diffusers", spacing: "lcm"),
    SolverAlias("FlowMatchLCMScheduler", tool: "diffusers", parameters: ["timestep-scaling": "0"]),
    SolverAlias("FlowMatchEulerDiscreteScheduler stochastic_sampling", tool: "diffusers", parameters: ["timestep-scaling": "0"]),
    SolverAlias("LCM", tool: "A1111"),
    SolverAlias("lcm", tool: "ComfyUI"),
    SolverAlias("sample_lcm", tool: "ComfyUI", parameters: ["timestep-scaling": "0"]),
  ]

  let scaling: Double
  let noiseScale: Double

  /// Reads `timestep-scaling` and `s-noise`.
  public init(_ values: ParameterValues) throws {
    scaling = values.number("timestep-scaling")
    noiseScale = values.number("s-noise")
  }

  /// Whether states enter the prediction of clean data by the boundary conditions.
  public var usesBoundaryConditions: Bool { scaling > 0 }
  /// ``SolverNature/consistency``.
  public static var nature: SolverNature { .consistency }
  /// 1, of a consistency model's own error; a network that is none has no limit here.
  public var order: Int { 1 }

  /// One evaluation per step, and a draw of noise in every step that does not end at σ = 0.
  /// - Throws: ``TableauError`` for boundary conditions on a schedule whose timesteps do not count from 0.
  public func compile(schedule: any NoiseSchedule, grid: Grid) throws -> Tableau {
    guard scaling == 0 || schedule.timeRange.lowerBound >= 0 else {
      throw TableauError(
        "lcm's boundary conditions need timesteps that count from 0; \(schedule.summary) begins at "
          + "\(schedule.timeRange.lowerBound): use timestep-scaling=0")
    }
    var table = TableauBuilder(solver: Self.name, grid: grid)
    var x = table.initial
    for (from, to) in zip(grid.levels, grid.levels.dropFirst()) {
      let m = table.evaluate(x, at: from)
      let (skip, out) = boundary(from.timestep)
      x = table.combine([(x, to.alpha * skip), (m, to.alpha * out)], noise: to.sigma * noiseScale, to: to)
    }
    return try table.build()
  }

  private func boundary(_ timestep: Double) -> (skip: Double, out: Double) {
    guard scaling > 0 else { return (0, 1) }
    let (scaled, data) = (timestep * scaling, 0.25)
    return (data / (scaled * scaled + data), scaled / (scaled * scaled + data).squareRoot())
  }
}
