import Foundation
import QuickstepNN
import QuickstepTensor

/// Rotary positions (Su et al. 2021, arXiv 2104.09864) over several axes: pairs of neighbouring channels are turned by position · frequency,
/// each axis having channels of its own.
struct RotaryPositions {
  /// `[N, 1, D / 2]`, float32.
  let cosines: Tensor, sines: Tensor

  /// - Parameters:
  ///   - positions: `[N, axes]`.
  ///   - sizes: channels of each axis, even; their sum is D.
  init(_ positions: Tensor, sizes: [Int]) {
    // In double precision, as in the reference: positions may be large.
    let angles = sizes.enumerated().map { axis, size in
      let table = ConstantTables.table("rotary frequencies", [Double(size)], dtype: .float64, device: positions.device) {
        let frequencies = stride(from: 0, to: size, by: 2).map { 1 / pow(10000, Double($0) / Double(size)) }
        return Tensor(frequencies, shape: [1, frequencies.count])
      }
      return positions.narrow(1, start: axis, length: 1).to(.float64) * table
    }
    let all = Tensor.cat(angles, dim: 1).unsqueeze(1)
    cosines = all.cos().to(.float32)
    sines = all.sin().to(.float32)
  }

  /// `[B, N, heads, D] → [B, N, heads, D]`.
  func callAsFunction(_ input: Tensor) -> Tensor {
    let pairs = input.to(.float32).unflatten(-1, sizes: [-1, 2])
    let (first, second) = (pairs.select(-1, index: 0), pairs.select(-1, index: 1))
    let turned = Tensor.stack([first * cosines - second * sines, second * cosines + first * sines], dim: -1)
    return turned.flatten(startDim: 3).to(input.dtype)
  }
}
