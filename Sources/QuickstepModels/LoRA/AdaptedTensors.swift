import QuickstepNN
import QuickstepFormats
import QuickstepTensor

/// A component's tensors with LoRAs in their weights: W + Σ scale·(α/r)·up·down, computed in float32 when a weight is asked for.
/// Weights without a change share the file's memory as before.
struct FusedTensors: TensorSource {
  let base: any TensorSource
  /// By the name of the weight.
  let branches: [String: [LoRABranch]]

  var names: [String] { base.names }
  var metadata: [String: String] { base.metadata }
  var origin: String { base.origin }

  func info(_ name: String) -> TensorInfo? {
    guard let info = base.info(name), branches[name] != nil else { return base.info(name) }
    return TensorInfo(name: name, dtype: .float32, shape: info.shape)
  }

  func release(_ name: String) { base.release(name) }

  func tensor(_ name: String) throws -> Tensor {
    let stored = try base.tensor(name)
    guard let branches = branches[name] else { return stored }
    let weight = try withTensorErrors { stored.to(.float32) }
    return try withInference { try branches.reduce(weight) { try $1.applied(to: $0) } }
  }
}

/// A component's tensors with LoRAs beside their weights, for ``LowRankLinear`` and ``LowRankConvolution``: branches of one layer stand side
/// by side as one branch of the sum of their ranks, which computes the same sum in two products instead of two for each.
struct BranchedTensors: TensorSource {
  let base: any TensorSource
  let names: [String]
  private let branches: [String: [LoRABranch]]
  private let infos: [String: TensorInfo]

  /// - Parameter branches: by the name of the weight.
  init(base: any TensorSource, branches: [String: [LoRABranch]]) {
    var infos: [String: TensorInfo] = [:]
    for (weight, list) in branches {
      guard let shape = base.info(weight)?.shape else { continue }
      let scope = String(weight.dropLast("weight".count))
      let rank = list.reduce(0) { $0 + ($1.lowRank?.rows($1.file.shape) ?? 0) }
      let tail = shape.count == 4 ? [1, 1] : []
      infos[scope + "lora_A.weight"] = TensorInfo(name: scope + "lora_A.weight", dtype: .float32, shape: [rank] + shape.dropFirst())
      infos[scope + "lora_B.weight"] = TensorInfo(name: scope + "lora_B.weight", dtype: .float32, shape: [shape[0], rank] + tail)
    }
    self.base = base
    self.branches = branches
    self.infos = infos
    names = (base.names + infos.keys).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  var metadata: [String: String] { base.metadata }
  var origin: String { base.origin }

  func info(_ name: String) -> TensorInfo? { infos[name] ?? base.info(name) }

  func release(_ name: String) { if infos[name] == nil { base.release(name) } }

  func tensor(_ name: String) throws -> Tensor {
    guard let info = infos[name] else { return try base.tensor(name) }
    let isDown = name.hasSuffix("lora_A.weight")
    let weight = name.dropLast("lora_A.weight".count) + "weight"
    let shape = base.info(String(weight))?.shape ?? []
    let parts = try (branches[String(weight)] ?? []).compactMap { branch -> Tensor? in
      guard let (down, up) = try branch.lowRank?.factors(shape, factor: branch.file.factor) else { return nil }
      return try withTensorErrors { isDown ? down : up * (branch.scale * branch.module.scaling) }
    }
    return try withTensorErrors { Tensor.cat(parts, dim: isDown ? 0 : 1).reshape(info.shape) }
  }
}
