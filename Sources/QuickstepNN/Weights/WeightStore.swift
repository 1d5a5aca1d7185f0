internal import Synchronization
public import QuickstepTensor

/// A checkpoint does not fit the model, or a weight could not be read.
public struct WeightsError: Error, Sendable, CustomStringConvertible {
  public let description: String
  /// An error with this text, which names the source and what does not fit.
  public init(_ description: String) { self.description = description }
}

/// The parameters of a constructed model under their full names, in the order of construction.
public struct ParameterTree: Sendable {
  /// Full names in the order of construction.
  public private(set) var names: [String] = []
  private var tensors: [String: Tensor] = [:]
  /// Shape and bytes of parameters that a layer keeps in a form of its own.
  private var elsewhere: [String: (count: Int, bytes: Int)] = [:]

  /// A tree without parameters.
  public init() {}

  /// The parameter with this full name, or `nil`; also `nil` for one that a prepared layer keeps in a form of its own.
  public subscript(name: String) -> Tensor? { tensors[name] }
  /// Name and tensor, in the order of construction, without those that prepared layers keep in a form of their own.
  public var all: [(name: String, tensor: Tensor)] { names.compactMap { name in tensors[name].map { (name, $0) } } }
  /// Number of scalar parameters.
  public var count: Int { tensors.values.reduce(0) { $0 + $1.count } + elsewhere.values.reduce(0) { $0 + $1.count } }
  /// Bytes of all parameters in memory.
  public var byteCount: Int { tensors.values.reduce(0) { $0 + $1.byteCount } + elsewhere.values.reduce(0) { $0 + $1.bytes } }

  /// Whether there is a parameter of this full name, in whatever form.
  func holds(_ name: String) -> Bool { tensors[name] != nil || elsewhere[name] != nil }

  package mutating func insert(_ name: String, _ tensor: Tensor) {
    if tensors.updateValue(tensor, forKey: name) == nil { names.append(name) }
  }

  mutating func note(_ name: String, count: Int, bytes: Int) {
    if elsewhere.updateValue((count, bytes), forKey: name) == nil { names.append(name) }
  }

  /// The same parameters under longer names; joins the trees of a model's parts into one.
  public func prefixed(_ prefix: String) -> ParameterTree {
    var result = ParameterTree()
    result.names = names.map { prefix + $0 }
    for (name, tensor) in tensors { result.tensors[prefix + name] = tensor }
    for (name, form) in elsewhere { result.elsewhere[prefix + name] = form }
    return result
  }

  /// Takes over all of `other`. Where a name is in both, the tensor of `other` counts and the place stays.
  public mutating func merge(_ other: ParameterTree) {
    for name in other.names {
      if let tensor = other.tensors[name] {
        insert(name, tensor)
      } else if let (count, bytes) = other.elsewhere[name] {
        note(name, count: count, bytes: bytes)
      }
    }
  }
}

/// What stands behind all scopes of one ``Weights``: where tensors come from, and the books for the audit.
final class WeightStore: Sendable {
  enum Origin: Sendable {
    case checkpoint(any TensorSource)
    case fresh(Generator)
  }

  private struct Books {
    var parameters = ParameterTree()
    var missing: [String] = []
    var twice: [String] = []
    var problems: [String] = []
  }

  let origin: Origin
  let dtype: DType?
  let device: Device
  let preparation: LayerPreparation?
  private let books = Mutex(Books())

  init(origin: Origin, dtype: DType?, device: Device, preparation: LayerPreparation?) {
    self.origin = origin
    self.preparation = preparation
    self.dtype = dtype
    self.device = device
  }

  func has(_ name: String) -> Bool {
    switch origin {
    case .checkpoint(let source): source.info(name) != nil
    case .fresh: false
    }
  }

  func info(_ name: String) -> TensorInfo? {
    if case .checkpoint(let source) = origin { source.info(name) } else { nil }
  }

  /// The tensor, checked and placed. When it cannot be had the books say why, and a stand-in of the right shape lets construction go
  /// on, so that the audit can list everything that is wrong at once.
  func take(_ name: String, shape: [Int], initial: Initializer) -> Tensor {
    let tensor: Tensor
    switch origin {
    case .fresh(let generator):
      tensor = initial.make(shape, generator: generator).to(dtype ?? .float32, device)
    case .checkpoint(let source):
      tensor = read(name, shape: shape, from: source) ?? Tensor.zeros([]).expand(shape)
    }
    books.withLock { books in
      if books.parameters.holds(name) { books.twice.append(name) }
      books.parameters.insert(name, tensor)
    }
    return tensor
  }

  /// What `prepare` makes of the tensor, which is given back to the source at once. `nil` when it cannot be had; ``take(_:shape:initial:)``
  /// notes why.
  func consume<Form>(_ name: String, shape: [Int], _ prepare: (Tensor) -> Form?, bytes: (Form) -> Int) -> Form? {
    guard case .checkpoint(let source) = origin, let info = source.info(name), info.shape == shape,
      let tensor = (try? source.tensor(name)).map({ $0.to(.float32, device) }), let form = prepare(tensor)
    else { return nil }
    source.release(name)
    books.withLock { books in
      if books.parameters.holds(name) { books.twice.append(name) }
      books.parameters.note(name, count: tensor.count, bytes: bytes(form))
    }
    return form
  }

  /// Whether kernels of convolutions are stored with channels innermost: what cuDNN's tensor cores take without turning anything, and what makes
  /// libtorch lay out the results so, from layer to layer. Tensors without memory follow, so that layouts can be looked at without a GPU.
  private var keepsChannelsInnermost: Bool { device.isCUDA || device == .meta }

  private func read(_ name: String, shape: [Int], from source: any TensorSource) -> Tensor? {
    guard let info = source.info(name) else {
      books.withLock { $0.missing.append("\(name) \(shape)") }
      return nil
    }
    guard info.shape == shape else {
      books.withLock { $0.problems.append("\(name) is \(info.shape), the model needs \(shape)") }
      return nil
    }
    do {
      let stored = try source.tensor(name)
      let target = stored.dtype.isFloatingPoint ? dtype ?? stored.dtype : stored.dtype
      return try withTensorErrors {
        let placed = stored.to(target, device)
        return shape.count == 4 && keepsChannelsInnermost ? placed.contiguous(memoryFormat: .channelsLast) : placed
      }
    } catch {
      books.withLock { $0.problems.append("\(name): \(error)") }
      return nil
    }
  }

  func note(_ problem: String) { books.withLock { $0.problems.append(problem) } }

  /// Every key used exactly once, none missing, all shapes right.
  /// - Throws: ``WeightsError`` that lists what is not.
  func audit(ignoring ignored: (String) -> Bool) throws -> ParameterTree {
    let books = books.withLock { $0 }
    var problems = books.problems
    func list(_ title: String, _ names: [String]) {
      if !names.isEmpty {
        problems.append("\(title) (\(names.count)): " + names.prefix(12).joined(separator: ", ") + (names.count > 12 ? ", …" : ""))
      }
    }
    list("missing", books.missing)
    list("used twice", books.twice)
    if case .checkpoint(let source) = origin {
      list("not used by the model", source.names.filter { !books.parameters.holds($0) && !ignored($0) })
      if !problems.isEmpty { throw WeightsError("\(source.origin) does not fit the model: " + problems.joined(separator: "; ")) }
    } else if !problems.isEmpty {
      throw WeightsError("the model could not be initialised: " + problems.joined(separator: "; "))
    }
    return books.parameters
  }
}
