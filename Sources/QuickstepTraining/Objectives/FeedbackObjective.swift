public import QuickstepDiffusion
public import QuickstepNN
public import QuickstepTensor

/// Distils several fine solver steps into one long step of a student: what ``FeedbackTask`` trains inner-loop feedback with.
///
/// The long step i of the student's table goes from x_i to x_{i+1} = Σ c·register. States are the teacher's, the prediction m_i is the student's,
/// earlier predictions are the student's without gradient. With the teacher's state x*_{i+1} and its prediction m*_mid one fine step behind x_i,
///
///     L_i = mean (x_{i+1} − x*_{i+1})² / α_{i+1}² + w · min(SNR_mid, γ) · mean (D_i − m*_mid)²,   D_i = Σ_j c_j m_j / Σ_j c_j.
///
/// SNR_mid · (D − m*)² is the squared error of the noise that belongs to x*_mid; it is bounded since it grows without limit towards clean data.
public struct FeedbackObjective: Sendable {
  /// The student's steps that are trained.
  public let steps: Range<Int>
  private let rows: [Row]
  private let weight: Double
  private let bound: Double

  private struct Row: Sendable {
    var terms: [Tableau.Term]
    var context: StepContext
    var alpha: Double
    var signalToNoise: Double
  }

  /// What a teacher's run gives to learn from; `[B, …]` each.
  public struct Teacher: Sendable {
    /// x* before each long step, and after the last.
    public var states: [Tensor]
    /// m* at each of the states but the last.
    public var denoised: [Tensor]
    /// m* one fine step behind each of the states but the last.
    public var middle: [Tensor]

    /// From a fine run.
    /// - Parameters:
    ///   - states: before each fine step, and after the last.
    ///   - denoised: of each fine step.
    ///   - refinement: fine steps per long one, at least 2.
    public init(states: [Tensor], denoised: [Tensor], refinement: Int) {
      let starts = Array(stride(from: 0, to: denoised.count, by: max(2, refinement)))
      self.states = starts.map { states[$0] } + [states[states.count - 1]]
      self.denoised = starts.map { denoised[$0] }
      middle = starts.map { denoised[min($0 + 1, denoised.count - 1)] }
    }
  }

  /// - Parameters:
  ///   - table: of the student's run; one evaluation per step, no noise.
  ///   - fine: levels of the teacher's states, `refinement` for each step of the table, and the final one.
  ///   - refinement: fine steps per long one, at least 2.
  ///   - steps: those that are trained.
  ///   - weight: w, not negative.
  ///   - bound: γ, above 0.
  /// - Throws: ``PlanError`` for a solver that cannot be trained this way and for levels that do not fit together.
  public init(
    table: Tableau, fine: [NoiseLevel], refinement: Int, steps: Range<Int>, weight: Double = 0.1, bound: Double = 1
  ) throws {
    let count = table.stepCount
    guard refinement >= 2, fine.count == count * refinement + 1 else {
      throw PlanError("feedback: a teacher of \(fine.count - 1) steps does not make \(refinement) of each of \(count)")
    }
    guard steps.lowerBound >= 0, steps.upperBound <= count, !steps.isEmpty else {
      throw PlanError("feedback: no step of \(count) is left to train (\(steps.lowerBound)..<\(steps.upperBound))")
    }
    guard weight >= 0, bound > 0 else { throw PlanError("feedback: 'noise_weight' must not be negative, 'noise_bound' above 0") }
    guard table.rows.count == count, table.noiseCount == 0, table.rows.allSatisfy({ $0.evaluation != nil && $0.finishesStep }),
      table.rows.allSatisfy({ $0.terms.allSatisfy { $0.coefficient.field == nil && $0.register != .one } })
    else { throw PlanError("feedback: '\(table.solver)' does not make each step of one evaluation, without noise; take ddim or dpm++-2m") }
    rows = try table.rows.enumerated().map { index, row in
      let level = row.evaluation?.level ?? row.level
      guard row.evaluation?.state == index, Self.isSame(level, fine[index * refinement]) else {
        throw PlanError(
          "feedback: step \(index) begins at timestep \(level.timestep), the teacher's at \(fine[index * refinement].timestep); take a "
            + "grid whose levels are among those of \(refinement) times as many steps")
      }
      guard row.level.alpha > 0, steps.contains(index) == false || row.terms.contains(where: { $0.register == .denoised(index) }) else {
        throw PlanError("feedback: step \(index) of '\(table.solver)' does not depend on its prediction, or ends at pure noise")
      }
      let middle = fine[index * refinement + 1]
      let context = StepContext(step: index, stepCount: count, evaluation: index, evaluationCount: count, level: level)
      return Row(
        terms: row.terms, context: context, alpha: row.level.alpha,
        signalToNoise: middle.sigma > 0 ? (middle.alpha * middle.alpha) / (middle.sigma * middle.sigma) : .infinity)
    }
    (self.steps, self.weight, self.bound) = (steps, weight, bound)
  }

