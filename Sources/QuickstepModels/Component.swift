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
  /// Class labels, `[B]` int64.
  public var classes: Tensor?

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
    return Conditioning(sequence: join(\.sequence), mask: join(\.mask), pooled: join(\.pooled), classes: join(\.classes))
  }
}

/// A denoising network.
public protocol Backbone: Component {
  /// `[C, H, W]` of one sample the model was trained on.
  var sampleShape: [Int] { get }
  /// Sides of a sample must be multiples of this.
  var sizeMultiple: Int { get }

  /// The network's raw output for a noisy sample, in the parametrisation it was trained with.
  /// - Parameters:
  ///   - sample: `[B, C, H, W]`.
  ///   - timestep: `[B]`, in the model's own units.
  ///   - conditioning: with the same `B`.
  ///   - evaluation: where in the run this call stands, and who acts at the model's sites.
  /// - Returns: `[B, C, H, W]`.
  func callAsFunction(_ sample: Tensor, timestep: Tensor, conditioning: Conditioning, evaluation: Evaluation) throws -> Tensor
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

  /// Refuses names the component would ignore.
  func checkNames(_ inputs: [String: Tensor]) throws {
    let known = Set(Self.inputs.map { $0.hasSuffix("?") ? String($0.dropLast()) : $0 })
    let unknown = inputs.keys.filter { !known.contains($0) }.sorted()
    if !unknown.isEmpty {
      throw ComponentError("\(Self.self) takes \(Self.inputs.joined(separator: ", ")), not \(unknown.joined(separator: ", "))")
    }
  }
}

extension Backbone {
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
    let sample = try required("sample", of: inputs)
    guard sample.rank == 4 else { throw ComponentError("'sample' must be [B, C, H, W], it is \(sample.shape)") }
    let timestep = try required("timestep", of: inputs)
    let output = try withTensorErrors {
      let times = timestep.to(.float32).reshape([-1]).expand([sample.size(0)])
      let conditioning = Conditioning(
        sequence: inputs["encoder_hidden_states"], mask: inputs["encoder_attention_mask"]?.to(.bool), pooled: inputs["pooled_projections"],
        classes: inputs["class_labels"]?.to(.int64))
      return try self(sample, timestep: times, conditioning: conditioning, evaluation: .plain)
    }
    return ["sample": output]
  }
}
