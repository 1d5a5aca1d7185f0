import QuickstepAcceleration
import QuickstepDiffusion
import QuickstepModels
import QuickstepNN
import QuickstepTensor

/// The part of a run that one model does: all of it, where methods of acceleration do not let several share it.
struct RunSegment {
  let model: LoadedModel
  /// The request, resolved for this model.
  let plan: ResolvedRequest
  /// Evaluations of the whole run that are this model's.
  let evaluations: Range<Int>
  /// Steps of the whole run that are this model's.
  let steps: Range<Int>
  /// Steps to the end of the grid from where the run begins, those included that another model does after it.
  let runSteps: Int
  /// The run's, which act in all of its steps.
  let corrections: [any Correction]
  /// Methods as they act within this part, which they see as a run of its own.
  let acceleration: Acceleration
  /// This part as they see it.
  let outline: RunOutline
  /// Whether it is another model than the request's.
  let isCompanion: Bool
  /// Which of the request's ControlNets act in it: those that suit its network.
  let controls: [Int]
  let warnings: [String]

  /// The place within this part.
  func located(_ context: StepContext) -> StepContext {
    var context = context
    context.evaluation -= evaluations.lowerBound
    context.evaluationCount = evaluations.count
    context.step -= steps.lowerBound
    context.stepCount = steps.count
    return context
  }

  /// The step in the whole run of a place within this part.
  func whole(_ context: StepContext) -> StepContext {
    var context = context
    context.step += steps.lowerBound
    context.stepCount = runSteps
    return context
  }
}

extension ResolvedRequest {
  /// Which model does which part of the run.
  /// - Parameter companions: by the names methods have for them.
  /// - Throws: `GenerationError` where a companion does not go with the model.
  func segments(_ request: GenerationRequest, model: LoadedModel, companions: [String: LoadedModel]) throws -> [RunSegment] {
    guard let schedule = acceleration.models else {
      let (evaluations, steps) = (0..<outline.evaluations, 0..<outline.stepCount)
      return [
        RunSegment(
          model: model, plan: self, evaluations: evaluations, steps: steps, runSteps: grid.steps - pictures.steps.lowerBound,
          corrections: corrections,
          acceleration: acceleration, outline: outline, isCompanion: false, controls: Array(pictures.controls.indices), warnings: [])
      ]
    }
    return try schedule.segments.map { segment in
      let indices = outline.calls.indices.filter { segment.steps.contains(outline.calls[$0].step) }
      let evaluations = (indices.first ?? 0)..<((indices.last ?? -1) + 1)
      var (doer, plan) = (model, self)
      var (controls, warnings) = (Array(pictures.controls.indices), [String]())
      if let name = segment.model {
        guard let companion = companions[name] else {
          throw GenerationError("'\(name)', which '\(schedule.method)' needs, is not loaded: ImagePipeline(model, companions:) takes it")
        }
        (controls, warnings) = fitting(companion, of: model, steps: segment.steps)
        if companion.options != model.options {
          warnings.append("in the steps of '\(companion.name)' the model is as it is in its folder: LoRAs and replaced parts do not act")
        }
        (doer, plan) = (companion, try resolved(request, for: companion, of: model, scale: segment.scale, controls: controls))
      }
      let part = plan.outline.part(evaluations, steps: segment.steps, of: outline, guidance: plan.guidance)
      let own = try acceleration.narrowed(to: part)
      return RunSegment(
        model: doer, plan: plan, evaluations: evaluations, steps: segment.steps, runSteps: grid.steps - pictures.steps.lowerBound,
        corrections: corrections,
        acceleration: own.acceleration, outline: part, isCompanion: segment.model != nil, controls: controls,
        warnings: warnings + own.warnings)
    }
  }

  /// Which ControlNets of this request suit another model's network, and what the user should know of the others.
  /// - Parameter steps: those of that model.
  private func fitting(
    _ companion: LoadedModel, of model: LoadedModel, steps: Range<Int>
  ) -> (controls: [Int], warnings: [String]) {
    var found: (controls: [Int], warnings: [String]) = ([], [])
    for (index, control) in pictures.controls.enumerated() {
      do {
        try ResolvedPictures.check(control.input, companion, sampleShape: sampleShape)
        guard companion.computeType == model.computeType else {
          throw GenerationError("it computes in \(model.computeType), '\(companion.name)' in \(companion.computeType)")
        }
        found.controls.append(index)
      } catch {
        guard steps.contains(where: { control.input.acts(step: $0, of: grid.steps - pictures.steps.lowerBound) }) else { continue }
        found.warnings.append("in the steps of '\(companion.name)' the ControlNet in \(control.input.folder) does not act: \(error)")
      }
    }
    return found
  }

