import QuickstepNN
import QuickstepEvaluation
import QuickstepFormats
import QuickstepPipelines
import QuickstepTensor
import QuickstepTesting
import QuickstepTuner
import Testing

/// Sees a prompt's thing where a picture's mean lies near that of the exact run's: good for telling ways apart that draw other pictures.
private struct MeanMetric: PromptMetric {
  static let declaration = MetricDeclaration(
    name: "mean", summary: "Mean of a picture.", kind: .prompted, direction: .higherIsBetter, reference: "a test")
  static func make(_ parameters: ParameterValues, nets: [any EvaluationNet]) throws -> [any Metric] { [MeanMetric()] }
  let figure = "mean"
  let procedure = ""
  var scale = 1.0
  func values(_ pictures: Tensor, prompts: [String]) throws -> [Double] {
    try withTensorErrors { (pictures.mean([1, 2, 3]) * scale).to(.float64) }.scalars(Double.self)
  }
}

private struct CornersNet: FeatureNet {
  let name = "corners"
  let channels = 3
  let inputSize = [8, 8]
  let preprocessing = "none"
  let featureCount = 3
  let device = Device.cpu
  func preprocess(_ images: Tensor) -> Tensor { images }
  func evaluate(_ input: Tensor) throws -> Tensor { input.mean([2, 3]) }
  func check(_ shape: [Int]) throws {}
}

@Suite struct SafeguardTests {
  private func outcome(_ way: [Double], _ exact: [Double], margin: Double) throws -> Safeguard.Outcome {
    try Safeguard(MeanMetric(), margin: margin).outcome(.values(way), exact: .values(exact))
  }

  @Test("kept: the same, the better, and losses that cannot be told from none and are small; not kept: the rest")
  func verdicts() throws {
    let exact = (0..<60).map { Double($0 % 3 == 0 ? 0 : 1) }
    let same = try outcome(exact, exact, margin: 0)
    #expect(same.isKept && same.loss == 0 && same.lower == 0 && same.upper == 0 && same.pictures == 60)
    #expect(try outcome(exact.map { $0 + 1 }, exact, margin: 0).isKept)
    let worse = try outcome(exact.map { $0 * 0.5 }, exact, margin: 0.9)
    #expect(!worse.isKept && worse.lower > 0, "a loss that is certain, though within the margin: \(worse)")
    // Two pictures of sixty exchanged: nothing certain, and a loss of 0 in the mean.
    var swapped = exact
    swapped.swapAt(0, 1)
    #expect(try outcome(swapped, exact, margin: 0).isKept)
    var one = exact
    one[1] = 0
    let single = try outcome(one, exact, margin: 0.1)
    #expect(single.isKept && single.loss > 0 && single.lower <= 0)
    #expect(try !outcome(one, exact, margin: 0.001).isKept, "uncertain, but beyond the margin")
  }

  @Test func setsAreComparedByTheirDistanceToRealPictures() throws {
    let real = try GaussianStatistics(features: normal([500, 3], seed: 1))
    let guardian = Safeguard(frechetIn: CornersNet(), to: real, margin: 0.1)
    let (near, far) = (try normal([200, 3], seed: 2), try normal([200, 3], seed: 3) + 0.5)
    let outcome = try guardian.outcome(.features(far), exact: .features(near))
    #expect(!outcome.isKept && outcome.loss > 0.5 && outcome.lower > 0 && outcome.metric == "frechet-corners")
    #expect(try guardian.outcome(.features(near), exact: .features(far)).isKept)
    #expect(throws: EvaluationError.self) { try guardian.outcome(.features(near), exact: .values([1, 2])) }
  }

  private func settings(_ model: LoadedModel, _ folder: TemporaryFolder, _ guardian: Safeguard) -> TuningSettings {
    var settings = TuningSettings(
      exact: TinyModel.request(model), prompts: ["1", "2"], heldOut: ["3", "4", "5"], budget: 3000,
      archive: folder.path + "/trials.sqlite")
    settings.target = .kept
    settings.searcher = "random"
    settings.trialLimit = 24
    settings.frontSize = 3
    (settings.safeguards, settings.safeguardPrompts) = ([guardian], ["5", "6", "7", "8"])
    return settings
  }

