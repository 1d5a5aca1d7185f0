import QuickstepAcceleration
import QuickstepDiffusion
import QuickstepModels
import QuickstepNN
import QuickstepTensor
import Synchronization

/// Records the values of one point inside a network over full runs.
struct PointRecorder {
  let point: CacheCorrection.Point
  private let model: LoadedModel

  /// - Parameter point: `nil` takes everything deeper than the outermost skip connection of a U-Net, and of other networks what their blocks add.
  /// - Throws: `GenerationError` where the network has no such point.
  init(_ model: LoadedModel, point: CacheCorrection.Point?) throws {
    let available = CacheCorrection.Point.available(in: model.backbone.sites)
    guard let chosen = point ?? available.first, available.contains(chosen) else {
      let own = [available.first, available.dropFirst().last].compactMap { $0?.description }.joined(separator: "…")
      throw GenerationError(
        "'\(model.name)' has \(point.map { "no '\($0)'" } ?? "no point that can be kept"); it has \(own.isEmpty ? "none" : own)")
    }
    (self.model, self.point) = (model, chosen)
  }

  /// The values of one batch of full runs, one per evaluation, in main memory.
  /// - Parameter range: of the request's prompts.
  func record(_ request: GenerationRequest, _ range: Range<Int>) throws -> (values: [Tensor], timesteps: [Double]) {
    var part = request
    (part.prompts, part.seeds, part.batch) = (Array(request.prompts[range]), Array(request.seeds[range]), range.count)
    part.stopsAtLatents = true
    let kept = Mutex<[(context: StepContext, value: Tensor)]>([])
    let sites = model.backbone.sites.filter {
      if case .inner(let depth) = point { $0.kind == .inner && $0.depth == depth } else { false }
    }
    let tap = SiteTap(sites: Set(sites), recordsList: point == .blocks) { visit in
      guard let output = visit.output.first, let input = visit.input.first else { return }
      let value = try withTensorErrors { (visit.site == nil ? output - input : output).to(.cpu).clone() }
      kept.withLock { $0.append((visit.context, value)) }
    }
    part.observers = [tap]
    _ = try ImagePipeline(model).generate(part)
    let visits = kept.withLock { $0 }
    let count = visits.first?.context.evaluationCount ?? 0
    let groups = Dictionary(grouping: visits) { $0.context.evaluation }
    let values = try (0..<count).map { evaluation in
      guard let own = groups[evaluation] else { throw GenerationError("evaluation \(evaluation) of \(count) was not recorded") }
      // Branches of guidance that were evaluated apart count together.
      return try withTensorErrors { own.count == 1 ? own[0].value : .cat(own.map(\.value)) }
    }
    guard Set(values.map(\.shape)).count == 1 else {
      throw GenerationError("guidance must act in all evaluations of a calibration, or in none: what is recorded differs in shape")
    }
    return (values, (0..<count).map { groups[$0]?.first?.context.level.timestep ?? 0 })
  }
}
