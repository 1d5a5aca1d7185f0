public import QuickstepNN
public import QuickstepTensor

/// A network made into a denoiser: input scaling, guidance branches, conversion to x̂0, corrections, in that order.
public struct GuidedDenoiser: Denoiser {
  /// The network's raw output for its (scaled) input.
  ///
  /// The input is [k·B, …], the branches named in the context stacked along the batch in that order; the output has the same leading
  /// dimension, and its remaining shape is the state's.
  public typealias Backbone = (_ input: Tensor, _ context: StepContext) throws -> Tensor

  /// How branches are evaluated.
  public enum Batching: String, Sendable, Codable, CaseIterable {
    /// All active branches in one call. Faster where memory allows.
    case together
    /// One call per branch, one after the other: what a call has in use at once is that of one branch.
    case split
  }

  private let backbone: Backbone
  private let parametrisation: Parametrisation
  private let guidance: Guidance
  private let corrections: [any Correction]
  private let batching: Batching
  private let policies: [any CallPolicy]
  private let located: (StepContext) -> StepContext

  /// - Parameters:
  ///   - parametrisation: what the network's output means.
  ///   - guidance: branches and weights.
  ///   - corrections: applied to x̂0 in order.
  ///   - batching: one call for all branches or one for each.
  ///   - policies: what stands between guidance and the network, the outermost first: the request's own objects.
  ///   - located: how policies and network see the place in the run, where they do a part of it only.
  ///   - backbone: the network.
  public init(
    parametrisation: Parametrisation, guidance: Guidance = .none(), corrections: [any Correction] = [], batching: Batching = .together,
    policies: [any CallPolicy] = [], located: @escaping (StepContext) -> StepContext = { $0 }, backbone: @escaping Backbone
  ) {
    self.backbone = backbone
    self.parametrisation = parametrisation
    self.guidance = guidance
    self.corrections = corrections
    self.batching = batching
    self.policies = policies
    self.located = located
  }

  /// Branches with weight 0 are not evaluated.
  /// - Throws: ``SamplingError`` when no branch is left or the network's output has another shape than its input; ``ParametrisationError``
  ///   where x̂0 is not determined; what the network and the corrections throw.
  public func denoised(_ state: Tensor, context: StepContext) throws -> Tensor {
    let active = guidance.active(context)
    guard !active.isEmpty else {
      throw SamplingError("all guidance weights are 0 at step \(context.step) of \(context.stepCount); allowed: at least one that is not")
    }
    let input = try parametrisation.input(state: state, at: context)
    let outputs = try self.outputs(input, active.map(\.name), located(context), policies[...])
    let output =
      outputs.count == 1 && active[0].weight == 1
      ? outputs[0] : try linearCombination(zip(outputs, active).map { (tensor: $0.contiguous(), coefficient: $1.weight) })
    var denoised = try parametrisation.denoised(output: output, state: state, at: context)
    for correction in corrections { denoised = try correction.apply(denoised, state: state, context: context) }
    return denoised
  }

  private func outputs(
    _ input: Tensor, _ names: [String], _ context: StepContext, _ policies: ArraySlice<any CallPolicy>
  ) throws -> [Tensor] {
    if let policy = policies.first {
      var context = context
      context.branches = names
      let outputs = try policy.outputs(input, branches: names, context: context) {
        try self.outputs($0, $1, $2, policies.dropFirst())
      }
      guard outputs.count == names.count else {
        throw SamplingError("a call policy gave \(outputs.count) outputs for the branches \(names)")
      }
      return outputs
    }
    guard names.count > 1 else { return [try call(input, names, context)] }
    switch batching {
    case .split: return try names.map { try call(input, [$0], context) }
    case .together:
      let stacked = Tensor.cat(Array(repeating: input, count: names.count), dim: 0)
      return try call(stacked, names, context).chunk(names.count, dim: 0)
    }
  }

  private func call(_ input: Tensor, _ names: [String], _ context: StepContext) throws -> Tensor {
    var context = context
    context.branches = names
    let output = try backbone(input, context)
    guard output.isDefined == false || output.shape == input.shape else {
      throw SamplingError(
        "the model's output has shape \(output.shape) for an input of \(input.shape) (branches \(names)); "
          + "allowed: the same shape")
    }
    return output
  }
}
