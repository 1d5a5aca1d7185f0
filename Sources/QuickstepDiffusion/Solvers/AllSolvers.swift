import QuickstepNN

/// Every solver, sorted by name. Adding one is its file, its test and a line here.
public enum AllSolvers {
  /// The registered solvers.
  public static let all: [any Solver.Type] = [
    DDIM.self,
    DDPM.self,
    DEIS.self,
    DPMSolverPP2M.self,
    DPMSolverPP2S.self,
    DPMSolverPP3M.self,
    DPMSolverPP3S.self,
    DPMSolverPPSDE.self,
    AdaptiveDPMSolver.self,
    DPMSolverMultistep.self,
    DPMSolverSinglestep.self,
    DPMSolverV3.self,
    DPM2.self,
    DPM2Ancestral.self,
    DualFast.self,
    Euler.self,
    EulerAncestral.self,
    Heun.self,
    LCM.self,
    LMS.self,
    OLSS.self,
    PNDM.self,
    SDEDPMSolverPP.self,
    TCD.self,
    UniC.self,
    UniPC.self,
    USF.self,
  ]

  /// What a name stands for: the solver, and what a foreign name implies besides.
  public struct Match: Sendable {
    /// The solver.
    public let solver: any Solver.Type
    /// The foreign name it was found by, if it was not the solver's own.
    public let alias: SolverAlias?

    package init(solver: any Solver.Type, alias: SolverAlias?) { (self.solver, self.alias) = (solver, alias) }

    /// What a number of steps is where the foreign name counts evaluations: steps of the grid, and the parameters that say how many evaluations
    /// they have. `nil` for other names, and where the parameters say themselves how evaluations are divided.
    ///
    /// More than 100,000 are left as they are, for the grid to refuse them before a list is made.
    package func counted(_ steps: Int, _ parameters: [String: String]) -> (steps: Int, parameters: [String: String])? {
      guard let order = alias?.dividedOrder, (1...100_000).contains(steps),
        ["evaluations", "blocks", "stages"].allSatisfy({ parameters[$0] == nil })
      else { return nil }
      let own = parameters["order"].flatMap(Int.init) ?? order
      return (SinglestepOrders.official(evaluations: steps, order: own).count, ["evaluations": "\(steps)"])
    }

    /// The solver made from the alias's parameters and then the given ones.
    public func make(_ parameters: [String: String] = [:]) throws -> any Solver {
      let merged = (alias?.parameters ?? [:]).merging(parameters) { _, given in given }
      return try solver.init(ParameterValues(merged, for: solver.declaration))
    }
  }

  /// The solver with this name or foreign name; case and separators do not matter, unless they alone tell a foreign name from ours
  /// (`uni_pc`). A name may be followed by that of a spacing, as in A1111's `DPM++ 2M Karras` and ComfyUI's `dpmpp_2m_karras`.
  /// - Throws: ``UnknownMethodError`` with the nearest name.
  public static func named(_ name: String) throws -> Match {
    let wanted = canonicalName(name)
    if let match = spelled(name) ?? match(wanted) { return match }
    let spacings = AllGrids.all.flatMap { [$0.declaration.name] + $0.aliases.map(\.name) }
      .sorted { ($0.count, $0) > ($1.count, $1) }
    for spacing in spacings where wanted.hasSuffix(canonicalName(spacing)) {
      let written = beginning(of: name, before: spacing).flatMap(spelled)
      guard let match = written ?? match(String(wanted.dropLast(canonicalName(spacing).count))) else { continue }
      let own = match.alias
      let alias = SolverAlias(
        name, tool: own?.tool ?? "", parameters: own?.parameters ?? [:], spacing: spacing,
        spacingParameters: own?.spacingParameters ?? [:], dividedOrder: own?.dividedOrder)
      return Match(solver: match.solver, alias: alias)
    }
    let own = all.map { $0.declaration.name }
    throw UnknownMethodError(name, family: .solver, known: own, near: own + all.flatMap { $0.aliases.map(\.name) })
  }

  /// A foreign name to the letter that differs from ours in separators alone, such as ComfyUI's `uni_pc`: it means what it means there.
  private static func spelled(_ name: String) -> Match? {
    for solver in all where solver.declaration.name != name {
      if let alias = solver.aliases.first(where: { $0.name == name }) { return Match(solver: solver, alias: alias) }
    }
    return nil
  }

  /// A name without that of a spacing behind it, as it is written.
  private static func beginning(of name: String, before spacing: String) -> String? {
    let wanted = canonicalName(spacing)
    return name.indices.first { "_ -".contains(name[$0]) && canonicalName(String(name[$0...])) == wanted }.map { String(name[..<$0]) }
  }

  private static func match(_ wanted: String) -> Match? {
    if let solver = all.first(where: { canonicalName($0.declaration.name) == wanted }) { return Match(solver: solver, alias: nil) }
    for solver in all {
      if let alias = solver.aliases.first(where: { canonicalName($0.name) == wanted }) { return Match(solver: solver, alias: alias) }
    }
    return nil
  }

  /// The solver with this name, made from raw parameter texts.
  public static func make(_ name: String, _ parameters: [String: String] = [:]) throws -> any Solver {
    try named(name).make(parameters)
  }
}
