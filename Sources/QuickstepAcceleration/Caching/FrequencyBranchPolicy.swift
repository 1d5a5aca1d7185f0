import Foundation
import QuickstepDiffusion
import QuickstepNN
import QuickstepTensor

/// Makes the first of two branches of guidance from the second and the last difference of the two, whose low and high frequencies grow apart.
///
/// The low frequencies are those within a circle around 0 in the spectrum, of a fifth of the smaller side; as the circle is symmetric, both parts of
/// the difference are real pictures, and no transform is needed where they are only added.
final class FrequencyBranchPolicy: ReportingCallPolicy {
  struct Settings: Sendable {
    /// Evaluations per computed branch.
    var interval: Int
    /// Share of the trained times below which the branch is made.
    var from: Double
    /// Growth of the parts per evaluation in which the branch is made.
    var low: Double, high: Double

    /// Whether the branch is made in an evaluation, the `count`-th with two branches.
    /// - Parameter time: part of the trained time, 0…1.
    func makes(count: Int, time: Double) -> Bool { count > 0 && count % interval != 0 && time < from }

    /// What is done, where every evaluation has the same two branches.
    func planned(_ calls: [RunOutline.Call], trainedTime: Double) -> [String: [SiteAction]]? {
      guard let first = calls.first?.branches, first.count == 2, calls.allSatisfy({ $0.branches == first }) else { return nil }
      return [
        "call.\(first[0])": calls.enumerated().map { makes(count: $0, time: $1.level.timestep / trainedTime) ? .correct : .compute }
      ]
    }
  }

  private let settings: Settings
  private let trainedTime: Double
  private let log: ActionLog
  private var difference: (branch: String, low: Tensor, high: Tensor)?
  private var filters: [[Int]: LowPass] = [:]
  private var count = 0

  /// - Parameter trainedTime: what timesteps are parts of.
  init(method: String, _ settings: Settings, trainedTime: Double) {
    (self.settings, self.trainedTime, log) = (settings, trainedTime, ActionLog(method))
  }

  var report: AccelerationReport { log.finished }

  func outputs(
    _ input: Tensor, branches: [String], context: StepContext,
    evaluate: (_ input: Tensor, _ branches: [String], _ context: StepContext) throws -> [Tensor]
  ) throws -> [Tensor] {
    guard branches.count == 2 else { return try evaluate(input, branches, context) }
    defer { count += 1 }
    let (made, kept) = (branches[0], branches[1])
    let time = context.level.timestep / trainedTime
    if let held = difference, held.branch == made, settings.makes(count: count, time: time) {
      let output = try evaluate(input, [kept], context)
      return try withTensorErrors {
        let low = time > 0.099 && time < 0.901 ? held.low * settings.low : held.low
        let high = time < 0.301 ? held.high * settings.high : held.high
        difference = (made, low, high)
        log.note(.correct, at: "call.\(made)", context)
        return [output[0] + low.to(output[0].dtype) + high.to(output[0].dtype), output[0]]
      }
    }
    let outputs = try evaluate(input, branches, context)
    guard outputs.count == 2 else { return outputs }
    log.note(.compute, at: "call.\(made)", context)
    try withTensorErrors {
      let whole = outputs[0].to(.float32) - outputs[1].to(.float32)
      let low = filter(whole.shape)(whole, whole.device)
      difference = (made, low, whole - low)
      log.note(bytes: 2 * whole.byteCount)
    }
    return outputs
  }

  private func filter(_ shape: [Int]) -> LowPass {
    let sides = Array(shape.suffix(2))
    let filter = filters[sides] ?? LowPass(rows: sides[0], columns: sides[1])
    filters[sides] = filter
    return filter
  }
}

/// The frequencies of a picture within a circle of radius ⌊min(H, W)/5⌋, as products with a few rows of the Fourier matrices.
struct LowPass {
  private let rows: (cosine: Tensor, sine: Tensor)
  private let columns: (cosine: Tensor, sine: Tensor)
  private let mask: Tensor
  private let scale: Double

  init(rows height: Int, columns width: Int) {
    let radius = min(height, width) / 5
    func waves(_ size: Int) -> (Tensor, Tensor) {
      let angles = (-radius...radius).flatMap { k in (0..<size).map { 2 * Double.pi * Double(k * $0) / Double(size) } }
      let shape = [2 * radius + 1, size]
      return (Tensor(angles.map { Float(cos($0)) }, shape: shape), Tensor(angles.map { Float(sin($0)) }, shape: shape))
    }
    (rows, columns) = (waves(height), waves(width))
    let inside = (-radius...radius).flatMap { y in (-radius...radius).map { x in Float(x * x + y * y <= radius * radius ? 1 : 0) } }
    mask = Tensor(inside, shape: [2 * radius + 1, 2 * radius + 1])
    scale = 1 / Double(height * width)
  }

  /// `[…, H, W]` in and out.
  func callAsFunction(_ picture: Tensor, _ device: Device) -> Tensor {
    let (c, s) = (rows.cosine.to(device), rows.sine.to(device))
    let (d, t) = (columns.cosine.to(device).transposed, columns.sine.to(device).transposed)
    // e^{−i(a + b)} = (cos a − i sin a)(cos b − i sin b)
    let (across, turned) = (picture.matmul(d), picture.matmul(t))
    let inside = mask.to(device) * scale
    let real = (c.matmul(across) - s.matmul(turned)) * inside
    let imaginary = (s.matmul(across) + c.matmul(turned)) * -inside
    // The real part of Σ F e^{i(a + b)}.
    let (ct, st) = (c.transposed, s.transposed)
    return (ct.matmul(real) - st.matmul(imaginary)).matmul(d.transposed) - (st.matmul(real) + ct.matmul(imaginary)).matmul(t.transposed)
  }
}
