public import QuickstepNN
public import QuickstepTensor

/// What a backbone is told besides sample and timestep. Everything here is independent of the timestep and computed once per request.
public struct Conditioning: Sendable {
  /// Encoded prompt, `[B, L, D]`.
  public var sequence: Tensor?
  /// Which positions of `sequence` count, `[B, L]` boolean.
  public var mask: Tensor?
  /// Summary of the prompt, `[B, D]`.
  public var pooled: Tensor?
  /// Class labels, `[B]` int64; `[B, D]` for models that take a vector.
  public var classes: Tensor?
  /// SDXL's sizes and crops, `[B, N]`: numbers that are embedded as times are.
  public var timeIDs: Tensor?
  /// Embedded guidance scale of distilled models, `[B, D]` (diffusers' `timestep_cond`).
  public var guidance: Tensor?
  /// The guidance scale itself, `[B]`, for distilled models that embed it (FLUX dev, Sana Sprint).
  public var guidanceScale: Tensor?
  /// Height and width of the picture in pixels, `[B, 2]`, and height / width, `[B, 1]` (PixArt-α).
  public var resolution: Tensor?, aspectRatio: Tensor?
  /// What the backbone has made of the rest beforehand, `[B, …]`, by names of its own; see ``Backbone/prepared(_:sampleSide:)``.
  public var prepared: [String: Tensor] = [:]
  /// What a ControlNet adds to the backbone's skip connections.
  public var residuals: ControlResiduals?

  /// - Parameters:
  ///   - sequence: encoded prompt, `[B, L, D]`.
  ///   - mask: which positions of `sequence` count, `[B, L]` boolean; `nil` when all do.
  ///   - pooled: summary of the prompt, `[B, D]`.
  ///   - classes: class labels, `[B]` int64.
  public init(sequence: Tensor? = nil, mask: Tensor? = nil, pooled: Tensor? = nil, classes: Tensor? = nil) {
    self.sequence = sequence
    self.mask = mask
    self.pooled = pooled
    self.classes = classes
  }

  /// Stacks several along the batch dimension. All must hold the same parts.
  public static func stacked(_ parts: [Conditioning]) -> Conditioning {
    func join(_ part: (Conditioning) -> Tensor?) -> Tensor? {
      let tensors = parts.compactMap(part)
      return tensors.isEmpty ? nil : tensors.count == 1 ? tensors[0] : .cat(tensors)
    }
    var result = Conditioning(sequence: join(\.sequence), mask: join(\.mask), pooled: join(\.pooled), classes: join(\.classes))
    (result.timeIDs, result.guidance, result.guidanceScale) = (join(\.timeIDs), join(\.guidance), join(\.guidanceScale))
    (result.resolution, result.aspectRatio) = (join(\.resolution), join(\.aspectRatio))
    // What only some of them have is made anew.
    for name in parts.first?.prepared.keys.sorted() ?? [] where parts.allSatisfy({ $0.prepared[name] != nil }) {
      result.prepared[name] = join { $0.prepared[name] }
    }
    if let first = parts.first?.residuals {
      let down = first.down.indices.compactMap { index in join { $0.residuals?.down[index] } }
      result.residuals = ControlResiduals(down: down, middle: join { $0.residuals?.middle })
    }
    return result
  }

  /// Each part several times along the batch dimension: for several copies of the samples in one call. Residuals are left out: they belong to
  /// one evaluation.
  public func repeated(_ count: Int) -> Conditioning {
    func copies(_ part: Tensor?) -> Tensor? { part.map { .cat(Array(repeating: $0, count: count)) } }
    var result = Conditioning(sequence: copies(sequence), mask: copies(mask), pooled: copies(pooled), classes: copies(classes))
    (result.timeIDs, result.guidance, result.guidanceScale) = (copies(timeIDs), copies(guidance), copies(guidanceScale))
    (result.resolution, result.aspectRatio) = (copies(resolution), copies(aspectRatio))
    result.prepared = prepared.compactMapValues(copies)
    return result
  }

  /// Samples it is for; `nil` where it says nothing.
  public var sampleCount: Int? {
    [sequence, pooled, classes, timeIDs, guidance, guidanceScale, resolution, aspectRatio].lazy.compactMap { $0?.size(0) }.first
  }
}

/// What a ControlNet adds (Zhang et al. 2023, arXiv 2302.05543): one tensor for each skip connection of the U-Net, in the order in which they
/// arise, and one for its middle.
public struct ControlResiduals: Sendable {
  /// `[B, C, H, W]` each, with the sizes of the skip connections; the first belongs to the output of the first convolution.
  public var down: [Tensor]
  /// `[B, C, H, W]`, added after the middle block.
  public var middle: Tensor?

  /// - Parameters:
  ///   - down: one tensor per skip connection, or none.
  ///   - middle: for the middle block.
  public init(down: [Tensor], middle: Tensor? = nil) {
    self.down = down
    self.middle = middle
  }

