import ArgumentParser
import Foundation
import QuickstepDiffusion
import QuickstepFormats
import QuickstepNN
import QuickstepPipelines

/// One line about a solver with standard parameters.
struct SolverSummary {
  let name: String
  let summary: String
  let nature: SolverNature
  let order: Int
  /// Of ten steps on Stable Diffusion's schedule, ending at clean data; `nil` for solvers that are fitted to a model's own levels.
  let table: Tableau?

  static func all() throws -> [SolverSummary] {
    let schedule = try DiscreteVPSchedule()
    let grid = try AllGrids.make("trailing").grid(schedule: schedule, steps: 10)
    return try AllSolvers.all.map { type in
      let solver = try type.init(ParameterValues(for: type.declaration))
      return SolverSummary(
        name: type.declaration.name, summary: type.declaration.summary, nature: type.nature, order: solver.order,
        table: solver is any FittedSolver ? nil : try solver.compile(schedule: schedule, grid: grid))
    }
  }

  var json: JSONValue {
    .object([
      "name": .string(name), "summary": .string(summary), "nature": .string(nature.rawValue), "order": .integer(order),
      "evaluations": .optional(table?.evaluationCount), "noises": .optional(table?.noiseCount),
      "registers": .optional(table?.peakRegisters),
    ])
  }
}

/// Noise schedules by name, for looking at solvers without a model.
enum NamedSchedule {
  static let names = [
    "scaled-linear", "linear", "cosine", "zero-snr", "continuous", "edm", "flow", "flow-3", "restoration", "restoration-5",
  ]

  static func make(_ name: String) throws -> any NoiseSchedule {
    switch name {
    case "scaled-linear": return try DiscreteVPSchedule()
    case "linear": return try DiscreteVPSchedule(.linear())
    case "cosine": return try DiscreteVPSchedule(.cosine)
    case "zero-snr": return try DiscreteVPSchedule(terminalSNR: .zero)
    case "continuous": return try ContinuousVPSchedule.linear()
    case "edm": return try EDMSchedule()
    case "flow": return try FlowSchedule()
    case "flow-3": return try FlowSchedule(shift: 3)
    // Any rate.
    case _ where name.hasPrefix("restoration"): return try DiscreteVPSchedule(.named(name))
    default: throw UnknownMethodError(name, family: Family("schedule"), known: names, near: names)
    }
  }
}

/// On what a solver is looked at.
struct SolverSetting {
  /// The folder, where there is one.
  let folder: String?
  let schedule: any NoiseSchedule
  /// The picture size that the schedule is for, where it depends on one: `512x512`.
  let size: String?
  let defaultSteps: Int
  /// What was asked for.
  private let asked: MethodChoice?
  /// Where nothing was asked for, and the solver's name implies nothing.
  private let own: (String, Int) throws -> MethodChoice

  init(model: String?, schedule name: String?, grid: String?) throws {
    asked = try grid.map { try MethodChoice(parsing: $0) }
    guard let model else {
      (folder, size, defaultSteps) = (nil, nil, 10)
      schedule = try NamedSchedule.make(name ?? "scaled-linear")
      // Even in time where there are timesteps; where the time is log σ, as the family is sampled with.
      own = { [isEDM = schedule is EDMSchedule] _, _ in MethodChoice(isEDM ? "karras" : "trailing") }
      return
    }
    let path = try ModelLibrary.find(model)
    let outline = try LoadedModel.outline(folder: path, options: ModelOptions())
    // That of a run that asks for no size.
    let (width, height) = outline.pictureSize
    (folder, defaultSteps) = (path, outline.defaults.steps)
    schedule = try outline.scheduler.schedule(tokens: outline.sequenceLength(width: width, height: height))
    size = (schedule as? FlowSchedule)?.isDynamic == true ? "\(width)x\(height)" : nil
    own = { [scheduler = outline.scheduler] solver, steps in
      MethodChoice(scheduler.spacing, parameters: try scheduler.spacingParameters(for: solver, steps: steps))
    }
  }

  /// The spacing for a solver, and its name.
  func spacing(for match: AllSolvers.Match, steps: Int? = nil) throws -> (any Spacing, String) {
    let choice =
      try asked ?? match.alias.flatMap { alias in alias.spacing.map { MethodChoice($0, parameters: alias.spacingParameters) } }
      ?? own(match.solver.declaration.name, steps ?? defaultSteps)
    return (try AllGrids.make(choice.name, choice.parameters), choice.description)
  }

  /// The levels that a solver brings along, if it brings any.
  /// - Throws: `ValidationError` where others are asked for; what the solver throws where the schedule lacks its levels.
  func ownGrid(of solver: any Solver, _ match: AllSolvers.Match, steps: Int? = nil) throws -> Grid? {
    guard let own = try solver.ownGrid(schedule: schedule) else { return nil }
    let name = match.solver.declaration.name
    if let asked {
      throw ValidationError("--grid \(asked.description) has no effect on '\(name)', whose levels are its own; leave it out.")
    }
    if let steps, steps != own.steps {
      throw ValidationError("--steps is \(steps); '\(name)' brings its own levels, of \(own.steps) steps. Leave --steps out.")
    }
    return own
  }

  /// The levels that a solver is looked at on, its own or a spacing's, and what they are called.
  /// - Throws: as ``ownGrid(of:_:steps:)``; what the spacing throws.
  func grid(for solver: any Solver, _ match: AllSolvers.Match, steps: Int?) throws -> (Grid, String) {
    if let own = try ownGrid(of: solver, match, steps: steps) { return (own, own.spacing) }
    let (rule, name) = try spacing(for: match, steps: steps)
    return (try rule.grid(schedule: schedule, steps: steps ?? rule.fixedSteps ?? defaultSteps), name)
  }
}

extension Tableau {
  /// Sorted and indented.
  func json() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    return String(decoding: try encoder.encode(self), as: UTF8.self)
  }
}
