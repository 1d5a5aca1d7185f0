public import QuickstepAcceleration
public import QuickstepDiffusion
public import QuickstepTensor

/// What a user asks for. `nil` takes the model's own default.
public struct GenerationRequest: Sendable {
  /// One picture each; for class-conditional models the class's number.
  public var prompts: [String]
  /// What the pictures should not show; for class-conditional models a class's number. Empty: guidance compares with no prompt and no
  /// style, or with "no class". Without effect, and with a warning, at guidance scale 1.
  public var negative = ""
  /// One of ``ModelDefaults/styles``, or `none`.
  public var style: String?
  /// How brackets in prompts are read. Other than `none` only for models whose text encoders are all CLIP's.
  public var weighting = PromptWeighting.none
  /// One per prompt.
  public var seeds: [UInt64]
  /// Number of solver steps.
  public var steps: Int?
  /// Name of a registered solver, or a name that other tools use; also what ``scheduler`` may be. A class of diffusers is made of the
  /// model's own scheduler file, as `CLASS.from_config(pipe.scheduler.config)` is.
  public var solver: String?
  /// A scheduler's configuration in place of the model's own: path of a `scheduler_config.json`, of a folder that holds one, or the JSON
  /// itself. It chooses the solver, where ``solver`` does not, and counts as a whole: noise schedule and prediction type as well.
  public var scheduler: String?
  /// Parameter texts by name; what is not given has its standard value.
  public var solverParameters: [String: String] = [:]
  /// A solver that is at hand, in place of a registered one: pictures made with it name it, and cannot be repeated from their settings alone.
  public var ownSolver: (any Solver)?
  /// How a run begins that begins later than at pure noise; `nil` begins at the noise.
  public var start: MethodChoice?
  /// Name of a registered spacing of the steps, or a name that other tools use.
  public var spacing: String?
  /// Parameter texts by name; what is not given has its standard value.
  public var spacingParameters: [String: String] = [:]
  /// 1 turns guidance off, at half the cost per step; so does every scale up to 1 with published models (those called Turbo ask for 0). With
  /// this project's own, scales between 0 and 1 weigh the prompt less, and at 0 it does not count.
  public var guidanceScale: Double?
  /// Fractions of the steps between which guidance acts.
  public var guidanceInterval: ClosedRange<Double> = 0...1
  /// Whether the branches that guidance compares are evaluated in one call or one after the other, which takes less memory and gives the same picture
  /// up to rounding; methods of acceleration that decide while running then decide for each branch by itself. Without effect, and with a warning, in
  /// runs that compare no branches.
  public var guidanceBatching = GuidedDenoiser.Batching.together
  /// Registered corrections on x̂0, in order.
  public var corrections: [MethodChoice] = []
  /// Registered methods of acceleration, in order.
  public var accelerations: [MethodChoice] = []
  /// In pixels: a multiple of the backbone's `sizeMultiple`, at most 4096.
  public var width: Int?
  /// In pixels: a multiple of the backbone's `sizeMultiple`, at most 4096.
  public var height: Int?
  /// Models that were trained on several sizes (PixArt, Sana) work at the one with the nearest ratio of sides, and their pictures are then scaled
  /// and cut to what was asked for, which may be any size up to 4096. False works at exactly that one. Pictures to begin with decide by themselves.
  public var usesTrainedSizes = true
  /// Pictures computed together.
  public var batch = 1
  /// Initial state and, possibly, encoded prompts in place of the text encoder.
  public var given = GivenTensors()
  /// Pictures to begin with and to be steered by.
  public var pictures = PictureInputs()
  /// The part of the run that this model does, as fractions of the trained times (`denoising_start`, `denoising_end`). What begins after 0 needs
  /// the state another model handed over.
  public var span: ClosedRange<Double> = 0...1
  /// Whether the codec works in strips.
  public var tiling = CodecTiling.auto
  /// Whether evaluations on a GPU are recorded and played.
  public var graphs = GraphUse.auto
  /// Gives ``GenerationResult/latents`` and no pictures: for another model to go on with.
  public var stopsAtLatents = false
  /// Called after each step.
  public var progress: (@Sendable (GenerationProgress) -> Void)?
  /// Who looks on while it runs: calibrations, and what predicts times.
  public var observers: [any RunObserver] = []
  /// Keeps the state after every step; needs all pictures in one batch.
  public var recordsTrajectory = false

