public import QuickstepModels
public import QuickstepNN
public import QuickstepTensor

/// What a request begins with, and what steers it, besides prompts and noise.
public struct PictureInputs: Sendable {
  /// Noised and denoised again in place of a start from noise alone.
  public var start: StartImage?
  /// Which part of the start image is made anew.
  public var mask: InpaintMask?
  /// Pictures that steer the network, each with what reads it. What several add to the network is summed (diffusers' `MultiControlNetModel`).
  public var controls: [ControlInput] = []
  /// What happens to pictures of another size than the request's.
  public var fit: PictureFit = .exact
  /// The state `[N, C, H, W]` that another model reached at the start of ``GenerationRequest/span``.
  public var handover: Tensor?

  /// None of them.
  public init() {}

  /// Bytes of the ControlNets' parameters; one that reads several pictures counts once.
  var controlBytes: Int { Dictionary(controls.map { ($0.folder, $0.parameterBytes) }) { first, _ in first }.values.reduce(0, +) }
  /// Whether there is none.
  public var isEmpty: Bool { start == nil && mask == nil && controls.isEmpty && handover == nil }
}

/// Image-to-image: a picture is noised to a level on the way and denoised from there (Meng et al. 2021, arXiv 2108.01073).
///
/// A codec stands for the picture by the mean of its latents' distribution. The reference draws a sample of it, whose deviation from the mean is
/// far below the noise that follows.
public struct StartImage: Sendable {
  /// What is transparent counts as white.
  public var picture: InputPicture
  /// Above 0 and up to 1: of n steps the last ⌊strength·n⌋ are run, at least one; with Stable Diffusion 3 and FLUX the last ⌈strength·n⌉, as in the
  /// reference's pipelines for them. `nil`: 0.8, and 1 with a mask.
  public var strength: Double?

  /// - Parameters:
  ///   - picture: where to begin.
  ///   - strength: how much of it is made anew.
  public init(_ picture: InputPicture, strength: Double? = nil) {
    self.picture = picture
    self.strength = strength
  }

  func strength(hasMask: Bool) -> Double { strength ?? (hasMask ? 1 : 0.8) }
}

/// Which part of a start image is made anew: white is, black is kept; the border is at middle grey, and what is transparent is kept.
///
/// Networks with input channels for it are told mask and picture. With all others the kept part is put back after every step, noised to the
/// level reached (as diffusers does). Either way a codec decodes the whole picture, so that kept parts equal the start image only as far as the codec
/// allows; without a codec they are the same.
public struct InpaintMask: Sendable {
  /// Of the start image's size, unless it is to be fitted.
  public var picture: InputPicture

  /// - Parameter picture: black and white.
  public init(_ picture: InputPicture) { self.picture = picture }
}

/// A picture that steers a U-Net through a ControlNet.
public struct ControlInput: Sendable {
  /// What reads the picture; see ``init(folder:picture:dtype:device:kernels:)``.
  public let network: ControlNet
  /// Where it was loaded from.
  public let folder: String
  /// Bytes of its parameters in memory.
  public let parameterBytes: Int
  /// The steering picture itself: edges, depth, a pose. What is transparent counts as black.
  public var picture: InputPicture
  /// How strongly it acts.
  public var scale = 1.0
  /// Fractions of the run's steps between which it acts: step i of n does when start ≤ i/n and (i + 1)/n ≤ end.
  public var interval: ClosedRange<Double> = 0...1
  /// Acts on the prompted branch of guidance only, and less on outer levels (`guess_mode`): for pictures without a prompt.
  public var guesses = false

  /// Loads a ControlNet.
  /// - Parameters:
  ///   - folder: a folder with `config.json` and weights.
  ///   - picture: what steers.
  ///   - dtype: that of the model it is used with.
  ///   - device: that of the model it is used with.
  ///   - kernels: those of the model it is used with.
  /// - Throws: errors that name the file, key or tensor that does not fit.
  public init(
    folder: String, picture: InputPicture, dtype: DType = .float32, device: Device = .cpu, kernels: KernelChoice = .standard
  ) throws {
    let stored = kernels.preparation(dtype: dtype, device: device == .meta ? .cpu : device)
    // An outline's layers are passed through for sizes, in the type that the prepared ones compute in, which count for their bytes.
    let isOutline = device == .meta && stored != nil
    let loaded = try Architectures.load(
      folder: folder, dtype: isOutline ? .float32 : dtype, device: device, preparation: isOutline ? nil : stored)
    guard let network = loaded.component as? ControlNet else {
      throw GenerationError("\(folder) holds a \(loaded.architecture.className), not a ControlNetModel")
    }
    self.network = network
    self.folder = folder
    self.picture = picture
    let counted = try isOutline ? Architectures.load(folder: folder, device: device, preparation: stored) : loaded
    parameterBytes = counted.parameters.byteCount
  }

  /// The same with an outline of its network, whose layers can be passed through for sizes.
  func outline(dtype: DType) throws -> ControlInput {
    var outline = try ControlInput(folder: folder, picture: picture, dtype: dtype, device: .meta, kernels: .plain)
    (outline.scale, outline.interval, outline.guesses) = (scale, interval, guesses)
    return outline
  }
}
