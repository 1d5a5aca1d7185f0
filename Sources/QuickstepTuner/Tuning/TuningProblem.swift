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
    var (losses, evaluations, measured) = ([Double](), 0, 0.0)
    for part in [0..<1, 1..<count] where !part.isEmpty {
      var piece = own
      (piece.prompts, piece.seeds) = (Array(own.prompts[part]), Array(own.seeds[part]))
      let result = try pipeline.generate(piece)
      let pictures = try withTensorErrors { Tensor.stack(result.images.map(\.pixels)) }
      losses += try measure.figures(pictures, withTensorErrors { reference.narrow(0, start: part.lowerBound, length: part.count) })
        .map(measure.loss)
      evaluations += result.evaluations
      measured += result.seconds.encode + result.seconds.denoise + result.seconds.decode
      // What spoils the first picture is not worth the others.
      if let worst = measure.worstLoss, losses[0] > worst { break }
    }
    let made = Double(losses.count)
    let loss = losses.reduce(0, +) / made
    guard loss.isFinite else { return Outcome(objectives: [exactSeconds, worst], violation: 1) }
    let perPicture = Double(evaluations) / made
    return Outcome(
      objectives: [cost.seconds(watch.findings, pictures: losses.count, evaluations: perPicture), loss],
      attributes: [
        "evaluations": perPicture, "measured_seconds": measured / made, "pictures": made, measure.name: measure.figure(loss: loss),
      ])
  }

  public func expectedSeconds(_ candidate: Candidate, fidelity: Double) -> Double? {
    guard let steps = joint.settings(candidate).steps, let most = request.steps else { return nil }
    // Never more than the exact run takes per step, but for solvers of several evaluations per step.
    return exactSeconds * Double(steps) / Double(most) * Double(request.prompts.count) * fidelity
  }

  /// A loss beyond all that matter.
  private var worst: Double { max(1, abs(measure.best)) * 10 }
}
