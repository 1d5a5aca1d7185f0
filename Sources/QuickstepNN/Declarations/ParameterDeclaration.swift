/// The value of a method's parameter as it stands on a command line (`eta=0.5`) or in a recipe.
public enum ParameterValue: Hashable, Sendable, Codable, CustomStringConvertible {
  /// A finite real number.
  case number(Double)
  /// A whole number.
  case integer(Int)
  /// Written `true` or `false`.
  case flag(Bool)
  /// One of a list of words.
  case choice(String)
  /// Any text: the path of a file, a list.
  case text(String)
  /// Finite real numbers; written with commas between them.
  case list([Double])

  public var description: String {
    switch self {
    case .number(let value): "\(value)"
    case .integer(let value): "\(value)"
    case .flag(let value): value ? "true" : "false"
    case .choice(let value), .text(let value): value
    case .list(let values): values.map { "\($0)" }.joined(separator: ",")
    }
  }

  /// Reads a JSON boolean, number, string or list of numbers. A number without fraction is an `integer`: the domain is not known here.
  /// - Throws: `DecodingError` for anything else.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let value = try? container.decode(Bool.self) {
      self = .flag(value)
    } else if let value = try? container.decode(Int.self) {
      self = .integer(value)
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else if let values = try? container.decode([Double].self) {
      self = .list(values)
    } else {
      self = .choice(try container.decode(String.self))
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .number(let value): try container.encode(value)
    case .integer(let value): try container.encode(value)
    case .flag(let value): try container.encode(value)
    case .choice(let value), .text(let value): try container.encode(value)
    case .list(let values): try container.encode(values)
    }
  }
}

/// One parameter of a method: its range is the command-line check and the search space at once.
public struct ParameterDeclaration: Sendable, Codable {
  /// The values a parameter may take.
  public enum Domain: Sendable, Codable, Hashable {
    /// Real numbers of a closed range.
    case number(ClosedRange<Double>)
    /// Whole numbers of a closed range.
    case integer(ClosedRange<Int>)
    /// True or false.
    case flag
    /// Exactly one of these words, case counting.
    case choice([String])
    /// Any text, described in a word or two: `path of a plan`. What it means is checked by the method.
    case text(String)
    /// Any number of real numbers, each within a closed range.
    case list(ClosedRange<Double>)
  }

  /// Values of another parameter without which one has no effect: `centre` of a schedule that is `centred`.
  public struct Condition: Sendable, Codable, Hashable {
    /// The other parameter.
    public var parameter: String
    /// Those of its values, as they are written, that let this one act.
    public var values: [String]

    /// - Parameters:
    ///   - parameter: the other parameter.
    ///   - values: as they are written on a command line.
    public init(_ parameter: String, _ values: [String]) { (self.parameter, self.values) = (parameter, values) }
  }

  /// The key before `=` on a command line; unique within the method.
  public var name: String
  /// A phrase for help and tables, with the symbol of the paper where it has one.
  public var summary: String
  /// What ``parse(_:)`` accepts.
  public var domain: Domain
  /// The value where the user gives none.
  public var standard: ParameterValue
  /// The value at which the method reduces to its baseline bit for bit, where there is one.
  public var neutral: ParameterValue?
  /// The part of `domain` in which a search for good values looks; `nil` where the standard value is the one to take. A range of numbers for a
  /// list means a list of one number.
  public var searched: Domain?
  /// When it acts; `nil` where it always does. Another value than the standard one is refused where it would not act.
  public var condition: Condition?

  /// - Parameters:
  ///   - name: the key before `=` on a command line.
  ///   - summary: a phrase for help and tables.
  ///   - domain: the values it may take.
  ///   - standard: the value where the user gives none; it is not checked against `domain`.
  ///   - neutral: the value at which the method reduces to its baseline bit for bit; `nil` when there is none.
  ///   - searched: the part of `domain` in which a search looks; `nil` where it leaves the standard value.
  ///   - condition: values of another parameter without which it has no effect.
  public init(
    name: String, summary: String, domain: Domain, standard: ParameterValue, neutral: ParameterValue? = nil, searched: Domain? = nil,
    condition: Condition? = nil
  ) {
    self.name = name
    self.summary = summary
    self.domain = domain
    self.standard = standard
    self.neutral = neutral
    self.searched = searched
    self.condition = condition
  }

