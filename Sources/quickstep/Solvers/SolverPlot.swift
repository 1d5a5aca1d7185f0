import Foundation
import QuickstepDiffusion
import QuickstepEvaluation
import QuickstepFormats
import QuickstepNN
import QuickstepPipelines
import QuickstepTensor

/// Error against evaluations of several solvers, measured and ready to be drawn.
struct SolverPlot {
  var plot: ConvergencePlot
  var warnings: [String] = []

  /// Steps that are run on normal data.
  private static let steps = [4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512]
  /// What runs on a model are compared with: second order, and usable on every schedule, from pure noise too.
  private static let reference: MethodChoice = "dpm++-2m"
  /// Steps that are run on a model.
  private static let modelSteps = [4, 6, 10, 16, 25, 50]

  /// On normal data in closed form, noise included.
  static func gaussian(_ choices: [MethodChoice], setting: SolverSetting, grid: String?) throws -> SolverPlot {
    var curves: [ConvergencePlot.Curve] = []
    var spacings: [String] = []
    for choice in choices {
      let match = try AllSolvers.named(choice.name)
      // Steps of even log-SNR to the least trained noise: a last step to clean data has an error of its own, which would hide the order.
      let spacing =
        try grid == nil
        ? AllGrids.make("log-snr", setting.schedule.frame == .flow ? ["final": "smallest", "lambda-min": "-5"] : ["final": "smallest"])
        : setting.spacing(for: match).0
      let solver = try match.make(choice.parameters)
      let own = try setting.ownGrid(of: solver, match)
      let study = GaussianConvergence(schedule: setting.schedule, spacing: spacing)
      let counts = (own?.steps ?? spacing.fixedSteps).map { [$0] } ?? steps
      curves.append(.init(choice.description, try counts.map { try study.point(solver, steps: $0) }))
      spacings.append(own?.spacing ?? type(of: spacing).declaration.name)
    }
    let title = "Normal data, \(setting.schedule.summary), grid \(Set(spacings).sorted().joined(separator: ", "))"
    return SolverPlot(plot: ConvergencePlot(title: title, error: "Wasserstein-2 distance to the exact marginal", curves: curves))
  }

  /// On a model: pictures of the same seeds against a run of many evaluations.
  static func model(
    _ choices: [MethodChoice], setting: SolverSetting, prompts: [String], seed: UInt64, grid: String?, referenceSteps: Int
  ) throws -> SolverPlot {
    // A grid that some solver cannot take is refused before anything is run.
    let ownSteps = try choices.map { choice -> Int? in
      let match = try AllSolvers.named(choice.name)
      return try setting.ownGrid(of: match.make(choice.parameters), match)?.steps
    }
    let model = try LoadedModel(folder: setting.folder ?? "")
    let asked = try grid.map { try MethodChoice(parsing: $0) }
    func run(_ choice: MethodChoice, _ steps: Int) throws -> (pixels: Tensor, work: Double) {
      var request = GenerationRequest(prompts: prompts, seeds: prompts.indices.map { seed &+ UInt64($0) })
      (request.solver, request.solverParameters, request.steps) = (choice.name, choice.parameters, steps)
      if let asked { (request.spacing, request.spacingParameters) = (asked.name, asked.parameters) }
      request.batch = prompts.count
      let result = try ImagePipeline(model).generate(request)
      return (try withTensorErrors { Tensor.stack(result.images.map(\.pixels)) }, Double(result.evaluations))
    }
    var line = ProgressLine()
    var warnings: [String] = []
    line.show("reference, \(referenceSteps) steps of \(reference)")
    let wanted = try run(reference, referenceSteps).pixels
    var curves: [ConvergencePlot.Curve] = []
    for (choice, own) in zip(choices, ownSteps) {
      let match = try AllSolvers.named(choice.name)
      var parameters = choice.parameters
      // Paths with fresh noise have nothing in common with the reference's.
      for parameter in match.solver.declaration.parameters where ["eta", "s-churn"].contains(parameter.name) {
        guard let neutral = parameter.neutral, parameters[parameter.name] == nil, parameter.standard != neutral else { continue }
        parameters[parameter.name] = neutral.description
        warnings.append("\(choice.name) is run without fresh noise (\(parameter.name)=\(neutral)), to follow the reference's path")
      }
      let used = MethodChoice(choice.name, parameters: parameters)
      var points: [(work: Double, error: Double)] = []
      for steps in own.map({ [$0] }) ?? modelSteps {
        line.show("\(used), \(steps) steps")
        let (pixels, work) = try run(used, steps)
        let error = try withTensorErrors {
          let off = pixels - wanted; return (off * off).mean()
        }.item().squareRoot()
        points.append((work, error))
      }
      curves.append(.init(used.description, points))
    }
    line.clear()
    let title = "\(model.name), RMSE to \(referenceSteps) steps of \(reference), \(prompts.count) pictures"
    return SolverPlot(plot: ConvergencePlot(title: title, error: "RMSE of pixels in -1...1", curves: curves), warnings: warnings)
  }

  var lines: [String] {
    var table = TextTable([
      .init(title: "solver", style: Screen.cyan), .init(title: "slope", alignsRight: true),
      .init(title: "evaluations → error", fit: .wrapped),
    ])
    for curve in plot.curves {
      let last = Array(curve.points.suffix(6))
      let slope = ConvergencePlot.Curve("", last).order().map { String(format: "%.2f", $0) } ?? "–"
      let few = curve.points.enumerated().filter { $0.offset % max(1, curve.points.count / 5) == 0 }.map(\.element)
      table.add([curve.name, slope, few.map { "\(Int($0.work)) → \(String(format: "%.2e", $0.error))" }.joined(separator: ", ")])
    }
    return table.lines() + [Screen.faint("  slope: of −log(error) over log(evaluations) for the last six points")]
  }

  var json: JSONValue {
    .object([
      "title": .string(plot.title), "error": .string(plot.error), "work": .string(plot.work), "warnings": .strings(warnings),
      "curves": .array(
        plot.curves.map { curve in
          .object([
            "name": .string(curve.name),
            "points": .array(curve.points.map { .object(["work": .number($0.work), "error": .number($0.error)]) }),
          ])
        }),
    ])
  }
}