  /// The skip connection with this number, with its residual added.
  func added(to skip: Tensor, at index: Int) -> Tensor { down.isEmpty ? skip : skip + down[index] }

  /// - Throws: ``ComponentError`` when there are residuals for another number of skip connections.
  func check(skips: Int) throws {
    guard down.isEmpty || down.count == skips else {
      throw ComponentError("'down_block_additional_residuals' holds \(down.count) tensors, the network has \(skips) skip connections")
    }
  }
}

extension Evaluation {
  /// The site of a network beside the backbone.
  public func control(_ sample: Tensor, _ compute: (Tensor) throws -> ControlResiduals) throws -> ControlResiduals {
    try site(.controlNetwork, ControlSite(sample: sample)) { value in
      ControlSite(residuals: try compute(value.tensors.first ?? .undefined))
    }.residuals
  }
}

extension Site {
  /// A ControlNet as a whole.
  public static let controlNetwork = Site("controlnet", .control, depth: 0)
}

/// What goes into a ControlNet's site, or what comes out: the residuals, the middle's last.
private struct ControlSite: SiteValue {
  let tensors: [Tensor]
  init(tensors: [Tensor]) { self.tensors = tensors }
  init(sample: Tensor) { tensors = [sample] }
  init(residuals: ControlResiduals) { tensors = residuals.down + [residuals.middle ?? .undefined] }
  var residuals: ControlResiduals {
    ControlResiduals(down: Array(tensors.dropLast()), middle: tensors.last.flatMap { $0.isDefined ? $0 : nil })
  }
}

/// A denoising network.
public protocol Backbone: Component {
  /// `[C, H, W]` of one sample the model was trained on.
  var sampleShape: [Int] { get }
  /// Sides of a sample must be multiples of this.
  var sizeMultiple: Int { get }
  /// The longest side that a sample may have; `nil` where any will do.
  var largestSide: Int? { get }
  /// Channels of what is denoised: fewer than the sample's where a network is told a picture in channels of its own (inpainting).
  var stateChannels: Int { get }
  /// Channels of the embedded guidance scale a distilled network takes; `nil` for all others.
  var guidanceSize: Int? { get }
  /// The sites of an evaluation, in the order in which they are visited: what caches and plans name.
  var sites: [Site] { get }
  /// Whether places of the prompt that its mask hides have no part in the answer, so that those at the end may be left out. Weights of attention that are
  /// exactly 0 do so.
  var ignoresHiddenPlaces: Bool { get }
  /// What its tokens allow; `nil` for networks that are no list of blocks on tokens.
  var tokenTraits: TokenTraits? { get }
  /// Bytes in use at once during an evaluation, beside the weights: an estimate from above, `nil` where there is none.
  /// - Parameters:
  ///   - sampleSide: of a sample.
  ///   - promptLength: places of an encoded prompt.
  ///   - batch: samples that are evaluated together, the branches of guidance included.
  ///   - elementBytes: of a number that is computed with.
  func workingBytes(sampleSide: (width: Int, height: Int), promptLength: Int, batch: Int, elementBytes: Int) -> Int?

  /// The condition with whatever the network makes of it that does not depend on the time: once per request, not once per evaluation.
  /// - Parameter sampleSide: of the samples to come.
  func prepared(_ conditioning: Conditioning, sampleSide: (height: Int, width: Int)) -> Conditioning

  /// A block built like the network's with this index, with the weights of a scope of its own; the network runs it where a policy asks for it.
  /// `nil` for networks that make none, and for indices they do not have.
  func guestBlock(like index: Int, weights: Weights) throws -> (any GuestBlock)?

  /// The network's raw output for a noisy sample, in the parametrisation it was trained with.
  /// - Parameters:
  ///   - sample: `[B, C, H, W]`.
  ///   - timestep: `[B]`, in the model's own units.
  ///   - conditioning: with the same `B`.
  ///   - evaluation: where in the run this call stands, and who acts at the model's sites.
  /// - Returns: `[B, C, H, W]`.
  func callAsFunction(_ sample: Tensor, timestep: Tensor, conditioning: Conditioning, evaluation: Evaluation) throws -> Tensor
}

/// Between pictures and the latents of unit variance that a backbone works on.
public protocol PictureCodec: Component {
  /// Pixels per latent pixel and side.
  var factor: Int { get }
  /// Channels of a picture.
  var pictureChannels: Int { get }
  /// `[B, C, H, W]` of unit variance to a picture `[B, 3, H·factor, W·factor]`, about −1…1.
  func picture(_ latents: Tensor) throws -> Tensor
  /// A picture `[B, 3, H, W]` in −1…1, sides multiples of ``factor``, to the latents of unit variance that stand for it best.
  func latents(_ picture: Tensor) throws -> Tensor
  /// Whether it can do the same in strips of the picture, with less memory and the same result up to rounding.
  var worksInStrips: Bool { get }
  /// ``picture(_:)`` in strips where ``worksInStrips`` holds.
  func pictureInStrips(_ latents: Tensor) throws -> Tensor
  /// ``latents(_:)`` in strips where ``worksInStrips`` holds.
  func latentsInStrips(_ picture: Tensor) throws -> Tensor
  /// Bytes in use at once while a picture of this many pixels is decoded, beside the weights: an estimate from above.
  func workingBytes(pictureSide: (width: Int, height: Int), elementBytes: Int, inStrips: Bool) -> Int
}

