public import QuickstepPipelines

/// A way to sample with one model that was found and measured: small, portable, and bound to what it was measured on.
public struct Recipe: Sendable, Hashable {
  /// The value of `format` in the file.
  public static let format = "quickstep-recipe"
  /// The version that this program writes; it reads this one.
  public static let version = 1

  /// The model it was found for.
  public struct Model: Sendable, Hashable, Codable {
    /// Its folder's name.
    public var name: String
    /// Checksum of its weights, ``LoadedModel/fingerprint``.
    public var fingerprint: String
    /// A model that takes part in the run, or the one it is all about.
    public init(name: String, fingerprint: String) { (self.name, self.fingerprint) = (name, fingerprint) }
  }

  /// What it was measured on.
  public struct Machine: Sendable, Hashable, Codable {
    /// The processor's or accelerator's name.
    public var processor: String
    /// Threads per operator.
    public var threads: Int
    /// `cpu`, `cuda:0`.
    public var device: String
    /// Type of the weights.
    public var dtype: String
    /// What layers computed with.
    public var kernels: String
    /// What a run is measured on.
    public init(processor: String, threads: Int, device: String, dtype: String, kernels: String) {
      (self.processor, self.threads, self.device, self.dtype, self.kernels) = (processor, threads, device, dtype, kernels)
    }
  }

  /// What was measured, on prompts and seeds that the search had not seen.
  public struct Measured: Sendable, Hashable, Codable {
    /// A figure of likeness to the exact run, a mean over pictures with its confidence interval.
    public struct Quality: Sendable, Hashable, Codable {
      /// `ssim`, `psnr` …
      public var metric: String
      /// The mean.
      public var value: Double
      /// Ends of the interval of 95 %.
      public var lower: Double
      /// The other end.
      public var upper: Double
      /// What the exact run with fewer steps has that takes about as long; `nil` where it was not measured.
      public var rival: Double?

      /// See the properties.
      public init(metric: String, value: Double, lower: Double, upper: Double, rival: Double?) {
        (self.metric, self.value, self.lower, self.upper, self.rival) = (metric, value, lower, upper, rival)
      }
    }
    /// Pictures measured.
    public var pictures: Int
    /// Seconds per picture, prompt to pixels.
    public var seconds: Spread
    /// Seconds per picture of the exact run, in turn with the recipe's.
    public var exactSeconds: Spread
    /// The exact run's time by the recipe's, picture by picture.
    public var speedUp: Spread
    /// Calls of the network per picture, and of the exact run.
    public var evaluations: Double, exactEvaluations: Double
    /// Likeness to the exact run.
    public var quality: [Quality]
    /// Steps of the exact run with fewer steps that takes about as long; `nil` where it was not measured.
    public var rivalSteps: Int?
    /// Its seconds per picture.
    public var rivalSeconds: Spread?
    /// Figures that had to be kept, and the same of the exact run with fewer steps; `nil` where they were not looked at.
    public var kept: [Safeguard.Outcome]?, rivalKept: [Safeguard.Outcome]?
    /// Multiplications per picture, and of the exact run; `nil` where they were not counted.
    public var multiplications: Double?, exactMultiplications: Double?
    /// Most bytes of tensors at once beside the model, and of the exact run; `nil` where they were not counted.
    public var peakBytes: Int?, exactPeakBytes: Int?

    /// See the properties.
    public init(
      pictures: Int, seconds: Spread, exactSeconds: Spread, speedUp: Spread, evaluations: Double, exactEvaluations: Double,
      quality: [Quality], rivalSteps: Int? = nil, rivalSeconds: Spread? = nil
    ) {
      (self.pictures, self.seconds, self.exactSeconds, self.speedUp) = (pictures, seconds, exactSeconds, speedUp)
      (self.evaluations, self.exactEvaluations, self.quality) = (evaluations, exactEvaluations, quality)
      (self.rivalSteps, self.rivalSeconds) = (rivalSteps, rivalSeconds)
    }