  @Test("the fastest way that keeps a figure; its recipe holds the figure")
  func tuning() async throws {
    let (model, folder) = (try TinyModel.load(), try TemporaryFolder())
    let anything = settings(model, folder, Safeguard(MeanMetric(scale: 0), margin: 0))
    let result = try await Tuner(model, settings: anything, measures: [TinyModel.difference]).run()
    let chosen = try #require(result.chosen)
    #expect(result.front[chosen].kept.map(\.metric) == ["mean"] && result.kept == ["mean"])
    // Whatever is drawn keeps a figure that is always 0: so the fastest of all, up to the noise of its neighbours' times.
    let order = TuningResult.front(result.tried).map(\.settings)
    #expect(order.prefix(3).contains(result.front[chosen].settings))
    let recipe = try result.recipe(chosen, machine: TinyModel.machine, origin: .init(program: "test"))
    #expect(recipe.measured?.kept?.first?.isKept == true && recipe.measured?.kept?.first?.pictures == 4)
    #expect(try #require(recipe.measured?.multiplications) > 0 && #require(recipe.measured?.peakBytes) > 0)
    #expect(try #require(recipe.measured?.exactMultiplications) > #require(recipe.measured?.multiplications))
    try recipe.write(to: folder.path + "/r.json")
    #expect(try Recipe(path: folder.path + "/r.json") == recipe)
    #expect(try TuningReport(result, recipe: recipe, machine: TinyModel.machine).html().contains("Figures that had to be kept"))
  }

  @Test("a figure that nothing keeps: no recipe, and the nearest by name")
  func nothingKept() async throws {
    let (model, folder) = (try TinyModel.load(), try TemporaryFolder())
    // The exact run's own pictures score best: anything else is further away.
    let request = TinyModel.request(model)
    var exact = request
    (exact.prompts, exact.seeds) = (["5", "6", "7", "8"], (0..<4).map { 2_000_000 + UInt64($0) })
    let pictures = try ImagePipeline(model).generate(exact).images.map(\.pixels)
    let reference = try withTensorErrors { Tensor.stack(pictures) }
    let guardian = Safeguard(NearnessMetric(reference: reference), margin: 0)
    let result = try await Tuner(model, settings: settings(model, folder, guardian), measures: [TinyModel.difference]).run()
    #expect(result.chosen == nil)
    #expect(try #require(result.nearest).contains("nearness"))
  }

  @Test func settingsThatCannotBe() throws {
    let (model, folder) = (try TinyModel.load(), try TemporaryFolder())
    var none = settings(model, folder, Safeguard(MeanMetric(), margin: 0))
    none.safeguards = []
    #expect(throws: GenerationError.self) { try Tuner(model, settings: none, measures: [TinyModel.difference]) }
    let wide = settings(model, folder, Safeguard(MeanMetric(), margin: 2))
    let error = #expect(throws: GenerationError.self) { try Tuner(model, settings: wide, measures: [TinyModel.difference]) }
    #expect("\(try #require(error))".contains("margin"))
  }
}

/// Minus the squared distance to given pictures, in their order.
private struct NearnessMetric: PromptMetric {
  static let declaration = MetricDeclaration(
    name: "nearness", summary: "Nearness.", kind: .prompted, direction: .higherIsBetter, reference: "a test")
  static func make(_ parameters: ParameterValues, nets: [any EvaluationNet]) throws -> [any Metric] { [] }
  let figure = "nearness"
  let procedure = ""
  let reference: Tensor
  func values(_ pictures: Tensor, prompts: [String]) throws -> [Double] {
    try withTensorErrors { ((pictures - reference.clamp(min: -1, max: 1)).square().mean([1, 2, 3]) * -1).to(.float64) }.scalars(Double.self)
  }
}

private func normal(_ shape: [Int], seed: UInt64) throws -> Tensor {
  let generator = try Generator(seed: seed)
  return try withTensorErrors { .randn(shape, generator: generator, dtype: .float64) }
}
