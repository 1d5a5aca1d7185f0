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
    /// Steps of the exact run and of fewer steps; `nil` for contenders.
    var steps: Int?
    /// To the exact run's pictures; `nil` where there are none of this way.
    var likeness: Likeness?
    /// Of the exact run in the same pass, picture by picture; of the sampling loop alone, since encoding and decoding are the same for all.
    let exactSeconds: [Double]

    /// Times as shares of the exact run's, picture by picture, so that a machine that is slower in one pass than in another slows both alike.
    var shares: [Double] { zip(run.loopSeconds, exactSeconds).map { $0 / $1 } }
    /// Median and middle half of the shares.
    var time: Spread { Spread(shares) }
    var label: String { run.label }
    /// Why it cannot be done.
    var problem: String? { run.problem }
  }

  /// The exact run with fewer steps, on both sides of a contender's time. The exact run itself is one where nothing fewer is.
  struct Rivals {
    /// The most steps that take no longer than the contender.
    var faster: Way?
    /// The fewest steps that take no less.
    var slower: Way?

    var all: [Way] { faster?.steps == slower?.steps ? [faster].compactMap { $0 } : [faster, slower].compactMap { $0 } }
  }

  let exact: Way
  let contenders: [Way]
  /// By contender; nothing in them where they were not measured.
  let rivals: [Rivals]
  /// All that was measured of fewer steps, by rising steps.
  let fewer: [Way]

  /// Passes over fewer steps. A second one is needed where a run has costs of its own beside its steps.
  private static let passes = 3

  init(
    _ model: LoadedModel, _ request: GenerationRequest, _ contenders: [Contender], rivals measuresRivals: Bool, net: SqueezeNetFeatures?
  ) throws {
    let runs = try Self.inTurn(contenders.map { Self.way($0, request, model) }, request, model)
    let full = request.steps ?? model.defaults.steps
    let reference = try withTensorErrors { Tensor.stack(runs.exact.pictures) }
    func judged(_ way: PairedRuns.Way, beside exact: PairedRuns.Way, steps: Int? = nil) throws -> Way {
      var result = Way(run: way, steps: steps, exactSeconds: exact.loopSeconds)
      guard way.problem == nil, !way.pictures.isEmpty else { return result }
      result.likeness = try Likeness(withTensorErrors { Tensor.stack(way.pictures) }, to: reference, net: net)
      return result
    }
    let exact = try judged(runs.exact, beside: runs.exact, steps: full)
    let found = try runs.others.map { try judged($0, beside: runs.exact) }
    var (line, known): (StepLine, [Int: Way]) = (StepLine(full: full), [full: exact])
    for _ in 0..<(measuresRivals ? Self.passes : 0) {
      let times = found.filter { $0.likeness != nil }.map(\.time.median)
      let counts = Set(times.flatMap { line.missing(for: $0) }).subtracting(known.keys).sorted()
      if counts.isEmpty { break }
      let pass = try Self.inTurn(counts.map { Self.plain($0, request) }, request, model)
      for (steps, run) in zip(counts, pass.others) {
        let way = try judged(run, beside: pass.exact, steps: steps)
        known[steps] = way
        if way.likeness != nil { line.note(steps: steps, time: way.time.median) }
      }
    }
    (self.exact, self.contenders) = (exact, found)
    fewer = known.values.filter { $0.steps != full && $0.likeness != nil }.sorted { ($0.steps ?? 0) < ($1.steps ?? 0) }
    rivals = found.map { way in
      guard measuresRivals, way.likeness != nil else { return Rivals() }
      let (faster, slower) = line.rivals(of: way.time.median)
      // The exact run alone is no rival: everything that is faster is also less near.
      return faster == nil && slower == full ? Rivals() : Rivals(faster: faster.flatMap { known[$0] }, slower: slower.flatMap { known[$0] })
    }
  }

  private static func way(_ contender: Contender, _ request: GenerationRequest, _ model: LoadedModel) -> PairedRuns.Way {
    var way = PairedRuns.Way(label: contender.label, request: request)
    do {
      way.request = try contender.added(to: request)
      way.companions = try ImagePipeline.companions(of: way.request, like: model)
      _ = try ImagePipeline(model, companions: way.companions).evaluations(of: way.request)
    } catch {
      way.problem = "\(error)"
    }
    return way
  }

  private static func plain(_ steps: Int, _ request: GenerationRequest) -> PairedRuns.Way {
    var way = PairedRuns.Way(label: Quantity.counted(steps, "step"), request: request)
    way.request.steps = steps
    return way
  }

  /// Makes the pictures in these ways and, in turn with them, exactly.
  private static func inTurn(
    _ ways: [PairedRuns.Way], _ request: GenerationRequest, _ model: LoadedModel
  ) throws -> (exact: PairedRuns.Way, others: [PairedRuns.Way]) {
    var line = ProgressLine()
    defer { line.clear() }
    let all = [PairedRuns.Way(label: "exact", request: request)] + ways
    let runs = try PairedRuns(all, model: model) { done, picture, label in
      line.show("\(ProgressLine.bar(done)) picture \(picture + 1)/\(request.prompts.count): \(label)")
    }.ways
    if let problem = runs[0].problem { throw GenerationError(problem) }
    return (runs[0], Array(runs.dropFirst()))
  }

  /// A row of pictures per way, the exact ones first; behind each contender fewer steps that take no less time.
  func sheet() throws -> PixelImage {
    let others = rivals.map { [$0.slower ?? $0.faster].compactMap { $0 }.filter { $0.steps != exact.steps } }
    let ways = [exact] + zip(contenders, others).flatMap { [$0] + $1 }
    let shown = ways.filter { $0.run.pictures.count == exact.run.pictures.count }
    let pictures = try shown.flatMap { try $0.run.pictures.map { try PixelImage(tensor: $0) } }
    let scale = max(1, 160 / max(1, pictures.map(\.width).max() ?? 160))
    let labels = shown.flatMap { way in way.run.pictures.map { _ in way.label } }
    return try ContactSheet.make(pictures.map { $0.enlarged(by: scale) }, columns: exact.run.pictures.count, labels: labels)
  }
}