  /// Reads what the synthesised encoder writes. Values of a real-valued domain become ``ParameterValue/number(_:)`` again.
  /// - Throws: `DecodingError` for missing or mistyped members.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    name = try container.decode(String.self, forKey: .name)
    summary = try container.decode(String.self, forKey: .summary)
    let domain = try container.decode(Domain.self, forKey: .domain)
    self.domain = domain
    // JSON writes 5.0 as 5, which reads as an integer.
    func restored(_ value: ParameterValue) -> ParameterValue {
      if case .number = domain, case .integer(let whole) = value { return .number(Double(whole)) }
      if case .text = domain, case .choice(let text) = value { return .text(text) }
      return value
    }
    standard = restored(try container.decode(ParameterValue.self, forKey: .standard))
    neutral = try container.decodeIfPresent(ParameterValue.self, forKey: .neutral).map(restored)
    searched = try container.decodeIfPresent(Domain.self, forKey: .searched)
    condition = try container.decodeIfPresent(Condition.self, forKey: .condition)
  }

  /// Reads `text` as a value of this parameter's domain.
  /// - Throws: ``ParameterError`` naming the parameter, the text and what is allowed.
  public func parse(_ text: String) throws -> ParameterValue {
    switch domain {
    case .number(let range):
      guard let value = Double(text), value.isFinite, range.contains(value) else { throw ParameterError(self, text) }
      return .number(value)
    case .integer(let range):
      guard let value = Int(text), range.contains(value) else { throw ParameterError(self, text) }
      return .integer(value)
    case .flag:
      switch text.lowercased() {
      case "true", "yes", "1", "on": return .flag(true)
      case "false", "no", "0", "off": return .flag(false)
      default: throw ParameterError(self, text)
      }
    case .choice(let choices):
      guard choices.contains(text) else { throw ParameterError(self, text) }
      return .choice(text)
    case .text: return .text(text)
    case .list(let range):
      let parts = text.split { ",;/ ".contains($0) }
      let values = parts.compactMap { Double($0) }
      guard values.count == parts.count, values.allSatisfy({ $0.isFinite && range.contains($0) }) else { throw ParameterError(self, text) }
      return .list(values)
    }
  }

  /// The allowed values in words: `0…1`, `one of a, b`.
  public var allowed: String {
    switch domain {
    case .number(let range): "\(range.lowerBound)…\(range.upperBound)"
    case .integer(let range): "\(range.lowerBound)…\(range.upperBound)"
    case .flag: "true or false"
    case .choice(let choices): "one of " + choices.joined(separator: ", ")
    case .text(let kind): kind
    case .list(let range): "numbers of \(range.lowerBound)…\(range.upperBound) with commas between them"
    }
  }
}

/// A parameter was unknown or its value not allowed.
public struct ParameterError: Error, CustomStringConvertible {
  public let description: String
  /// An error with this text, which names the parameter and what is allowed.
  public init(_ description: String) { self.description = description }
  init(_ parameter: ParameterDeclaration, _ text: String) {
    description = "parameter '\(parameter.name)' is '\(text)'; allowed: \(parameter.allowed)"
  }
}

/// Checked values for a method's parameters; what was not given has its standard value.
public struct ParameterValues: Sendable, Hashable, Codable {
  /// By parameter name; one entry for every parameter the method declares.
  public private(set) var values: [String: ParameterValue]

  /// - Parameters:
  ///   - given: raw texts by parameter name.
  ///   - declaration: the method they are for.
  /// - Throws: ``ParameterError`` for unknown names, values outside the declared range and values without effect.
  public init(_ given: [String: String] = [:], for declaration: MethodDeclaration) throws {
    try self.init(given, of: declaration.parameters, owner: "\(declaration.family) '\(declaration.name)'")
  }

  /// For things with parameters that are no methods of a run, such as metrics.
  /// - Parameters:
  ///   - given: raw texts by parameter name.
  ///   - parameters: what may be given.
  ///   - owner: what messages call the thing: `metric 'ssim'`.
  /// - Throws: ``ParameterError`` for unknown names, values outside the declared range and values without effect.
  public init(_ given: [String: String], of parameters: [ParameterDeclaration], owner: String) throws {
    var values: [String: ParameterValue] = [:]
    for parameter in parameters { values[parameter.name] = parameter.standard }
    for (name, text) in given.sorted(by: { $0.key < $1.key }) {
      guard let parameter = parameters.first(where: { $0.name == name }) else {
        let known = parameters.map(\.name)
        throw ParameterError(
          "\(owner) has no parameter '\(name)'" + (known.isEmpty ? "; it has none" : "; it has \(known.joined(separator: ", "))"))
      }
      values[name] = try parameter.parse(text)
    }
    for parameter in parameters {
      guard let condition = parameter.condition, values[parameter.name] != parameter.standard, let other = values[condition.parameter],
        !condition.values.contains(other.description)
      else { continue }
      throw ParameterError(
        "\(owner): '\(parameter.name)' has no effect with \(condition.parameter)=\(other); it needs "
          + condition.values.map { "\(condition.parameter)=\($0)" }.joined(separator: " or "))
    }
    self.values = values
  }

  /// A real-valued parameter; integers are converted. `nan` when the method declares no such parameter.
  public func number(_ name: String) -> Double {
    switch values[name] {
    case .number(let value)?: value
    case .integer(let value)?: Double(value)
    default: .nan
    }
  }
  /// A whole-number parameter; `nil` when the method declares no such parameter or it is of another kind.
  public func integer(_ name: String) -> Int? { if case .integer(let value)? = values[name] { value } else { nil } }
  /// A parameter that is true or false; false when the method declares no such parameter or it is of another kind.
  public func flag(_ name: String) -> Bool { if case .flag(let value)? = values[name] { value } else { false } }
  /// A parameter that is a list of numbers; empty when the method declares no such parameter or it is of another kind.
  public func list(_ name: String) -> [Double] { if case .list(let values)? = values[name] { values } else { [] } }
  /// A parameter that is one of several words; `nil` when the method declares no such parameter or it is of another kind.
  public func choice(_ name: String) -> String? { if case .choice(let value)? = values[name] { value } else { nil } }
  /// A parameter that is any text; `nil` when the method declares no such parameter, it is of another kind, or it is empty.
  public func text(_ name: String) -> String? { if case .text(let value)? = values[name], !value.isEmpty { value } else { nil } }
}
