import QuickstepNN
import QuickstepTensor

/// Exponential moving average of the parameters, which samples better than the parameters themselves (Song & Ermon 2020).
///
/// The decay ramps up as (1 + n)/(10 + n), so that the average is useful from the first steps on.
final class WeightAverage {
  let decay: Double
  private let names: [String]
  private let parameters: [Tensor]
  private(set) var averages: [Tensor]

  init(_ tree: ParameterTree, decay: Double) throws {
    self.decay = decay
    names = tree.names
    let tensors = tree.all.map(\.tensor)
    parameters = tensors
    averages = try withTensorErrors { withoutGradients { tensors.map { $0.detach().clone() } } }
  }

  /// Takes in the parameters after update number `step` (from 1).
  func update(step: Int) throws {
    let current = min(decay, Double(1 + step) / Double(10 + step))
    try withTensorErrors {
      withoutGradients { Tensor.foreachLerpInPlace(averages, tensors1: parameters.map { $0.detach() }, weight: Scalar(1 - current)) }
    }
  }

  /// The average of the parameter `name`; `nil` for a frozen one.
  subscript(name: String) -> Tensor? { names.firstIndex(of: name).map { averages[$0] } }

  func state() -> [(name: String, tensor: Tensor)] { zip(names, averages).map { ("average." + $0, $1) } }

  func restore(from source: any TensorSource) throws {
    let device = parameters.first?.device ?? .cpu
    averages = try names.map { try source.tensor("average." + $0).to(device).clone() }
  }
}
