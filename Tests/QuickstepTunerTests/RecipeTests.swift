import Foundation
import QuickstepFormats
import QuickstepPipelines
import QuickstepTesting
import QuickstepTuner
import Testing

@Suite struct RecipeTests {
  private func recipe(_ model: LoadedModel? = nil) throws -> Recipe {
    let model = try model ?? TinyModel.load()
    let spread = Spread([1, 2, 3, 4])
    return Recipe(
      model: .init(name: model.name, fingerprint: model.fingerprint),
      sampling: try SamplingSettings(parsing: "unipc + steps=6 + taylorseer:interval=3 + guidance=0.1-0.8"),
      exact: try SamplingSettings(parsing: "ddim + steps=12"), guidanceScale: 2, machine: TinyModel.machine,
      measured: .init(
        pictures: 4, seconds: Spread([0.5]), exactSeconds: spread, speedUp: spread, evaluations: 6, exactEvaluations: 12,
        quality: [.init(metric: "ssim", value: 0.97, lower: 0.96, upper: 0.98, rival: 0.95)], rivalSteps: 5, rivalSeconds: Spread([0.6])),
      origin: .init(program: "0.1.0", searcher: "nsga-2", trials: 50, seed: 1))
  }

  @Test("what a recipe leaves open is the exact run's, as it was measured, and not the model's own or the request's")
  func whole() throws {
    let model = try TinyModel.load()
    var recipe = try recipe(model)
    recipe.sampling = try SamplingSettings(parsing: "steps=6 + fora:interval=2")
    recipe.exact = try SamplingSettings(parsing: "unipc + karras + steps=12 + guidance=0.1-0.8")
    #expect(recipe.whole.description == "unipc + karras + steps=6 + fora:interval=2 + guidance=0.1-0.8")
    var asked = TinyModel.request(model)
    (asked.solver, asked.solverParameters, asked.spacing) = ("heun", ["frame": "flow"], "trailing")
    let own = recipe.applied(to: asked)
    #expect(own.solver == "unipc" && own.solverParameters == [:] && own.spacing == "karras" && own.steps == 6)
    // The same pictures as those that were measured.
    let measured = recipe.sampling.applied(to: recipe.exact.applied(to: TinyModel.request(model)))
    let (made, expected) = (try ImagePipeline(model).generate(own), try ImagePipeline(model).generate(measured))
    for (one, other) in zip(made.images, expected.images) { #expect(try one.pixels.hasBits(of: other.pixels)) }
    recipe.exact.solver = nil
    #expect(recipe.applied(to: asked).solver == nil)
  }

  @Test func writtenAndReadAgain() throws {
    let folder = try TemporaryFolder()
    let recipe = try recipe()
    let path = folder.path + "/r.json"
    try recipe.write(to: path)
    #expect(try Recipe(path: path) == recipe)
    #expect(
      recipe.summary == "unipc + steps=6 + taylorseer:interval=3 + guidance=0.1-0.8: 2.5 times as fast as ddim + steps=12, ssim 0.97 to it")
  }

  @Test(
    "files of others, of later versions and with wrong values are refused by name",
    arguments: [
      ("{}", "is no recipe"), ("[1]", "is no recipe"),
      ("{\"format\": \"quickstep-recipe\"}", "'version'"),
      ("{\"format\": \"quickstep-recipe\", \"version\": 2}", "version 2"),
      ("{\"format\": \"quickstep-recipe\", \"version\": 1, \"colour\": 1}", "'colour'"),
      ("{\"format\": \"quickstep-recipe\", \"version\": 1}", "'guidance_scale'"),
    ])
  func wrongFiles(_ text: String, _ part: String) throws {
    let error = #expect(throws: FormatError.self) { try Recipe(json: JSONValue(parsing: text), place: "there/r.json") }
    let text = "\(try #require(error))"
    #expect(text.contains("there/r.json") && text.contains(part), "\(text)")
  }

