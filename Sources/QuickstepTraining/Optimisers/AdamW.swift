package import QuickstepNN
internal import QuickstepTensor

/// Adam with decoupled weight decay (Loshchilov & Hutter 2019, arXiv 1711.05101), all parameters in one fused call.
///
/// Decay applies to matrices and convolution kernels; vectors (biases, norms) and embeddings are left alone, as is usual.
public final class AdamW {
  let plan: OptimiserPlan
  private let names: [String]
  private let parameters: [Tensor]
  private(set) var firstMoments: [Tensor]
  private(set) var secondMoments: [Tensor]
  private let decays: [Bool]
  /// Updates made so far.
  public private(set) var step = 0

  package init(_ tree: ParameterTree, plan: OptimiserPlan) throws {
    self.plan = plan
    names = tree.names
    let tensors = tree.all.map(\.tensor)
    parameters = tensors
    decays = tree.all.map { $0.tensor.rank >= 2 && !$0.name.hasSuffix("embedding.weight") }
    (firstMoments, secondMoments) = try withTensorErrors { (tensors.map { $0.zerosLike() }, tensors.map { $0.zerosLike() }) }
    for tensor in tensors { tensor.setRequiresGradient(true) }
  }

  /// One update from the accumulated gradients, which are cleared.
  /// - Returns: the gradients' total norm before clipping.
  /// - Throws: `TensorError` when the gradient is not finite; nothing has been changed then.
  public func update(learningRate: Double) throws -> Double {
    let gradients = try zip(names, parameters).map { name, parameter in
      guard let gradient = parameter.gradient else { throw TensorError("the loss does not depend on the parameter '\(name)'") }
      return gradient
    }
    let norm = try withTensorErrors { withoutGradients { Tensor.stack(Tensor.foreachNorm(gradients)).vectorNorm() } }.item()
    guard norm.isFinite else { throw TensorError("the gradient is not finite at update \(step)") }
    step += 1
    try withTensorErrors {
      withoutGradients {
        if plan.clip > 0, norm > plan.clip { Tensor.foreachMultiplyInPlace(gradients, scalar: Scalar(plan.clip / norm)) }
        apply(gradients, decaying: true, learningRate: learningRate)
        apply(gradients, decaying: false, learningRate: learningRate)
      }
    }
    for parameter in parameters { parameter.setGradient(nil) }
    return norm
  }

  private func apply(_ gradients: [Tensor], decaying: Bool, learningRate: Double) {
    let chosen = parameters.indices.filter { decays[$0] == decaying }
    guard !chosen.isEmpty else { return }
    func pick(_ tensors: [Tensor]) -> [Tensor] { chosen.map { tensors[$0] } }
    let count = Tensor(scalar: Float(step)).to(parameters[0].device)
    Tensor.fusedAdamWInPlace(
      pick(parameters), grads: pick(gradients), expAvgs: pick(firstMoments), expAvgSqs: pick(secondMoments), maxExpAvgSqs: [],
      stateSteps: chosen.map { _ in count.clone() }, lr: learningRate, beta1: plan.beta1, beta2: plan.beta2,
      weightDecay: decaying ? plan.weightDecay : 0, eps: plan.epsilon, amsgrad: false, maximize: false)
  }

  /// Named state for a checkpoint.
  func state() -> [(name: String, tensor: Tensor)] {
    zip(names, firstMoments).map { ("adam.m." + $0, $1) } + zip(names, secondMoments).map { ("adam.v." + $0, $1) }
  }

  /// Continues from a checkpoint's state.
  func restore(step: Int, from source: any TensorSource) throws {
    self.step = step
    let device = parameters.first?.device ?? .cpu
    // Copies: the moments are written in place, a mapped file must not be.
    firstMoments = try names.map { try source.tensor("adam.m." + $0).to(device).clone() }
    secondMoments = try names.map { try source.tensor("adam.v." + $0).to(device).clone() }
  }
}
