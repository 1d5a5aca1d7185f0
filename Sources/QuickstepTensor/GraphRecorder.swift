internal import CTorch
internal import Synchronization

/// Records what operators do on a device and does it again: the part of ``EvaluationGraph`` that differs from device to device.
package protocol GraphRecorder: AnyObject {
  /// Where the work is done.
  var device: Device { get }
  /// Does work where recording will take place, without recording it, and waits for it.
  func apart<Result>(_ work: () throws -> Result) throws -> Result
  /// Records work, once. Nothing of it is done before ``replay()``.
  /// - Returns: what the work returns: tensors that every replay fills anew.
  func capture(_ work: @escaping () throws -> [Tensor]) throws -> [Tensor]
  /// Does what was recorded, with what the tensors it reads hold now.
  func replay() throws
}

/// CUDA graphs of libtorch: one stream and one pool of memory for each recorder.
final class CUDAGraphRecorder: GraphRecorder {
  let device: Device
  private let graph: qs_graph
  /// Recordings are made one at a time: each empties the allocator's store before it begins.
  private static let recordings = Mutex(())

  /// - Throws: ``TensorError`` where libtorch's CUDA library, a function of it or the GPU is not there.
  init(_ device: Device) throws {
    guard device.isCUDA else { throw TensorError("graphs record the work of a GPU; \(device) is none") }
    var made: qs_graph?
    guard qs_graph_create(Int32(device.index), &made) == 0, let made else { throw TensorError(String(cString: qs_last_error())) }
    self.device = device
    graph = made
  }

  deinit { qs_graph_release(graph) }

  func apart<Result>(_ work: () throws -> Result) throws -> Result {
    try check(qs_graph_enter(graph))
    let outcome = Swift.Result { try work() }
    let left = qs_graph_leave(graph)
    let result = try outcome.get()
    try check(left)
    return result
  }

  func capture(_ work: @escaping () throws -> [Tensor]) throws -> [Tensor] {
    try Self.recordings.withLock { _ in
      try apart {
        try check(qs_graph_capture_begin(graph))
        let outcome = Swift.Result { try withTensorErrors { try work() } }
        // A recording that failed has to be ended as well, or the stream stays in that state.
        let ended = qs_graph_capture_end(graph)
        let outputs = try outcome.get()
        try check(ended)
        return outputs
      }
    }
  }

  func replay() throws { try check(qs_graph_replay(graph)) }

  private func check(_ status: Int32) throws {
    if status != 0 { throw TensorError("CUDA graph: \(String(cString: qs_last_error()))") }
  }
}