  /// The request as another model takes it: on the same levels, with the same size.
  /// - Parameter controls: which ControlNets act in its part.
  private func resolved(
    _ request: GenerationRequest, for companion: LoadedModel, of model: LoadedModel, scale: Double?, controls: [Int]
  ) throws -> ResolvedRequest {
    func refusal(_ reason: String) -> GenerationError {
      GenerationError("'\(companion.name)' cannot do a part of the run of '\(model.name)': \(reason)")
    }
    guard companion.backbone.stateChannels == sampleShape[0], companion.pixelsPerSample == model.pixelsPerSample,
      companion.backbone.sampleShape[0] == companion.backbone.stateChannels
    else { throw refusal("their samples have \(companion.backbone.sampleShape[0]) and \(sampleShape[0]) channels, or other codecs") }
    var own = request
    own.accelerations = []
    own.start = nil
    own.pictures = PictureInputs()
    own.pictures.controls = controls.map { request.pictures.controls[$0] }
    own.pictures.fit = request.pictures.fit
    own.span = 0...1
    // The run's act in all steps: this plan's are not asked for.
    own.corrections = []
    (own.width, own.height, own.style) = (width, height, style ?? "none")
    own.usesTrainedSizes = companion.sizeBins == nil
    own.guidanceScale = scale ?? guidanceScale
    if own.ownSolver == nil { (own.solver, own.solverParameters) = (solverName, solverParameters) }
    own.scheduler = try SchedulerChoice.text(schedulerText, for: companion)
    if try solver.ownGrid(schedule: schedule) == nil {
      (own.spacing, own.spacingParameters, own.steps) = (spacingName, spacingParameters, grid.steps)
    }
    let plan: ResolvedRequest
    do { plan = try ResolvedRequest(own, model: companion) } catch { throw refusal("\(error)") }
    for (ours, theirs) in zip(grid.levels, plan.grid.levels)
    where abs(ours.alpha - theirs.alpha) > 1e-5 || abs(ours.sigma - theirs.sigma) > 1e-5 * max(1, ours.sigma) {
      throw refusal("their noise schedules differ (α \(theirs.alpha) and \(ours.alpha) at timestep \(ours.timestep))")
    }
    guard plan.needsNegative == needsNegative || scale != nil else { throw refusal("they are guided in different ways") }
    return plan
  }
}

extension RunOutline {
  /// A part of a run by the model whose outline this is, as a run of its own.
  /// - Parameters:
  ///   - evaluations: those of the part among the whole run's.
  ///   - steps: its steps among the whole run's.
  ///   - run: the whole, whose calls these are.
  ///   - guidance: that of this model, which goes by the steps of the whole run.
  fileprivate func part(_ evaluations: Range<Int>, steps: Range<Int>, of run: RunOutline, guidance: Guidance) -> RunOutline {
    var part = self
    part.stepCount = steps.count
    part.calls = run.guided(by: guidance, in: evaluations).calls[evaluations].map { call in
      var call = call
      call.step -= steps.lowerBound
      return call
    }
    return part
  }

  /// The run with the branches of another guidance in some of its evaluations.
  func guided(by guidance: Guidance, in evaluations: Range<Int>) -> RunOutline {
    var run = self
    for index in evaluations {
      let call = calls[index]
      let context = StepContext(
        step: call.step, stepCount: stepCount, evaluation: index, evaluationCount: calls.count, level: call.level)
      run.calls[index].branches = guidance.active(context).map(\.name)
    }
    return run
  }
}

/// What is evaluated in a run of one batch: in each part its model, with its own conditions and its own caches.
final class SegmentedDenoiser: Denoiser {
  private struct Entry {
    let segment: RunSegment
    let session: AccelerationSession
    let denoiser: GuidedDenoiser
    let calls: CallCounter
    /// Attentions, feed-forward layers and residual blocks of its network.
    let modules: Int
    var evaluations = 0
    /// Passes through the network, and as many of them as there would be without what answers whole evaluations or branches.
    var passes = 0, possiblePasses = 0
  }
  private var entries: [Entry] = []
  private let schedule: ModelSchedule?

