import ArgumentParser
import Foundation
import QuickstepDiffusion
import QuickstepEvaluation
import QuickstepFormats
import QuickstepNN
import QuickstepPipelines

struct SolversCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "solvers",
    abstract: "Solvers: what they cost, their tables, their names elsewhere, how fast they converge.",
    discussion: """
      Without options: every solver with its order and what ten steps cost. Parameters are in 'quickstep methods NAME'.

      Wherever a solver is chosen, the names of diffusers' classes, A1111, ComfyUI and k-diffusion work as well, alone or followed by \
      a spacing, such as "DPM++ 2M Karras" or dpmpp_2m_sgm_uniform. --names prints all of them.

      --print shows the table of coefficients that a run executes: x are states, m denoised predictions, z noises. A dot after the step \
      marks rows that do not finish it. Solvers that bring their own levels, such as a fitted plan, are shown and drawn on those. Schedules \
      that depend on the size of pictures are those of the model's own size.

      --plot draws error against evaluations. Without a model on normal data, where the exact result is known: the Wasserstein-2 \
      distance to it. With --model the RMSE of pictures to those of many evaluations from the same seeds.

      Examples:
        quickstep solvers
        quickstep solvers --print PLMS --steps 5
        quickstep solvers --print dpm2 --steps 4 --schedule flow --grid linspace
        quickstep solvers --plot convergence.png
        quickstep solvers --plot emoji.png --model emoji --prompt "red apple" --solver ddim --solver heun --solver dpm++-2m
        quickstep solvers --names
      """)

  @Flag(help: "Print the names of other tools and what they stand for, as Markdown.")
  var names = false
  @Option(name: .customLong("print"), help: "Show the table of this solver: NAME or NAME:parameter=value,…")
  var printed: String?
  @Option(help: "Draw error against evaluations to this PNG.", completion: .file(extensions: ["png"]))
  var plot: String?
  @Option(help: "A solver to be drawn, NAME or NAME:parameter=value,… (repeatable; default: all that follow the flow).")
  var solver: [String] = []
  @Option(name: [.customShort("n"), .long], help: "Solver steps, with --print (default: 10, or the model's).")
  var steps: Int?
  @Option(name: [.customLong("grid"), .customLong("spacing")], help: "How noise levels are spaced: NAME or NAME:parameter=value,…")
  var grid: String?
  @Option(help: "Noise schedule: \(NamedSchedule.names.joined(separator: ", ")) (default: scaled-linear).")
  var schedule: String?
  @Option(name: [.short, .long], help: "Take schedule and grid of this model; with --plot, also run it.", completion: .file())
  var model: String?
  @Option(help: "With --plot and --model: what pictures are made of (repeatable; class models take numbers).")
  var prompt: [String] = []
  @Option(name: [.short, .long], help: "With --plot and --model: seed of the first picture.")
  var seed: UInt64 = 0
  @Option(help: "With --plot and --model: steps of the dpm++-2m run that is compared with.")
  var referenceSteps = 200
  @Flag(help: "Print one JSON object.")
  var json = false

  func validate() throws {
    let modes = [names, printed != nil, plot != nil].count { $0 }
    if modes > 1 { throw ValidationError("Give one of --names, --print and --plot.") }
    if let steps, steps < 1 { throw ValidationError("--steps is \(steps); it must be at least 1.") }
    if model != nil, schedule != nil { throw ValidationError("--model brings its own schedule; leave --schedule out.") }
    if referenceSteps < 1 { throw ValidationError("--reference-steps is \(referenceSteps); it must be at least 1.") }
    let idle: [(String, Bool)] = [
      ("--solver", !solver.isEmpty && plot == nil), ("--steps", steps != nil && printed == nil),
      ("--grid", grid != nil && printed == nil && plot == nil), ("--schedule", schedule != nil && printed == nil && plot == nil),
      ("--model", model != nil && printed == nil && plot == nil), ("--prompt", !prompt.isEmpty && (plot == nil || model == nil)),
    ]
    if let option = idle.first(where: \.1)?.0 { throw ValidationError("\(option) has no effect here.") }
    if plot != nil, model != nil, prompt.isEmpty { throw ValidationError("Give at least one --prompt for the model.") }
  }

  func run() throws {
    if names { return print(NameTable.text, terminator: "") }
    if let printed { return try show(printed) }
    if let plot { return try draw(plot) }
    if json { return printJSON(.object(["solvers": .array(try SolverSummary.all().map(\.json))])) }
    var table = TextTable([
      .init(title: "name", style: Screen.cyan), .init(title: "order", alignsRight: true), .init(title: "calls", alignsRight: true),
      .init(title: "noise", alignsRight: true), .init(title: "memory", alignsRight: true), .init(title: "what it does", fit: .wrapped),
    ])
    for one in try SolverSummary.all() {
      let order = one.nature == .consistency || one.table == nil ? "–" : "\(one.order)"
      let costs = [one.table?.evaluationCount, one.table?.noiseCount, one.table?.peakRegisters].map { $0.map { "\($0)" } ?? "–" }
      table.add([one.name, order] + costs + [one.summary])
    }
    print(table.lines().joined(separator: "\n"))
    print(
      Screen.faint("  calls, draws of noise and states held at once are those of 10 steps to clean data; order with standard parameters"))
  }

  private func setting() throws -> SolverSetting { try SolverSetting(model: model, schedule: schedule, grid: grid) }

  private func show(_ text: String) throws {
    let choice = try MethodChoice(parsing: text)
    let match = try AllSolvers.named(choice.name)
    let setting = try setting()
    let counted = match.counted(steps ?? setting.defaultSteps, choice.parameters)
    let solver = try match.make((counted?.parameters ?? [:]).merging(choice.parameters) { $1 })
    let (levels, name) = try setting.grid(for: solver, match, steps: counted?.steps ?? steps)
    let table = try solver.compile(schedule: setting.schedule, grid: levels)
    for warning in solver.fallbacks(steps: levels.steps) { note("warning: \(warning)") }
    guard json else {
      print(Screen.faint("on \(setting.schedule.summary)\(setting.size.map { " for \($0)" } ?? ""), grid \(name)"))
      print(table)
      guard let amplification = table.amplification else { return }
      let factor = String(format: "%.3g", amplification.factor)
      return print(Screen.faint("an error of a prediction moves later states by at most \(factor) times as much, in units of their spread"))
    }
    print(try table.json())
  }

  private func draw(_ path: String) throws {
    let names =
      solver.isEmpty ? AllSolvers.all.filter { $0.nature == .flow && !($0 is any FittedSolver.Type) }.map { $0.declaration.name } : solver
    let choices = try names.map { try MethodChoice(parsing: $0) }
    let drawing =
      try model == nil
      ? SolverPlot.gaussian(choices, setting: setting(), grid: grid)
      : SolverPlot.model(choices, setting: setting(), prompts: prompt, seed: seed, grid: grid, referenceSteps: referenceSteps)
    try PNG.write(drawing.plot.image(), to: path, makeFolder: true)
    for warning in drawing.warnings { note("warning: \(warning)") }
    if json { return printJSON(drawing.json) }
    print(drawing.lines.joined(separator: "\n"))
    note("\(path) written")
  }
}
