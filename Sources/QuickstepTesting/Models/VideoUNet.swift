public import QuickstepAcceleration
public import QuickstepNN
public import QuickstepTensor

/// How a ``VideoUNet`` is cut while it runs.
public struct VideoSlicing: Sendable, Hashable {
  /// Slices of frames in spatial layers (n_t), of width in temporal convolutions and of pixels in temporal attention (n_s).
  public var frames: Slices, space: Slices
  /// Whether norms that average over the width take the statistics of all of it, in two passes, or each slice its own.
  public var isExact: Bool

  /// - Parameters:
  ///   - frames: slices of frames in spatial layers.
  ///   - space: slices of width and of pixels in temporal layers.
  ///   - isExact: whether norms take the statistics of the whole.
  public init(frames: Int, space: Int, isExact: Bool = true) throws {
    (self.frames, self.space, self.isExact) = (try Slices(frames), try Slices(space), isExact)
  }
}

/// A spatio-temporal U-Net of two levels with every kind of operator that video networks have (residual blocks and attention over space, residual
/// blocks and attention over time), small, with random parameters. `[B·F, C, H, W] → [B·F, C, H, W]`.
///
/// Consecutive layers of one kind are one group and run slice by slice together: this is what the execution mode of Streamlined Inference is
/// tested on.
public struct VideoUNet: Sendable {
  /// Frames of a sample.
  public let frames: Int
  let input: Convolution
  let outer: VideoLevel, inner: VideoLevel, last: VideoLevel
  let down: Convolution, up: Convolution
  let output: Convolution

  /// - Parameters:
  ///   - channels: of the video.
  ///   - width: of the hidden layers, a multiple of 8.
  public init(frames: Int, channels: Int = 3, width: Int = 16, weights: Weights) {
    self.frames = frames
    input = Convolution(weights["conv_in"], channels, width, kernel: 3)
    outer = VideoLevel(weights["outer"], width, width)
    down = Convolution(weights["down"], width, width, kernel: 3, stride: 2)
    inner = VideoLevel(weights["inner"], width, width)
    up = Convolution(weights["up"], width, width, kernel: 3)
    last = VideoLevel(weights["last"], 2 * width, width)
    output = Convolution(weights["conv_out"], width, channels, kernel: 3)
  }

  /// A network with random parameters.
  public static func random(frames: Int, width: Int = 16, seed: UInt64) throws -> VideoUNet {
    let made = try Weights.initialise(generator: Generator(seed: seed)) { VideoUNet(frames: frames, width: width, weights: $0) }
    try ModelLaws.disturb(made.parameters, seed: seed &+ 1)
    return made.model
  }

  /// - Parameters:
  ///   - video: `[B·F, C, H, W]` with even sides.
  ///   - time: of the noise, one number for all.
  ///   - slicing: how it is cut; `nil` runs every operator on the whole.
  public func callAsFunction(_ video: Tensor, time: Double, slicing: VideoSlicing? = nil) throws -> Tensor {
    let count = video.size(0)
    let signal = TimestepFeatures.make(Tensor(scalar: Float(time)).reshape([1]).expand([count]).contiguous(), size: outer.signalSize)
    let state = VideoState(frames: frames, signal: signal, slicing: slicing)
    func spatial(_ hidden: Tensor, _ group: (Tensor, Range<Int>) throws -> Tensor) throws -> Tensor {
      try state.spatial(hidden, group)
    }
    // Groups: input and the first level's spatial layers; its temporal layers; and so on.
    let first = try spatial(video) { try outer.spatial(input($0), $1, state) }
    let skip = try outer.temporal(first, state)
    let deep = try spatial(skip) { try inner.spatial(down($0), $1, state) }
    let below = try inner.temporal(deep, state)
    let joined = try spatial(below) { slice, range in
      let large = up(slice.upsampleNearest2d([slice.size(2) * 2, slice.size(3) * 2]))
      return try last.spatial(.cat([large, skip.narrow(0, start: range.lowerBound, length: range.count)], dim: 1), range, state)
    }
    let mixed = try last.temporal(joined, state)
    return try spatial(mixed) { slice, _ in output(slice) }
  }

  /// The first group alone, on the whole or cut: what measurements of the peak look at.
  public func firstGroup(_ video: Tensor, slicing: VideoSlicing?) throws -> Tensor {
    let signal = Tensor.zeros([video.size(0), outer.signalSize])
    let state = VideoState(frames: frames, signal: signal, slicing: slicing)
    return try state.spatial(video) { try outer.spatial(input($0), $1, state) }
  }
}

/// What the layers of one evaluation need.
struct VideoState {
  let frames: Int
  /// `[B·F, signal]`.
  let signal: Tensor
  let slicing: VideoSlicing?

  /// A group of spatial layers: nothing is mixed along the batch of frames.
  func spatial(_ hidden: Tensor, _ group: (Tensor, Range<Int>) throws -> Tensor) throws -> Tensor {
    guard let slicing else { return try group(hidden, 0..<hidden.size(0)) }
    return try slicing.frames.run(hidden, along: SliceAxis(0), group)
  }

  /// A group of temporal layers on `[B·H·W, F, C]`: nothing is mixed along the pixels.
  func pixels(_ tokens: Tensor, _ group: (Tensor) throws -> Tensor) throws -> Tensor {
    guard let slicing else { return try group(tokens) }
    return try slicing.space.run(tokens, along: SliceAxis(0)) { slice, _ in try group(slice) }
  }
}

