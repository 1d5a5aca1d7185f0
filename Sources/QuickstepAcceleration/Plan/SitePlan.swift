internal import Foundation

/// What is done at which site in which evaluation: a plan as data. Printable, storable in a recipe, searchable.
///
/// As JSON: `{"evaluations": 6, "sites": {"blocks.0.ff": "CRRCRR"}}`, one letter of ``SiteAction`` per evaluation. A name is the path of a site, or
/// `blocks[1..<12]` for a range of the list of blocks, or `call` and `call.negative` for the network as a whole and one branch of guidance. Where
/// something else than an output is kept, a member `keeps` says so: `{"blocks[1..<12]": "residual", "call.negative": "difference"}`.
public struct SitePlan: Hashable, Sendable {
  /// What is kept of an entry, where that is not its output.
  public enum Kept: String, Sendable, Codable {
    /// What a range of blocks adds to what comes in.
    case residual
    /// How far a branch of guidance is from the prompt's.
    case difference
  }

  /// Evaluations of the run it is for.
  public let evaluations: Int
  /// Actions by name, one for each evaluation. What is not named is computed.
  public private(set) var actions: [String: [SiteAction]]
  /// By name, for entries that keep something else than their output.
  public private(set) var keeps: [String: Kept]

  /// - Parameters:
  ///   - evaluations: of the run, at least 1.
  ///   - actions: by name, one for each evaluation.
  ///   - keeps: what is kept of entries, where that is not their output.
  /// - Throws: ``AccelerationError`` naming the entry that has another number of actions, reads what was never computed, or keeps what it cannot.
  public init(evaluations: Int, actions: [String: [SiteAction]], keeps: [String: Kept] = [:]) throws {
    guard evaluations >= 1 else { throw AccelerationError("the plan is for \(evaluations) evaluations; a run has at least one") }
    for (name, kept) in keeps.sorted(by: { $0.key < $1.key }) {
      guard actions[name] != nil, name.hasPrefix(kept == .residual ? "blocks[" : "call.") else {
        throw AccelerationError("the plan keeps the \(kept.rawValue) of '\(name)', which has none or is not in the plan")
      }
    }
    for (name, list) in actions.sorted(by: { $0.key < $1.key }) {
      guard list.count == evaluations else {
        throw AccelerationError("the plan has \(list.count) actions for '\(name)'; its run has \(evaluations) evaluations")
      }
      if let early = list.firstIndex(where: \.readsHistory), !list[..<early].contains(.compute) {
        throw AccelerationError("the plan of '\(name)' reads a value in evaluation \(early) that was not computed before: \(list.codes)")
      }
    }
    (self.evaluations, self.actions, self.keeps) = (evaluations, actions, keeps)
  }

  /// Share of the entries' evaluations that are computed, 0…1; 1 for a plan without entries.
  public var computedShare: Double {
    let count = actions.count * evaluations
    return count == 0 ? 1 : Double(actions.values.reduce(0) { $0 + $1.count { $0 == .compute } }) / Double(count)
  }
}

extension SitePlan: Codable {
  private enum CodingKeys: String, CodingKey { case evaluations, sites, keeps }

  /// The last two are told of the plan of a part of a run; a plan does without.
  private static let members = ["evaluations", "sites", "keeps", "model", "first_evaluation"]

  private struct AnyKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { return nil }
  }

  /// Reads the JSON form.
  /// - Throws: `DecodingError`; ``AccelerationError`` as the initialiser.
  public init(from decoder: any Decoder) throws {
    let members = try decoder.container(keyedBy: AnyKey.self).allKeys.map(\.stringValue)
    if let odd = members.sorted().first(where: { !Self.members.contains($0) }) {
      throw AccelerationError("it has the member '\(odd)'; known: \(Self.members.joined(separator: ", "))")
    }
    let container = try decoder.container(keyedBy: CodingKeys.self)
    let codes = try container.decode([String: String].self, forKey: .sites)
    var actions: [String: [SiteAction]] = [:]
    for (name, text) in codes { actions[name] = try [SiteAction](codes: text, of: name) }
    try self.init(
      evaluations: container.decode(Int.self, forKey: .evaluations), actions: actions,
      keeps: container.decodeIfPresent([String: Kept].self, forKey: .keeps) ?? [:])
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(evaluations, forKey: .evaluations)
    try container.encode(actions.mapValues(\.codes), forKey: .sites)
    if !keeps.isEmpty { try container.encode(keeps, forKey: .keeps) }
  }

  /// The JSON form with sorted keys.
  public func json() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(self), as: UTF8.self)
  }

  /// Reads a plan from text or, where `source` is no JSON, from the file it names.
  /// - Throws: ``AccelerationError`` naming the file and what is wrong with it.
  public init(source: String) throws {
    let isText = source.drop { $0.isWhitespace }.first == "{"
    guard let data = isText ? Data(source.utf8) : FileManager.default.contents(atPath: source) else {
      throw AccelerationError("the plan '\(source)' cannot be read")
    }
    do {
      self = try JSONDecoder().decode(SitePlan.self, from: data)
    } catch let error as AccelerationError {
      throw AccelerationError("\(isText ? "the plan" : source): \(error.description)")
    } catch {
      throw AccelerationError("\(isText ? "the plan" : source) is no plan: \(error)")
    }
  }
}
