public import QuickstepTensor

/// What a user asks for. `nil` takes the model's own default.
public struct GenerationRequest: Sendable {
  /// One picture each; for class-conditional models the class's number.
  public var prompts: [String]
  public var negative = ""
  public var style: String?
  /// One per prompt.
  public var seeds: [UInt64]
  public var steps: Int?
  public var solver: String?
  public var solverParameters: [String: String] = [:]
  public var spacing: String?
  public var spacingParameters: [String: String] = [:]
  public var guidanceScale: Double?
  /// Fractions of the steps between which guidance acts.
  public var guidanceInterval: ClosedRange<Double> = 0...1
  /// Registered corrections on x̂0, in order.
  public var corrections: [MethodChoice] = []
  public var width: Int?
  public var height: Int?
  /// Pictures computed together.
  public var batch = 1
  /// Initial state and, possibly, encoded prompts in place of the text encoder.
  public var given = GivenTensors()
  /// Called after each step.
  public var progress: (@Sendable (GenerationProgress) -> Void)?
  /// Keeps the state after every step; needs all pictures in one batch.
  public var recordsTrajectory = false

  public init(prompts: [String], seeds: [UInt64]) {
    self.prompts = prompts
    self.seeds = seeds
  }
}

/// Tensors a caller brings along, under diffusers' names.
public struct GivenTensors: Sendable {
  /// Initial noise of unit variance, `[B, C, H, W]`.
  public var latents: Tensor?
  /// Encoded prompts, `[B, L, D]`, in place of the text encoder.
  public var promptEmbeds: Tensor?
  public var negativePromptEmbeds: Tensor?
  /// Their summaries, `[B, D]`; the mean over the tokens when absent.
  public var pooledPromptEmbeds: Tensor?
  public var negativePooledPromptEmbeds: Tensor?
  public init() {}
}

/// A step was done.
public struct GenerationProgress: Sendable {
  /// Index of the first picture of the batch at work, and how many there are in all.
  public var image: Int
  public var imageCount: Int
  /// Steps done of this batch.
  public var step: Int
  public var stepCount: Int
  /// The current prediction of the clean data, `[B, C, H, W]`: the best preview there is.
  public var denoised: Tensor
}

/// The pictures and what they cost.
public struct GenerationResult: Sendable {
  public struct Image: Sendable {
    /// `[C, H, W]`, about −1…1.
    public var pixels: Tensor
    public var settings: GenerationSettings
  }

  /// Seconds by stage. Loading is the caller's.
  public struct Seconds: Sendable, Codable, Hashable {
    public var encode = 0.0
    public var denoise = 0.0
    public var decode = 0.0
  }

  public var images: [Image] = []
  public var seconds = Seconds()
  /// Calls of the network over all batches.
  public var evaluations = 0
  public var warnings: [String] = []
  /// `step_000` …, `final`, `timesteps`, when asked for.
  public var trajectory: [(name: String, tensor: Tensor)] = []
}

extension GenerationRequest {
  /// The request that makes the picture with these settings again, alone in its batch.
  public init(repeating settings: GenerationSettings) {
    self.init(prompts: [settings.prompt], seeds: [settings.seed])
    negative = settings.negative
    style = settings.style ?? "none"
    steps = settings.steps
    solver = settings.solver
    solverParameters = settings.solverParameters
    spacing = settings.spacing
    spacingParameters = settings.spacingParameters
    guidanceScale = settings.guidanceScale
    guidanceInterval = settings.guidanceStart...max(settings.guidanceStart, settings.guidanceEnd)
    corrections = settings.corrections
    width = settings.width
    height = settings.height
  }
}
