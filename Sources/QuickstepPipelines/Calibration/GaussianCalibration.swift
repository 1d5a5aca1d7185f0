internal import QuickstepDiffusion
public import QuickstepFormats
internal import QuickstepModels
internal import QuickstepNN
internal import QuickstepTensor

/// Moments of a model's data for ``Teleportation``: from the model's own samples, or from pictures.
public struct GaussianCalibration: Sendable {
  /// What the samples are made of.
  public var request: GenerationRequest
  /// Directions of the covariance at most.
  public var rank = 256
  /// Parts of a mixture; 1 is one normal distribution.
  public var components = 1
  /// One distribution per class, for class-conditional models.
  public var isPerClass = false
  /// Samples made at once.
  public var batch = 16
  /// Called with what is being done and the fraction that is done.
  public var progress: (@Sendable (String, Double) -> Void)?

  /// Moments of samples of `request`.
  public init(_ request: GenerationRequest) { self.request = request }

  /// Makes the samples and writes the file.
  /// - Parameter pictures: take these in place of samples; all of the model's size.
  /// - Returns: the share of the samples' variance that the directions hold, and the number of samples.
  /// - Throws: `GenerationError` for numbers that do not fit together; what generating and writing throw.
  @discardableResult
  public func write(_ model: LoadedModel, pictures: [PixelImage]? = nil, to path: String) throws -> (share: Double, samples: Int) {
    let count = pictures?.count ?? request.prompts.count
    guard rank >= 1, components >= 1, batch >= 1 else {
      throw GenerationError("rank \(rank), \(components) parts, batches of \(batch); allowed: 1 and above")
    }
    guard !isPerClass || (model.classCount != nil && pictures == nil && components == 1) else {
      throw GenerationError("one distribution per class needs a class-conditional model's own samples, and no parts besides")
    }
    guard count >= 8 * max(components, isPerClass ? model.classCount ?? 1 : 1) else {
      throw GenerationError("\(count) samples are too few; at least 8 per part are needed")
    }
    let samples = try pictures.map { try encoded($0, model) } ?? made(model)
    let mixture = try isPerClass ? classes(samples, model) : GaussianMixtureData(samples: samples, count: components, rank: rank, seed: 0)
    let file = GaussianDataFile(
      mixture, sampleShape: Array(samples.shape.dropFirst()), fingerprint: pictures == nil ? model.fingerprint : nil, areClasses: isPerClass
    )
    try file.write(to: path, note: ["model": model.name, "samples": String(count), "source": pictures == nil ? "model" : "pictures"])
    let kept = mixture.parts.map { $0.variances.reduce(0, +) }.reduce(0, +)
    let whole = mixture.parts.map { $0.variances.reduce(0, +) + $0.rest * Double($0.size - $0.variances.count) }.reduce(0, +)
    return (whole > 0 ? kept / whole : 1, count)
  }

  private func made(_ model: LoadedModel) throws -> Tensor {
    var parts: [Tensor] = []
    for start in stride(from: 0, to: request.prompts.count, by: batch) {
      let range = start..<min(start + batch, request.prompts.count)
      var part = request
      (part.prompts, part.seeds) = (Array(request.prompts[range]), Array(request.seeds[range]))
      (part.batch, part.stopsAtLatents) = (range.count, true)
      guard let latents = try ImagePipeline(model).generate(part).latents else { throw GenerationError("the model gave no samples") }
      parts.append(try withTensorErrors { latents.to(.float32, .cpu) })
      progress?("samples", Double(range.upperBound) / Double(request.prompts.count))
    }
    return try withTensorErrors { .cat(parts) }
  }

  private func encoded(_ pictures: [PixelImage], _ model: LoadedModel) throws -> Tensor {
    let (width, height) = model.pictureSize
    let channels = model.codec?.pictureChannels ?? model.backbone.stateChannels
    var samples: [Tensor] = []
    for (index, picture) in pictures.enumerated() {
      guard picture.width == width, picture.height == height else {
        throw GenerationError("picture \(index + 1) is \(picture.width)x\(picture.height); '\(model.name)' works on \(width)x\(height)")
      }
      let plain = picture.composited(over: .white)
      samples.append(
        try withInference {
          try withTensorErrors {
            var pixels = try plain.tensor().unsqueeze(0)
            if channels == 1, pixels.size(1) == 3 { pixels = pixels.mean([1], keepdim: true) }
            if channels == 3, pixels.size(1) == 1 { pixels = pixels.expand([1, 3, height, width]) }
            let placed = pixels.to(model.codecType, model.device)
            return try (model.codec.map { try $0.latents(placed) } ?? placed).to(.float32, .cpu).contiguous()
          }
        })
      if (index + 1) % 16 == 0 { progress?("pictures", Double(index + 1) / Double(pictures.count)) }
    }
    return try withTensorErrors { .cat(samples) }
  }

  private func classes(_ samples: Tensor, _ model: LoadedModel) throws -> GaussianMixtureData {
    let labels = request.prompts.map { Int($0) ?? -1 }
    let parts = try (0..<(model.classCount ?? 0)).map { label in
      let rows = labels.indices.filter { labels[$0] == label }
      guard rows.count >= 8 else { throw GenerationError("class \(label) has \(rows.count) samples; at least 8 are needed") }
      return try GaussianData(
        samples: withTensorErrors { samples.indexSelect(0, index: Tensor(rows.map(Int64.init))) }, rank: rank)
    }
    return try GaussianMixtureData(parts: parts, shares: Array(repeating: 1, count: parts.count))
  }
}
