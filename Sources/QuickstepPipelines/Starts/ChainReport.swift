public import QuickstepDiffusion
internal import QuickstepTensor

/// What the chains behind some pictures did, and what they cost.
public struct ChainReport: Sendable, Hashable {
  /// Chains that were begun.
  public var chains = 0
  /// Pictures they made.
  public var pictures = 0
  /// Evaluations of the network per chain before its first picture.
  public var burnInEvaluations = 0
  /// Evaluations per picture after that: steps of the chain and denoising.
  public var pictureEvaluations = 0
  /// Evaluations of all chains, burn-in included.
  public var totalEvaluations = 0
  /// The noise levels of the chains, after their burn-in.
  public var record = ChainRecord()
  /// How alike the pictures of a chain are, about the mean of their prompt's pictures; where a chain made several. Of prompts with one chain it does
  /// not see what all of that chain's pictures share.
  public var pictureCorrelation: Autocorrelation?
  /// Prompts that the chains are of.
  public var prompts = 0

  /// No chains.
  public init() {}

  /// Evaluations per picture, burn-in included.
  public var amortisedEvaluations: Double { Double(totalEvaluations) / Double(max(1, pictures)) }

  /// Pictures are compared at this size at most: finer detail says nothing of modes and costs much.
  private static let comparedSide = 32
  /// The greatest lag.
  static let lags = 20

  /// - Parameter chains: of every chain its prompt and its samples `[1, C, H, W]`, in order.
  mutating func correlate(_ chains: [(prompt: String, samples: [Tensor])]) {
    let prompts = chains.map(\.prompt)
    self.prompts = Set(prompts).count
    guard chains.contains(where: { $0.samples.count > 1 }) else { return }
    let groups = prompts.map { prompt in prompts.firstIndex(of: prompt) ?? 0 }
    let series = try? chains.map { chain in
      try chain.samples.map { sample in
        try withTensorErrors {
          let side = [sample.size(2), sample.size(3)].map { min($0, Self.comparedSide) }
          return sample.to(.float32).adaptiveAvgPool2d(side).reshape([-1]).to(.float64).to(.cpu).contiguous()
        }.scalars(Double.self)
      }
    }
    pictureCorrelation = series.map { Autocorrelation(series: $0, groups: groups, lags: Self.lags) }
  }
}
