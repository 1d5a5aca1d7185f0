import Foundation
import QuickstepAcceleration
import QuickstepEvaluation
import QuickstepFormats
import QuickstepPipelines
import QuickstepTensor

/// The same pictures made exactly, by every contender, and with fewer steps.
struct ComparedRuns {
  /// One way to make the pictures.
  struct Way {
    var label: String
    var request: GenerationRequest
    var companions: [String: LoadedModel] = [:]
    /// Seconds of the sampling loop, picture by picture.
    var seconds: [Double] = []
    var pictures: [Tensor] = []
    /// Of all pictures together.
    var evaluations = 0
    var modules = 0
    var reports: [AccelerationReport] = []
    var warnings: [String] = []
    var likeness: Likeness?
    /// Why it cannot be done.
    var problem: String?

    var median: Double { Statistics.quantile(seconds, 0.5) }
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
    var ways = [Way(label: "exact", request: request)]
    for contender in contenders {
      var way = Way(label: contender.label, request: request)
      do {
        way.request = try contender.added(to: request)
        way.companions = try ImagePipeline.companions(of: way.request, like: model)
        _ = try ImagePipeline(model, companions: way.companions).evaluations(of: way.request)
      } catch {
        way.problem = "\(error)"
      }
      ways.append(way)
    }
    try Self.measure(&ways, model)
    let exact = ways[0]
    let reference = try withTensorErrors { Tensor.stack(exact.pictures) }
    for index in ways.indices { try Self.judge(&ways[index], reference, net) }
    let others = Array(ways.dropFirst())
    var fewer: [Int: Way] = [:]
    var wanted: [Int?] = []
    for way in others {
      let ratios = zip(way.seconds, exact.seconds).map { $0 / $1 }
      let full = request.steps ?? model.defaults.steps
      let steps = ratios.isEmpty ? nil : max(1, Int((Double(full) * Statistics.quantile(ratios, 0.5)).rounded()))
      wanted.append(steps.flatMap { $0 < full && measuresRivals ? $0 : nil })
      if let steps = wanted.last.flatMap({ $0 }), fewer[steps] == nil {
        var rival = Way(label: "\(steps) steps", request: request)
        rival.request.steps = steps
        fewer[steps] = rival
      }
    }
    var rivals = fewer.sorted { $0.key < $1.key }.map(\.value)
    try Self.measure(&rivals, model)
    for index in rivals.indices { try Self.judge(&rivals[index], reference, net) }
    let bySteps = Dictionary(rivals.map { ($0.request.steps ?? 0, $0) }) { first, _ in first }
    (self.exact, self.contenders, self.rivals) = (ways[0], others, wanted.map { $0.flatMap { bySteps[$0] } })
  }

  /// Picture by picture, all ways in turn; once without counting, so that nothing is measured cold.
  private static func measure(_ ways: inout [Way], _ model: LoadedModel) throws {
    guard let first = ways.first else { return }
    let count = first.request.prompts.count
    var line = ProgressLine()
    var warm = first.request
    (warm.prompts, warm.seeds, warm.steps) = ([first.request.prompts[0]], [first.request.seeds[0]], 2)
    _ = try? ImagePipeline(model).generate(warm)
    for picture in 0..<count {
      for index in ways.indices where ways[index].problem == nil {
        var request = ways[index].request
        (request.prompts, request.seeds) = ([request.prompts[picture]], [request.seeds[picture]])
        do {
          let result = try ImagePipeline(model, companions: ways[index].companions).generate(request)
          ways[index].take(result)
        } catch let error as CancellationError {
          throw error
        } catch {
          ways[index].problem = "\(error)"
        }
        let done = Double(picture * ways.count + index + 1) / Double(count * ways.count)
        line.show("\(ProgressLine.bar(done)) picture \(picture + 1)/\(count): \(ways[index].label)")
      }
    }
    line.clear()
    if let problem = ways[0].problem, ways[0].label == "exact" { throw GenerationError(problem) }
  }

  private static func judge(_ way: inout Way, _ reference: Tensor, _ net: SqueezeNetFeatures?) throws {
    guard way.problem == nil, !way.pictures.isEmpty else { return }
    way.likeness = try Likeness(withTensorErrors { Tensor.stack(way.pictures) }, to: reference, net: net)
  }

  /// A row of pictures per way, the exact ones first.
  func sheet() throws -> PixelImage {
    let ways = [exact] + zip(contenders, rivals).flatMap { [$0] + ($1.map { [$0] } ?? []) }
    let shown = ways.filter { $0.pictures.count == exact.pictures.count }
    let pictures = try shown.flatMap { try $0.pictures.map { try PixelImage(tensor: $0) } }
    let scale = max(1, 160 / max(1, pictures.map(\.width).max() ?? 160))
    let labels = shown.flatMap { way in way.pictures.map { _ in way.label } }
    return try ContactSheet.make(pictures.map { $0.enlarged(by: scale) }, columns: exact.pictures.count, labels: labels)
  }
}

extension ComparedRuns.Way {
  fileprivate mutating func take(_ result: GenerationResult) {
    seconds.append(result.seconds.denoise)
    pictures += result.images.map(\.pixels)
    evaluations += result.evaluations
    modules += result.computedModules
    reports = reports.count == result.accelerations.count ? zip(reports, result.accelerations).map { $0.adding($1) } : result.accelerations
    warnings += result.warnings.filter { !warnings.contains($0) }
  }
}

/// Order statistics.
enum Statistics {
  /// Between the nearest values; `nan` without any.
  static func quantile(_ values: [Double], _ share: Double) -> Double {
    let sorted = values.sorted()
    guard let last = sorted.indices.last else { return .nan }
    let place = share * Double(last)
    let low = Int(place)
    return sorted[low] + (place - Double(low)) * (sorted[min(last, low + 1)] - sorted[low])
  }
}
