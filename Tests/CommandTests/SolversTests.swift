import Foundation
import QuickstepFormats
import Testing

@Suite struct SolversTests {
  /// The documented table is what the declarations say.
  @Test func namesAreDocumented() throws {
    let result = try Workplace().run("solvers", "--names")
    #expect(result.status == 0)
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    let documented = try String(contentsOf: root.appending(path: "Docs/Solvers.md"), encoding: .utf8)
    #expect(result.output == documented, "Docs/Solvers.md is not current: quickstep solvers --names > Docs/Solvers.md")
  }

  @Test func listHasEverySolver() throws {
    let place = try Workplace()
    let solvers = try #require(try place.run("solvers", "--json").json()["solvers"]?.array)
    let methods = try #require(try place.run("methods", "--family", "solver", "--json").json()["methods"]?.array)
    #expect(solvers.compactMap { $0["name"]?.string } == methods.compactMap { $0["name"]?.string })
    let list = try place.run("solvers")
    #expect(list.status == 0 && list.output.contains("pndm"))
    #expect(list.output.split(separator: "\n").allSatisfy { $0.last != " " })
  }

  @Test func tablesArePrinted() throws {
    let place = try Workplace()
    let plms = try place.run("solvers", "--print", "PLMS", "--steps", "5")
    #expect(plms.status == 0 && plms.output.contains("pndm: 5 steps, 6 evaluations, 0 noises"))
    let karras = try place.run("solvers", "--print", "DPM2 a Karras", "--steps", "3")
    #expect(karras.output.contains("grid karras") && karras.output.contains("2 noises"))
    let explicit = try place.run("solvers", "--print", "ddim", "--grid", "explicit:timesteps=999,500,20,final=smallest")
    #expect(explicit.status == 0 && explicit.output.contains("3 steps, 3 evaluations"))
    let short = try place.run("solvers", "--print", "lms:order=3", "--steps", "2", "--schedule", "flow")
    #expect(short.status == 0 && short.errors.contains("reaches order 2 in 2 steps") && !short.output.contains("nan"))
    let json = try place.run("solvers", "--print", "ddim", "--steps", "2", "--json")
    #expect(try JSONValue(parsing: json.output, name: "tableau")["rows"]?.array?.count == 2)
  }

