import Foundation
import QuickstepEvaluation
import QuickstepFormats
import QuickstepPipelines
import QuickstepTensor
import QuickstepTesting
import QuickstepTuner
import Testing

@Suite struct TunerTests {
  private func settings(_ model: LoadedModel, _ folder: TemporaryFolder, budget: Double = 3000) -> TuningSettings {
    var settings = TuningSettings(
      exact: TinyModel.request(model), prompts: ["1", "2"], heldOut: ["3", "4", "5"], budget: budget,
      archive: folder.path + "/trials.sqlite")
    settings.target = .quality(1)
    settings.searcher = "random"
    settings.trialLimit = 30
    settings.frontSize = 3
    return settings
  }

  @Test("a whole run: search, check, recipe, report; the same command goes on with its trials")
  func whole() async throws {
    let (model, folder) = (try TinyModel.load(), try TemporaryFolder())
    let tuner = try Tuner(model, settings: settings(model, folder), measures: [TinyModel.difference])
    let result = try await tuner.run()
    #expect(result.trials == 30 && result.resumed == 0 && result.stop == .trials)
    #expect((1...3).contains(result.front.count) && result.rivals.count == result.front.count)
    #expect(result.exact.quality[0].estimate.value == 0, "the exact run is itself")
    for point in result.front {
      // Checked with other prompts: three pictures each, and nearer ones are slower.
      #expect(point.way.pictures.count == 3 && point.quality[0].estimate.count == 3)
    }
    let tried = TuningResult.front(result.tried)
    #expect(zip(tried, tried.dropFirst()).allSatisfy { $0.seconds < $1.seconds && $0.loss > $1.loss })
    #expect(result.volumes.joint >= result.volumes.single && result.volumes.single >= result.volumes.fewerSteps)

    let chosen = try #require(result.chosen, "every loss is below 1")
    let recipe = try result.recipe(chosen, machine: TinyModel.machine, origin: .init(program: "test"))
    #expect(recipe.sampling == result.front[chosen].settings && recipe.measured?.pictures == 3)
    #expect(recipe.findings(model: model, machine: TinyModel.machine).isEmpty)
    let report = TuningReport(result, recipe: recipe, machine: TinyModel.machine)
    let page = try report.html()
    #expect(
      page.contains("<svg") && page.contains("data:image/png;base64,")
        && page.contains(recipe.sampling.description.split(separator: " ")[0]))
    #expect(!page.contains("<script src") && !page.contains("http"), "a page of its own needs nothing from elsewhere")
    #expect(report.plot().width > 0)

