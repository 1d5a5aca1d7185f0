import Foundation
import QuickstepFormats
import Testing

@Suite struct EvaluateModelsTests {
  private static let models = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Models").path
  private static let recipe = models + "/digits/recipe.json"
  // Absolute: commands run in a folder of their own.
  private static let data = (try? DataLocation.find("mnist")).map { URL(fileURLWithPath: $0).deletingLastPathComponent().path }

  private func run(_ arguments: String...) throws -> CommandResult {
    try Workplace().run(
      ["evaluate"] + arguments, environment: ["QUICKSTEP_MODELS": Self.models, "QUICKSTEP_DATA": Self.data ?? ""])
  }

  @Test("a recipe stands for everything about sampling", .enabled(if: data != nil, "needs QUICKSTEP_DATA"))
  func recipe() throws {
    let result = try run("digits", "--count", "20", "--recipe", Self.recipe, "--json")
    #expect(result.status == 0, "\(result.errors)")
    let text = try String(contentsOfFile: Self.recipe, encoding: .utf8)
    let steps = try #require(try JSONValue(parsing: text, name: Self.recipe)["sampling"]?["steps"]?.integer)
    let procedure = try #require(try result.json()["protocol"]?.string)
    #expect(procedure.contains("digits, olss") && procedure.contains(", \(steps) steps"), "\(procedure)")
  }

  @Test func contradictionsAreRefused() throws {
    func errors(_ arguments: String...) throws -> String {
      let result = try Workplace().run(["evaluate"] + arguments, environment: ["QUICKSTEP_MODELS": Self.models])
      #expect(result.status != 0)
      return result.errors
    }
    #expect(try errors("digits", "--recipe", Self.recipe, "--steps", "3").contains("--steps and --recipe both say how to sample"))
    #expect(try errors("retrieval", "--recipe", Self.recipe, "--solver", "ddim").contains("--solver and --recipe"))
    #expect(try errors("retrieval", "--beside", "nothing + steps=3").contains("'nothing'"))
  }
}
