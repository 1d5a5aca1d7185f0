internal import QuickstepModels
public import QuickstepNN
public import QuickstepTensor

/// What a request will need, known before its weights are read: from an outline of the model (``LoadedModel/outline(folder:dtype:kernels:options:)``) and the sizes asked
/// for. Stages follow each other, so the largest counts.
public struct MemoryEstimate: Sendable, Hashable {
  /// Bytes of all parameters in the type computed with; those of a ControlNet included.
  public var weights: Int
  /// Bytes in use beside them while prompts are encoded; 0 where they come encoded.
  public var encode: Int
  /// Bytes in use beside them while states are denoised; `nil` for networks that do not tell.
  public var denoise: Int?
  /// Bytes in use beside them while a picture is decoded or encoded; 0 without a codec.
  public var decode: Int
  /// Whether the codec works in strips.
  public var decodesInStrips: Bool

  /// `[N, C, H, W]` of what is denoised for all pictures.
  public var stateShape: [Int]

  /// Weights and the largest stage.
  public var peak: Int { weights + max(encode, denoise ?? 0, decode) }

  /// What the program needs besides: libraries, their kernels and their buffers. 170 MB are seen in the smallest runs on x86 with two threads, and
  /// twice as much in large ones.
  public static let program = 350_000_000
}

extension ImagePipeline {
  /// Checks the request as ``generate(_:)`` does and estimates its memory.
  /// - Throws: what `generate` throws for a request that cannot be carried out.
  public func estimate(_ request: GenerationRequest) throws -> MemoryEstimate {
    let plan = try ResolvedRequest(request, model: model)
    let batch = min(plan.batch, request.prompts.count)
    let side = (width: plan.sampleShape[2], height: plan.sampleShape[1])
    let bytes = model.computeType.byteCount
    let branches = batch * (plan.needsNegative ? 2 : 1)
    let encode = plan.given.promptEmbeds == nil ? model.conditioner.workingBytes(batch: batch, elementBytes: bytes) : 0
    var denoise = model.backbone.workingBytes(
      sampleSide: side, promptLength: plan.given.promptEmbeds?.size(1) ?? model.conditioner.promptLength, batch: branches,
      elementBytes: bytes)
    var weights = model.parameterBytes
    for control in plan.pictures.controls {
      let added = control.input.network.workingBytes(sampleSide: side, batch: branches, elementBytes: bytes)
      denoise = denoise.map { $0 + added }
    }
    weights += request.pictures.controlBytes
    // A few states of the solver, in float32.
    denoise = denoise.map { $0 + 8 * 4 * batch * plan.sampleShape.reduce(1, *) }
    let decode = model.codec.map { codec in
      codec.workingBytes(pictureSide: (plan.width, plan.height), elementBytes: bytes, inStrips: plan.worksInStrips)
    }
    let isDecoded = !request.stopsAtLatents || request.pictures.start != nil
    return MemoryEstimate(
      weights: weights, encode: encode, denoise: denoise, decode: isDecoded ? decode ?? 0 : 0,
      decodesInStrips: isDecoded && plan.worksInStrips,
      stateShape: [request.prompts.count] + plan.sampleShape)
  }
}

extension LoadedModel {
  /// A model without its weights' values: everything a request is checked against, and nothing that could run. Costs almost no memory.
  /// - Parameters:
  ///   - folder: see ``init(folder:dtype:device:kernels:options:)``.
  ///   - dtype: that of the model to be loaded.
  ///   - kernels: what the model's layers will compute with on a CPU, which says the type of activations; `plain` for GPUs.
  ///   - options: those of the model to be loaded.
  /// - Throws: what loading throws.
  public static func outline(
    folder: String, dtype: DType = .float32, kernels: KernelChoice = .standard, options: ModelOptions = ModelOptions()
  ) throws -> LoadedModel {
    try LoadedModel(folder: folder, dtype: dtype, device: .meta, kernels: kernels, options: options)
  }
}

/// Whether a codec works in strips, which takes less memory and gives the same picture up to rounding.
public enum CodecTiling: String, Sendable, Codable, CaseIterable {
  /// Where decoding at once would take more than 1.5 GB by the estimate: from about 460 pixels a side for Stable Diffusion's codec.
  case auto
  /// Always; refused for codecs that cannot.
  case on
  /// Never.
  case off

  /// Above this many bytes `auto` works in strips. A fixed number, so that the same request gives the same bits on every machine.
  static let threshold = 1_500_000_000

  func worksInStrips(_ model: LoadedModel, width: Int, height: Int) throws -> Bool {
    guard let codec = model.codec, codec.worksInStrips else {
      guard self != .on else {
        throw GenerationError("'\(model.name)' has no codec that works in strips, so tiling has no effect; leave it at auto or off")
      }
      return false
    }
    let whole = codec.workingBytes(pictureSide: (width, height), elementBytes: model.computeType.byteCount, inStrips: false)
    return self == .on || (self == .auto && whole > Self.threshold)
  }
}