    let again = try await Tuner(model, settings: settings(model, folder), measures: [TinyModel.difference]).run()
    #expect(again.trials == 30 && again.resumed == 30)
    #expect(again.tried.map(\.loss) == result.tried.map(\.loss))
  }

  @Test("an impossible target names the nearest that was reached")
  func impossible() async throws {
    let (model, folder) = (try TinyModel.load(), try TemporaryFolder())
    var settings = settings(model, folder)
    settings.target = .speed(1e6)
    let result = try await Tuner(model, settings: settings, measures: [TinyModel.difference]).run()
    #expect(result.chosen == nil)
    #expect(try #require(result.nearest).contains("times the speed"))
    settings.target = .quality(0)
    let none = try await Tuner(model, settings: settings, measures: [TinyModel.difference]).run()
    if none.chosen == nil { #expect(try #require(none.nearest).contains("mse")) }
  }

  @Test("a budget that does not suffice is refused with what is needed")
  func smallBudget() async throws {
    let (model, folder) = (try TinyModel.load(), try TemporaryFolder())
    let tuner = try Tuner(model, settings: settings(model, folder, budget: 1e-3), measures: [TinyModel.difference])
    let error = await #expect(throws: GenerationError.self) { try await tuner.run() }
    #expect("\(try #require(error))".contains("are needed to search with 2 and check with 3 pictures"))
  }

  @Test("cancelled while it searches, it checks what was found so far")
  func cancelled() async throws {
    let (model, folder) = (try TinyModel.load(), try TemporaryFolder())
    var settings = settings(model, folder)
    settings.searcher = "random"
    settings.trialLimit = nil
    let tuner = try Tuner(model, settings: settings, measures: [TinyModel.difference])
    let (stream, told) = AsyncStream.makeStream(of: Int.self)
    let task = Task { try await tuner.run { if case .search(let state, _) = $0 { told.yield(state.told) } } }
    for await count in stream where count >= 8 { break }
    task.cancel()
    let result = try await task.value
    #expect(result.stop == .cancelled && result.trials >= 8 && !result.front.isEmpty)
  }

  @Test func settingsThatCannotBe() throws {
    let (model, folder) = (try TinyModel.load(), try TemporaryFolder())
    let good = settings(model, folder)
    func refused(_ change: (inout TuningSettings) -> Void, _ part: String) throws {
      var settings = good
      change(&settings)
      let error = #expect(throws: GenerationError.self) { try Tuner(model, settings: settings, measures: [TinyModel.difference]) }
      let text = "\(try #require(error))"
      #expect(text.contains(part), "\(text)")
    }
    try refused({ $0.heldOut = ["1"] }, "'1'")
    try refused({ $0.prompts = [] }, "prompts")
    try refused({ $0.budget = -1 }, "-1")
    try refused({ $0.target = .speed(0.5) }, "0.5")
    try refused({ $0.exact.accelerations = ["fora"] }, "without methods")
    #expect(throws: GenerationError.self) { try Tuner(model, settings: good, measures: []) }
  }

  @Test("an archive of another model or other prompts is refused")
  func foreignArchive() async throws {
    let (model, folder) = (try TinyModel.load(), try TemporaryFolder())
    _ = try await Tuner(model, settings: settings(model, folder), measures: [TinyModel.difference]).run()
    var other = settings(model, folder)
    other.prompts = ["7"]
    let tuner = try Tuner(model, settings: other, measures: [TinyModel.difference])
    let error = await #expect(throws: FormatError.self) { try await tuner.run() }
    #expect("\(try #require(error))".contains("trials.sqlite"))
  }

  @Test("a measure whose scale is not known has a front too, and is worth as much as the fewest steps")
  func unknownScale() async throws {
    let (model, folder) = (try TinyModel.load(), try TemporaryFolder())
    // Losses in the hundreds, far above those of figures up to 1.
    let measure = QualityMeasure(name: "scaled", higherIsBetter: true, best: 100) { pictures, exact in
      try TinyModel.difference.figures(pictures, exact).map { 100 - 1e6 * $0 }
    }
    var settings = settings(model, folder)
    settings.target = .speed(1.2)
    let result = try await Tuner(model, settings: settings, measures: [measure]).run()
    #expect(!result.front.isEmpty && (result.tried.map(\.loss).max() ?? 0) > 1)
    #expect(result.volumes.fewerSteps > 0 && result.volumes.joint <= 1)
  }

  @Test("a way that spoils the first picture is left there, others are tried with all")
  func hopeless() async throws {
    let (model, folder) = (try TinyModel.load(), try TemporaryFolder())
    // Equal pictures have 1; all others are far from it.
    let measure = QualityMeasure(name: "equal", higherIsBetter: true, best: 1) { pictures, exact in
      try TinyModel.difference.figures(pictures, exact).map { $0 == 0 ? 1 : 0.5 }
    }
    let settings = settings(model, folder)
    let result = try await Tuner(model, settings: settings, measures: [measure]).run()
    #expect(result.trials == 30 && result.front.isEmpty && result.chosen == nil)
    let trials = try TrialArchive(reading: settings.archive).trials()
    let pictures = Dictionary(grouping: trials.compactMap(\.outcome)) { $0.objectives[1] == 0 }
      .mapValues { Set($0.compactMap { $0.attributes["pictures"] }) }
    #expect(pictures[true] == [2] && pictures[false] == [1])
  }

  @Test(
    "every space is searched by the searcher that goes with it, with a population for a short time", arguments: AllSpaces.all.map(\.name))
  func spaces(_ name: String) async throws {
    let (model, folder) = (try TinyModel.load(), try TemporaryFolder())
    var settings = settings(model, folder)
    (settings.space, settings.searcher, settings.trialLimit, settings.budget) = (name, nil, 16, 120)
    settings.known = [try SamplingSettings(parsing: "steps=6")]
    // A clock that stands still: the budget decides the population only, however busy the machine is.
    let result = try await Tuner(model, settings: settings, measures: [TinyModel.difference], clock: HandClock()).run()
    #expect(result.trials == 16 && result.stop == .trials)
  }
}
