internal import Foundation
public import QuickstepDiffusion
internal import QuickstepModels
public import QuickstepNN
internal import QuickstepTensor

/// Denoising MCMC (Kim & Ye 2022): pictures are denoised from the states of a Markov chain over pictures and their noise level, one chain for
/// several pictures of a prompt. See ``DenoisingChains``.
public struct LangevinGibbsStart: StartMethod {
  public static let declaration = MethodDeclaration(
    name: "dlg", family: .start, summary: "Denoises the quiet states of a Markov chain in place of noise; several pictures per chain.",
    points: [.start, .grid], reads: ["denoised", "state"], changes: ["state", "levels"],
    needs: [
      "a noise predictor trained on the model's data (task 'noise-level'), or sigma=residual",
      "several pictures of a prompt, to pay its burn-in",
    ],
    state: "picture and noise level of every chain",
    parameters: [
      ParameterDeclaration(
        name: "predictor", summary: "The noise predictor; by default the model's own folder 'noise_predictor', or the model NAME-noise.",
        domain: .text("id or folder"), standard: .text("")),
      ParameterDeclaration(
        name: "sigma", summary: "How a noise level is taken: from the predictor's probabilities, or without one from the residual.",
        domain: .choice(NoiseLevelChoice.allCases.map(\.rawValue) + ["residual"]), standard: .choice(NoiseLevelChoice.largest.rawValue)),
      ParameterDeclaration(
        name: "eta", summary: "Length of a Langevin step, in squared units of data in −1…1.", domain: .number(1e-6...1e4),
        standard: .number(3.2)),
      ParameterDeclaration(
        name: "rule", summary: "How that length is taken: as the paper does, or exactly for a prediction that does not change.",
        domain: .choice(LangevinStep.Rule.allCases.map(\.rawValue)), standard: .choice(LangevinStep.Rule.euler.rawValue)),
      ParameterDeclaration(name: "skip", summary: "Steps of a chain per picture.", domain: .integer(1...10_000), standard: .integer(10)),
      ParameterDeclaration(
        name: "per-chain", summary: "Pictures of a prompt that one chain makes; 0 is all of them.", domain: .integer(0...100_000),
        standard: .integer(0)),
      ParameterDeclaration(
        name: "place", summary: "Pictures of a chain to pass over before the first; repeats one picture of a long chain.",
        domain: .integer(0...100_000), standard: .integer(0)),
      ParameterDeclaration(
        name: "start-steps", summary: "Solver steps of the short run that a chain begins with.", domain: .integer(1...1000),
        standard: .integer(20)),
      ParameterDeclaration(
        name: "start-noise", summary: "σ/α of the noise that is added to its end.", domain: .number(0.001...1000), standard: .number(1)),
      ParameterDeclaration(
        name: "warm-up", summary: "First steps of a chain, of length warm-up-eta.", domain: .integer(0...10_000), standard: .integer(10)),
      ParameterDeclaration(
        name: "warm-up-eta", summary: "Their length.", domain: .number(1e-6...1e4), standard: .number(2)),
      ParameterDeclaration(
        name: "burn-in", summary: "Steps of length eta after them, before the first picture.", domain: .integer(0...100_000),
        standard: .integer(10)),
      ParameterDeclaration(
        name: "max-change", summary: "Greatest factor σ may change by in a step; 0 is no bound.", domain: .number(0...1000),
        standard: .number(0), neutral: .number(0)),
      ParameterDeclaration(
        name: "residual-steps", summary: "Evaluations per estimate of sigma=residual.", domain: .integer(1...20), standard: .integer(1)),
      ParameterDeclaration(
        name: "tweedie", summary: "σ/α at which the model denoises the finished picture once more; 0 is not at all.",
        domain: .number(0...1), standard: .number(0), neutral: .number(0)),
    ], exactness: .approximate, reference: "arXiv 2209.14593, algorithm 1")

  let predictor: String
  let choice: NoiseLevelChoice?
  let residualSteps: Int
  let plan: ChainPlan

