public import QuickstepNN
public import QuickstepTensor

/// Runs any tableau: a state machine that hands out model calls and takes their answers.
///
///     while let (state, context) = try executor.nextEvaluation() {
///       try executor.accept(denoised: denoiser.denoised(state, context: context))
///     }
///     let image = try executor.result
///
/// All state of a request is in here, so that a server may interleave as many as it likes. Not to be shared between tasks.
public final class TableauExecutor {
  /// The table being run.
  public let tableau: Tableau
  /// Whether every denoised prediction is checked to be finite; a failing check costs one pass over it.
  public let checksFinite: Bool
  /// What becomes of the state after a finished step: its new value, from the state, the step (from 0) and the level reached.
  public typealias StateChange = (_ state: Tensor, _ step: Int, _ level: NoiseLevel) throws -> Tensor

  private let change: StateChange?
  private let releases: [[Register]]
  private let evaluationCount: Int
  private let shape: [Int]
  private let dtype: DType
  private let device: Device
  private var noise: any NoiseSource
  private var registers: [Register: Tensor]
  private var row = 0
  private var evaluation = 0
  /// Number of solver steps that are done.
  public private(set) var completedSteps = 0

  /// - Parameters:
  ///   - tableau: the table.
  ///   - initial: the state at its initial level, [B, …], floating point.
  ///   - noise: asked for z0, z1, … of the state's shape, in order; never when the table has no noise.
  ///   - checksFinite: refuse predictions that hold NaN or infinities.
  ///   - change: applied to the state after every finished step; predictions made before keep their values.
  /// - Throws: ``SamplingError`` when the initial state is the result of a failed operation.
  public init(
    _ tableau: Tableau, initial: Tensor, noise: any NoiseSource, checksFinite: Bool = false, change: StateChange? = nil
  ) throws {
    guard initial.isDefined else { throw SamplingError("the initial state is the result of a failed operation") }
    self.tableau = tableau
    self.checksFinite = checksFinite
    self.noise = noise
    self.change = change
    releases = tableau.releases
    evaluationCount = tableau.evaluationCount
    shape = initial.shape
    dtype = initial.dtype
    device = initial.device
    registers = [.state(0): initial]
  }

  /// Whether the last row is done.
  public var isFinished: Bool { row == tableau.rows.count }

  /// The state after the last completed row; the initial state before any.
  public var state: Tensor { registers[.state(row)] ?? .undefined }

  /// The final state.
  /// - Throws: ``SamplingError`` while rows are left.
  public var result: Tensor {
    get throws {
      guard isFinished else { throw SamplingError("the run has no result yet: \(row) of \(tableau.rows.count) rows are done") }
      return state
    }
  }

  /// The next model call, or `nil` at the end. Asking again before ``accept(denoised:)`` gives the same answer.
  /// - Throws: what the combination of rows without evaluation throws.
  public func nextEvaluation() throws -> (state: Tensor, context: StepContext)? {
    while !isFinished, tableau.rows[row].evaluation == nil { try combine() }
    guard !isFinished, let call = tableau.rows[row].evaluation else { return nil }
    var context = StepContext(
      step: tableau.rows[row].step, stepCount: tableau.stepCount, evaluation: evaluation, evaluationCount: evaluationCount,
      level: call.level)
    context.sampleLevels = call.sampleLevels
    return (try read(.state(call.state)), context)
  }

  /// Takes the answer to ``nextEvaluation()`` and moves on to the next call or the end.
  /// - Parameter denoised: x̂0 of the state handed out: same shape, type and device.
  /// - Throws: ``SamplingError`` when no call is open, the shape or type differs, or (if checked) values are not finite; the request is
  ///   then to be given up.
  public func accept(denoised: Tensor) throws {
    guard !isFinished, tableau.rows[row].evaluation != nil else {
      throw SamplingError("a prediction came without a call: call nextEvaluation() first, and stop when it gives nil")
    }
    guard denoised.isDefined, denoised.shape == shape, denoised.dtype == dtype else {
      let given = denoised.isDefined ? "\(denoised.dtype) \(denoised.shape)" : "the result of a failed operation"
      throw SamplingError("the prediction of evaluation \(evaluation) is \(given); allowed: \(dtype) \(shape)")
    }
    if checksFinite { try checkFinite(denoised) }
    registers[.denoised(evaluation)] = denoised
    evaluation += 1
    let step = tableau.rows[row].step
    try combine()
    // Rows that open the next step wait for ``nextEvaluation()``, so that between two calls ``state`` is what the step has reached.
    while !isFinished, tableau.rows[row].evaluation == nil, tableau.rows[row].step == step { try combine() }
  }

  /// Makes the state of the current row and lets go of what nobody reads any more.
  private func combine() throws {
    let current = tableau.rows[row]
    let terms = try current.terms.map { (tensor: try read($0.register), coefficient: $0.coefficient) }
    let combined =
      terms.contains { $0.coefficient.field != nil }
      ? try elementwiseCombination(terms) : try linearCombination(terms.map { ($0.tensor, $0.coefficient.scalar) })
    registers[.state(row + 1)] = try current.finishesStep ? change?(combined, current.step, current.level) ?? combined : combined
    for register in releases[row] { registers[register] = nil }
    if current.finishesStep { completedSteps += 1 }
    row += 1
  }

  private func read(_ register: Register) throws -> Tensor {
    if let held = registers[register] { return held }
    if register == .one { return try withTensorErrors { .ones(shape, dtype: dtype, device: device) } }
    guard case .noise = register else { throw SamplingError("register \(register) is empty in row \(row) of tableau '\(tableau.solver)'") }
    let drawn = try noise.draw(shape: shape, dtype: dtype, device: device)
    registers[register] = drawn
    return drawn
  }

  private func checkFinite(_ denoised: Tensor) throws {
    let isFinite = try withTensorErrors { denoised.isFinite().all() }.item() != 0
    guard isFinite else {
      throw SamplingError(
        "the prediction of step \(tableau.rows[row].step) (evaluation \(evaluation), timestep "
          + "\(tableau.rows[row].evaluation?.level.timestep ?? 0)) holds values that are not finite")
    }
  }
}
