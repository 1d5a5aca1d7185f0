public import QuickstepAcceleration
import QuickstepDiffusion
import QuickstepModels
import QuickstepNN
public import QuickstepPipelines

/// Schedules of a cache by CacheQuant's dynamic programming (arXiv 2503.01323, section 3.2), for whatever solver, grid and number of steps a search
/// tries: distances between features are measured once, over exact runs.
public struct FittedCaches: Sendable, Hashable, Codable {
  /// By what is kept.
  public private(set) var distances: [CacheDistances]
  /// The method's name.
  static let method = CacheQuant.declaration.name
  /// Prompts that are measured at most: distances hardly depend on them.
  static let mostPrompts = 4
  /// Mean intervals that are tried.
  private static let intervals = 2...8

  /// Measures the outermost point of the network and, of a U-Net, the next one inside.
  /// - Parameter request: the exact run, with the prompts and seeds that are measured.
  /// - Returns: `nil` where the network has no such point, or the exact run's evaluations do not fall in time.
  /// - Throws: what generating throws.
  public init?(_ model: LoadedModel, request: GenerationRequest) throws {
    let points = Self.points(of: model)
    let times = try ImagePipeline(model).outline(of: request).calls.map(\.level.timestep)
    guard !points.isEmpty, times.count >= 2, zip(times, times.dropFirst()).allSatisfy({ $0 > $1 }) else { return nil }
    distances = try points.map { point in
      var calibration = DistanceCalibration(request)
      calibration.point = point
      return try calibration.measure(model)
    }
  }

  /// What would be measured.
  static func points(of model: LoadedModel) -> [CacheCorrection.Point] {
    Array(CacheCorrection.Point.available(in: model.backbone.sites).prefix(2))
  }

  /// The method as a search sees it: a mean interval in place of a list of evaluations.
  var declaration: MethodDeclaration {
    var declaration = CacheQuant.declaration
    let points = distances.map(\.point.description)
    declaration.parameters = [
      ParameterDeclaration(
        name: "interval", summary: "mean evaluations per full one, N", domain: .integer(Self.intervals), standard: .integer(3),
        searched: .integer(Self.intervals)),
      ParameterDeclaration(
        name: "order", summary: "of the forecast between them", domain: .integer(0...2), standard: .integer(1), searched: .integer(0...2)),
      ParameterDeclaration(
        name: "point", summary: "what is kept", domain: .choice(points), standard: .choice(points.first ?? ""), searched: .choice(points)),
      ParameterDeclaration(
        name: "weighted", summary: "whether distances count by what an error there does to the picture", domain: .flag,
        standard: .flag(true), searched: .flag),
    ]
    return declaration
  }

  /// What a schedule depends on: where a run evaluates, and what errors do there.
  struct Run {
    var timesteps: [Double]
    var influences: [Double]
  }

  /// What a search's choice stands for in a run; the choice itself where the run cannot be divided that way.
  func resolved(_ choice: MethodChoice, in run: Run) -> MethodChoice {
    guard choice.name == Self.method, let interval = choice.parameters["interval"].flatMap({ Int($0) }),
      let own = distances.first(where: { $0.point.description == choice.parameters["point"] }) ?? distances.first,
      let starts = try? own.starts(
        timesteps: run.timesteps, interval: interval, weights: choice.parameters["weighted"] == "false" ? nil : run.influences)
    else { return choice }
    return MethodChoice(
      choice.name,
      parameters: [
        "starts": starts.map { "\($0)" }.joined(separator: ","), "point": own.point.description, "order": choice.parameters["order"] ?? "1",
      ])
  }

  /// The choice that ``resolved(_:in:)`` turns into this; `nil` where there is none.
  func searched(_ choice: MethodChoice, in run: Run) -> MethodChoice? {
    guard choice.name == Self.method, choice.parameters["starts"] != nil else { return choice }
    let wanted = (try? ParameterValues(choice.parameters, for: CacheQuant.declaration))?.list("starts").map { Int($0) }
    let candidates = ["true", "false"].flatMap { weighted in
      Self.intervals.map { interval in
        MethodChoice(
          choice.name,
          parameters: [
            "interval": "\(interval)", "order": choice.parameters["order"] ?? "0", "weighted": weighted,
            "point": choice.parameters["point"] ?? distances.first?.point.description ?? "",
          ])
      }
    }
    return candidates.first { candidate in
      let own = resolved(candidate, in: run)
      return (try? ParameterValues(own.parameters, for: CacheQuant.declaration))?.list("starts").map { Int($0) } == wanted
    }
  }
}
