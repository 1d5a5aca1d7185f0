internal import Foundation
internal import QuickstepDiffusion
internal import QuickstepModels
internal import QuickstepTensor

/// The pictures of a request, checked against the model and brought to size, before any work is done.
struct ResolvedPictures {
  /// `[1, C, H, W]` in −1…1.
  private(set) var start: Tensor?
  private(set) var strength: Double?
  /// `[1, 1, H, W]`: 1 is made anew, 0 is kept.
  private(set) var mask: Tensor?
  /// The network is told mask and kept picture in channels of its own.
  let tellsNetwork: Bool
  /// What steers, each with its picture `[1, C, H, W]` in 0…1.
  private(set) var controls: [(input: ControlInput, hint: Tensor)] = []
  let handover: Tensor?
  /// The steps of the grid that are run.
  let steps: Range<Int>
  /// What is stored in a picture about them.
  private(set) var record: PictureRecord?

  init(
    _ request: GenerationRequest, model: LoadedModel, grid: Grid, schedule: any NoiseSchedule, width: Int, height: Int, sampleShape: [Int]
  ) throws {
    let inputs = request.pictures
    let extra = model.backbone.sampleShape[0] - sampleShape[0]
    tellsNetwork = extra != 0
    handover = try Self.handover(inputs, model, shape: [request.prompts.count] + sampleShape)
    try Self.checkCombination(inputs, model, extra: extra, latentChannels: sampleShape[0])
    steps = try Self.steps(request, grid: grid, schedule: schedule, model: model)
    let channels = model.codec?.pictureChannels ?? sampleShape[0]
    if let given = inputs.start {
      let pixels = try withTensorErrors { channels == 1 ? given.picture.grey(over: 1) : given.picture.opaque(over: 1) }
      guard channels == pixels.size(0) else {
        throw GenerationError("'\(model.name)' makes pictures of \(channels) channels; a start image needs one of 1 or 3")
      }
      start = try given.picture.fitted(pixels, width: width, height: height, inputs.fit).unsqueeze(0)
      strength = given.strength(hasMask: inputs.mask != nil)
    }
    if let given = inputs.mask {
      let grey = try withTensorErrors { given.picture.grey(over: -1) }
      let fitted = try given.picture.fitted(grey, width: width, height: height, inputs.fit)
      mask = try withTensorErrors { fitted.unsqueeze(0).greaterOrEqual(0).to(.float32) }
    }
    for given in inputs.controls {
      try Self.check(given, model, sampleShape: sampleShape)
      let channels = given.network.configuration.conditioningChannels
      let pixels = try withTensorErrors { channels == 1 ? given.picture.grey(over: -1) : given.picture.opaque(over: -1) }
      let fitted = try given.picture.fitted(pixels, width: width, height: height, inputs.fit)
      controls.append((given, try withTensorErrors { (fitted.unsqueeze(0) + 1) / 2 }))
    }
    record = try PictureRecord(inputs, strength: strength, span: request.span)
  }

  /// The same with outlines of the ControlNets.
  func outlined(dtype: DType) throws -> ResolvedPictures {
    var pictures = self
    pictures.controls = try controls.map { (try $0.input.outline(dtype: dtype), $0.hint) }
    return pictures
  }

  private static func handover(_ inputs: PictureInputs, _ model: LoadedModel, shape: [Int]) throws -> Tensor? {
    guard let state = inputs.handover else { return nil }
    guard state.shape == shape else { throw GenerationError("the state handed over is \(state.shape); '\(model.name)' needs \(shape)") }
    guard inputs.start == nil, inputs.mask == nil else {
      throw GenerationError("a state handed over takes the place of a start image; give one or the other")
    }
    return try withTensorErrors { state.to(.float32, model.device) }
  }

  private static func checkCombination(_ inputs: PictureInputs, _ model: LoadedModel, extra: Int, latentChannels: Int) throws {
    guard inputs.mask == nil || inputs.start != nil else { throw GenerationError("a mask needs the picture it belongs to (--image)") }
    if let strength = inputs.start?.strength {
      guard strength > 0, strength <= 1 else { throw GenerationError("the strength is \(strength); allowed: above 0, up to 1") }
    }
    guard extra != 0 else { return }
    guard extra == latentChannels + 1 else {
      throw GenerationError(
        "the network of '\(model.name)' takes \(model.backbone.sampleShape[0]) channels for \(latentChannels) of latents; supported: as many, "
          + "or \(2 * latentChannels + 1) (inpainting)")
    }
    guard inputs.mask != nil else {
      throw GenerationError("'\(model.name)' is an inpainting model: it needs a picture and a mask (--image and --mask)")
    }
  }

