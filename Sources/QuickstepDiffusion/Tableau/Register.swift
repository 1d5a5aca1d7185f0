/// A named place of the executor: states x0, x1, … (x0 is given, row i makes x(i+1)); denoised predictions m0, m1, … in the order of
/// evaluation; noises z0, z1, … in the order of drawing.
public enum Register: Hashable, Sendable, Codable, CustomStringConvertible {
  /// The k-th state; 0 is the initial one.
  case state(Int)
  /// The x̂0 of the e-th evaluation.
  case denoised(Int)
  /// The j-th standard normal draw.
  case noise(Int)

  /// `x3`, `m1`, `z0`.
  public var description: String {
    switch self {
    case .state(let index): "x\(index)"
    case .denoised(let index): "m\(index)"
    case .noise(let index): "z\(index)"
    }
  }

  /// Reads ``description`` back.
  public init?(_ text: String) {
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
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "'\(text)' is no register; allowed: x0…, m0…, z0…")
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
    }
  }
}

/// What a register is multiplied by. A number today; a wrapper type so that a tensor that broadcasts over the state (statistics per
/// element, levels per sample or frame) can become a second kind without touching the solvers.
public struct Coefficient: Hashable, Sendable, Codable, CustomStringConvertible, ExpressibleByFloatLiteral {
  /// The number.
  public let scalar: Double
  /// A coefficient that is the same for every element.
  public init(_ scalar: Double) { self.scalar = scalar }
  /// A coefficient that is the same for every element.
  public init(floatLiteral value: Double) { scalar = value }
  /// The number in Swift's shortest form that reads back to the same bits.
  public var description: String { "\(scalar)" }

  /// Reads a plain number.
  public init(from decoder: any Decoder) throws { scalar = try decoder.singleValueContainer().decode(Double.self) }
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(scalar)
  }
}
