package import QuickstepTensor

/// Plays by doing the work once more, into the same memory: what a GPU's recording gives, on any device. It shows stale inputs, outputs that are
/// handed out as they are, and work that depends on more than its inputs; it cannot show work that no recording could hold.
package final class RepeatingRecorder: GraphRecorder {
  package let device: Device
  /// How often work was done apart, recorded and played.
  package private(set) var (apart, recorded, played) = (0, 0, 0)
  private var work: (() throws -> [Tensor])?
  private var outputs: [Tensor] = []

  package init(_ device: Device = .cpu) { self.device = device }

  package func apart<Result>(_ work: () throws -> Result) throws -> Result {
    apart += 1
    return try work()
  }

  package func capture(_ work: @escaping () throws -> [Tensor]) throws -> [Tensor] {
    recorded += 1
    self.work = work
    // Numbers that a recording would not hold either.
    outputs = try withTensorErrors { try work().map { $0.clone() * Double.nan } }
    return outputs
  }

  package func replay() throws {
    guard let work else { throw TensorError("nothing was recorded") }
    played += 1
    try withTensorErrors { for (output, result) in zip(outputs, try work()) { _ = output.copyInPlace(result) } }
  }
}
