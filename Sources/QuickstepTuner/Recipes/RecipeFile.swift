import Foundation
public import QuickstepFormats
import QuickstepModels
import QuickstepPipelines

extension Recipe {
  /// Reads a recipe.
  /// - Throws: `FormatError` naming the file and the key that is missing, unknown or of another kind; for files of other programs and later
  ///   versions.
  public init(path: String) throws { self = try Recipe(json: JSONValue(path: path), place: path) }

  /// Reads what ``json`` gives.
  /// - Parameter place: the file's path, for messages.
  public init(json: JSONValue, place: String) throws {
    guard let members = json.object, members["format"]?.string == Self.format else {
      throw FormatError(place, "is no recipe: its 'format' is not '\(Self.format)'")
    }
    guard let version = members["version"]?.integer, version >= 1 else { throw FormatError(place, "has no 'version'") }
    guard version <= Self.version else {
      throw FormatError(place, "is a recipe of version \(version); this program reads versions up to \(Self.version)")
    }
    let known = [
      "format", "version", "model", "companions", "sampling", "exact", "guidance_scale", "machine", "measured", "origin",
    ]
    if let odd = members.keys.sorted().first(where: { !known.contains($0) }) {
      throw FormatError(place, "has the key '\(odd)', which no recipe of version \(version) has")
    }
    func required(_ key: String) throws -> JSONValue {
      guard let value = members[key], value != .null else { throw FormatError(place, "has no '\(key)'") }
      return value
    }
    func decoded<Value: Decodable>(_ key: String, _ type: Value.Type) throws -> Value {
      let text = try required(key).text
      do { return try JSONDecoder().decode(type, from: Data(text.utf8)) } catch let error as DecodingError {
        throw FormatError(place, "'\(key)' \(Self.reason(error))")
      }
    }
    guard let scale = try required("guidance_scale").double, scale.isFinite else {
      throw FormatError(place, "'guidance_scale' is no number")
    }
    self.init(
      model: try decoded("model", Model.self), companions: members["companions"] == nil ? [] : try decoded("companions", [Model].self),
      sampling: try SamplingSettings(json: required("sampling"), place: "\(place), 'sampling'"),
      exact: try SamplingSettings(json: required("exact"), place: "\(place), 'exact'"), guidanceScale: scale,
      machine: try decoded("machine", Machine.self),
      measured: members["measured"] == nil || members["measured"] == .null ? nil : try decoded("measured", Measured.self),
      origin: try decoded("origin", Origin.self))
    if let measured, let problem = measured.problem { throw FormatError(place, "'measured': \(problem)") }
  }

  /// The file's contents.
  public var json: JSONValue {
    get throws {
      func value(_ part: some Encodable) throws -> JSONValue {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try JSONValue(parsing: String(decoding: encoder.encode(part), as: UTF8.self))
      }
      var members: [String: JSONValue] = [
        "format": .string(Self.format), "version": .integer(Self.version), "model": try value(model), "sampling": sampling.json,
        "exact": exact.json, "guidance_scale": .number(guidanceScale), "machine": try value(machine), "origin": try value(origin),
      ]
      if !companions.isEmpty { members["companions"] = try value(companions) }
      if let measured { members["measured"] = try value(measured) }
      return .object(members)
    }
  }

  /// Writes the recipe, whole or not at all.
  public func write(to path: String) throws {
    let text = try ConfigurationFile.pretty(json) + "\n"
    try AtomicFile.write(Array(text.utf8), to: path, makeFolder: true)
  }

  private static func reason(_ error: DecodingError) -> String {
    func place(_ context: DecodingError.Context) -> String {
      context.codingPath.isEmpty ? "" : " at '" + context.codingPath.map(\.stringValue).joined(separator: ".") + "'"
    }
    switch error {
    case .keyNotFound(let key, let context): return "has no '\(key.stringValue)'\(place(context))"
    case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
      return "does not hold what it should\(place(context)): \(context.debugDescription)"
    @unknown default: return "cannot be read"
    }
  }
}

extension Recipe.Measured {
  /// What is wrong with the numbers.
  fileprivate var problem: String? {
    let spreads = [("seconds", seconds), ("exact_seconds", exactSeconds), ("speed_up", speedUp)]
    for (name, spread) in spreads where !(spread.lower > 0 && spread.lower <= spread.median && spread.median <= spread.upper) {
      return "'\(name)' is no spread: \(spread.lower), \(spread.median), \(spread.upper)"
    }
    if pictures < 1 { return "\(pictures) pictures" }
    if let odd = ((kept ?? []) + (rivalKept ?? [])).first(where: { !($0.lower <= $0.upper && $0.margin >= 0 && $0.pictures >= 2) }) {
      return "'kept': \(odd.metric) has no interval, margin or pictures"
    }
    return quality.first { !($0.lower <= $0.value && $0.value <= $0.upper) }.map { "'\($0.metric)' does not lie within its interval" }
  }
}
