import ArgumentParser
import Foundation
import QuickstepFormats
import QuickstepPipelines
import QuickstepTensor
import QuickstepTuner

/// Taking what a recipe says about how to sample.
struct RecipeOptions: ParsableArguments {
  @Option(
    help:
      "Sample by this recipe; 'none' takes the model's plain defaults (default: the recipe in the model's folder, where there is one and nothing else about sampling is asked for).",
    completion: .file(extensions: ["json"]))
  var recipe: String?
  @Flag(help: "Take the recipe although it was found for other weights.")
  var recipeAnyway = false

  /// The recipe to take, and what the user should know.
  struct Choice {
    var recipe: Recipe
    var path: String
    var warnings: [String]
    /// For people: which recipe, and what it promises.
    var announcement: String { "recipe \(path): \(recipe.summary)" }
  }

  /// - Parameters:
  ///   - given: an option that says how to sample, where one was given.
  ///   - folder: of the model.
  /// - Throws: `ValidationError` for a recipe beside such an option, or one that does not fit.
  func choice(given: String?, folder: String, options: ModelOptions, guidance: Double?, machine: Recipe.Machine) throws -> Choice? {
    if let recipe, recipe != "none" {
      if let given { throw ValidationError("\(given) and --recipe both say how to sample; leave one of them out.") }
      let found = try Recipe(path: recipe)
      let findings = try findings(found, folder, options, guidance, machine)
      if let refusal = findings.first(where: \.isRefusal), !recipeAnyway {
        throw ValidationError(
          "\(recipe): \(refusal.text). Measure it with 'quickstep recipe check --measure', or take it unmeasured with --recipe-anyway.")
      }
      return Choice(recipe: found, path: recipe, warnings: findings.map { "\(recipe): \($0.text)" })
    }
    if recipeAnyway { throw ValidationError("--recipe-anyway has no effect without --recipe FILE.") }
    guard recipe == nil, given == nil, let standard = try Recipe.standard(of: folder) else { return nil }
    guard guidance ?? standard.guidanceScale == standard.guidanceScale else { return nil }
    let path = folder + "/" + Recipe.standardName
    let findings = try findings(standard, folder, options, guidance, machine)
    // Nobody asked for it, so it is left out where it does not fit.
    guard !findings.contains(where: \.isRefusal) else { return nil }
    return Choice(recipe: standard, path: path, warnings: [])
  }

  private func findings(
    _ recipe: Recipe, _ folder: String, _ options: ModelOptions, _ guidance: Double?, _ machine: Recipe.Machine
  ) throws -> [RecipeFinding] {
    try recipe.findings(model: LoadedModel.outline(folder: folder, options: options), machine: machine, guidanceScale: guidance)
  }
}

extension Recipe.Machine {
  /// This machine with what a command was asked for.
  static func here(device: String, dtype: String, kernels: String) -> Recipe.Machine {
    Recipe.Machine(processor: MachineFacts.read().cpu, threads: Machine.threads, device: device, dtype: dtype, kernels: kernels)
  }
}