  @Test(
    "each part is checked",
    arguments: [
      ("sampling", "{\"steps\": 0}", "'steps'"), ("sampling", "{\"step\": 3}", "'step'"),
      ("sampling", "{\"guidance_interval\": [0.5]}", "guidance_interval"),
      ("sampling", "{\"accelerations\": [3]}", "accelerations"), ("model", "{\"name\": \"a\"}", "fingerprint"), ("machine", "3", "machine"),
      ("measured", "{\"pictures\": 1}", "measured"),
    ])
  func wrongParts(_ key: String, _ value: String, _ part: String) throws {
    var members = try #require(try recipe().json.object)
    members[key] = try JSONValue(parsing: value)
    let error = #expect(throws: FormatError.self) { try Recipe(json: .object(members), place: "r.json") }
    let text = "\(try #require(error))"
    #expect(text.contains(part), "\(text)")
  }

  @Test func spreadsThatAreNoneAreRefused() throws {
    var recipe = try recipe()
    recipe.measured?.speedUp.median = 99
    let json = try recipe.json
    #expect(throws: FormatError.self) { try Recipe(json: json, place: "r.json") }
  }

  @Test("another model is refused, another machine told")
  func findings() throws {
    let model = try TinyModel.load()
    var recipe = try recipe(model)
    #expect(recipe.findings(model: model, machine: TinyModel.machine).isEmpty)
    var elsewhere = TinyModel.machine
    elsewhere.threads = 64
    let told = recipe.findings(model: model, machine: elsewhere)
    #expect(told.count == 1 && !told[0].isRefusal && told[0].text.contains("threads 2 there, 64 here"))
    #expect(recipe.findings(model: model, machine: TinyModel.machine, guidanceScale: 7).map(\.isRefusal) == [false])
    recipe.model.fingerprint = "0123456789"
    #expect(recipe.findings(model: model, machine: TinyModel.machine).map(\.isRefusal) == [true])
    recipe.model.fingerprint = model.fingerprint
    recipe.companions = [.init(name: "nowhere", fingerprint: "1")]
    #expect(recipe.findings(model: model, machine: TinyModel.machine).contains { $0.isRefusal && $0.text.contains("nowhere") })
    recipe.companions = []
    recipe.sampling = try SamplingSettings(parsing: "deepcache")
    #expect(recipe.findings(model: model, machine: TinyModel.machine).contains { $0.isRefusal && $0.text.contains("deepcache") })
  }

  @Test func differences() throws {
    let recipe = try recipe()
    #expect(recipe.differences(to: recipe).isEmpty)
    var other = recipe
    other.sampling.steps = 7
    other.sampling.accelerations = []
    #expect(recipe.differences(to: other) == ["steps: 6 → 7", "accelerations: taylorseer:interval=3 → none"])
    // What is left open is the exact run's.
    var (open, elsewhere) = (recipe, recipe)
    open.sampling = try SamplingSettings(parsing: "steps=6")
    elsewhere.sampling = open.sampling
    elsewhere.exact = try SamplingSettings(parsing: "euler + karras + steps=12")
    #expect(
      open.differences(to: elsewhere) == [
        "solver: ddim → euler", "grid: the model's → karras", "exact run: ddim + steps=12 → euler + karras + steps=12",
      ])
  }

  @Test("measured anew, on another model too")
  func measuring() throws {
    let model = try TinyModel.load()
    let anew = try recipe(model).measured(
      on: model, prompts: ["1", "2"], firstSeed: 5, machine: TinyModel.machine, measures: [TinyModel.difference])
    let measured = try #require(anew.measured)
    #expect(measured.pictures == 2 && measured.evaluations == 6 && measured.exactEvaluations == 12)
    #expect(measured.quality.map(\.metric) == ["mse"] && measured.quality[0].value > 0)
    let folder = try TemporaryFolder()
    try anew.write(to: folder.path + "/r.json")
    #expect(try Recipe(path: folder.path + "/r.json") == anew)
    #expect(throws: GenerationError.self) {
      var wrong = try recipe(model)
      wrong.sampling = try SamplingSettings(parsing: "deepcache")
      _ = try wrong.measured(on: model, prompts: ["1"], firstSeed: 5, machine: TinyModel.machine, measures: [TinyModel.difference])
    }
  }
}