  /// - Parameters:
  ///   - prompts: one per picture, at least one.
  ///   - seeds: one per prompt.
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
  /// Encoded negative prompts, `[B, L, D]`; needed beside `promptEmbeds` when guidance acts.
  public var negativePromptEmbeds: Tensor?
  /// Their summaries, `[B, D]`: needed by SDXL, Stable Diffusion 3 and FLUX; for this project's own models the mean over the tokens when absent.
  public var pooledPromptEmbeds: Tensor?
  /// Summaries of the encoded negative prompts, `[B, D]`; needed where the others are.
  public var negativePooledPromptEmbeds: Tensor?
  /// Which positions of `promptEmbeds` count, `[B, L]`; all when absent. Only for models that take a mask.
  public var promptMask: Tensor?
  /// Which positions of `negativePromptEmbeds` count, `[B, L]`; all when absent, whatever the other mask says.
  public var negativePromptMask: Tensor?
  /// Nothing given: noise from the seeds, prompts through the text encoder.
  public init() {}
}

/// A step was done.
public struct GenerationProgress: Sendable {
  /// Index of the first picture of the batch at work, and how many there are in all.
  public var image: Int
  /// Pictures of the request.
  public var imageCount: Int
  /// Steps done of this batch.
  public var step: Int
  /// Steps of every batch.
  public var stepCount: Int
  /// The current prediction of the clean data, `[B, C, H, W]`: the best preview there is.
  public var denoised: Tensor
}

/// The pictures and what they cost.
public struct GenerationResult: Sendable {
  /// One picture.
  public struct Image: Sendable {
    /// `[C, H, W]`, about −1…1.
    public var pixels: Tensor
    /// What makes it again; written into the picture's file.
    public var settings: GenerationSettings
  }

  /// Seconds by stage. Loading is the caller's.
  public struct Seconds: Sendable, Codable, Hashable {
    /// From texts to conditions.
    public var encode = 0.0
    /// The sampling loop.
    public var denoise = 0.0
    /// From the final state to pixels in main memory.
    public var decode = 0.0
  }

  /// In the order of the prompts.
  public var images: [Image] = []
  /// The final states, `[N, C, H, W]`, where the request stops at them.
  public var latents: Tensor?
  /// Summed over all batches.
  public var seconds = Seconds()
  /// Calls of the network over all batches.
  public var evaluations = 0
  /// How many of them were played from a recording (``GenerationRequest/graphs``).
  public var replayedEvaluations = 0
  /// What the methods of acceleration did, over all batches.
  public var accelerations: [AccelerationReport] = []
  /// Attentions, feed-forward layers and residual blocks that were computed while something accelerated the run; 0 where nothing did.
  public var computedModules = 0
  /// As many as there are in all evaluations, of which ``computedModules`` were computed; 0 where nothing acted inside a network. Where branches
  /// of guidance are evaluated one after the other, both count each.
  public var possibleModules = 0
  /// What was not understood or has no effect, in sentences for the user; each once.
  public var warnings: [String] = []
  /// Where pictures came from Markov chains: what these did.
  public var chains: ChainReport?
  /// `step_000` …, `final`, `timesteps`, when asked for.
  public var trajectory: [(name: String, tensor: Tensor)] = []
}

extension GenerationRequest {
  /// The request that makes the picture with these settings again, alone in its batch.
  public init(repeating settings: GenerationSettings) {
    self.init(prompts: [settings.prompt], seeds: [settings.seed])
    negative = settings.negative
    style = settings.style ?? "none"
    weighting = settings.weighting ?? .none
    steps = settings.steps
    (solver, scheduler) = (settings.solver, settings.scheduler)
    solverParameters = settings.solverParameters
    start = settings.start
    spacing = settings.spacing
    spacingParameters = settings.spacingParameters
    guidanceScale = settings.guidanceScale
    guidanceInterval = settings.guidanceStart...max(settings.guidanceStart, settings.guidanceEnd)
    guidanceBatching = settings.guidanceBatching ?? .together
    corrections = settings.corrections
    accelerations = settings.accelerations ?? []
    width = settings.width
    height = settings.height
    usesTrainedSizes = settings.usesTrainedSizes ?? true
    tiling = settings.worksInStrips.map { $0 ? .on : .off } ?? .auto
  }
}