    /// What two ways were counted to take; nothing where nothing was counted.
    mutating func take(_ way: PairedRuns.Way, exact: PairedRuns.Way) {
      guard way.multiplications > 0, exact.multiplications > 0 else { return }
      (multiplications, exactMultiplications) = (way.multiplications, exact.multiplications)
      (peakBytes, exactPeakBytes) = (way.peakBytes, exact.peakBytes)
    }

    enum CodingKeys: String, CodingKey {
      case pictures, seconds, evaluations, quality, kept, multiplications
      case rivalKept = "rival_kept", exactMultiplications = "exact_multiplications"
      case peakBytes = "peak_bytes", exactPeakBytes = "exact_peak_bytes"
      case exactSeconds = "exact_seconds", speedUp = "speed_up", exactEvaluations = "exact_evaluations"
      case rivalSteps = "rival_steps", rivalSeconds = "rival_seconds"
    }
  }

  /// How it was found.
  public struct Origin: Sendable, Hashable, Codable {
    /// Version of Quickstep.
    public var program: String
    /// Name of the searcher; `nil` for recipes made by hand.
    public var searcher: String?
    /// Ways that were tried.
    public var trials: Int?
    /// Seed of the search.
    public var seed: UInt64?
    /// See the properties.
    public init(program: String, searcher: String? = nil, trials: Int? = nil, seed: UInt64? = nil) {
      (self.program, self.searcher, self.trials, self.seed) = (program, searcher, trials, seed)
    }
  }

  /// The model.
  public var model: Model
  /// Models that do a part of the run.
  public var companions: [Model]
  /// How to sample.
  public var sampling: SamplingSettings
  /// The exact run that it stands in for: sampling and guidance scale.
  public var exact: SamplingSettings
  /// Guidance scale of both.
  public var guidanceScale: Double
  /// What it was measured on.
  public var machine: Machine
  /// What was measured; `nil` for recipes made by hand.
  public var measured: Measured?
  /// How it was found.
  public var origin: Origin

  /// See the properties.
  public init(
    model: Model, companions: [Model] = [], sampling: SamplingSettings, exact: SamplingSettings, guidanceScale: Double, machine: Machine,
    measured: Measured?, origin: Origin
  ) {
    (self.model, self.companions, self.sampling, self.exact) = (model, companions, sampling, exact)
    (self.guidanceScale, self.machine, self.measured, self.origin) = (guidanceScale, machine, measured, origin)
  }

  /// How to sample with nothing left open: what ``sampling`` does not say is the exact run's, as it was when the recipe was measured, and not the
  /// model's own.
  public var whole: SamplingSettings {
    var own = sampling
    own.solver = sampling.solver ?? exact.solver
    own.grid = sampling.grid ?? exact.grid
    own.start = sampling.start ?? exact.start
    own.steps = sampling.steps ?? exact.steps
    own.guidanceInterval = sampling.guidanceInterval ?? exact.guidanceInterval
    own.accelerations = exact.accelerations + sampling.accelerations
    return own
  }

  /// A request that samples by the recipe. What the request says itself about solver, grid, steps or accelerations is replaced; its guidance
  /// scale stays where it has one.
  public func applied(to request: GenerationRequest) -> GenerationRequest {
    var request = request
    request.accelerations = []
    (request.solver, request.solverParameters, request.ownSolver) = (nil, [:], nil)
    (request.spacing, request.spacingParameters) = (nil, [:])
    request.guidanceScale = request.guidanceScale ?? guidanceScale
    return whole.applied(to: request)
  }

  /// In a few words: `unipc + steps=10: 6.4 times as fast as ddim + steps=50, ssim 0.97`.
  public var summary: String {
    guard let measured else { return sampling.title }
    let quality = measured.quality.first.map { ", \($0.metric) \(Self.digits($0.value, 3)) to it" } ?? ""
    return "\(sampling.title): \(Self.digits(measured.speedUp.median, 1)) times as fast as \(exact.title)" + quality
  }

  static func digits(_ value: Double, _ count: Int) -> String {
    if count == 0, abs(value) < 1e15 { return String(Int(value.rounded())) }
    let unit = (0..<count).reduce(1.0) { unit, _ in unit * 10 }
    let rounded = (value * unit).rounded() / unit
    return "\(rounded)"
  }
}