  private static func isSame(_ a: NoiseLevel, _ b: NoiseLevel) -> Bool {
    abs(a.timestep - b.timestep) < 1e-6 && abs(a.alpha - b.alpha) < 1e-9 && abs(a.sigma - b.sigma) < 1e-9
  }

  /// The mean loss over all trained steps, a scalar.
  /// - Parameter predict: the student: m of a state in an evaluation of its run.
  public func loss(_ teacher: Teacher, predict: (Tensor, StepContext) throws -> Tensor) throws -> Tensor {
    var predictions: [Tensor] = []
    var sum: Tensor?
    for (index, row) in rows[..<steps.upperBound].enumerated() {
      guard steps.contains(index) else {
        predictions.append(teacher.denoised[index])
        continue
      }
      let own = try predict(teacher.states[index], row.context)
      predictions.append(own)
      let loss = try stepLoss(row, index, own, predictions, teacher)
      sum = sum.map { $0 + loss } ?? loss
    }
    return (sum ?? .undefined) / Double(steps.count)
  }

  private func stepLoss(_ row: Row, _ index: Int, _ own: Tensor, _ predictions: [Tensor], _ teacher: Teacher) throws -> Tensor {
    var (known, answered): ([(tensor: Tensor, coefficient: Double)], [(tensor: Tensor, coefficient: Double)]) = ([], [])
    for term in row.terms {
      switch term.register {
      case .state(let state): known.append((teacher.states[state], term.coefficient.scalar))
      case .denoised(let evaluation):
        answered.append((evaluation == index ? own : predictions[evaluation].detach(), term.coefficient.scalar))
      case .noise, .one: break
      }
    }
    let reached = try linearCombination(known + answered)
    let error = ((reached - teacher.states[index + 1]) / row.alpha).square().mean()
    let total = answered.reduce(0) { $0 + $1.coefficient }
    guard weight > 0, total != 0 else { return error }
    let direction = try linearCombination(answered.map { ($0.tensor, $0.coefficient / total) })
    return error + (direction - teacher.middle[index]).square().mean() * (weight * min(row.signalToNoise, bound))
  }
}

extension FeedbackObjective {
  public static let declaration = MethodDeclaration(
    name: "feedback", family: .objective,
    summary: "One step of double length with inner-loop feedback learns to end where two fine steps of the frozen network end.",
    points: [.weights], reads: ["runs of the frozen network"], changes: ["weights"], needs: ["a trained model", "prompts"], state: "none",
    parameters: [
      ParameterDeclaration(
        name: "refinement", summary: "fine steps of the teacher per step of the student", domain: .integer(2...16), standard: .integer(2)),
      ParameterDeclaration(
        name: "noise_weight", summary: "weight of the error of the noise in the middle of a step", domain: .number(0...10),
        standard: .number(0.1)),
      ParameterDeclaration(
        name: "noise_bound", summary: "bound γ of SNR in that error", domain: .number(0.01...1000), standard: .number(1)),
    ], exactness: .approximate, reference: "arXiv 2501.13107, section 3; terms and weights are our own")
}
