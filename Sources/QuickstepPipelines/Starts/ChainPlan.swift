public import QuickstepDiffusion
internal import QuickstepNN

/// How chains walk, and what becomes of their states.
public struct ChainPlan: Sendable {
  /// Of the steps between pictures and of the burn-in.
  public var step: LangevinStep
  /// Of the first steps.
  public var warmUpStep: LangevinStep
  /// Number of these.
  public var warmUp: Int
  /// Number of further steps before the first picture.
  public var burnIn: Int
  /// Steps per picture.
  public var skip: Int
  /// Pictures per chain; 0 is all pictures of a prompt.
  public var perChain: Int
  /// Pictures that are passed over before the first one.
  public var place: Int
  /// Solver steps of the run that a chain begins with.
  public var startSteps: Int
  /// σ/α of the noise added to its end.
  public var startNoise: Double
  /// The greatest factor σ may change by in a step.
  public var greatestChange: Double
  /// σ/α of a last denoising; 0 is none.
  public var tweedie: Double
  /// Tells noise levels; there once the start is prepared.
  public var estimator: (any NoiseLevelEstimator)?

  /// Evaluations of a picture beyond those of the denoising run.
  var evaluationsPerPicture: Int { skip * (1 + (estimator?.evaluations ?? 0)) + (tweedie > 0 ? 1 : 0) }

  /// Which pictures of a request each chain makes, in the order in which chains begin.
  func chains(prompts: [String]) -> [[Int]] {
    var order: [String] = []
    var members: [String: [Int]] = [:]
    for (index, prompt) in prompts.enumerated() {
      if members[prompt] == nil { order.append(prompt) }
      members[prompt, default: []].append(index)
    }
    return order.flatMap { prompt in
      let all = members[prompt] ?? []
      let length = perChain == 0 ? all.count : perChain
      return stride(from: 0, to: all.count, by: length).map { Array(all[$0..<min($0 + length, all.count)]) }
    }
  }
}
