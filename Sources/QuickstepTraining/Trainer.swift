internal import QuickstepNN
internal import Foundation
internal import QuickstepTensor

/// Runs a plan: the loop, the checkpoints, the log. It knows tasks only through ``TrainingTask``.
///
/// Every step is a function of plan, step number and weights, so a run that was interrupted at any point and resumed gives the same bits as
/// one that was not (on the same machine and number of threads).
public final class Trainer {
  /// One finished step.
  public struct Progress: Sendable {
    /// Steps finished, counting earlier sessions.
    public var step: Int
    /// Steps of the plan.
    public var steps: Int
    /// Mean loss since the last report.
    public var loss: Double
    /// Mean over this session.
    public var samplesPerSecond: Double
    /// Estimated from the mean over this session.
    public var secondsLeft: Double
  }

  private let plan: TrainingPlan
  private let task: any TrainingTask
  private let folder: String
  private let context: TrainingContext
  private let optimiser: AdamW
  private let average: WeightAverage
  private let order: ShuffledOrder
  private let checkpoint: Checkpoint
  private var log: LossLog
  /// Steps finished so far, counting earlier sessions.
  public private(set) var step: Int

  /// Prepares a run in `folder`, continuing from its checkpoint when there is one.
  /// - Throws: when the plan, the data or the checkpoint do not fit.
  public convenience init(_ plan: TrainingPlan, folder: String, context: TrainingContext) throws {
    try self.init(plan, task: AllTrainingTasks.named(plan.task).init(plan, context: context), folder: folder, context: context)
  }

  /// The same with a task that is not registered: one of the caller's own.
  public init(_ plan: TrainingPlan, task: any TrainingTask, folder: String, context: TrainingContext) throws {
    guard plan.batch >= 1, plan.steps >= 1 else { throw PlanError("batch \(plan.batch) and steps \(plan.steps) must be at least 1") }
    self.plan = plan
    self.folder = folder
    self.context = context
    self.task = task
    let trained = try plan.trainedParameters(of: task.parameters)
    optimiser = try AdamW(trained, plan: plan.optimiser)
    average = try WeightAverage(trained, decay: plan.averagingDecay)
    order = ShuffledOrder(count: task.sampleCount, batch: plan.batch, seed: plan.seed)
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    checkpoint = Checkpoint(folder: folder)
    step = checkpoint.exists ? try checkpoint.restore(plan: plan, parameters: task.parameters, optimiser: optimiser, average: average) : 0
    log = try LossLog(folder: folder, continuingFrom: step)
    let counts = trained.count == task.parameters.count ? "" : ", \(trained.count) of them trained"
    context.note(
      "\(task.parameters.count) parameters\(counts), \(task.sampleCount) samples" + (step > 0 ? ", continuing at step \(step)" : ""))
  }

  /// Trains until the plan's last step, or until `shouldStop` says so. A checkpoint is left either way.
  /// - Parameters:
  ///   - checkpointSeconds: how often to save.
  ///   - report: called about every `reportSteps` steps.
  ///   - shouldStop: asked after every step.
  /// - Returns: whether the plan is finished.
  public func run(
    checkpointSeconds: Double = 300, reportSteps: Int = 20, report: (Progress) -> Void = { _ in }, shouldStop: () -> Bool = { false }
  ) throws -> Bool {
    let start = Date()
    let first = step
    let before = log.secondsBefore
    var lastSaved = Date()
    var losses: [Double] = []
    while step < plan.steps {
      let rate = plan.optimiser.rate(at: step, of: plan.steps)
      let (loss, norm) = try update(rate)
      step += 1
      losses.append(loss)
      if step % max(1, reportSteps) == 0 || step == plan.steps {
        let seconds = Date().timeIntervalSince(start)
        let mean = losses.reduce(0, +) / Double(losses.count)
        losses.removeAll()
        log.append(.init(step: step, loss: mean, learningRate: rate, gradientNorm: norm, seconds: before + seconds))
        let perStep = seconds / Double(step - first)
        report(
          Progress(
            step: step, steps: plan.steps, loss: mean, samplesPerSecond: Double(plan.batch) / perStep,
            secondsLeft: perStep * Double(plan.steps - step)))
      }
      let stopping = shouldStop()
      if stopping || Date().timeIntervalSince(lastSaved) > checkpointSeconds || step == plan.steps {
        try save()
        lastSaved = Date()
      }
      if stopping { break }
    }
    return step >= plan.steps
  }

  private func update(_ rate: Double) throws -> (loss: Double, norm: Double) {
    let indices = try order.indices(step: step)
    let random = try StepRandom(seed: plan.seed, step: step)
    let loss = try withTensorErrors {
      let loss = try withAutocast(context.device, enabled: context.device.isCUDA) { try task.loss(indices: indices, random: random) }
      loss.backward()
      return loss
    }
    let value = try loss.item()
    guard value.isFinite else { throw PlanError("the loss is \(value) at step \(step); lower the learning rate or raise the warm-up") }
    let norm = try optimiser.update(learningRate: rate)
    try average.update(step: step + 1)
    return (value, norm)
  }

  /// Saves a checkpoint and the loss log.
  public func save() throws {
    try checkpoint.write(step: step, plan: plan, parameters: task.parameters, optimiser: optimiser, average: average)
    try log.write()
  }

  /// Writes the averaged weights as a model folder.
  public func export(to folder: String) throws {
    var weights = ParameterTree()
    for (name, tensor) in task.parameters.all { weights.insert(name, plan.averagingDecay > 0 ? average[name] ?? tensor : tensor) }
    try task.export(weights, plan: plan, to: folder)
  }
}
