/// A named place of the executor: states x0, x1, … (x0 is given, row i makes x(i+1)); denoised predictions m0, m1, … in the order of
/// evaluation; noises z0, z1, … in the order of drawing.
public enum Register: Hashable, Sendable, Codable, CustomStringConvertible {
  /// The k-th state; 0 is the initial one.
  case state(Int)
  /// The x̂0 of the e-th evaluation.
  case denoised(Int)
  /// The j-th standard normal draw.
  case noise(Int)
  /// 1 in every element: what a constant is multiplied with.
  case one

  /// `x3`, `m1`, `z0`, `1`.
  public var description: String {
    switch self {
    case .state(let index): "x\(index)"
    case .denoised(let index): "m\(index)"
    case .noise(let index): "z\(index)"
    case .one: "1"
    }
  }

  /// Reads ``description`` back.
  public init?(_ text: String) {
    guard text != "1" else {
      self = .one
      return
    }
    guard let index = Int(text.dropFirst()), index >= 0 else { return nil }
    switch text.first {
    case "x": self = .state(index)
    case "m": self = .denoised(index)
    case "z": self = .noise(index)
    default: return nil
    }
  }

  /// Reads the text of ``description``.
  /// - Throws: `DecodingError` when it names no register.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    guard let register = Register(text) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "'\(text)' is no register; allowed: x0…, m0…, z0…, 1")
    }
    self = register
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }

  /// The same register with its index moved, for cutting tableaux.
  func shifted(states: Int, denoised: Int, noises: Int) -> Register {
    switch self {
    case .state(let index): .state(index - states)
    case .denoised(let index): .denoised(index - denoised)
    case .noise(let index): .noise(index - noises)
    case .one: .one
    }
  }
}
