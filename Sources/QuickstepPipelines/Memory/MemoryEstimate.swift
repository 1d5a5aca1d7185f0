internal import QuickstepModels
public import QuickstepNN
public import QuickstepTensor

/// What a request will need, known before its weights are read: from an outline of the model (``LoadedModel/outline(folder:dtype:kernels:options:)``) and the sizes asked
/// for. Stages follow each other, so the largest counts.
public struct MemoryEstimate: Sendable, Hashable {
  /// Bytes of all parameters as they are kept; those of a ControlNet, of models that share the run and of methods' own included.
  public var weights: Int
  /// Bytes in use beside them while prompts are encoded; 0 where they come encoded.
  public var encode: Int
  /// Bytes in use beside them while states are denoised; `nil` for networks that do not tell.
  public var denoise: Int?
  /// Bytes that methods of acceleration hold from evaluation to evaluation at most; `nil` where it cannot be told.
  public var held: Int?
  /// Bytes in use beside them while a picture is decoded or encoded; 0 without a codec.
  public var decode: Int
  /// Whether the codec works in strips.
  public var decodesInStrips: Bool
  /// Bytes of all finished pictures, which are kept until the last one is.
  public var pictures: Int
  /// `[N, C, H, W]` of what is denoised for all pictures.
  public var stateShape: [Int]

  /// Weights, the pictures and the largest stage. What methods hold is let go with the batch, after its pictures are decoded.
  public var peak: Int { weights + pictures + max(encode, (held ?? 0) + max(denoise ?? 0, decode)) }

  /// What the program needs besides: libraries, their kernels and their buffers. 170 MB are seen in the smallest runs on x86 with two threads, and
  /// twice as much in large ones.
  public static let program = 350_000_000
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
    let whole = codec.workingBytes(pictureSide: (width, height), elementBytes: model.codecType.byteCount, inStrips: false)
    return self == .on || (self == .auto && whole > Self.threshold)
  }
}
