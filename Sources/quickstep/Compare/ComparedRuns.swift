import Foundation
import QuickstepEvaluation
import QuickstepFormats
import QuickstepPipelines
import QuickstepTensor
import QuickstepTuner

/// The same pictures made exactly, by every contender, and with fewer steps.
struct ComparedRuns {
  /// One way to make the pictures.
  struct Way {
    let run: PairedRuns.Way
    var likeness: Likeness?

    /// Of the sampling loop alone: encoding and decoding are the same for all.
    var median: Double { Spread(run.loopSeconds).median }
    var label: String { run.label }
    /// Why it cannot be done.
    var problem: String? { run.problem }
  }

  let exact: Way
  let contenders: [Way]
  /// By contender; `nil` where there is none.
  let rivals: [Way?]
  let net: SqueezeNetFeatures?

  init(
    _ model: LoadedModel, _ request: GenerationRequest, _ contenders: [Contender], rivals measuresRivals: Bool, net: SqueezeNetFeatures?
  ) throws {
    self.net = net
    var ways = [PairedRuns.Way(label: "exact", request: request)]
    for contender in contenders {
      var way = PairedRuns.Way(label: contender.label, request: request)
      do {
        way.request = try contender.added(to: request)
        way.companions = try ImagePipeline.companions(of: way.request, like: model)
        _ = try ImagePipeline(model, companions: way.companions).evaluations(of: way.request)
      } catch {
        way.problem = "\(error)"
      }
      ways.append(way)
    }
    let runs = try Self.measured(ways, model)
    let exact = runs[0]
    if let problem = exact.problem { throw GenerationError(problem) }
    let reference = try withTensorErrors { Tensor.stack(exact.pictures) }
    func judged(_ way: PairedRuns.Way) throws -> Way {
      guard way.problem == nil, !way.pictures.isEmpty else { return Way(run: way) }
      return Way(run: way, likeness: try Likeness(withTensorErrors { Tensor.stack(way.pictures) }, to: reference, net: net))
    }
    let full = request.steps ?? model.defaults.steps
    let wanted = runs.dropFirst().map { way -> Int? in
      let ratios = zip(way.loopSeconds, exact.loopSeconds).map { $0 / $1 }
      guard !ratios.isEmpty, measuresRivals else { return nil }
      let steps = max(1, Int((Double(full) * Spread(ratios).median).rounded()))
      return steps < full ? steps : nil
    }
    let counts = Set(wanted.compactMap { $0 }).sorted()
    let fewer = try Self.measured(
      counts.map { steps in
        var rival = PairedRuns.Way(label: "\(steps) steps", request: request)
        rival.request.steps = steps
        return rival
      }, model)
    let bySteps = try Dictionary(uniqueKeysWithValues: zip(counts, fewer.map(judged)))
    (self.exact, self.contenders) = (try judged(exact), try runs.dropFirst().map(judged))
    rivals = wanted.map { $0.flatMap { bySteps[$0] } }
  }

  private static func measured(_ ways: [PairedRuns.Way], _ model: LoadedModel) throws -> [PairedRuns.Way] {
    var line = ProgressLine()
    defer { line.clear() }
    let count = ways.first?.request.prompts.count ?? 0
    return try PairedRuns(ways, model: model) { done, picture, label in
      line.show("\(ProgressLine.bar(done)) picture \(picture + 1)/\(count): \(label)")
    }.ways
  }

  /// A row of pictures per way, the exact ones first.
  func sheet() throws -> PixelImage {
    let ways = [exact] + zip(contenders, rivals).flatMap { [$0] + ($1.map { [$0] } ?? []) }
    let shown = ways.filter { $0.run.pictures.count == exact.run.pictures.count }
    let pictures = try shown.flatMap { try $0.run.pictures.map { try PixelImage(tensor: $0) } }
    let scale = max(1, 160 / max(1, pictures.map(\.width).max() ?? 160))
    let labels = shown.flatMap { way in way.run.pictures.map { _ in way.label } }
    return try ContactSheet.make(pictures.map { $0.enlarged(by: scale) }, columns: exact.run.pictures.count, labels: labels)
  }
}