  /// Reads the parameters.
  /// - Throws: `GenerationError` when the change is bounded by a factor below 1, and for settings without effect.
  public init(_ values: ParameterValues) throws {
    predictor = values.text("predictor") ?? ""
    choice = NoiseLevelChoice(rawValue: values.choice("sigma") ?? "")
    residualSteps = values.integer("residual-steps") ?? 1
    guard choice == nil || residualSteps == 1 else { throw GenerationError("'residual-steps' has an effect with sigma=residual only") }
    guard choice != nil || predictor.isEmpty else { throw GenerationError("sigma=residual asks no predictor; leave 'predictor' out") }
    let change = values.number("max-change")
    guard change == 0 || change > 1 else { throw GenerationError("'max-change' is \(change); allowed: 0 (no bound) or above 1") }
    let rule = LangevinStep.Rule(rawValue: values.choice("rule") ?? "") ?? .euler
    plan = try ChainPlan(
      step: LangevinStep(length: values.number("eta"), rule: rule),
      warmUpStep: LangevinStep(length: values.number("warm-up-eta"), rule: rule), warmUp: values.integer("warm-up") ?? 0,
      burnIn: values.integer("burn-in") ?? 0, skip: values.integer("skip") ?? 1, perChain: values.integer("per-chain") ?? 0,
      place: values.integer("place") ?? 0, startSteps: values.integer("start-steps") ?? 1, startNoise: values.number("start-noise"),
      greatestChange: change == 0 ? .infinity : change, tweedie: values.number("tweedie"))
  }

  public var walks: Bool { true }

  public func prepared(model: LoadedModel, grid: Grid, sampleShape: [Int], prompts: [String]) throws -> PreparedStart {
    guard model.codec == nil || choice == nil || !predictor.isEmpty else {
      throw GenerationError("'\(model.name)' denoises latents; 'dlg' needs a noise predictor of these: dlg:predictor=FOLDER")
    }
    var plan = plan
    plan.estimator = try estimator(model, sampleShape)
    var result = PreparedStart(skippedSteps: 0) { state, _ in state }
    result.chains = plan
    let most = Dictionary(grouping: prompts) { $0 }.values.map(\.count).max() ?? 1
    if min(most, plan.perChain == 0 ? most : plan.perChain) == 1 {
      result.warnings.append("every chain of 'dlg' makes one picture, which pays its whole burn-in; ask for several pictures of a prompt")
    }
    return result
  }

  private func estimator(_ model: LoadedModel, _ sampleShape: [Int]) throws -> any NoiseLevelEstimator {
    // Bounds of the predictors that come with Quickstep.
    guard let choice else { return try ResidualEstimator(range: 0.02...100, iterations: residualSteps) }
    let folder = try Self.folder(predictor, model)
    let loaded = try Architectures.load(folder: folder, device: model.device)
    guard let network = loaded.component as? NoiseLevelClassifier else {
      throw GenerationError("\(folder) holds a \(loaded.architecture.className), not a NoiseLevelClassifier")
    }
    guard network.configuration.inChannels == sampleShape[0] else {
      throw GenerationError(
        "the noise predictor in \(folder) takes \(network.configuration.inChannels) channels; '\(model.name)' denoises \(sampleShape[0])")
    }
    return try PosteriorEstimator(sigmas: network.configuration.sigmas, choice: choice) { samples in
      guard let logits = try network.forward(["pixel_values": samples.to(.float32)])["logits"] else { return .undefined }
      return logits
    }
  }

  /// Where the noise predictor is.
  private static func folder(_ given: String, _ model: LoadedModel) throws -> String {
    func predictor(in folder: String) -> String? {
      [folder + "/noise_predictor", folder].first { ModelLibrary.isFile($0 + "/config.json") }
    }
    let own = model.folder + "/noise_predictor"
    if given.isEmpty, ModelLibrary.isFile(own + "/config.json") { return own }
    let name = given.isEmpty ? model.name + "-noise" : given
    if !given.isEmpty, ModelLibrary.isFolder(given), let found = predictor(in: given) { return found }
    if let found = ModelLibrary.folders().lazy.compactMap({ predictor(in: $0 + "/" + name) }).first { return found }
    throw GenerationError(
      given.isEmpty
        ? "'dlg' needs a noise predictor for '\(model.name)': neither \(own) nor a model '\(name)' is there; name one (dlg:predictor=FOLDER), train "
          + "one (task 'noise-level'), or do without (dlg:sigma=residual)"
        : "there is no noise predictor '\(given)': no such folder or id with a config.json")
  }
}
