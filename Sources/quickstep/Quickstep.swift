import ArgumentParser
import QuickstepTensor

@main
struct Quickstep: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "quickstep",
    abstract: "Fast diffusion models without Python.",
    discussion: """
      Start here:
        quickstep generate "red apple" -o apple.png    a picture, by a built-in model
        quickstep models                              which models there are
        quickstep methods                             every solver, grid and other method, with its parameters
        quickstep doctor                              what this machine has and lacks
      """,
    version: "0.1.0",
    subcommands: [
      GenerateCommand.self, TuneCommand.self, RecipeCommand.self, CompareCommand.self, PlanCommand.self, ModelsCommand.self,
      InspectCommand.self, MethodsCommand.self,
      SolversCommand.self, ForwardCommand.self,
      TrainCommand.self, CalibrateCommand.self, EvaluateCommand.self, BenchCommand.self, DoctorCommand.self,
    ])

  static func main() async {
    Machine.keepFreedPages()
    await main(nil)
  }
}
