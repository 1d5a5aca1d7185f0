public import QuickstepTensor

/// One component of a parameter's path: a name or an index.
public protocol PathComponent: Sendable { var pathText: String { get } }
extension String: PathComponent { public var pathText: String { self } }
extension Int: PathComponent { public var pathText: String { String(self) } }

/// A scoped view of named tensors: `weights["down_blocks", 0, "resnets", 1]` is everything below `down_blocks.0.resnets.1.`.
///
/// Layers are constructed from their scope and ask for their parameters with the shape they need; the same path loads a checkpoint and
/// makes fresh parameters. Construction never stops halfway: everything that does not fit is collected, and the audit at the end of
/// ``load(from:dtype:device:ignoring:_:)`` throws one error that lists it.
public struct Weights: Sendable {
  let store: WeightStore
  /// The scope's full name, without a final dot; empty at the root.
  public let path: String

  /// The scope below this one at these components, joined with dots.
  public subscript(_ components: any PathComponent...) -> Weights {
    let text = components.map(\.pathText).joined(separator: ".")
    return Weights(store: store, path: path.isEmpty ? text : text.isEmpty ? path : path + "." + text)
  }

  func fullName(_ name: String) -> String { path.isEmpty ? name : path + "." + name }

  /// The parameter `name` of this scope.
  /// - Parameters:
  ///   - shape: what the layer needs; anything else is reported by the audit.
  ///   - initial: how to fill it when the model is made fresh.
  public func parameter(_ name: String, _ shape: [Int], initial: Initializer) -> Tensor {
    store.take(fullName(name), shape: shape, initial: initial)
  }

  /// How layers prepare themselves for running; `nil` where they stay plain, as for training.
  public var preparation: LayerPreparation? { store.preparation }

  /// A parameter that the layer keeps in a form of its own, in place of the stored one: checked and counted as others are, but not held by the
  /// parameter tree. `nil` when layers stay plain, when `prepare` gives nothing, or when there is no such tensor; ask for the parameter then.
  /// - Parameters:
  ///   - prepare: makes the layer's form of the tensor, float32 on the CPU, or without memory for outlines.
  ///   - bytes: what that form takes in memory.
  func prepared<Form>(
    _ name: String, _ shape: [Int], _ prepare: (Tensor, LayerPreparation) -> Form?, bytes: (Form) -> Int
  ) -> Form? {
    guard let preparation = store.preparation else { return nil }
    return store.consume(fullName(name), shape: shape, { prepare($0, preparation) }, bytes: bytes)
  }

  /// Whether the checkpoint holds `name` in this scope. Always false for fresh models.
  public func has(_ name: String) -> Bool { store.has(fullName(name)) }

  /// Type and shape of a stored tensor of this scope.
  public func info(_ name: String) -> TensorInfo? { store.info(fullName(name)) }

  /// Reports something that does not fit; the audit throws it.
  public func report(_ problem: String) { store.note(path.isEmpty ? problem : "\(path): \(problem)") }

  /// Constructs a model from a checkpoint.
  /// - Parameters:
  ///   - dtype: floating-point weights are converted to it; `nil` keeps them as stored.
  ///   - preparation: how layers prepare themselves for running on a CPU; the other weights are float32 then, whatever `dtype` says. Without
  ///     memory (`.meta`) such layers take as many bytes, and cannot run.
  ///   - ignored: names that may be left unused (buffers that the model recomputes).
  ///   - construct: builds the model from the root scope.
  /// - Returns: the model and its parameters.
  /// - Throws: ``WeightsError`` listing missing, unused, doubly used and wrongly shaped tensors; what `construct` throws.
  public static func load<Model>(
    from source: any TensorSource, dtype: DType? = .float32, device: Device = .cpu, preparation: LayerPreparation? = nil,
    ignoring ignored: (String) -> Bool = { _ in false }, _ construct: (Weights) throws -> Model
  ) throws -> (model: Model, parameters: ParameterTree) {
    let store = WeightStore(
      origin: .checkpoint(source), dtype: preparation == nil ? dtype : .float32, device: device, preparation: preparation)
    return try build(store, ignored, construct)
  }

  /// Constructs a model with fresh parameters. The same generator state gives the same parameters.
  public static func initialise<Model>(
    generator: Generator, dtype: DType = .float32, device: Device = .cpu, _ construct: (Weights) throws -> Model
  ) throws -> (model: Model, parameters: ParameterTree) {
    try build(WeightStore(origin: .fresh(generator), dtype: dtype, device: device, preparation: nil), { _ in false }, construct)
  }

  private static func build<Model>(
    _ store: WeightStore, _ ignored: (String) -> Bool, _ construct: (Weights) throws -> Model
  ) throws -> (model: Model, parameters: ParameterTree) {
    let model = try withTensorErrors { try construct(Weights(store: store, path: "")) }
    return (model, try store.audit(ignoring: ignored))
  }
}
