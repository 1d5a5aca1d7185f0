import QuickstepFormats
import QuickstepNN
import QuickstepTensor

/// One LoRA's change of one layer: a module of a file with the scale asked for.
struct LoRABranch: Sendable {
  let file: LoRAFile
  let module: LoRAModule
  /// What the user asked for.
  let scale: Double

  /// The factors of a plain LoRA; `nil` for other forms, which cannot be kept beside a weight.
  var lowRank: LowRankForm? { module.form as? LowRankForm }

  /// Why the factors do not fit a weight; `nil` when they do.
  func problem(_ weight: [Int]) -> String? {
    var fits = module.form.fits(weight, shape: file.shape)
    if let magnitude = module.magnitude.map(file.shape) {
      let count = magnitude.reduce(1, *)
      // Norms of columns, which an early version of another program wrote, cannot be told from those of rows in square layers.
      fits = fits && count == weight[0] && magnitude.first == weight[0]
    }
    let parts = module.form.keys + [module.magnitude].compactMap(\.self)
    return fits ? nil : "factors \(parts.map { "\(file.shape($0))" }.joined(separator: ", ")) for a weight \(weight)"
  }

  /// ΔW with all scales, in float32.
  func change(_ weight: [Int]) throws -> Tensor {
    let change = try module.form.change(weight, factor: file.factor)
    return try withTensorErrors { change * (scale * module.scaling) }
  }

  /// The weight after this change: W + ΔW, or with DoRA's norms m·(W + ΔW)/‖W + ΔW‖ by rows.
  func applied(to weight: Tensor) throws -> Tensor {
    let changed = try change(weight.shape)
    let magnitude = try module.magnitude.map(file.factor)
    return try withTensorErrors {
      let sum = weight + changed
      guard let magnitude else { return sum }
      let norms = sum.flatten(startDim: 1).square().sum([1], keepdim: true).sqrt()
      let factor = magnitude.reshape([-1, 1]) / norms
      return (sum.flatten(startDim: 1) * factor).reshape(weight.shape)
    }
  }
}
