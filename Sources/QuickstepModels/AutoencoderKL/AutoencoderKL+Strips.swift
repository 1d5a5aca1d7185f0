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
    let latent = unscaled(latents)
    var hidden = decoder.middle(decoder.input(postQuantConvolution.map { $0(latent) } ?? latent))
    let pixels = latent.size(2) * latent.size(3) * factor * factor
    let strips = RowStrips(rows: rows, elements: decoderElements(pixels: pixels).map { $0 * latent.size(0) }, like: hidden)
    for (level, size) in zip(decoder.levels, configuration.blockChannels.reversed()) {
      for block in level.blocks { hidden = strips.residual(block, output: size, hidden) }
      if let upsample = level.upsample { hidden = strips.upsample(upsample, hidden) }
    }
    return strips.convolution(decoder.output, output: configuration.outChannels, after: decoder.outputNorm, hidden).clone()
  }

  /// The same for ``latentsInStrips(_:)``.
  package func latentsInStrips(_ picture: Tensor, rows: Int?) -> Tensor {
    let elements = encoderElements(pixels: picture.size(2) * picture.size(3))
    let strips = RowStrips(rows: rows, elements: elements.map { $0 * picture.size(0) }, like: picture)
    var hidden = strips.convolution(encoder.input, output: configuration.blockChannels[0], picture)
    for (level, size) in zip(encoder.levels, configuration.blockChannels) {
      for block in level.blocks { hidden = strips.residual(block, output: size, hidden) }
      if let downsample = level.downsample { hidden = strips.downsample(downsample, hidden) }
    }
    let moments = encoder.output(encoder.outputNorm(encoder.middle(hidden), activation: .silu))
    return scaled((quantConvolution.map { $0(moments) } ?? moments).chunk(2, dim: 1)[0])
  }

  /// Elements of each layer's result, in order, for one picture.
  private func decoderElements(pixels: Int) -> [Int] {
    let channels = configuration.blockChannels
    let levels = channels.indices.reversed().flatMap { level in
      let size = channels[level] * (pixels >> (2 * level))
      return Array(repeating: size, count: configuration.layersPerBlock + 1) + (level > 0 ? [4 * size] : [])
    }
    return levels + [configuration.outChannels * pixels]
  }

  private func encoderElements(pixels: Int) -> [Int] {
    let channels = configuration.blockChannels
    let levels = channels.indices.flatMap { level in
      let size = channels[level] * (pixels >> (2 * level))
      return Array(repeating: size, count: configuration.layersPerBlock) + (level < channels.count - 1 ? [size / 4] : [])
    }
    return [channels[0] * pixels] + levels
  }

  /// Bytes that are in use at once while a picture of this size is decoded (encoding needs no more), in elements of `elementBytes`.
  ///
  /// In strips these are the two buffers, what the middle left behind, and some strips; a hundred bytes per pixel are the picture on its way
  /// out.
  public func workingBytes(pictureSide: (width: Int, height: Int), elementBytes: Int, inStrips: Bool) -> Int {
    let pixels = pictureSide.width * pictureSide.height
    let channels = configuration.blockChannels
    guard inStrips else { return configuration.workingBytes(pixels: pixels, elementBytes: elementBytes) }
    let strip = max(RowStrips.bytes, RowStrips.fewestRows * pictureSide.width * channels.reduce(0, max) * elementBytes)
    let both = [decoderElements(pixels: pixels), encoderElements(pixels: pixels)].map { TwoBuffers.sizes($0).reduce(0, +) }
    let middle = 8 * channels[channels.count - 1] * (pixels >> (2 * (channels.count - 1)))
    return elementBytes * (max(both[0], both[1]) + middle) + 10 * strip + 100 * pixels
  }
}

extension ConvolutionalCodecConfiguration {
  /// Bytes that are in use at once while a picture of this many pixels is decoded at once (encoding needs no more): those of the outermost
  /// level's first block. Six times its widest tensor and twice its result are what was seen to suffice for 32 to 256 channels.
  func workingBytes(pixels: Int, elementBytes: Int) -> Int {
    // The outermost level begins with what the one below ended with.
    elementBytes * pixels * (6 * max(blockChannels[0], blockChannels[min(1, blockChannels.count - 1)]) + 2 * blockChannels[0])
  }
}