extension PictureCodec {
  /// Red, green and blue.
  public var pictureChannels: Int { 3 }
  /// It cannot.
  public var worksInStrips: Bool { false }
  /// At once.
  public func pictureInStrips(_ latents: Tensor) throws -> Tensor { try picture(latents) }
  /// At once.
  public func latentsInStrips(_ picture: Tensor) throws -> Tensor { try latents(picture) }
}

/// Any part of a model that can be run by name on named tensors (`quickstep forward`).
public protocol Component: Sendable {
  /// Names of the tensors `forward` takes: the argument names of the reference class. Those ending in `?` may be absent.
  static var inputs: [String] { get }
  /// Runs the component. Names of inputs and outputs are those of the reference class's `forward`.
  func forward(_ inputs: [String: Tensor]) throws -> [String: Tensor]
}

/// The inputs of a component do not fit.
public struct ComponentError: Error, Sendable, CustomStringConvertible {
  public let description: String
  public init(_ description: String) { self.description = description }
}

extension Component {
  /// The input `name`, or an error that says what the component takes.
  func required(_ name: String, of inputs: [String: Tensor]) throws -> Tensor {
    guard let tensor = inputs[name] else {
      throw ComponentError(
        "input '\(name)' is missing; \(Self.self) takes \(Self.inputs.joined(separator: ", ")); given: \(inputs.keys.sorted().joined(separator: ", "))"
      )
    }
    return tensor
  }

  /// Refuses names the component would ignore. An input that ends in `.*` stands for numbered ones.
  func checkNames(_ inputs: [String: Tensor]) throws {
    let unknown = inputs.keys.filter { !InputNames.isKnown($0, in: Self.inputs) }.sorted()
    if !unknown.isEmpty {
      throw ComponentError("\(Self.self) takes \(Self.inputs.joined(separator: ", ")), not \(unknown.joined(separator: ", "))")
    }
  }
}

extension Backbone {
  /// As it is.
  public func prepared(_ conditioning: Conditioning, sampleSide: (height: Int, width: Int)) -> Conditioning { conditioning }
  /// Any will do.
  public var largestSide: Int? { nil }
  /// They may have one.
  public var ignoresHiddenPlaces: Bool { false }
  /// All of the sample's.
  public var stateChannels: Int { sampleShape[0] }
  /// None.
  public var guidanceSize: Int? { nil }
  /// None.
  public func guestBlock(like index: Int, weights: Weights) throws -> (any GuestBlock)? { nil }
  /// The argument names of diffusers' transformers; which of the optional ones are needed depends on the model.
  public static var inputs: [String] {
    ["sample", "timestep", "encoder_hidden_states?", "encoder_attention_mask?", "pooled_projections?", "class_labels?"]
  }

  /// Runs the network outside of any run. `timestep` may be a scalar, which then counts for the whole batch.
  /// - Returns: `sample`, `[B, C, H, W]`.
  /// - Throws: ``ComponentError`` for missing and unknown names and for a `sample` that is not `[B, C, H, W]`; `TensorError` when shapes do
  ///   not fit.
  public func forward(_ inputs: [String: Tensor]) throws -> [String: Tensor] {
    try checkNames(inputs)
    // Transformers of the reference call it by the name of their tokens.
    let name = Self.inputs.contains("hidden_states") ? "hidden_states" : "sample"
    let sample = try required(name, of: inputs)
    guard sample.rank == 4 else { throw ComponentError("'\(name)' must be [B, C, H, W], it is \(sample.shape)") }
    let timestep = try required("timestep", of: inputs)
    let output = try withTensorErrors {
      let times = timestep.to(.float32).reshape([-1]).expand([sample.size(0)])
      let conditioning = try unpadded(["": Conditioning(named: inputs)])[""] ?? Conditioning()
      return try self(sample, timestep: times, conditioning: conditioning, evaluation: .plain)
    }
    return ["sample": output]
  }
}

/// How ``Component/inputs`` are read: `?` at the end marks what may be absent, `.*` stands for numbered tensors.
enum InputNames {
  static func isKnown(_ name: String, in inputs: [String]) -> Bool {
    inputs.contains { input in
      let known = input.hasSuffix("?") ? input.dropLast() : input[...]
      return known == name[...] || (known.hasSuffix(".*") && name.hasPrefix(known.dropLast()))
    }
  }
}
