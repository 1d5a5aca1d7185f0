internal import Foundation
internal import QuickstepNN
public import QuickstepTensor

/// One change of one layer, as a file names it: ΔW = scaling · what the form makes of its factors.
public struct LoRAModule: Sendable {
  /// The layer's name in the file, without what tells the factors apart.
  public let name: String
  /// The factors, and how they make the change.
  public let form: any AdapterForm
  /// DoRA's norms of the rows (Liu et al. 2024, arXiv 2402.09353).
  public let magnitude: String?
  /// α/r, or α/√r where the file's settings ask for it; 1 where the form has no rank.
  public let scaling: Double
  /// What users call adapters of this kind.
  public var kind: String { type(of: form).kind }
}

/// A LoRA file: PEFT's names (`….lora_A.weight`), diffusers' present and former ones (`….lora.down.weight`, `….to_q_lora.down.weight`), kohya's
/// (`….lora_down.weight` with `….alpha`), and LyCORIS' LoHa and LoKr (`….hada_w1_a`, `….lokr_w1`). Opening reads headers and the α's.
public struct LoRAFile: Sendable {
  /// What is in a file, sorted by name.
  public let modules: [LoRAModule]
  /// Path of the file.
  public var origin: String { source.origin }
  /// What had to be assumed, in sentences for the user.
  public let notes: [String]
  private let source: any TensorSource

  /// What a key holds: a factor of a form, or what every form may have beside them.
  private enum Role: Hashable {
    case factor(form: Int, String), alpha, magnitude
  }

  /// The most specific first.
  private static let endings: [(ending: String, role: Role)] =
    AdapterForms.all.enumerated().flatMap { index, form in form.endings.map { ($0.ending, .factor(form: index, $0.factor)) } } + [
      ("_lora.alpha", .alpha), (".lora_linear_layer.alpha", .alpha), (".alpha", .alpha), (".dora_scale", .magnitude),
      (".lora_magnitude_vector.weight", .magnitude), (".lora_magnitude_vector.default.weight", .magnitude),
      (".lora_magnitude_vector", .magnitude),
    ]

  /// Parts of keys that tell adapters of other kinds.
  private static let others: [(String, String)] = [
    (".hada_", "a LoHa with factors of another kind"), (".lokr_", "a LoKr with factors of another kind"), (".oft_", "OFT"),
    (".w_norm", "norms"), (".b_norm", "norms"), (".glora_", "GLoRA"), (".on_input", "IA³"), (".diff_b", "full differences"),
    (".diff", "full differences"), (".lora_B.bias", "LoRA with biases"), (".lora_A.bias", "LoRA with biases"),
    ("lora_embedding_", "LoRA of token tables"), (".boft_", "BOFT"), ("vera_lambda", "VeRA"),
  ]

  /// - Parameter path: a safetensors file, or the folder that PEFT or diffusers saved one in.
  /// - Throws: `FormatError` for files without low-rank factors, with one of two factors, or with adapters of another kind, by name.
  public init(path: String) throws { try self.init(try TensorFiles.open(path), settings: try LoRASettings(beside: path)) }

  /// - Parameter settings: what stands beside the tensors; those of the source's metadata when `nil`.
  init(_ source: any TensorSource, settings: LoRASettings?) throws {
    self.source = source
    var found: [String: [Role: String]] = [:]
    for key in source.names {
      guard let (ending, role) = Self.endings.first(where: { key.hasSuffix($0.0) && key.count > $0.0.count }) else {
        throw FormatError(source.origin, Self.refusal(key))
      }
      let name = String(key.dropLast(ending.count))
      guard found[name, default: [:]].updateValue(key, forKey: role) == nil else {
        throw FormatError(source.origin, "has the same factor of '\(name)' twice")
      }
    }
    let settings = try settings ?? LoRASettings(metadata: source.metadata, origin: source.origin)
    modules = try found.sorted { $0.key < $1.key }.map { try Self.module($0.key, $0.value, source, settings) }
    guard !modules.isEmpty else { throw FormatError(source.origin, "holds no tensors") }
    let isPEFT = modules.contains { $0.name.hasPrefix("base_model.model.") }
    notes =
      isPEFT && settings == nil
      ? ["\(source.origin): there is no adapter_config.json beside it, so α is taken as the rank, which is a scale of 1"] : []
  }

  private static func refusal(_ key: String) -> String {
    if let (_, kind) = others.first(where: { key.contains($0.0) }) {
      return
        "holds \(kind) (key '\(key)'), which is not supported; supported: \(AdapterForms.all.map { $0.kind }.joined(separator: ", ")), also of convolutions, and DoRA"
    }
    return "the key '\(key)' is no factor of a LoRA"
  }

  private static func module(
    _ name: String, _ keys: [Role: String], _ source: any TensorSource, _ settings: LoRASettings?
  ) throws -> LoRAModule {
    let shape = { source.info($0)?.shape ?? [] }
    let kinds = Set(keys.keys.compactMap { if case .factor(let form, _) = $0 { form } else { nil } })
    guard kinds.count <= 1 else {
      throw FormatError(source.origin, "of '\(name)' there are factors of several kinds: \(keys.values.sorted())")
    }
    let factors = Dictionary(
      uniqueKeysWithValues: keys.compactMap { role, key in if case .factor(_, let factor) = role { (factor, key) } else { nil } })
    guard let index = kinds.first, let form = AdapterForms.all[index].init(keys: factors, shape: shape) else {
      throw FormatError(source.origin, "of '\(name)' there is \(keys.values.sorted().joined(separator: ", ")), but not all factors")
    }
    for key in keys.values where source.info(key)?.dtype.isFloatingPoint == false && keys[.alpha] != key {
      throw FormatError(source.origin, "the factor '\(key)' is of type \(source.info(key)?.dtype.description ?? "")")
    }
    var scaling = settings?.scaling(name, rank: form.rank) ?? 1
    if let key = keys[.alpha] {
      let alpha = try withTensorErrors { try source.tensor(key).reshape([-1]) }
      guard alpha.count == 1, let value = try? alpha.item(), value.isFinite else {
        throw FormatError(source.origin, "'\(key)' is \(source.info(key)?.shape ?? []); expected one finite number")
      }
      // Without a rank there is nothing that α is a multiple of.
      scaling = form.rank.map { value / Double($0) } ?? 1
    }
    return LoRAModule(name: name, form: form, magnitude: keys[.magnitude], scaling: scaling)
  }

  /// Shape of a factor.
  public func shape(_ key: String) -> [Int] { source.info(key)?.shape ?? [] }

  /// A factor in float32.
  /// - Throws: what reading throws.
  public func factor(_ key: String) throws -> Tensor {
    let tensor = try source.tensor(key)
    return try withTensorErrors { tensor.to(.float32) }
  }
}
