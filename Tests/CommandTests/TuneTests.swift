import Foundation
import QuickstepFormats
import QuickstepTesting
import Testing

/// `tune`, `recipe`, and what `generate` and `compare` do with recipes.
@Suite(.serialized) struct TuneTests {
  private static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("QuickstepPipelinesTests/Fixtures")

  /// A place with a small class model of its own.
  private func place() throws -> Workplace {
    let place = try Workplace()
    try FileManager.default.copyItem(at: Self.fixtures.appendingPathComponent("dit"), to: URL(fileURLWithPath: place.path + "/tiny"))
    return place
  }

  private static let tuning = [
    "tune", "--model", "tiny", "--steps", "8", "--budget", "30m", "--trials", "14", "--search-count", "2", "--check-count", "2",
    "--target-quality=-1", "--output", "r.json",
  ]

  @Test("tune writes recipe, page, picture and archive; the recipe is shown, checked, compared and used")
  func whole() throws {
    let place = try place()
    let tuned = try place.run(Self.tuning + ["--json"])
    #expect(tuned.status == 0, "\(tuned.errors)")
    let report = try tuned.json()
    #expect(report["trials"]?.integer == 14 && report["chosen"]?.integer != nil)
    for name in ["r.json", "r.html", "r.png", "r.trials.sqlite"] {
      #expect(FileManager.default.fileExists(atPath: "\(place.path)/\(name)"), "\(name)")
    }
    let again = try place.run(Self.tuning + ["--json"])
    #expect(try again.json()["resumed"]?.integer == 14, "\(again.errors)")

    let shown = try place.run("recipe", "show", "r.json")
    #expect(shown.status == 0 && shown.output.contains("ddim + steps=8") && shown.output.contains("speed-up"))
    #expect(try place.run("recipe", "check", "r.json", "--model", "tiny").status == 0)
    #expect(try place.run("recipe", "diff", "r.json", "r.json").output == "no difference\n")

    let recipe = try JSONValue(path: place.path + "/r.json")
    let made = try place.run("generate", "3", "--model", "tiny", "--recipe", "r.json", "--seed", "1", "--json", "-o", "a.png")
    #expect(made.status == 0, "\(made.errors)")
    let settings = try JSONValue(parsing: made.output)
    #expect(settings["recipe"]?.string == "r.json" && settings["steps"]?.integer == recipe["sampling"]?["steps"]?.integer)
    // The picture holds all it needs, the recipe is not needed to repeat it.
    #expect(try place.run("generate", "--from-image", "a.png", "--model", "tiny", "-o", "b.png").status == 0)
    let (first, second) = (try PNG.read(place.path + "/a.png"), try PNG.read(place.path + "/b.png"))
    #expect(first.image == second.image)

    let compared = try place.run("compare", "3", "--model", "tiny", "--steps", "8", "--recipe", "r.json", "--json", "--no-rivals")
    #expect(compared.status == 0, "\(compared.errors)")
    #expect(try compared.json()["contenders"]?.array?.count == 1)
  }

  @Test("ways to begin with that are none of those searched are told")
  func beginnings() throws {
    let place = try place()
    let arguments = Self.tuning.map { $0 == "14" ? "6" : $0 }
    let tuned = try place.run(arguments + ["--begin", "dpm++-2m + steps=5", "--begin", "dpm-adaptive + steps=5"])
    #expect(tuned.status == 0, "\(tuned.errors)")
    #expect(tuned.errors.contains("'dpm-adaptive + steps=5' is not begun with") && !tuned.errors.contains("'dpm++-2m + steps=5' is not"))
  }

