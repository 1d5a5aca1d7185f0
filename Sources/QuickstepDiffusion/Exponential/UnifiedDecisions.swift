import Foundation
import QuickstepNN

/// The decisions of a whole run, as they are written to a file and as a search changes them.
public struct UnifiedDecisions: Hashable, Sendable {
  /// Where the first prediction comes from.
  public enum FirstEvaluation: String, Sendable, Codable, CaseIterable {
    /// From the network.
    case network
    /// x̂0 = 0, without an evaluation: at high noise a network says hardly more (the analytical first step of Dockhorn et al. 2022).
    case zero
  }

  /// One decision for steps of any number. Its order is lowered while there is little history, and its corrector left out of the last step.
  public var every: UnifiedStep?
  /// One decision for each step.
  public var steps: [UnifiedStep]?
  /// The levels of the run as noise coordinates of the schedule (σ/α, or t for flow models), the end included; `nil` takes any grid.
  public var sigmas: [Double]?
  /// Where the first prediction comes from.
  public var firstEvaluation: FirstEvaluation

  /// One decision for every step.
  public init(every: UnifiedStep, firstEvaluation: FirstEvaluation = .network) {
    self.every = every
    self.firstEvaluation = firstEvaluation
  }

  /// - Parameters:
  ///   - steps: one decision for each step.
  ///   - sigmas: the levels, one more than steps; `nil` takes any grid of that many steps.
  ///   - firstEvaluation: where the first prediction comes from.
  public init(steps: [UnifiedStep], sigmas: [Double]? = nil, firstEvaluation: FirstEvaluation = .network) {
    self.steps = steps
    self.sigmas = sigmas
    self.firstEvaluation = firstEvaluation
  }

  /// Reads inline JSON (a text that begins with a brace) or a file.
  /// - Throws: `ParameterError` naming the text or file and the member that is wrong.
  public init(textOrPath text: String) throws {
    let isInline = text.trimmingCharacters(in: .whitespacesAndNewlines).hasPrefix("{")
    let place = isInline ? "the decisions" : "the decisions in '\(text)'"
    let data: Data
    do { data = try isInline ? Data(text.utf8) : Data(contentsOf: URL(filePath: text)) } catch {
      throw ParameterError("\(place) cannot be read: \(error.localizedDescription)")
    }
    do { self = try JSONDecoder().decode(Self.self, from: data) } catch let error as DecodingError {
      throw ParameterError("\(place): \(Self.explain(error))")
    } catch { throw ParameterError("\(place): \(error)") }
  }

  /// One line of JSON that ``init(textOrPath:)`` reads back.
  public var json: String {
    get throws {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      return String(decoding: try encoder.encode(self), as: UTF8.self)
    }
  }

  /// Whether a step is one in the basis of a model's statistics.
  var asksForStatistics: Bool { (steps ?? every.map { [$0] } ?? []).contains { $0.prediction == .statistics } }

  private static func explain(_ error: DecodingError) -> String {
    func place(_ path: [any CodingKey]) -> String {
      let words = path.map { $0.intValue.map { "[\($0)]" } ?? "." + $0.stringValue }.joined()
      return words.isEmpty ? "" : words.trimmingPrefix(".") + ": "
    }
    switch error {
    case .dataCorrupted(let context): return place(context.codingPath) + context.debugDescription
    case .keyNotFound(let key, let context): return place(context.codingPath) + "'\(key.stringValue)' is missing"
    case .typeMismatch(_, let context), .valueNotFound(_, let context): return place(context.codingPath) + context.debugDescription
    @unknown default: return "\(error)"
    }
  }

  /// The steps of a run over a grid.
  /// - Throws: ``TableauError`` when the numbers of steps differ.
  func plan(_ grid: Grid, solver: String) throws -> [PlannedStep] {
    let decisions: [UnifiedStep]
    if let steps {
      guard steps.count == grid.steps else {
        throw TableauError("solver '\(solver)' has decisions for \(steps.count) steps; the grid has \(grid.steps)")
      }
      decisions = steps
    } else {
      decisions = (0..<grid.steps).map { lowered(every ?? UnifiedStep(), index: $0, of: grid.steps) }
    }
    return zip(grid.levels.dropFirst(), decisions).map { PlannedStep(to: $0, $1) }
  }

  /// What is left of a decision where not all evaluations exist that it names.
  private func lowered(_ decision: UnifiedStep, index: Int, of steps: Int) -> UnifiedStep {
    var decision = decision
    func lower(_ derivatives: inout [DerivativeEstimate]) {
      for position in derivatives.indices { derivatives[position].points.removeAll { $0 > index } }
      derivatives = Array(zip(1..., derivatives).prefix { $1.points.count >= $0 }.map(\.1))
    }
    decision.start = min(decision.start, index)
    if decision.start < (every?.start ?? 0) {
      decision = UnifiedStep(decision.prediction, order: min(decision.order, index + 1), start: decision.start, eta: decision.eta)
    }
    lower(&decision.derivatives)
    decision.order = decision.derivatives.count + 1
    if var corrector = decision.corrector, index + 1 < steps {
      corrector.start = min(corrector.start, index)
      lower(&corrector.derivatives)
      corrector.order = corrector.derivatives.count + 1
      decision.corrector = corrector
    } else {
      decision.corrector = nil
    }
    return decision
  }
}
