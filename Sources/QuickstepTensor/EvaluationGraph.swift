/// A computation on a GPU that is recorded once and played from then on, with other numbers in its inputs.
///
/// A network's evaluation is some thousand kernels, each of which the processor hands to the GPU by itself; where they are small, the GPU waits for
/// the processor. Recorded (CUDA graphs), they are handed over in one call. The first two runs are done as they are, the third is recorded: the
/// first runs choose algorithms and fill caches, which a recording must not see. All runs read inputs from, and write outputs to, memory that stays.
///
/// What a recording holds is the work and not the program: branches taken and numbers known to the processor stay as they were. One graph belongs
/// to one request and is used by one task at a time.
public final class EvaluationGraph {
  /// The work: a function of the tensors it is given and of nothing that changes from call to call.
  public typealias Work = ([Tensor]) throws -> [Tensor]

  private enum State {
    case warmingUp(done: Int)
    case recorded(outputs: [Tensor])
    case failed(TensorError)
  }

  /// Runs before the recording. The second of them is watched for operators that touch main memory.
  package static let warmUps = 2
  private let recorder: any GraphRecorder
  private let inputs: [Tensor]
  /// What `inputs` are copies of.
  private var sources: [Tensor]
  private var state = State.warmingUp(done: 0)
  /// How often the recording was played.
  public private(set) var replays = 0

  /// A graph for tensors of these shapes, types and layouts.
  /// - Throws: ``TensorError`` where the device is no GPU, or libtorch's CUDA library, a function of it or the GPU is not there.
  public convenience init(device: Device, inputs: [Tensor]) throws { try self.init(CUDAGraphRecorder(device), inputs: inputs) }

  package init(_ recorder: any GraphRecorder, inputs: [Tensor]) throws {
    self.recorder = recorder
    sources = inputs
    self.inputs = try withTensorErrors { inputs.map { $0.clone() } }
  }

  /// Does the work on these tensors, which are left as they are; one that was given to the call before is taken to hold what it held then.
  /// - Parameter work: the same in every call; once it is recorded it is not called any more.
  /// - Returns: tensors of the caller's own.
  /// - Throws: ``TensorError`` for tensors that are not like the first ones, and where the work cannot be recorded, as then in every further
  ///   call; what the work throws.
  public func callAsFunction(_ given: [Tensor], _ work: @escaping Work) throws -> [Tensor] {
    if case .failed(let error) = state { throw error }
    try take(given)
    if case .warmingUp(let done) = state {
      if done < Self.warmUps { return try warmUp(done, work) }
      try record(work)
    }
    guard case .recorded(let outputs) = state else { throw TensorError("a graph was not recorded") }
    try recorder.replay()
    replays += 1
    return try withTensorErrors { outputs.map { $0.clone() } }
  }

  private func take(_ given: [Tensor]) throws {
    guard given.count == inputs.count else { throw TensorError("a graph of \(inputs.count) inputs was given \(given.count)") }
    try withTensorErrors {
      for (index, tensor) in given.enumerated() where !tensor.isIdentical(to: sources[index]) {
        guard tensor.shape == inputs[index].shape, tensor.dtype == inputs[index].dtype else {
          throw TensorError(
            "input \(index) of a graph is \(tensor.dtype) \(tensor.shape); it was made for \(inputs[index].dtype) \(inputs[index].shape)")
        }
        _ = inputs[index].copyInPlace(tensor)
        sources[index] = tensor
      }
    }
  }

  private func warmUp(_ done: Int, _ work: Work) throws -> [Tensor] {
    let (outputs, touched) = try recorder.apart {
      try HostWatch.operators { try withTensorErrors { try work(inputs).map { $0.clone() } } }
    }
    state = .warmingUp(done: done + 1)
    // What the first run alone makes in main memory are tables that are kept.
    if done == Self.warmUps - 1, recorder.device != .cpu, !touched.isEmpty {
      state = .failed(TensorError("cannot be recorded: \(touched.joined(separator: ", ")) touches main memory"))
    }
    return outputs
  }

  private func record(_ work: @escaping Work) throws {
    do {
      let inputs = inputs
      state = .recorded(outputs: try recorder.capture { try work(inputs) })
    } catch {
      let failure = error as? TensorError ?? TensorError("\(error)")
      state = .failed(failure)
      throw failure
    }
  }
}