  @Test("a recipe in the model's folder is used and announced where nothing else is asked for")
  func standard() throws {
    let place = try place()
    #expect(try place.run(Self.tuning).status == 0)
    try FileManager.default.moveItem(atPath: place.path + "/r.json", toPath: place.path + "/tiny/recipe.json")
    func steps(_ more: String...) throws -> (Int?, CommandResult) {
      let result = try place.run(["generate", "3", "--model", "tiny", "--seed", "1", "--json", "-o", "out.png"] + more)
      #expect(result.status == 0, "\(result.errors)")
      return (try JSONValue(parsing: result.output)["steps"]?.integer, result)
    }
    let wanted = try JSONValue(path: place.path + "/tiny/recipe.json")["sampling"]?["steps"]?.integer
    let (own, announced) = try steps()
    #expect(own == wanted && announced.errors.contains("recipe tiny/recipe.json"))
    let plain = try steps("--recipe", "none").0
    #expect(try steps("--solver", "ddim").0 == plain, "whoever chooses is not overruled")
    #expect(try steps("--steps", "3").0 == 3)
    // Another guidance scale is not what was measured.
    #expect(try steps("--guidance", "7").0 == plain)
  }

  @Test("recipes for other weights are refused, unless the user insists")
  func otherModels() throws {
    let place = try place()
    #expect(try place.run(Self.tuning).status == 0)
    let text = try String(contentsOfFile: place.path + "/r.json", encoding: .utf8)
    let own = try #require(try JSONValue(path: place.path + "/r.json")["model"]?["fingerprint"]?.string)
    try place.write(text.replacing(own, with: "0123456789"), "other.json")
    let refused = try place.run("generate", "3", "--model", "tiny", "--recipe", "other.json", "-o", "x.png")
    #expect(refused.status != 0 && refused.errors.contains("0123456789") && refused.errors.contains("--recipe-anyway"))
    #expect(!FileManager.default.fileExists(atPath: place.path + "/x.png"))
    #expect(try place.run("recipe", "check", "other.json", "--model", "tiny").status == 1)
    let insisted = try place.run("generate", "3", "--model", "tiny", "--recipe", "other.json", "--recipe-anyway", "-o", "x.png")
    #expect(insisted.status == 0 && insisted.errors.contains("0123456789"), "\(insisted.errors)")
    let measured = try place.run("recipe", "check", "other.json", "--model", "tiny", "--measure", "--count", "2", "-o", "mine.json")
    #expect(measured.status == 0, "\(measured.errors)")
    #expect(try place.run("generate", "3", "--model", "tiny", "--recipe", "mine.json", "-o", "y.png").status == 0)
  }

  @Test(
    "what cannot be is said before anything is done",
    arguments: [
      (["tune", "--output", "r.json", "--budget", "soon"], "soon"), (["tune", "--output", "r.txt"], "r.txt"),
      (["tune", "--output", "r.json", "--target-speed", "3", "--target-quality", "0.9"], "not both"),
      (["tune", "--output", "r.json", "--metric", "beauty", "--model", "tiny"], "beauty"),
      (["tune", "--output", "r.json", "--space", "outer", "--model", "tiny"], "outer"),
      (["tune", "--output", "r.json", "--budget", "0.01s", "--model", "tiny", "--steps", "8"], "does not suffice"),
      (
        [
          "tune", "--output", "r.json", "--searcher", "luck", "--model", "tiny", "--steps", "8", "--search-count", "1", "--check-count",
          "2",
        ], "luck"
      ),
      (["recipe", "show", "nowhere.json"], "nowhere.json"), (["recipe", "show", "tiny/model_index.json"], "is no recipe"),
      (["generate", "3", "--model", "tiny", "--recipe-anyway"], "no effect"),
      (["generate", "3", "--model", "tiny", "--recipe", "r.json", "--solver", "ddim"], "both say how to sample"),
      (["recipe", "check", "r.json", "--output", "s.json"], "no effect without --measure"),
    ])
  func badInput(_ arguments: [String], _ part: String) throws {
    let place = try place()
    let result = try place.run(arguments)
    #expect(result.status != 0 && result.errors.contains(part), "\(result.errors)")
    #expect(!FileManager.default.fileExists(atPath: place.path + "/r.json"))
  }

  @Test("a foreign or damaged archive is named and left as it is")
  func archives() throws {
    let place = try place()
    try place.write("not a database, but somebody's notes, which nobody may lose", "r.trials.sqlite")
    let result = try place.run(Self.tuning)
    #expect(result.status != 0 && result.errors.contains("r.trials.sqlite"), "\(result.errors)")
    #expect(try String(contentsOfFile: place.path + "/r.trials.sqlite", encoding: .utf8).hasPrefix("not a database"))
  }
}
