import QuickstepNN
public import QuickstepTensor

extension AutoencoderKL {
  /// True: see ``RowStrips`` for how, and for why the result is that of the whole up to rounding.
  public var worksInStrips: Bool { true }

  /// Decodes latents of unit variance, layer by layer in strips of rows. The middle, which attends to everything, is done whole at the latents'
  /// size.
  public func pictureInStrips(_ latents: Tensor) -> Tensor { pictureInStrips(latents, rows: nil) }

  /// The mean of the encoder's distribution at unit variance, computed like ``pictureInStrips(_:)``.
  public func latentsInStrips(_ picture: Tensor) -> Tensor { latentsInStrips(picture, rows: nil) }

  /// - Parameter rows: of a strip, at the size that a layer works on; `nil` chooses them by their bytes.
  package func pictureInStrips(_ latents: Tensor, rows: Int?) -> Tensor {
    let strips = RowStrips(rows: rows)
    let latent = unscaled(latents)
    let channels = Array(configuration.blockChannels.reversed())
    var hidden = decoder.middle(decoder.input(postQuantConvolution.map { $0(latent) } ?? latent))
    for (level, size) in zip(decoder.levels, channels) {
      for block in level.blocks { hidden = strips.residual(block, output: size, hidden) }
      if let upsample = level.upsample { hidden = strips.upsample(upsample, hidden) }
    }
    return strips.convolution(decoder.output, output: configuration.outChannels, after: decoder.outputNorm, hidden)
  }

  /// The same for ``latentsInStrips(_:)``.
  package func latentsInStrips(_ picture: Tensor, rows: Int?) -> Tensor {
    let strips = RowStrips(rows: rows)
    var hidden = strips.convolution(encoder.input, output: configuration.blockChannels[0], picture)
    for (level, size) in zip(encoder.levels, configuration.blockChannels) {
      for block in level.blocks { hidden = strips.residual(block, output: size, hidden) }
      if let downsample = level.downsample { hidden = strips.downsample(downsample, hidden) }
    }
    let moments = encoder.output(encoder.outputNorm(encoder.middle(hidden)).silu())
    return scaled((quantConvolution.map { $0(moments) } ?? moments).chunk(2, dim: 1)[0])
  }

  /// Bytes that are in use at once while a picture of this size is decoded (encoding needs no more), in elements of `elementBytes`.
  ///
  /// Whole, it is the last level's first block: its input, the same normalised, with SiLU and as the convolution wants it, and what comes out. In
  /// strips it is a block's input and output, beside a few strips.
  public func workingBytes(pictureSide: (width: Int, height: Int), elementBytes: Int, inStrips: Bool) -> Int {
    let pixels = pictureSide.width * pictureSide.height
    let channels = configuration.blockChannels
    let held = channels.indices.map { level in
      // The outermost level begins with what the one below ended with.
      let (input, output) = (channels[min(level + 1, channels.count - 1)], channels[level])
      let area = pixels >> (2 * level)
      return inStrips ? (input + output) * area : (4 * max(input, output) + output) * area
    }
    let temporary = inStrips ? 6 * max(RowStrips.bytes, RowStrips.fewestRows * pictureSide.width * channels.reduce(0, max) * elementBytes) : 0
    return (held.max() ?? 0) * elementBytes + temporary
  }
}
