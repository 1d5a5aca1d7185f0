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

extension UNet2DCondition {
  /// Skip connections and the largest layer.
  public func workingBytes(sampleSide: (width: Int, height: Int), batch: Int, elementBytes: Int) -> Int? {
    let shape = configuration.shape
    let (width, height) = sampleSide
    return batch * elementBytes * (shape.skipElements(height: height, width: width) + shape.layerElements(height: height, width: width))
  }
}

extension UNet2D {
  /// Skip connections and the largest layer.
  public func workingBytes(sampleSide: (width: Int, height: Int), batch: Int, elementBytes: Int) -> Int? {
    let shape = configuration.shape
    let (width, height) = sampleSide
    return batch * elementBytes * (shape.skipElements(height: height, width: width) + shape.layerElements(height: height, width: width))
  }
}

extension ControlNet {
  /// Skip connections, the residuals made of them, the largest layer, and the control picture on its way in.
  public func workingBytes(sampleSide: (width: Int, height: Int), batch: Int, elementBytes: Int) -> Int {
    let shape = configuration.network.shape
    let (width, height) = sampleSide
    let skips = shape.skipElements(height: height, width: width)
    let picture = 3 * configuration.embeddingChannels[0] * width * height * configuration.factor * configuration.factor
    return elementBytes * (batch * (2 * skips + shape.layerElements(height: height, width: width)) + picture)
  }
}
