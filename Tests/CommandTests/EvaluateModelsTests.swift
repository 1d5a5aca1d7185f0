import Foundation
import QuickstepFormats
import Testing

@Suite struct EvaluateModelsTests {
  private static let models = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Models").path
  private static let recipe = models + "/digits/recipe.json"
  // Absolute: commands run in a folder of their own.
  private static let data = (try? DataLocation.find("mnist")).map { URL(fileURLWithPath: $0).deletingLastPathComponent().path }
  private static let hasPerception = data.map { FileManager.default.fileExists(atPath: $0 + "/weights/squeezenet") } ?? false

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

  @Test("the protocol says what was used", .enabled(if: data != nil, "needs QUICKSTEP_DATA"))
  func procedure() throws {
    let result = try run("digits", "--count", "20", "--solver", "ddim:eta=0.5", "--grid", "karras:rho=5", "--steps", "3", "--json")
    #expect(result.status == 0, "\(result.errors)")
    let procedure = try #require(try result.json()["protocol"]?.string)
    for part in ["digits, ddim:eta=0.5, grid karras:", "rho=5", ", 3 steps, guidance "] {
      #expect(procedure.contains(part), "\(procedure)")
    }
    #expect(!procedure.contains("start"))
  }

  /// How many evaluations adaptive steps take is known in the end only.
  @Test("evaluations are those that were made", .enabled(if: hasPerception, "needs QUICKSTEP_DATA with weights/squeezenet"))
  func countsWhatWasMade() throws {
    let result = try run(
      "solvers", "--model", "digits", "--contender", "ddim", "--contender", "dpm-adaptive:rtol=0.5,atol=0.5 + karras:sigma-max=15",
      "--evaluations", "6", "--count", "3", "--batch", "2", "--reference-steps", "12", "--json")
    #expect(result.status == 0, "\(result.errors)")
    let made = try #require(try result.json()["rows"]?.array).map { $0["made"]?.integer }
    #expect(made.count == 2 && made[0] == 6)
    // Two steps at least, since the first one is short, of three evaluations each, and one to clean data.
    #expect(try #require(made[1]) >= 7, "\(result.output)")
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
    #expect(try errors("solvers", "--contender", "ddim", "--recipe", Self.recipe).contains("--recipe have no effect here"))
    #expect(try errors("solvers", "--contender", "euler", "--contender", "ddim + steps=25").contains("'ddim + steps=25' names its steps"))
    #expect(try errors("solvers", "--contender", "ddim", "--markdown", Self.recipe + "/a.md").contains("is a file and no folder"))
  }
}
