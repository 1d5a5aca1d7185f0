import QuickstepDiffusion
import QuickstepNN

/// The names of other tools and what they stand for, made from the declarations: `Docs/Solvers.md`.
enum NameTable {
  static var text: String {
    (head + solvers + middle + grids + tail).map { $0.replacing("  |", with: " |") + "\n" }.joined()
  }

  private static let head = [
    "# Names of solvers and grids", "",
    "Made by `quickstep solvers --names` from the declarations; a test compares the two.", "",
    "Wherever a solver is chosen (`--solver`), these names of other tools work beside our own. Case, spaces, `-`, `_` and `.` do not matter.",
    "A name may be followed by the name of a grid: `DPM++ 2M Karras`, `dpmpp_2m_sgm_uniform`, `Euler a Align Your Steps`. Parameters given",
    "beside a name replace those it implies, and `--grid` (or `--spacing`) replaces its grid. Without either, a run takes the model's own",
    "grid, which is what A1111 calls `Automatic` up to that program's choice of Karras for some samplers.", "",
    "Equal names do not make equal pictures: other tools draw the noise of stochastic samplers from other generators, and some take the last",
    "step in another way. A name that another tool spells as ours is spelled means ours: A1111's `UniPC` is `uni_pc` here (order 3, `bh1`),",
    "ComfyUI's `deis` is `deis:order=3,variable=rho`. What is compared with diffusers and k-diffusion number by number is in `Parity/`.",
    "", "## Solvers", "",
    "| Name | Tool | Solver | Parameters | Grid |", "|---|---|---|---|---|",
  ]

  private static var solvers: [String] {
    AllSolvers.all.flatMap { solver in
      let own = row(solver.declaration.name, "Quickstep", solver.declaration.name)
      return [own]
        + solver.aliases.sorted { ($0.tool.lowercased(), $0.name) < ($1.tool.lowercased(), $1.name) }.map {
          row(
            $0.name, $0.tool, solver.declaration.name, $0.parameters, $0.spacing, $0.spacingParameters,
            countsEvaluations: $0.dividedOrder != nil)
        }
    }
  }

  private static let middle = ["", "## Grids", "", "| Name | Tool | Grid | Parameters |", "|---|---|---|---|"]

  private static var grids: [String] {
    AllGrids.all.flatMap { grid in
      let name = grid.declaration.name
      return ["| `\(name)` | Quickstep | `\(name)` | |"]
        + grid.aliases.map { "| `\($0.name)` | \($0.tool ?? "several") | `\(name)` | \(words($0.parameters)) |" }
    }
  }

  private static let tail = [
    "", "## Files", "",
    "A model folder's `scheduler_config.json` chooses solver, parameters and grid by its class and settings, where the user names none; see",
    "`Sources/QuickstepPipelines/Scheduling/SchedulerKind.swift`. Settings without a counterpart are warned about.", "",
    "The name of a diffusers class changes the class and keeps the settings of the model's own file, as",
    "`CLASS.from_config(pipe.scheduler.config)` does: what the file says and the class knows counts, the rest is the class's standard. Where",
    "the class is for another kind of noise than the model's (flow, trained timesteps, EDM), the name stands for its row of the table alone,",
    "on the model's own noise and grid. Other names, ours included, take nothing but the grid from the file.", "",
    "`--solver FILE.json` (or a folder that holds a `scheduler_config.json`) takes another file in place of the model's own, as",
    "`pipe.scheduler = CLASS.from_pretrained(FOLDER)` does: all of it counts, betas and prediction type too, and a warning names each of these",
    "that differs from the model's own file. Files for another kind of noise are refused. In both cases parameters and `--grid` that are given",
    "beside it replace those of the file, and pictures keep the settings, so that they can be made again without the file.", "",
    "Classes of diffusers that have no solver here (`DDIMInverseScheduler`, `DPMSolverMultistepInverseScheduler`, `RePaintScheduler`,",
    "`SASolverScheduler`, `UnCLIPScheduler` and those that are not known) run `dpm++-2m` on the noise that their file says, with a",
    "warning. Files of these are refused, because the noise of their networks is another one: `AmusedScheduler`,",
    "`CMStochasticIterativeScheduler`, `CogVideoXDDIMScheduler`, `CogVideoXDPMScheduler`, `ConsistencyDecoderScheduler`,",
    "`CosineDPMSolverMultistepScheduler`, `DDPMWuerstchenScheduler`, `HeliosDMDScheduler`, `HeliosScheduler`, `IPNDMScheduler`,",
    "`KarrasVeScheduler`, `LTXEulerAncestralRFScheduler`, `SCMScheduler`, `ScoreSdeVeScheduler`, `ScoreSdeVpScheduler`,",
    "`VQDiffusionScheduler`.",
  ]

  private static func row(
    _ name: String, _ tool: String, _ solver: String, _ parameters: [String: String] = [:], _ grid: String? = nil,
    _ gridParameters: [String: String] = [:], countsEvaluations: Bool = false
  ) -> String {
    let counting = countsEvaluations ? "; steps count evaluations" : ""
    return
      "| `\(name)` | \(tool) | `\(solver)` | \(words(parameters))\(counting) | \(grid.map { "`\($0)` \(words(gridParameters))" } ?? "") |"
  }

  private static func words(_ parameters: [String: String]) -> String {
    parameters.sorted { $0.key < $1.key }.map { "`\($0.key)=\($0.value)`" }.joined(separator: " ")
  }
}