/// The spatial and the temporal layers of one level.
struct VideoLevel: Sendable {
  static let groups = 4
  let signalSize: Int
  let norms: [GroupNorm], convolutions: [Convolution]
  let time: Linear
  let shortcut: Convolution?
  let attentionNorm: GroupNorm, attention: Attention
  let frameBlock: VideoTemporalBlock
  let frameNorm: LayerNorm, frameAttention: Attention

  init(_ weights: Weights, _ input: Int, _ width: Int) {
    signalSize = width
    norms = [
      GroupNorm(weights["norm1"], groups: Self.groups, channels: input), GroupNorm(weights["norm2"], groups: Self.groups, channels: width),
    ]
    convolutions = [Convolution(weights["conv1"], input, width, kernel: 3), Convolution(weights["conv2"], width, width, kernel: 3)]
    time = Linear(weights["time"], width, width)
    shortcut = input == width ? nil : Convolution(weights["shortcut"], input, width, kernel: 1)
    attentionNorm = GroupNorm(weights["attention_norm"], groups: Self.groups, channels: width)
    attention = Attention(weights["attention"], size: width, heads: 2)
    frameBlock = VideoTemporalBlock(weights["temporal"], width)
    frameNorm = LayerNorm(weights["frame_norm"], width)
    frameAttention = Attention(weights["frame_attention"], size: width, heads: 2)
  }

  /// Residual block and attention over the pixels of each frame.
  func spatial(_ input: Tensor, _ range: Range<Int>, _ state: VideoState) throws -> Tensor {
    let shift = time(state.signal.narrow(0, start: range.lowerBound, length: range.count)).unsqueeze(-1).unsqueeze(-1)
    let changed = convolutions[0](norms[0](input, activation: .silu)) + shift
    let hidden = convolutions[1](norms[1](changed, activation: .silu)) + (shortcut.map { $0(input) } ?? input)
    let tokens = attentionNorm(hidden).flatten(startDim: 2).transposed.contiguous()
    return attention(tokens).transposed.reshape(hidden.shape) + hidden
  }

  /// Residual block over the frames of each pixel, then attention over them.
  func temporal(_ input: Tensor, _ state: VideoState) throws -> Tensor {
    let (count, channels, height, width) = (input.size(0), input.size(1), input.size(2), input.size(3))
    let (batch, frames) = (count / state.frames, state.frames)
    let video = input.reshape([batch, frames, channels, height, width]).permute([0, 2, 1, 3, 4]).contiguous()
    let mixed = try frameBlock(video, state)
    let tokens = mixed.permute([0, 3, 4, 2, 1]).reshape([batch * height * width, frames, channels])
    let attended = try state.pixels(tokens) { frameAttention(frameNorm($0)) + $0 }
    return attended.reshape([batch, height, width, frames, channels]).permute([0, 3, 4, 1, 2]).reshape(input.shape).contiguous()
  }
}

/// Two convolutions over three neighbouring frames with group normalisation over all frames and pixels, `[B, C, F, H, W]`.
struct VideoTemporalBlock: Sendable {
  let norms: [(weight: Tensor, bias: Tensor)]
  let kernels: [Tensor]

  init(_ weights: Weights, _ width: Int) {
    norms = (0..<2).map { index in
      (
        weights["norms", index].parameter("weight", [width], initial: .ones),
        weights["norms", index].parameter("bias", [width], initial: .zeros)
      )
    }
    kernels = (0..<2).map { weights["convolutions", $0].parameter("weight", [width, width, 3, 1], initial: .fanIn(3 * width)) }
  }

  func callAsFunction(_ video: Tensor, _ state: VideoState) throws -> Tensor {
    let hidden = try normed(video, 0, state) { convolved($0, 0) }
    return try normed(hidden, 1, state, added: video) { convolved($0, 1) }
  }

  /// A norm averages over the whole width, which ends a group before it; where statistics are exact they are taken over all slices first.
  private func normed(
    _ video: Tensor, _ index: Int, _ state: VideoState, added: Tensor? = nil, _ group: (Tensor) -> Tensor
  ) throws -> Tensor {
    let (weight, bias) = norms[index]
    func plain(_ slice: Tensor) -> Tensor { slice.groupNorm(VideoLevel.groups, weight: weight, bias: bias, eps: 1e-5) }
    func finished(_ slice: Tensor, _ range: Range<Int>) -> Tensor {
      added.map { $0.narrow(4, start: range.lowerBound, length: range.count) + slice } ?? slice
    }
    guard let slicing = state.slicing else { return finished(group(plain(video).silu()), 0..<video.size(4)) }
    let norm = SlicedGroupNorm(groups: VideoLevel.groups, epsilon: 1e-5, weight: weight, bias: bias)
    var statistics = SlicedGroupNorm.Statistics()
    if slicing.isExact {
      for range in slicing.space.ranges(of: video.size(4)) {
        try norm.add(video.narrow(4, start: range.lowerBound, length: range.count), to: &statistics)
      }
    }
    return try slicing.space.run(video, along: SliceAxis(4)) { slice, range in
      let normed = slicing.isExact ? try norm.apply(slice, statistics) : plain(slice.contiguous())
      return finished(group(normed.silu()), range)
    }
  }

  /// Kernel 3 over frames, 1 over pixels: a convolution of `[B, C, F, H·W]`.
  private func convolved(_ video: Tensor, _ index: Int) -> Tensor {
    let flat = video.reshape([video.size(0), video.size(1), video.size(2), -1])
    return flat.conv2d(kernels[index], padding: [1, 0]).reshape(video.shape)
  }
}
