public import QuickstepNN

/// DEIS: Adams–Bashforth on the noise prediction with the linear part of the equation solved exactly; one evaluation per step.
///
/// x' = (α'/α)·x + α'·Σ_j ε_j·∫ ℓ_j(u(ρ)) dρ from σ/α to σ'/α', where ℓ_j are the Lagrange polynomials over the last p levels in the variable u
/// (Zhang, Chen 2023, arXiv 2204.13902, equation 14): log ρ as in diffusers, ρ itself (ρAB), or the time (tAB).
public struct DEIS: PlannedSolver {
  private enum Variable: String, CaseIterable {
    case logRho = "log-rho"
    case rho
    case time

    var prediction: PredictionKind {
      switch self {
      case .logRho: .epsilon
      case .rho: .epsilonInSigma
      case .time: .epsilonInTime
      }
    }
  }

  public static let declaration = MethodDeclaration(
    name: "deis", family: .solver, summary: "Multistep on the noise prediction, polynomial in log ρ, ρ or time.", points: [.step],
    reads: ["state", "denoised", "previous noise"], changes: ["state"], needs: ["as many steps as its order"],
    state: "as many earlier noise predictions as its order, less one",
    parameters: [
      ParameterDeclaration(
        name: "order", summary: "Number of predictions a step reads; 1 is DDIM. The paper's tAB3 reads four.", domain: .integer(1...4),
        standard: .integer(2)),
      ParameterDeclaration(
        name: "variable", summary: "In what the noise prediction is a polynomial.", domain: .choice(Variable.allCases.map(\.rawValue)),
        standard: .choice(Variable.logRho.rawValue)),
    ] + MultistepOrders.parameters, exactness: .approximate, reference: "arXiv 2204.13902, equation 14")

  /// Name of diffusers.
  public static let aliases = [SolverAlias("DEISMultistepScheduler", tool: "diffusers")]

  let greatest: Int
  let prediction: PredictionKind
  let orders: MultistepOrders

  /// Reads `order`, `variable` and the rules of the last steps.
  public init(_ values: ParameterValues) throws {
    greatest = values.integer("order") ?? 2
    prediction = (Variable(rawValue: values.choice("variable") ?? "") ?? .logRho).prediction
    orders = MultistepOrders(values)
  }

  /// As asked for.
  public var order: Int { greatest }

  /// Orders above the number of steps.
  public func fallbacks(steps: Int) -> [String] { orders.fallbacks(Self.name, order: greatest, steps: steps) }

  /// One evaluation per step; reads the noise predictions of the steps before.
  public func plan(schedule: any NoiseSchedule, grid: Grid) throws -> [PlannedStep] {
    (0..<grid.steps).map { index in
      PlannedStep(
        to: grid.levels[index + 1], UnifiedStep(prediction, order: orders.order(index, of: grid.steps, greatest: greatest)))
    }
  }
}
