import QuickstepAcceleration
import QuickstepDiffusion
import QuickstepNN
import QuickstepPipelines
import QuickstepTensor
import QuickstepTuner
import Testing

@Suite struct JointSpaceTests {
  @Test("ranges that are searched lie within what is allowed, for every method")
  func searchedRanges() throws {
    let all = AllAccelerators.all.map { $0.declaration } + AllSolvers.all.map { $0.declaration } + AllGrids.all.map { $0.declaration }
    var count = 0
    for declaration in all {
      for parameter in declaration.parameters {
        guard let searched = parameter.searched else { continue }
        count += 1
        let ends: [String]
        switch searched {
        case .number(let range), .list(let range): ends = ["\(range.lowerBound)", "\(range.upperBound)"]
        case .integer(let range): ends = ["\(range.lowerBound)", "\(range.upperBound)"]
        case .flag: ends = ["true", "false"]
        case .choice(let words): ends = words
        case .text: ends = ["anything"]
        }
        for end in ends { #expect(throws: Never.self, "\(declaration.name):\(parameter.name)=\(end)") { try parameter.parse(end) } }
      }
    }
    #expect(count > 20)
  }

  @Test("a grid that shares its name with a solver stays a grid")
  func sharedNames() throws {
    var settings = SamplingSettings()
    settings.grid = "lcm"
    #expect(settings.description == "grid=lcm")
    #expect(try SamplingSettings(parsing: settings.description) == settings)
    settings.solver = "lcm"
    #expect(settings.description == "lcm + lcm")
    #expect(try SamplingSettings(parsing: settings.description) == settings)
    #expect(throws: (any Error).self) { try SamplingSettings(parsing: "grid=nothing") }
  }

  @Test("a candidate's settings lead back to it, and can be read and carried out", arguments: ["dit", "sd"])
  func roundTrip(_ name: String) throws {
    let model = try TinyModel.load(name)
    let joint = try JointSpace(model: model, request: TinyModel.request(model))
    var random = SplitMix64(seed: 3)
    var methods: Set<String> = []
    for _ in 0..<300 {
      let candidate = joint.space.canonical(joint.space.random(using: &random))
      let settings = joint.settings(candidate)
      #expect(try SamplingSettings(parsing: settings.description) == settings)
      #expect(try SamplingSettings(json: settings.json, place: "test") == settings)
      let again = try #require(joint.candidate(settings), "\(settings)")
      // Numbers are rounded to four digits once; after that nothing changes.
      #expect(joint.settings(again) == settings)
      methods.formUnion(settings.accelerations.map(\.name))
    }
    #expect(methods.contains(name == "dit" ? "taylorseer" : "deepcache"))
    #expect(methods.contains(name == "dit" ? "deepcache" : "taylorseer") == false, "a method that does not fit")
    #expect(methods.contains("guidance-cache"))
    #expect(!methods.contains("stitch"), "there is no companion")
  }

  @Test("what is worth trying first begins with fewer steps and each method alone")
  func known() throws {
    let model = try TinyModel.load()
    let own = try SamplingSettings(parsing: "unipc + steps=6 + taylorseer:interval=3")
    let joint = try JointSpace(model: model, request: TinyModel.request(model), known: [own])
    let first = joint.space.known.map { joint.settings($0) }
    #expect(first[0].solver?.name == "unipc" && first[0].steps == 6 && first[0].accelerations.first?.parameters["interval"] == "3")
    #expect(first[1].steps == 12 && first[1].accelerations.isEmpty && first[1].solver == nil)
    let alone = Set(first.dropFirst().flatMap { $0.accelerations.map(\.name) })
    #expect(alone.isSuperset(of: ["fora", "taylorseer", "first-block-cache", "guidance-cache"]))
    #expect(first.dropFirst().allSatisfy { $0.accelerations.count <= 1 })
    #expect(joint.candidate(try SamplingSettings(parsing: "steps=40")) == nil, "more steps than the exact run")
    #expect(joint.candidate(try SamplingSettings(parsing: "fora + taylorseer")) == nil, "two at the blocks")
  }

  @Test func solversThatDrawNoiseOrNeedFilesAreLeftOut() throws {
    let model = try TinyModel.load()
    let joint = try JointSpace(model: model, request: TinyModel.request(model))
    func holds(_ text: String) throws -> Bool { joint.candidate(try SamplingSettings(parsing: text)) != nil }
    #expect(try holds("unipc") && holds("dpm++-2m") && holds("ddim"))
    for text in ["euler-ancestral", "ddpm", "olss", "dpm-adaptive"] { #expect(try !holds(text), "\(text)") }
  }

  @Test func impossibleRequestsAreRefused() throws {
    let model = try TinyModel.load()
    #expect(throws: GenerationError.self) { try JointSpace(model: model, request: TinyModel.request(model, steps: 4)) }
    #expect(throws: (any Error).self) { try JointSpace(model: model, request: TinyModel.request(model, steps: 2000)) }
  }

  @Test("a fitted solver brings levels and steps of its own, and nears the exact run more than that with as many steps")
  func fitted() throws {
    let model = try TinyModel.load()
    let request = TinyModel.request(model, steps: 12, count: 3)
    let fitted = try #require(try FittedSolvers(model, request: request, leastSteps: 4))
    #expect(fitted.plans.keys.sorted() == [4, 5, 6, 7, 8, 9, 10])
    let joint = try JointSpace(model: model, request: TinyModel.request(model), fits: Fits(solvers: fitted))
    let first = joint.space.known.map { joint.settings($0) }
    let own = try #require(first.first { $0.solver?.name == "olss" && $0.steps == 6 })
    #expect(own.solver?.parameters["plan"] == fitted.plans[6] && own.grid == nil)
    #expect(joint.settings(try #require(joint.candidate(own))) == own)
    #expect(try SamplingSettings(json: own.json, place: "test") == own, "a recipe holds the plan itself")
    #expect(own.title == "olss:plan=… + steps=6")
    let pipeline = ImagePipeline(model)
    func pictures(_ request: GenerationRequest) throws -> [Float] {
      try pipeline.generate(request).images.flatMap { try $0.pixels.scalars(Float.self) }
    }
    var fewer = request
    fewer.steps = 6
    let (exact, short, made) = (try pictures(request), try pictures(fewer), try pictures(own.applied(to: request)))
    func error(_ values: [Float]) -> Float {
      var sum: Float = 0
      for (value, wanted) in zip(values, exact) { sum += (value - wanted) * (value - wanted) }
      return sum
    }
    #expect(error(made) < error(short), "\(error(made)) against \(error(short))")
  }

  @Test("a cache's schedule is fitted to whatever run a candidate is, and leads back to the candidate", arguments: ["dit", "sd"])
  func fittedCaches(_ name: String) throws {
    let model = try TinyModel.load(name)
    let request = TinyModel.request(model, steps: 12, count: 2)
    let caches = try #require(try FittedCaches(model, request: request))
    #expect(caches.distances.map(\.point.description) == (name == "dit" ? ["blocks"] : ["inner.0", "inner.1"]))
    let joint = try JointSpace(model: model, request: TinyModel.request(model), fits: Fits(caches: caches))
    func starts(_ settings: SamplingSettings) -> String? { settings.accelerations.first?.parameters["starts"] }
    let first = joint.space.known.map { joint.settings($0) }
    let alone = try #require(first.first { $0.accelerations.map(\.name) == ["cachequant"] && $0.solver == nil })
    #expect(starts(alone)?.hasPrefix("0,") == true && alone.steps == 6)
    var (random, found) = (SplitMix64(seed: 4), Set<String>())
    for _ in 0..<200 {
      let settings = joint.settings(joint.space.canonical(joint.space.random(using: &random)))
      guard let own = starts(settings) else { continue }
      found.insert(own)
      #expect(try SamplingSettings(parsing: settings.description) == settings)
      let again = try #require(joint.candidate(settings), "\(settings)")
      #expect(joint.settings(again) == settings)
    }
    #expect(found.count > 5)
    let result = try ImagePipeline(model).generate(alone.applied(to: TinyModel.request(model)))
    #expect(result.accelerations.first?.method == "cachequant")
  }
}
