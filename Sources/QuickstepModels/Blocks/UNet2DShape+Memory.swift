extension UNet2DShape {
  /// Elements of all skip connections of one sample of `height`·`width`.
  func skipElements(height: Int, width: Int) -> Int {
    channels.indices.reduce(0) { sum, level in
      let area = Self.area(height, width, level)
      let below = level + 1 < channels.count ? channels[level] * Self.area(height, width, level + 1) : 0
      return sum + (layers[level] + (level == 0 ? 1 : 0)) * channels[level] * area + below
    }
  }

  /// Elements that the largest layer holds at once beside them.
  ///
  /// A residual block on the way up holds its joined input, the same normalised, with SiLU and as the convolution wants it, what comes in, and two
  /// results; a transformer block its tokens and, of four times their size each, a gated layer's two halves, gate and product.
  func layerElements(height: Int, width: Int) -> Int {
    let last = channels.count - 1
    return channels.indices.map { level in
      let size = channels[level]
      let joined = (level < last ? max(size, channels[level + 1]) : size) + size
      let attends = down[level] != nil || up[level] != nil || (level == last && middle != nil)
      return max(5 * joined + 2 * size, attends ? 20 * size : 0) * Self.area(height, width, level)
    }.max() ?? 0
  }

  private static func area(_ height: Int, _ width: Int, _ level: Int) -> Int {
    let scale = 1 << level
    return ((height + scale - 1) / scale) * ((width + scale - 1) / scale)
  }
}

/// How much more memory an evaluation takes than what its tensors add up to: what one layer frees is kept in pieces that do not always suit the
/// next one. Seen for U-Nets of 160 to 640 channels at 64 and 128 latent pixels a side on a CPU: 2.2 and 2.3.
enum KeptMemory {
  static func bytes(_ elements: Int, batch: Int, elementBytes: Int) -> Int { elements * batch * elementBytes * 5 / 2 }
}

extension UNet2DShape {
  /// Bytes in use at once during an evaluation.
  func workingBytes(side: (width: Int, height: Int), batch: Int, elementBytes: Int) -> Int {
    let elements = skipElements(height: side.height, width: side.width) + layerElements(height: side.height, width: side.width)
    return KeptMemory.bytes(elements, batch: batch, elementBytes: elementBytes)
  }
}

extension UNet2DCondition {
  /// Skip connections and the largest layer.
  public func workingBytes(sampleSide: (width: Int, height: Int), promptLength: Int, batch: Int, elementBytes: Int) -> Int? {
    configuration.shape.workingBytes(side: sampleSide, batch: batch, elementBytes: elementBytes)
  }
}

extension UNet2D {
  /// Skip connections and the largest layer.
  public func workingBytes(sampleSide: (width: Int, height: Int), promptLength: Int, batch: Int, elementBytes: Int) -> Int? {
    configuration.shape.workingBytes(side: sampleSide, batch: batch, elementBytes: elementBytes)
  }
}

extension PromptUNet {
  /// Skip connections and the largest layer of its levels, which begin with patches.
  public func workingBytes(sampleSide: (width: Int, height: Int), promptLength: Int, batch: Int, elementBytes: Int) -> Int? {
    let attentions = configuration.attentionLevels.map { $0 ? UNet2DAttention.pixels(heads: configuration.heads) : nil }
    let channels = configuration.blockChannels
    let shape = UNet2DShape(
      channels: channels, layers: Array(repeating: configuration.layersPerBlock, count: channels.count), down: attentions, up: attentions,
      middleBlocks: 2, middle: attentions.last ?? nil, groups: 1, epsilon: 1e-5, middleScale: 1, padsEnd: false)
    let side = (sampleSide.width / configuration.patchSize, sampleSide.height / configuration.patchSize)
    return shape.workingBytes(side: side, batch: batch, elementBytes: elementBytes)
  }
}

extension ControlNet {
  /// Skip connections, the residuals made of them, the largest layer, and the control picture on its way in.
  public func workingBytes(sampleSide: (width: Int, height: Int), batch: Int, elementBytes: Int) -> Int {
    let shape = configuration.network.shape
    let (width, height) = sampleSide
    let skips = shape.skipElements(height: height, width: width)
    let picture = 3 * configuration.embeddingChannels[0] * width * height * configuration.factor * configuration.factor
    let elements = 2 * skips + shape.layerElements(height: height, width: width) + picture / max(1, batch)
    return KeptMemory.bytes(elements, batch: batch, elementBytes: elementBytes)
  }
}
