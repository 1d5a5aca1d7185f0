import ArgumentParser
import QuickstepFormats
import QuickstepPipelines

struct ModelsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "models",
    abstract: "Which models there are on this machine.",
    discussion: """
      Lists the built-in models, those in the folders that QUICKSTEP_MODELS names (separated by colons), in ./Models, and what a hub \
      client has downloaded (HF_HUB_CACHE, HF_HOME). Nothing is ever fetched. An id from this list, or the path of a folder with a \
      model_index.json, is what --model takes everywhere.

      Examples:
        quickstep models
        quickstep models --json
        QUICKSTEP_MODELS=~/models quickstep models
        quickstep generate "red apple" --model emoji
      """)

  @Flag(help: "Print one JSON object.")
  var json = false

  func run() throws {
    let found = ModelLibrary.all()
    // What can generate comes first.
    let models = found.filter { $0.pipeline != nil } + found.filter { $0.pipeline == nil }
    if json {
      printJSON(.object(["models": .array(models.map(\.json)), "folders": .strings(ModelLibrary.folders())]))
    } else if models.isEmpty {
      print("No models were found.")
      print(Screen.faint("Looked in: " + ModelLibrary.candidates().joined(separator: ", ")))
      print("Set \(ModelLibrary.variable) to the folder that holds them, or run quickstep in a folder with Models/.")
    } else {
      print(models.map { $0.lines.joined(separator: "\n") }.joined(separator: "\n\n"))
    }
  }
}