  /// Encodes the prompts of a batch for every model.
  /// - Parameters:
  ///   - shared: which model does which steps, where there are several.
  ///   - sites: who acts in the networks, in place of the request's methods.
  ///   - memory: what the request keeps from batch to batch.
  init(
    _ segments: [RunSegment], _ range: Range<Int>, _ pictures: PreparedPictures, _ request: GenerationRequest, shared: ModelSchedule?,
    sites: (any SitePolicy)? = nil, memory: RequestMemory, warnings: inout [String]
  ) throws {
    schedule = shared
    for observer in request.observers { observer.began() }
    for segment in segments {
      let (plan, model) = (segment.plan, segment.model)
      var conditions = try withTensorErrors {
        try model.conditioner.conditions(
          prompts: Array(request.prompts[range]), negative: request.negative, given: plan.given(range), needsNegative: plan.needsNegative,
          frame: plan.frame(request), warnings: &warnings)
      }
      conditions = try model.backbone.unpadded(plan.told(conditions, model: model, count: range.count))
      let side = (height: plan.sampleShape[1], width: plan.sampleShape[2])
      conditions = try withTensorErrors { conditions.mapValues { model.backbone.prepared($0, sampleSide: side) } }
      let session = segment.acceleration.makeSession()
      let acting = sites ?? session.sites
      let recorder = request.observers.isEmpty ? nil : RunRecorder(request.observers, model: model.name, base: acting)
      let counter = CallCounter()
      let call = NetworkCall(
        model: model, conditions: conditions, pictures: pictures.within(segment), policy: recorder ?? acting,
        graphs: memory.graphs, tables: memory.tables, counter: counter)
      // Innermost: what the network answers, whatever methods make of it.
      let calls = session.calls + (recorder.map { [$0] } ?? [])
      let denoiser = GuidedDenoiser(
        parametrisation: plan.parametrisation, guidance: plan.guidance, corrections: segment.corrections,
        batching: plan.guidanceBatching, policies: calls, located: segment.located
      ) { input, context in
        guard let recorder else { return try call.output(input, context) }
        return try recorder.call(context) { try call.output(input, context) }
      }
      let modules = model.backbone.sites.count { $0.kind.isModule }
      entries.append(Entry(segment: segment, session: session, denoiser: denoiser, calls: counter, modules: modules))
    }
  }

  /// x̂0 by the model whose part the step is.
  func denoised(_ state: Tensor, context: StepContext) throws -> Tensor {
    guard let index = entries.firstIndex(where: { $0.segment.steps.contains(context.step) }) ?? entries.indices.last else {
      throw GenerationError("no model does step \(context.step)")
    }
    entries[index].evaluations += 1
    entries[index].calls.branches = []
    let denoised = try entries[index].denoiser.denoised(state, context: context)
    let passes = entries[index].calls.branches.count
    let plan = entries[index].segment.plan
    entries[index].passes += passes
    entries[index].possiblePasses += max(1, passes, plan.guidanceBatching == .split ? plan.guidance.active(context).count : 1)
    return denoised
  }

  /// What the methods did; those within another model's part with its name.
  var reports: [AccelerationReport] {
    var reports = entries.flatMap { entry in
      entry.session.reports.map { report in
        var report = report
        if entry.segment.isCompanion { report.method += " (\(entry.segment.model.name))" }
        if schedule != nil {
          report.share = AccelerationReport.Share(model: entry.segment.model.name, evaluations: entry.segment.evaluations)
        }
        return report
      }
    }
    if let schedule {
      var report = AccelerationReport(method: schedule.method)
      for entry in entries {
        if entry.segment.isCompanion { report.saved += entry.evaluations } else { report.computed += entry.evaluations }
        report.actions[entry.segment.model.name] =
          String(repeating: "-", count: entry.segment.evaluations.lowerBound) + String(repeating: "C", count: entry.evaluations)
      }
      reports.append(report)
    }
    return reports
  }

  /// Modules that were computed, and those of all evaluations; both 0 where nobody acts inside a network. A part in which nobody does so counts
  /// as computed; branches of guidance that are evaluated one after the other count each.
  var modules: (computed: Int, possible: Int) {
    guard entries.contains(where: { $0.session.sites != nil }) else { return (0, 0) }
    return entries.reduce(into: (computed: 0, possible: 0)) { sum, entry in
      sum.computed += entry.session.sites?.computedModules ?? entry.passes * entry.modules
      sum.possible += entry.possiblePasses * entry.modules
    }
  }
}
