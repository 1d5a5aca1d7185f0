import QuickstepFormats
import QuickstepNN
import QuickstepTensor

/// One LoRA's change of one layer: a module of a file with the scale asked for.
struct LoRABranch: Sendable {
  let file: LoRAFile
  let module: LoRAModule
  /// What the user asked for.
  let scale: Double

  /// Why the factors do not fit a weight; `nil` when they do.
  func problem(_ weight: [Int]) -> String? {
    let (down, up) = (file.shape(module.down), file.shape(module.up))
    let mid = module.mid.map(file.shape)
    guard weight.count == 2 || weight.count == 4, down.count >= 2, up.count >= 2 else {
      return "factors \(down) and \(up) for a weight \(weight)"
    }
    let kernel = Array(weight.dropFirst(2))
    func isFlat(_ shape: [Int]) -> Bool { shape.dropFirst(2).allSatisfy { $0 == 1 } }
    let (middleIn, middleOut) = (mid?.dropFirst().first ?? module.rank, mid?.first ?? module.rank)
    var fits = up[0] == weight[0] && up[1] == middleOut && isFlat(up) && down[1] == weight[1] && down[0] == middleIn
    if let mid {
      fits = fits && weight.count == 4 && mid.count == 4 && Array(mid.dropFirst(2)) == kernel && isFlat(down)
    } else {
      fits = fits && (Array(down.dropFirst(2)) == kernel || (isFlat(down) && kernel.allSatisfy { $0 == 1 }))
    }
    if let magnitude = module.magnitude.map(file.shape) {
      let count = magnitude.reduce(1, *)
      // Norms of columns, which an early version of another program wrote, cannot be told from those of rows in square layers.
      fits = fits && count == weight[0] && magnitude.first == weight[0]
    }
    let parts = [down, up] + (mid.map { [$0] } ?? []) + (module.magnitude.map { [file.shape($0)] } ?? [])
    return fits ? nil : "factors \(parts.map { "\($0)" }.joined(separator: ", ")) for a weight \(weight)"
  }

  /// The factors as `[r, in, kernel…]` and `[out, r]`, in float32, without any scale.
  func factors(_ weight: [Int]) throws -> (down: Tensor, up: Tensor) {
    var down = try file.factor(module.down)
    let up = try file.factor(module.up)
    let mid = try module.mid.map(file.factor)
    return try withTensorErrors {
      if let mid {
        // Σ_n mid[m, n, y, x] · down[n, i]
        let (rows, inner) = (mid.size(0), mid.size(1))
        let mixed = mid.permute([0, 2, 3, 1]).reshape([-1, inner]).matmul(down.reshape([inner, -1]))
        down = mixed.reshape([rows, mid.size(2), mid.size(3), weight[1]]).permute([0, 3, 1, 2]).contiguous()
      }
      return (down.reshape([-1] + weight.dropFirst()), up.reshape([weight[0], -1]))
    }
  }

  /// ΔW with all scales, in float32.
  func change(_ weight: [Int]) throws -> Tensor {
    let (down, up) = try factors(weight)
    return try withTensorErrors { up.matmul(down.flatten(startDim: 1)).reshape(weight) * (scale * module.scaling) }
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
