public import QuickstepDiffusion
internal import QuickstepNN
public import QuickstepTensor

/// Settings of ``DenoisingObjective`` in a plan.
public struct ObjectivePlan: Codable, Sendable, Hashable {
  /// Name of the discrete schedule's betas, as in diffusers' `beta_schedule`, or `flow`.
  public var schedule: String
  /// What the network predicts: `epsilon`, `sample`, `v_prediction` or `flow_prediction`.
  public var prediction: String
  /// `uniform`, `min-snr` or `velocity`; see ``LossWeighting``.
  public var weighting: String
  /// Bound γ of the weight.
  public var maximum: Double

  /// Nothing is checked here; ``DenoisingObjective/init(_:)`` does.
  /// - Parameters:
  ///   - schedule: name of the betas, or `flow`.
  ///   - prediction: what the network predicts.
  ///   - weighting: name of the weighting.
  ///   - maximum: bound γ of the weight, above 0.
  public init(schedule: String, prediction: String, weighting: String, maximum: Double) {
    self.schedule = schedule
    self.prediction = prediction
    self.weighting = weighting
    self.maximum = maximum
  }

  /// The forward process to train on: 1000 timesteps with the standard betas, or rectified flow without shift.
  /// - Throws: `ScheduleError` for an unknown name.
  public func makeSchedule() throws -> any NoiseSchedule {
    schedule == "flow" ? try FlowSchedule() : try DiscreteVPSchedule(try BetaSchedule.named(schedule))
  }
}

/// How errors at different noise levels are weighed against each other.
///
/// The last two are stated for the error of x̂0 and converted to the network's own output, so they mean the same for every parametrisation;
/// `uniform` weighs the network's own output and differs from one to the next. SNR = α²/σ².
public enum LossWeighting: Sendable, Hashable {
  /// The plain squared error of the network's own output.
  case uniform
  /// min(SNR, γ) on x̂0 (Hang et al. 2023, arXiv 2303.09556).
  case minSNR(Double)
  /// min(SNR + 1, γ) on x̂0. On variance-preserving schedules that is the plain error of v, bounded where the noise is small.
  case velocity(Double)

  /// - Parameters:
  ///   - name: `uniform`, `min-snr` or `velocity`.
  ///   - maximum: γ > 0; `uniform` does not use it.
  /// - Throws: ``PlanError`` for another name or bound.
  public static func named(_ name: String, maximum: Double) throws -> LossWeighting {
    guard maximum > 0, maximum.isFinite else { throw PlanError("objective: 'maximum' is \(maximum); it must be above 0") }
    switch name {
    case "uniform": return .uniform
    case "min-snr": return .minSNR(maximum)
    case "velocity": return .velocity(maximum)
    default: throw PlanError("objective: unknown weighting '\(name)'; known: uniform, min-snr, velocity")
    }
  }

  /// Weight of the squared error of the network's own output at `level`.
  /// - Parameter outputScale: ∂x̂0/∂output there.
  func weight(at level: NoiseLevel, outputScale: Double) -> Double {
    let snr = level.sigma == 0 ? .infinity : (level.alpha * level.alpha) / (level.sigma * level.sigma)
    switch self {
    case .uniform: return 1
    case .minSNR(let bound): return min(snr, bound) * outputScale * outputScale
    case .velocity(let bound): return min(snr + 1, bound) * outputScale * outputScale
    }
  }
}

/// Denoising score matching in any parametrisation: noise a sample to a random level and predict what was asked for (Ho et al. 2020, equation 14).
public struct DenoisingObjective: Sendable {
  /// The forward process: which levels a sample is noised to.
  public let schedule: any NoiseSchedule
  /// What the network's output means.
  public let parametrisation: Parametrisation
  /// How levels are weighed against each other.
  public let weighting: LossWeighting
  private let table: LevelTable

  /// Works out target and weight of every timestep in advance.
  /// - Throws: ``PlanError`` for a weighting that is not known and for a prediction that cannot be trained at some level;
  ///   `ScheduleError` for the schedule.
  public init(_ plan: ObjectivePlan) throws {
    schedule = try plan.makeSchedule()
    parametrisation = try Parametrisation.named(plan.prediction)
    weighting = try .named(plan.weighting, maximum: plan.maximum)
    table = try LevelTable(schedule, parametrisation, weighting)
  }

  /// The mean weighted squared error of a batch, a scalar.
  /// - Parameters:
  ///   - clean: x0, `[B, …]`.
  ///   - generator: for times and noise.
  ///   - predict: the network: noisy sample `[B, …]` and timestep `[B]` to output `[B, …]`.
  public func loss(_ clean: Tensor, generator: Generator, predict: (Tensor, Tensor) throws -> Tensor) throws -> Tensor {
    let times = stratifiedTimes(clean.size(0), generator)
    let noise = Tensor.randn(clean.shape, generator: generator).to(clean.device)
    let level = table.rows(times, rank: clean.rank, device: clean.device)
    let noisy = clean * level.alpha + noise * level.sigma
    let output = try predict(noisy, level.timestep)
    // target: the output for which x̂0 = x0, that is (x0 − skip·x)/out.
    let target = (clean - noisy * level.skip) / level.out
    let error = (output.to(.float32) - target).square().flatten(startDim: 1).mean([1])
    return (error * level.weight).mean()
  }

  /// One time in each of B equal parts of the range, which lowers the variance of the loss.
  private func stratifiedTimes(_ count: Int, _ generator: Generator) -> Tensor {
    let offsets = Tensor.arange(0, end: Scalar(count), dtype: .float32)
    let fractions = (offsets + Tensor.rand([count], generator: generator)) / Double(max(1, count))
    return (fractions * Double(table.count)).floor().clamp(min: 0, max: Scalar(table.count - 1)).to(.int64)
  }
}

/// Per timestep everything the loss needs, as float32 columns.
private struct LevelTable: Sendable {
  struct Rows { var timestep, alpha, sigma, skip, out, weight: Tensor }
  let count: Int
  private let columns: [Tensor]

  init(_ schedule: any NoiseSchedule, _ parametrisation: Parametrisation, _ weighting: LossWeighting) throws {
    let range = schedule.timeRange
    let count = schedule.trainSteps ?? 1000
    var values = Array(repeating: [Float](), count: 6)
    for index in 0..<count {
      let time = range.lowerBound + (range.upperBound - range.lowerBound) * Double(index) / Double(max(1, count - 1))
      let level = try schedule.level(at: time)
      let c = try parametrisation.coefficients(at: level)
      guard c.out != 0, c.input == 1 else { throw PlanError("objective: \(parametrisation) cannot be trained at timestep \(time)") }
      let row = [time, level.alpha, level.sigma, c.skip, c.out, weighting.weight(at: level, outputScale: c.out)]
      for (column, value) in row.enumerated() { values[column].append(Float(value)) }
    }
    self.count = count
    columns = values.map { Tensor($0) }
  }

  func rows(_ times: Tensor, rank: Int, device: Device) -> Rows {
    func flat(_ column: Int) -> Tensor { columns[column].indexSelect(0, index: times).to(device) }
    func shaped(_ column: Int) -> Tensor { flat(column).reshape([times.size(0)] + Array(repeating: 1, count: rank - 1)) }
    return Rows(timestep: flat(0), alpha: shaped(1), sigma: shaped(2), skip: shaped(3), out: shaped(4), weight: flat(5))
  }
}
