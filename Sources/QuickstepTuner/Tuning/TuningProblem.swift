import QuickstepAcceleration
import QuickstepDiffusion
import QuickstepFormats
import QuickstepPipelines
import QuickstepTensor

/// The search for ways to sample that are fast and near the exact run: two objectives, predicted seconds per picture and loss.
public struct TuningProblem: SearchProblem {
  public let objectives = ["seconds", "loss"]
  public let identity: String
  let joint: any SamplingSpace
  let model: LoadedModel
  let companions: [String: LoadedModel]
  /// All search pictures in one request.
  let request: GenerationRequest
  /// The exact run's pictures, `[N, C, H, W]`.
  let reference: Tensor
  let cost: CostModel
  let measure: QualityMeasure
  /// Predicted seconds of the exact run's picture: what an infeasible way is given.
  let exactSeconds: Double

  public var space: SearchSpace { joint.space }

  public func evaluate(_ candidate: Candidate, fidelity: Double) async throws -> Outcome {
    try Task.checkCancellation()
    let settings = joint.settings(candidate)
    var own = settings.applied(to: request)
    let count = max(1, Int((fidelity * Double(request.prompts.count)).rounded(.up)))
    (own.prompts, own.seeds) = (Array(own.prompts.prefix(count)), Array(own.seeds.prefix(count)))
    let pipeline = ImagePipeline(model, companions: companions)
    do {
      _ = try pipeline.evaluations(of: own)
    } catch {
      // Methods that do not go together: known before any work, and told as a violation so that searchers keep away.
      return Outcome(objectives: [exactSeconds, worst], violation: 1)
    }
    let watch = RunWatch()
    own.observers = [watch]
    let result = try pipeline.generate(own)
    let pictures = try withTensorErrors { Tensor.stack(result.images.map(\.pixels)) }
    let figures = try measure.figures(pictures, withTensorErrors { reference.narrow(0, start: 0, length: count) })
    let loss = figures.map(measure.loss).reduce(0, +) / Double(count)
    let evaluations = Double(result.evaluations) / Double(count)
    guard loss.isFinite else { return Outcome(objectives: [exactSeconds, worst], violation: 1) }
    let measured = result.seconds.encode + result.seconds.denoise + result.seconds.decode
    return Outcome(
      objectives: [cost.seconds(watch.findings, pictures: count, evaluations: evaluations), loss],
      attributes: ["evaluations": evaluations, "measured_seconds": measured / Double(count), measure.name: measure.figure(loss: loss)])
  }

  public func expectedSeconds(_ candidate: Candidate, fidelity: Double) -> Double? {
    guard let steps = joint.settings(candidate).steps, let most = request.steps else { return nil }
    // Never more than the exact run takes per step, but for solvers of several evaluations per step.
    return exactSeconds * Double(steps) / Double(most) * Double(request.prompts.count) * fidelity
  }

  /// A loss beyond all that matter.
  private var worst: Double { max(1, abs(measure.best)) * 10 }
}
