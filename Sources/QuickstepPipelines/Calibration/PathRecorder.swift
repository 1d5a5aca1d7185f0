internal import QuickstepAcceleration
internal import QuickstepDiffusion
package import QuickstepNN
package import QuickstepTensor
internal import Synchronization

/// Full runs of a model, in main memory: what fits of solvers are made from.
package struct RecordedPaths: Sendable {
  /// Levels of the states, the final one included.
  package var levels: [NoiseLevel]
  /// What the network was shown in each evaluation, `[B, C, H, W]`.
  package var seen: [Tensor]
  /// x̂0 of each evaluation.
  package var denoised: [Tensor]
  /// The final state.
  package var final: Tensor

  /// Of one sample: x⁰ … x^M.
  func states(_ sample: Int) throws -> [Tensor] { try (seen + [final]).map { try Self.row($0, sample) } }
  /// Of one sample: what the network was shown, and x̂0.
  func predictions(_ sample: Int) throws -> [(state: Tensor, denoised: Tensor)] {
    try zip(seen, denoised).map { (try Self.row($0, sample), try Self.row($1, sample)) }
  }

  private static func row(_ tensor: Tensor, _ index: Int) throws -> Tensor {
    try withTensorErrors { tensor.narrow(0, start: index, length: 1).contiguous() }
  }
}

extension ImagePipeline {
  /// Runs one batch with a solver that evaluates once per step and keeps everything.
  /// - Throws: `GenerationError` when the solver evaluates more or less often than once per step; what generating throws.
  package func recorded(_ request: GenerationRequest) throws -> RecordedPaths {
    var request = request
    request.batch = request.prompts.count
    request.stopsAtLatents = true
    let path = PathObserver()
    request.observers = [path]
    let result = try generate(request)
    let evaluations = path.evaluations
    guard let final = result.latents, evaluations.enumerated().allSatisfy({ $1.context.step == $0 }),
      evaluations.count == evaluations.first?.context.stepCount
    else {
      throw GenerationError("full runs need a solver that evaluates once per step, such as ddim")
    }
    return RecordedPaths(
      levels: evaluations.map(\.context.level), seen: evaluations.map(\.state), denoised: evaluations.map(\.denoised),
      final: try withTensorErrors { final.to(.cpu) })
  }
}

/// Keeps every evaluation of a run in main memory.
private final class PathObserver: RunObserver {
  private let kept = Mutex<[RunEvaluation]>([])
  var evaluations: [RunEvaluation] { kept.withLock { $0 } }

  func denoised(_ evaluation: RunEvaluation) throws {
    // Tensors of the run may be reused or lie on another device.
    let copy = try withTensorErrors {
      RunEvaluation(
        context: evaluation.context, state: evaluation.state.to(.cpu).clone(), denoised: evaluation.denoised.to(.cpu).clone())
    }
    kept.withLock { $0.append(copy) }
  }
}
