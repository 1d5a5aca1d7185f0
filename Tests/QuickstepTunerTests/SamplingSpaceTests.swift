import QuickstepNN
import QuickstepPipelines
import QuickstepTensor
import QuickstepTuner
import Testing

@Suite struct SamplingSpaceTests {
  private func outline(_ model: LoadedModel, known: [String] = ["steps=5"]) throws -> SpaceOutline {
    var outline = SpaceOutline(model: model, request: TinyModel.request(model))
    outline.known = try known.map { try SamplingSettings(parsing: $0) }
    return outline
  }

  @Test("points of every space can be written, read and, where they are allowed, carried out", arguments: AllSpaces.all.map(\.name))
  func points(_ name: String) throws {
    let model = try TinyModel.load()
    let space = try AllSpaces.named(name).make(outline(model))
    var random = SplitMix64(seed: 1)
    let drawn = (0..<20).map { _ in space.space.canonical(space.space.random(using: &random)) }
    var done = 0
    for candidate in space.space.known.prefix(4) + drawn {
      let settings = space.settings(candidate)
      #expect(try SamplingSettings(parsing: settings.description) == settings)
      let request = settings.applied(to: TinyModel.request(model))
      guard (try? ImagePipeline(model).evaluations(of: request)) != nil else { continue }
      done += 1
      let result = try ImagePipeline(model).generate(request)
      #expect(try result.images[0].pixels.abs().sum().item().isFinite, "\(settings)")
    }
    // What does not go together is rare outside of the joint space.
    #expect(done >= (name == "joint" ? 6 : 20), "\(done)")
  }

  @Test("a plan's candidate is the plan: known ones leave out what they say, the first one nothing")
  func plans() throws {
    let model = try TinyModel.load()
    let space = try PlanSpace(outline(model))
    #expect(space.settings(space.space.known[0]).accelerations.isEmpty)
    let second = try #require(space.settings(space.space.known[1]).accelerations.first)
    #expect(second.name == "plan" && second.parameters["file"]?.contains("CRCRC") == true, "every second evaluation")
    let net = try TinyModel.load("sd")
    #expect(throws: Never.self) { try PlanSpace(outline(net)) }
  }

  @Test("times are a falling set; layers left out are those of the second stage")
  func times() throws {
    let model = try TinyModel.load()
    let space = try TimesSpace(outline(model, known: ["steps=4"]))
    var values = space.space.known[0].values
    let even = space.settings(space.space.known[0])
    #expect(even.steps == 4 && even.grid?.name == "explicit" && even.accelerations.isEmpty)
    // The same times as the run it begins with, so the same pictures.
    let exact = try ImagePipeline(model).generate(SamplingSettings(parsing: "steps=4").applied(to: TinyModel.request(model)))
    let same = try ImagePipeline(model).generate(even.applied(to: TinyModel.request(model)))
    #expect(try (exact.images[0].pixels - same.images[0].pixels).abs().max().item() < 1e-5)
    (values[0], values[1], values[2], values[3]) = (10, 500, 500, 900)
    values[4] = 1
    let changed = space.settings(space.space.canonical(Candidate(values)))
    #expect(changed.grid?.parameters["timesteps"] == "900,500,10" && changed.steps == 3)
    #expect(changed.accelerations.first?.parameters["file"] == "{\"evaluations\":3,\"skip\":[[0],[],[]]}")
    #expect(throws: GenerationError.self) { try TimesSpace(outline(model, known: ["heun + steps=4"])) }
  }

  @Test("decisions hold the known solvers: first order is DDIM's, second order DPM-Solver++'s")
  func decisions() throws {
    let model = try TinyModel.load()
    let space = try DecisionSpace(outline(model, known: ["steps=5"]))
    func pixels(_ settings: SamplingSettings) throws -> Tensor {
      try ImagePipeline(model).generate(settings.applied(to: TinyModel.request(model))).images[0].pixels
    }
    let first = try pixels(space.settings(space.space.known[0]))
    let ddim = try pixels(SamplingSettings(parsing: "ddim + steps=5"))
    #expect(try (first - ddim).abs().max().item() < 1e-4)
    let second = try pixels(space.settings(space.space.known[1]))
    #expect(try (second - ddim).abs().max().item() > 1e-4)
  }

  @Test func unknownSpaces() throws {
    let error = #expect(throws: GenerationError.self) { try AllSpaces.named("everything") }
    #expect(try #require(error).description.contains("joint, plan, times, decisions"))
  }
}
