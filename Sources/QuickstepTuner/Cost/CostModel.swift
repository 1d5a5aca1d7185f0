public import QuickstepAcceleration
public import QuickstepPipelines

/// What a run will take, from what its parts were measured to take: a search can tell ways apart that a noisy machine could not.
///
/// The time of a picture is the sum over all parts of the network of how often they are computed times what that takes, plus what the solver
/// takes per evaluation and what stands around the loop. Counts come from a run of the way itself or are known beforehand; times come from a
/// few exact runs. A part's time is a line over the branches computed together, where two numbers of branches were measured, and proportional
/// to them otherwise.
public struct CostModel: Sendable, Codable, Hashable {
  /// Seconds of a part by branches computed together.
  struct Line: Sendable, Codable, Hashable {
    /// Seconds without any branch, and for each.
    var base = 0.0, perBranch = 0.0

    init(_ points: [Int: Double]) {
      let sorted = points.sorted { $0.key < $1.key }
      guard let first = sorted.first, let last = sorted.last else { return }
      perBranch =
        sorted.count > 1 ? max(0, (last.value - first.value) / Double(last.key - first.key)) : first.value / Double(max(1, first.key))
      base = max(0, first.value - perBranch * Double(first.key))
    }

    func seconds(_ branches: Int) -> Double { base + perBranch * Double(branches) }
  }

  /// By model and site; the empty site is a call's rest.
  private var lines: [String: [String: Line]] = [:]
  /// Seconds of the solver and of guidance per evaluation.
  public private(set) var perEvaluation = 0.0
  /// Seconds per picture before and after the loop.
  public private(set) var around = 0.0

  /// Measures exact runs of a model, and of those that may share its runs.
  /// - Parameters:
  ///   - request: of one picture, as it would be made exactly; its steps are cut to `steps`.
  ///   - companions: by the names that methods have for them.
  ///   - steps: of each run.
  ///   - rounds: runs of each kind; parts take the median of all.
  public init(
    measuring model: LoadedModel, companions: [LoadedModel] = [], request: GenerationRequest, steps: Int = 6, rounds: Int = 3
  ) throws {
    var request = request
    request.steps = min(steps, request.steps ?? model.defaults.steps)
    for (index, measured) in ([model] + companions).enumerated() {
      let watch = RunWatch()
      var alone = request
      alone.guidanceScale = 1
      var (loop, evaluations, around): ([Double], Int, [Double]) = ([], 0, [])
      for round in 0...rounds {
        for kind in [request, alone] {
          var kind = kind
          // The first round is cold.
          if round > 0 { kind.observers = [watch] }
          let before = watch.findings.totalSeconds
          let result = try ImagePipeline(measured).generate(kind)
          guard round > 0 else { continue }
          evaluations = result.evaluations
          loop.append((result.seconds.denoise - (watch.findings.totalSeconds - before)) / Double(max(1, result.evaluations)))
          around.append(result.seconds.encode + result.seconds.decode)
        }
      }
      guard evaluations > 0 else { continue }
      lines[measured.name] = Self.lines(watch.findings)
      if index == 0 { (perEvaluation, self.around) = (max(0, Spread(loop).median), Spread(around).median) }
    }
  }

  private static func lines(_ findings: RunWatch.Findings) -> [String: Line] {
    var points: [String: [Int: Double]] = [:]
    for (part, seconds) in findings.seconds { points[part.site ?? "", default: [:]][part.branches] = Spread(seconds).median }
    return points.mapValues(Line.init)
  }

  /// Seconds of one picture.
  /// - Parameters:
  ///   - findings: of watched runs of `pictures` pictures.
  ///   - evaluations: of one picture.
  public func seconds(_ findings: RunWatch.Findings, pictures: Int, evaluations: Double) -> Double {
    let network = findings.counts.reduce(0.0) { sum, entry in sum + Double(entry.value) * seconds(entry.key) }
    return (network + findings.methodSeconds) / Double(max(1, pictures)) + perEvaluation * evaluations + around
  }

  /// Seconds of computing a part once; 0 for parts that no exact run has, such as blocks of a method's own.
  func seconds(_ part: RunPart) -> Double { lines[part.model]?[part.site ?? ""]?.seconds(part.branches) ?? 0 }

  /// Seconds of one evaluation of the first measured model's whole network.
  public func evaluationSeconds(of model: String, branches: Int) -> Double {
    (lines[model] ?? [:]).values.reduce(perEvaluation) { $0 + $1.seconds(branches) }
  }
}
