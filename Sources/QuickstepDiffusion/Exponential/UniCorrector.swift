import Foundation
import QuickstepNN

/// UniC and UniP: how UniPC's predictor and corrector estimate derivatives (Zhao et al. 2023, arXiv 2302.04867, algorithms 1 and 2).
///
/// Solving the paper's system for all weights is the same as laying a polynomial through the points, whatever B(h) is; bh1 and bh2 differ
/// only in the cases where the published codes take ½ instead of the solution of one equation.
struct UniMethod {
  enum Variant: String, CaseIterable {
    case bh1, bh2
    var relaxation: Relaxation { self == .bh1 ? .bh1 : .bh2 }
  }

  let variant: Variant
  /// Solve in all cases.
  let isExact: Bool

  static let variant = ParameterDeclaration(
    name: "variant", summary: "B(h) of the paper: h or e^h − 1; they differ where one slope is weighed alone.",
    domain: .choice(Variant.allCases.map(\.rawValue)), standard: .choice(Variant.bh2.rawValue))
  static let exact = ParameterDeclaration(
    name: "exact-weights", summary: "Solve for all weights, also where the published codes take ½; bh1 and bh2 are then the same.",
    domain: .flag, standard: .flag(false))

  init(_ values: ParameterValues) {
    variant = Variant(rawValue: values.choice("variant") ?? "") ?? .bh2
    isExact = values.flag("exact-weights")
  }

  /// UniP of order p at the present state.
  func predictor(_ prediction: PredictionKind, order: Int) -> UnifiedStep {
    guard order == 2, !isExact else { return UnifiedStep(prediction, order: order) }
    return UnifiedStep(
      prediction, order: 2, derivatives: [DerivativeEstimate(points: [1], relaxation: variant.relaxation)])
  }

  /// UniC of order p for a step that begins at the present state.
  func corrector(order: Int) -> Corrector { corrector(start: 0, older: Array(1..<max(order, 1))) }

  /// UniC through the new prediction and those of the given ages, for a step that begins at the state of age `start`.
  func corrector(start: Int, older: [Int]) -> Corrector {
    let points = [-1] + older
    let relaxation = points.count == 1 && !isExact ? variant.relaxation : .none
    let estimate = DerivativeEstimate(points: points, relaxation: relaxation)
    return Corrector(order: points.count + 1, start: start, derivatives: points.map { _ in estimate })
  }
}

/// A parameter that is a list of step numbers.
enum StepList {
  static func parameter(_ name: String, _ summary: String) -> ParameterDeclaration {
    ParameterDeclaration(
      name: name, summary: summary, domain: .text("a JSON list of step numbers from 0, such as [0,1]"), standard: .text("[]"))
  }

  /// - Throws: `ParameterError` naming parameter and text.
  static func read(_ name: String, _ values: ParameterValues) throws -> Set<Int> {
    let text = values.text(name) ?? ""
    guard let list = try? JSONDecoder().decode([Int].self, from: Data(text.utf8)), list.allSatisfy({ $0 >= 0 }) else {
      throw ParameterError("parameter '\(name)' is '\(text)'; allowed: a JSON list of step numbers from 0, such as [0,1]")
    }
    return Set(list)
  }
}
