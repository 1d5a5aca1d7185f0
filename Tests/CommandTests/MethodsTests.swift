import QuickstepFormats
import Testing

@Suite struct MethodsTests {
  @Test func everyMethodTellsEverything() throws {
    let result = try Workplace().run("methods", "--json")
    #expect(result.status == 0)
    let methods = try #require(try result.json()["methods"]?.array)
    let families = Set(methods.compactMap { $0["family"]?.string })
    #expect(families.isSuperset(of: ["solver", "grid", "correction", "objective"]))
    var seen: Set<[String]> = []
    for method in methods {
      let name = try #require(method["name"]?.string)
      #expect(seen.insert([try #require(method["family"]?.string), name]).inserted, "\(name) twice")
      for key in ["summary", "exactness", "reference", "state"] { #expect(method[key]?.string?.isEmpty == false, "\(name) has no \(key)") }
      // Searchers act on no run: they choose which runs are made.
      let actsOnRuns = method["family"]?.string != "searcher"
      #expect(method["points"]?.array?.isEmpty == !actsOnRuns, "\(name) has no points")
      for parameter in try #require(method["parameters"]?.array) {
        #expect(parameter["domain"]?["kind"]?.string != nil && parameter["default"] != nil && parameter["neutral"] != nil, "\(name)")
      }
    }
  }

  @Test func overviewHasEveryNameAndNoColourOffATerminal() throws {
    let place = try Workplace()
    let methods = try #require(try place.run("methods", "--json").json()["methods"]?.array)
    let table = try place.run("methods")
    #expect(table.status == 0 && table.errors.isEmpty)
    for name in methods.compactMap({ $0["name"]?.string }) { #expect(table.output.contains("  \(name) "), "\(name)") }
    #expect(!table.output.contains("\u{1B}"))
    #expect(table.output.split(separator: "\n").allSatisfy { $0.count <= 100 && $0.last != " " })
  }

  @Test func foreignNamesFindTheMethod() throws {
    let result = try Workplace().run("methods", "DPM++ 2M Karras")
    #expect(result.status == 0)
    #expect(result.output.contains("its name in A1111") && result.output.contains("karras"))
  }

  @Test func familyNarrows() throws {
    let result = try Workplace().run("methods", "--family", "grids", "--json")
    let families = try #require(try result.json()["methods"]?.array).compactMap { $0["family"]?.string }
    #expect(Set(families) == ["grid"])
  }

  @Test(arguments: [["methods", "ddmi"], ["methods", "--family", "solvr"], ["methods", "ddmi", "--json"]])
  func unknownNamesAreCorrected(_ arguments: [String]) throws {
    let place = try Workplace()
    let result = try arguments.count == 3 ? place.run(arguments[0], arguments[1], arguments[2]) : place.run(arguments[0], arguments[1])
    #expect(result.status == 1)
    #expect(result.output.isEmpty)
    #expect(result.errors.contains("did you mean '\(arguments[1] == "ddmi" ? "ddim" : "solver")'?"))
  }

  @Test func wrongUsageIsCode64() throws {
    let place = try Workplace()
    #expect(try place.run("methods", "--no-such-option").status == 64)
    #expect(try place.run("no-such-command").status == 64)
    let help = try place.run("--help")
    #expect(help.status == 0)
    for name in ["generate", "models", "inspect", "methods", "forward", "train", "doctor"] { #expect(help.output.contains("  \(name) ")) }
  }
}
