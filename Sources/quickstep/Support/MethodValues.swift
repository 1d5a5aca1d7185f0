import QuickstepFormats
import QuickstepNN

extension ParameterValue {
  /// Without the fraction of whole numbers.
  var shown: String {
    switch self {
    case .number(let value): Self.short(value)
    case .list(let values): values.isEmpty ? "–" : values.map(Self.short).joined(separator: ",")
    default: description
    }
  }

  static func short(_ value: Double) -> String {
    if value == value.rounded(), abs(value) < 1e6 { return String(Int(value)) }
    return "\(value)".replacing("e+0", with: "e").replacing("e+", with: "e")
  }

  var json: JSONValue {
    switch self {
    case .number(let value): .number(value)
    case .integer(let value): .integer(value)
    case .flag(let value): .bool(value)
    case .choice(let value), .text(let value): .string(value)
    case .list(let values): .array(values.map { .number($0) })
    }
  }
}

extension ParameterDeclaration.Domain {
  /// The allowed values in words.
  var shown: String {
    switch self {
    case .number(let range): "\(ParameterValue.short(range.lowerBound))…\(ParameterValue.short(range.upperBound))"
    case .integer(let range): "\(range.lowerBound)…\(range.upperBound)"
    case .flag: "true, false"
    case .choice(let choices): choices.joined(separator: ", ")
    case .text(let kind): kind
    case .list: "numbers, with commas"
    }
  }

  fileprivate var json: JSONValue {
    switch self {
    case .number(let range):
      .object(["kind": .string("number"), "minimum": .number(range.lowerBound), "maximum": .number(range.upperBound)])
    case .integer(let range):
      .object(["kind": .string("integer"), "minimum": .integer(range.lowerBound), "maximum": .integer(range.upperBound)])
    case .flag: .object(["kind": .string("flag")])
    case .choice(let choices): .object(["kind": .string("choice"), "choices": .strings(choices)])
    case .text(let kind): .object(["kind": .string("text"), "meaning": .string(kind)])
    case .list(let range):
      .object(["kind": .string("list"), "minimum": .number(range.lowerBound), "maximum": .number(range.upperBound)])
    }
  }
}

extension Method {
  var json: JSONValue {
    .object([
      "name": .string(declaration.name), "family": .string(declaration.family.name), "summary": .string(declaration.summary),
      "points": .strings(declaration.points.map(\.description)), "reads": .strings(declaration.reads),
      "changes": .strings(declaration.changes), "needs": .strings(declaration.needs), "state": .string(declaration.state),
      "exactness": .string(declaration.exactness.rawValue), "reference": .string(declaration.reference),
      "parameters": .array(
        declaration.parameters.map { parameter in
          .object([
            "name": .string(parameter.name), "summary": .string(parameter.summary), "domain": parameter.domain.json,
            "default": parameter.standard.json, "neutral": parameter.neutral?.json ?? .null,
            "searched": parameter.searched?.json ?? .null,
          ])
        }),
      "aliases": .array(
        aliases.map { alias in
          .object([
            "name": .string(alias.name), "tool": .optional(alias.tool), "parameters": .object(alias.parameters.mapValues { .string($0) }),
            "grid": .optional(alias.spacing),
          ])
        }),
    ])
  }
}
