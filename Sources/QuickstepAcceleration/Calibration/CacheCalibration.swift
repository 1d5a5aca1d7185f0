internal import Foundation
internal import QuickstepNN

/// What was measured on full runs of a model for caches that decide by it: data, as JSON.
public struct CacheCalibration: Sendable, Codable, Hashable {
  /// What it holds.
  public enum Kind: String, Sendable, Codable, CaseIterable {
    /// A polynomial from changes of the modulated input to changes of the network's output.
    case changes
    /// Ratios of the size of the blocks' residual from evaluation to evaluation.
    case magnitudes
    /// Differences of module outputs between evaluations.
    case differences
  }

  /// What it holds.
  public var kind: Kind
  /// Name of the model, and what tells it from others.
  public var model: String, fingerprint: String?
  /// Evaluations of the runs it was measured on.
  public var evaluations: Int
  /// Number of those runs, and their guidance scale.
  public var samples: Int, guidanceScale: Double?
  /// Name of their solver; `nil` in files of older versions.
  public var solver: String?
  /// What the network was told in each of their evaluations; `nil` in files of older versions.
  public var timesteps: [Double]?
  /// Of ``Kind/changes``: highest power first.
  public var coefficients: [Double]?
  /// Of ``Kind/changes``: share of the variance of the output's changes that the polynomial explains, and the range of the input's changes.
  public var explained: Double?, range: [Double]?
  /// Of ``Kind/magnitudes``: one per evaluation, the first being 1.
  public var ratios: [Double]?
  /// Of ``Kind/differences``, by kind of module: `rows[lag − 1][i]` between evaluations i and i + lag.
  public var differences: [String: [[Double]]]?

  /// A calibration that holds nothing yet.
  public init(
    kind: Kind, model: String, fingerprint: String?, evaluations: Int, samples: Int, guidanceScale: Double?, solver: String? = nil,
    timesteps: [Double]? = nil
  ) {
    (self.kind, self.model, self.fingerprint) = (kind, model, fingerprint)
    (self.evaluations, self.samples, self.guidanceScale) = (evaluations, samples, guidanceScale)
    (self.solver, self.timesteps) = (solver, timesteps)
  }

  /// Reads one from text or, where `source` is no JSON, from the file it names.
  /// - Throws: ``AccelerationError`` naming the file and what is wrong with it.
  public init(source: String, of kind: Kind) throws {
    let isText = source.drop { $0.isWhitespace }.first == "{"
    let name = isText ? "the calibration" : source
    guard let data = isText ? Data(source.utf8) : FileManager.default.contents(atPath: source) else {
      throw AccelerationError("the calibration '\(source)' cannot be read")
    }
    do { self = try JSONDecoder().decode(CacheCalibration.self, from: data) } catch {
      throw AccelerationError("\(name) is no calibration of a cache: \(error)")
    }
    guard self.kind == kind else { throw AccelerationError("\(name) holds \(self.kind.rawValue); \(kind.rawValue) are needed") }
    if let problem { throw AccelerationError("\(name): \(problem)") }
  }

  /// What is missing or no number.
  private var problem: String? {
    func finite(_ values: [Double]?, atLeast count: Int) -> Bool { values.map { $0.count >= count && $0.allSatisfy(\.isFinite) } ?? false }
    if let timesteps {
      guard timesteps.count == evaluations, timesteps.allSatisfy(\.isFinite) else {
        return "'timesteps' must be \(evaluations) finite numbers, one per evaluation"
      }
      guard kind != .magnitudes || ratios?.count == timesteps.count else {
        return "'ratios' must be \(timesteps.count) finite numbers, one for each of 'timesteps'"
      }
    }
    switch kind {
    case .changes: return finite(coefficients, atLeast: 1) ? nil : "'coefficients' must be finite numbers, at least one"
    case .magnitudes: return finite(ratios, atLeast: 1) ? nil : "'ratios' must be finite numbers, at least one"
    case .differences:
      let rows = differences?.values.flatMap { $0 } ?? []
      return !rows.isEmpty && rows.allSatisfy { finite($0, atLeast: 0) } ? nil : "'differences' must be lists of finite numbers"
    }
  }

  /// - Throws: ``AccelerationError`` where it was measured on another model.
  func check(_ run: RunOutline, of method: String) throws {
    guard let own = fingerprint, let other = run.identity?.fingerprint, own != other else { return }
    throw AccelerationError("the file for '\(method)' was measured on '\(model)', not on \(run.network) as it is; measure anew")
  }

  /// - Throws: ``AccelerationError`` where it was measured on other evaluations: another number of them, or other timesteps.
  func checkEvaluations(_ run: RunOutline, of method: String) throws {
    guard evaluations == run.evaluations else {
      throw AccelerationError("the file for '\(method)' is of runs of \(evaluations) evaluations; this one has \(run.evaluations)")
    }
    for (index, (own, call)) in zip(timesteps ?? [], run.calls).enumerated() where abs(own - call.level.timestep) > 1e-3 {
      throw AccelerationError(
        "the file for '\(method)' is of runs with evaluation \(index) at timestep \(own); this one's is at \(call.level.timestep); measure anew"
      )
    }
  }

  /// In what the run differs from those that were measured, in sentences. What files do not say is not asked about.
  func concerns(_ run: RunOutline, of method: String) -> [String] {
    guard let identity = run.identity else { return [] }
    var concerns: [String] = []
    if let guidanceScale, abs(guidanceScale - identity.guidanceScale) > 1e-6 {
      concerns.append("the file for '\(method)' was measured at guidance scale \(guidanceScale); this run's is \(identity.guidanceScale)")
    }
    if let solver, solver != identity.solver {
      concerns.append("the file for '\(method)' was measured with the solver '\(solver)'; this run's is '\(identity.solver)'")
    }
    return concerns
  }

  /// The JSON form with sorted keys.
  public func json() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(self), as: UTF8.self)
  }
}
