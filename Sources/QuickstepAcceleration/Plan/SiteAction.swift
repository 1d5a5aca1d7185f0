/// What is done at a site in one evaluation. Written as one letter in plans.
public enum SiteAction: Hashable, Sendable, CustomStringConvertible {
  /// `C`: it is computed, and kept where a later evaluation needs it.
  case compute
  /// `R`: the last computed value is taken again.
  case reuse
  /// `1`…`9`: forecast from the last computed values by a polynomial of this order. Order 0 is ``reuse``.
  case forecast(order: Int)
  /// `A`: the last computed value, corrected by the factors and offsets of this evaluation.
  case correct
  /// `T`: computed for some of the tokens; the others keep what was computed for them last.
  case tokens
  /// `I`: left out; what goes in comes out, and of a module nothing is added.
  case identity

  /// Highest order of a forecast.
  public static let highestOrder = 9

  /// The letter.
  public var code: Character {
    switch self {
    case .compute: "C"
    case .reuse, .forecast(order: 0): "R"
    case .forecast(let order): Character(String(min(order, Self.highestOrder)))
    case .correct: "A"
    case .tokens: "T"
    case .identity: "I"
    }
  }

  /// - Returns: `nil` for a letter that stands for nothing.
  public init?(code: Character) {
    switch code {
    case "C": self = .compute
    case "R": self = .reuse
    case "A": self = .correct
    case "T": self = .tokens
    case "I": self = .identity
    default:
      guard let order = code.wholeNumberValue, code.isASCII, (1...Self.highestOrder).contains(order) else { return nil }
      self = .forecast(order: order)
    }
  }

  public var description: String { String(code) }

  /// Whether it needs a value that was computed before.
  var readsHistory: Bool { self != .compute && self != .identity }
  /// Highest order of values it reads.
  var order: Int { if case .forecast(let order) = self { order } else { 0 } }
}

extension [SiteAction] {
  /// The letters in order.
  public var codes: String { String(map(\.code)) }

  /// Whether the evaluation before `evaluation` that was last meant to compute came after `computed`: forecasts reach as far as the plan says, and
  /// no further.
  func isStale(_ computed: Int?, at evaluation: Int) -> Bool {
    guard let computed, evaluation < count, let planned = self[..<evaluation].lastIndex(of: .compute) else { return false }
    return computed < planned
  }

  /// Reads ``codes``.
  /// - Throws: ``AccelerationError`` naming the letter that stands for nothing and what it belongs to.
  public init(codes: String, of name: String) throws {
    self = try codes.map { code in
      guard let action = SiteAction(code: code) else {
        throw AccelerationError("'\(code)' in the plan of '\(name)' is no action; allowed: C, R, 1…9, A, T, I")
      }
      return action
    }
  }
}