  /// Where a schedule depends on the size of pictures, a model's table is that of its own size, as it is run.
  @Test func shiftsAreThoseOfTheModelsSize() throws {
    let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "QuickstepPipelinesTests/Fixtures").path
    let place = try Workplace()
    // 4096 tokens, which have the greatest shift of the file, e^1.15.
    let dynamic = try place.run("solvers", "--print", "euler", "--steps", "2", "--model", fixtures + "/flux-dev")
    #expect(dynamic.status == 0 && dynamic.output.contains("on flow schedule (shift 3.158192"), "\(dynamic.output) \(dynamic.errors)")
    #expect(dynamic.output.contains(" for 256x256, grid "), "\(dynamic.output)")
    let fixed = try place.run("solvers", "--print", "euler", "--steps", "2", "--model", fixtures + "/sd3")
    #expect(fixed.status == 0 && fixed.output.contains("on flow schedule (shift 3.0), grid "), "\(fixed.output) \(fixed.errors)")
  }

  /// The figure of what errors do takes memory with the square of the steps; without it a long table is printed all the same.
  @Test func longTablesArePrinted() throws {
    let place = try Workplace()
    let figure = "an error of a prediction"
    let (short, long) = (
      try place.run("solvers", "--print", "ddim", "--steps", "20", "--schedule", "continuous"),
      try place.run("solvers", "--print", "ddim", "--steps", "4000", "--schedule", "continuous")
    )
    #expect(short.status == 0 && short.output.contains(figure))
    #expect(long.status == 0 && long.output.contains("4000 steps, 4000 evaluations") && !long.output.contains(figure), "\(long.errors)")
    let mistyped = try place.run("solvers", "--print", "DPM fast", "--steps", "4000000000", "--schedule", "continuous")
    #expect(mistyped.status == 1 && mistyped.errors.contains("at most 100000"), "\(mistyped.errors)")
  }

  @Test(arguments: [
    (["--steps", "0"], 64, "at least 1"), (["--steps", "1001"], 1, "allowed: 1…1000"), (["--grid", "karras:rho=nan"], 1, "rho"),
    (["--grid", "explicit:timesteps=5,5"], 1, "repeats"), (["--grid", "explicit:timesteps=5,7"], 1, "is above"),
    (["--grid", "explicit:timesteps=5,3", "--steps", "4"], 1, "leave the number of steps out"), (["--schedule", "sid"], 1, "schedule"),
    (["--grid", "ays", "--schedule", "flow"], 1, "no table"), (["--prompt", "x"], 64, "no effect"),
  ])
  func badInputIsExplained(_ arguments: [String], _ status: Int32, _ reason: String) throws {
    let result = try Workplace().run(["solvers", "--print", "ddim"] + arguments)
    #expect(result.status == status && result.output.isEmpty && result.errors.contains(reason), "\(result.errors)")
  }

  /// A plan of `olss` for two steps of flow models.
  private static let plan = #"""
    {"version": 1, "initial": [0.5, 0.1], "noises": [[0.5], [-0.2, 0.1]], "errors": [0, 0],
     "levels": [{"timestep": 900, "alpha": 0.1, "sigma": 0.9}, {"timestep": 500, "alpha": 0.5, "sigma": 0.5},
                {"timestep": 0, "alpha": 1, "sigma": 0}]}
    """#

  /// Levels that are none of any spacing's: those a solver brings.
  @Test func ownLevelsAreUsed() throws {
    let place = try Workplace()
    try place.write(Self.plan, "plan.json")
    try place.write(#"{"sigmas": [10, 2, 0.5, 0], "steps": [{}, {"order": 2}, {}]}"#, "decisions.json")
    let fitted = try place.run("solvers", "--print", "olss:plan=plan.json", "--schedule", "flow")
    #expect(fitted.status == 0 && fitted.output.contains("grid fitted"), "\(fitted.errors)")
    #expect(fitted.output.contains("olss: 2 steps, 2 evaluations"))
    let same = try place.run("solvers", "--print", "olss:plan=plan.json", "--schedule", "flow", "--steps", "2")
    #expect(same.output == fitted.output)
    let decided = try place.run("solvers", "--print", "usf:decisions=decisions.json")
    #expect(decided.status == 0 && decided.output.contains("usf: 3 steps, 3 evaluations"), "\(decided.errors)")
    let drawn = try place.run(
      "solvers", "--plot", "c.png", "--solver", "olss:plan=plan.json", "--solver", "ddim", "--schedule", "flow", "--json")
    #expect(drawn.status == 0, "\(drawn.errors)")
    let curves = try #require(try drawn.json()["curves"]?.array)
    #expect(curves.map { $0["points"]?.array?.count } == [1, 15])
    #expect(curves[0]["points"]?.array?[0]["work"]?.double == 2)
  }

  @Test(arguments: [
    (["--print", "olss:plan=plan.json", "--steps", "3"], "brings its own levels, of 2 steps"),
    (["--print", "olss:plan=plan.json", "--grid", "karras"], "--grid karras has no effect on 'olss'"),
    (["--plot", "c.png", "--solver", "olss:plan=plan.json", "--grid", "linspace"], "--grid linspace has no effect on 'olss'"),
  ])
  func otherLevelsAreRefused(_ arguments: [String], _ reason: String) throws {
    let place = try Workplace()
    try place.write(Self.plan, "plan.json")
    let result = try place.run(["solvers", "--schedule", "flow"] + arguments)
    #expect(result.status == 64 && result.output.isEmpty && result.errors.contains(reason), "\(result.errors)")
  }

  @Test func convergenceIsDrawn() throws {
    let place = try Workplace()
    let result = try place.run("solvers", "--plot", "c.png", "--solver", "ddim", "--solver", "heun", "--solver", "ddpm", "--json")
    #expect(result.status == 0)
    let curves = try #require(try result.json()["curves"]?.array)
    #expect(curves.compactMap { $0["name"]?.string } == ["ddim", "heun", "ddpm"])
    for curve in curves {
      let errors = try #require(curve["points"]?.array).compactMap { $0["error"]?.double }
      #expect(errors.count > 10 && errors[errors.count - 1] < errors[0] / 20)
    }
    let picture = try PNG.read(place.path + "/c.png").image
    #expect(picture.width > 600 && Set(picture.pixels).count > 20)
    #expect(try place.run("solvers", "--plot", "c.png", "--solver", "eular").errors.contains("did you mean 'euler'"))
  }
}