  /// The part of the grid that is run.
  private static func steps(_ request: GenerationRequest, grid: Grid, schedule: any NoiseSchedule, model: LoadedModel) throws -> Range<Int>
  {
    let span = request.span
    guard span.lowerBound >= 0, span.upperBound <= 1, span.lowerBound < span.upperBound else {
      throw GenerationError("the part of the run is \(span.lowerBound)…\(span.upperBound); allowed: rising, within 0…1")
    }
    guard (span.lowerBound > 0) == (request.pictures.handover != nil) else {
      throw GenerationError(
        span.lowerBound > 0
          ? "a run that begins at \(span.lowerBound) needs the state that another model reached there"
          : "a state was handed over, but the run begins at 0")
    }
    // diffusers counts in trained times: f of the way is where (1 − f)·T of them are left.
    let whole = Double(schedule.trainSteps ?? Int(schedule.timeRange.upperBound))
    func passed(_ fraction: Double) -> Int {
      let cutoff = (whole - fraction * whole).rounded(.toNearestOrEven)
      return grid.timesteps.count { $0 >= cutoff }
    }
    var first = span.lowerBound > 0 ? passed(span.lowerBound) : 0
    let end = span.upperBound < 1 ? passed(span.upperBound) : grid.steps
    if let start = request.pictures.start {
      let strength = start.strength(hasMask: request.pictures.mask != nil)
      first = skipped(strength: strength, steps: grid.steps, roundsUp: model.kind.roundsStepsUp)
    }
    guard first < end else {
      throw GenerationError("no step of '\(model.name)' is left between \(span.lowerBound) and \(span.upperBound) of \(grid.steps) steps")
    }
    return first..<end
  }

  /// Steps before the one that a run with a picture begins at, in the reference's floating-point arithmetic; at least one is run.
  private static func skipped(strength: Double, steps: Int, roundsUp: Bool) -> Int {
    let run = strength * Double(steps)
    return min(roundsUp ? Int(Double(steps) - run) : steps - Int(run), steps - 1)
  }

  /// - Throws: `GenerationError` where a ControlNet does not suit a model's network, or what was asked of it is out of range.
  static func check(_ control: ControlInput, _ model: LoadedModel, sampleShape: [Int]) throws {
    guard let network = (model.backbone as? UNet2DCondition)?.configuration else {
      throw GenerationError("the network of '\(model.name)' takes no ControlNet; only UNet2DConditionModel does")
    }
    let other = control.network.configuration.network
    let facts: [(String, String, String)] = [
      ("block_out_channels", "\(other.blockChannels)", "\(network.blockChannels)"),
      ("layers_per_block", "\(other.layersPerBlock)", "\(network.layersPerBlock)"),
      ("cross_attention_dim", "\(other.contextSizes)", "\(network.contextSizes)"),
      ("in_channels", "\(other.inChannels)", "\(sampleShape[0])"),
      ("addition_embed_type", other.timeIDs == nil ? "none" : "text_time", network.timeIDs == nil ? "none" : "text_time"),
    ]
    if let misfit = facts.first(where: { $0.1 != $0.2 }) {
      throw GenerationError("the ControlNet does not suit '\(model.name)': its '\(misfit.0)' is \(misfit.1), the model needs \(misfit.2)")
    }
    guard control.network.configuration.factor == model.pixelsPerSample else {
      throw GenerationError(
        "the ControlNet reads \(control.network.configuration.factor) pixels per latent pixel, '\(model.name)' makes \(model.pixelsPerSample)"
      )
    }
    guard [1, 3].contains(control.network.configuration.conditioningChannels) else {
      throw GenerationError("the ControlNet reads \(control.network.configuration.conditioningChannels) channels; supported: 1 and 3")
    }
    guard control.scale.isFinite, abs(control.scale) <= 100 else {
      throw GenerationError("the strength of control is \(control.scale); allowed: −100…100")
    }
    let interval = control.interval
    guard interval.lowerBound >= 0, interval.upperBound <= 1, interval.lowerBound < interval.upperBound else {
      throw GenerationError("control acts from \(interval.lowerBound) to \(interval.upperBound); allowed: rising, within 0…1")
    }
  }
}

/// What a picture's settings say about the pictures it was made from; they themselves are not in it.
public struct PictureRecord: Codable, Sendable, Hashable {
  /// Checksum of the start image.
  public var start: String?
  /// How much of it was made anew.
  public var strength: Double?
  /// Checksum of the mask.
  public var mask: String?
  /// What steered; `nil` when nothing did.
  public var controls: [Control]?
  /// The part of the steps that this model did, where it was not all of them.
  public var from: Double?, to: Double?

  /// A steering picture.
  public struct Control: Codable, Sendable, Hashable {
    /// Its checksum.
    public var picture: String
    /// Factor of what its ControlNet added.
    public var scale: Double
  }

  init?(_ inputs: PictureInputs, strength: Double?, span: ClosedRange<Double>) throws {
    guard !inputs.isEmpty || span != 0...1 else { return nil }
    start = try inputs.start?.picture.fingerprint()
    self.strength = strength
    mask = try inputs.mask?.picture.fingerprint()
    let steering = try inputs.controls.map { Control(picture: try $0.picture.fingerprint(), scale: $0.scale) }
    controls = steering.isEmpty ? nil : steering
    if span != 0...1 { (from, to) = (span.lowerBound, span.upperBound) }
  }
}
