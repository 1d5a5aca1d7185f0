/// A method by name with raw parameter texts, as written on a command line: `ddim:eta=0.5`, `clip:range=1`.
public struct MethodChoice: Sendable, Hashable, Codable, CustomStringConvertible, ExpressibleByStringLiteral {
  /// The registered name or a name other tools use.
  public var name: String
  /// Parameter texts by name; checked against the method's declaration when it is made.
  public var parameters: [String: String]

  /// - Parameters:
  ///   - name: the registered name or a name other tools use; it is not looked up here.
  ///   - parameters: parameter texts by name.
  public init(_ name: String, parameters: [String: String] = [:]) {
    self.name = name
    self.parameters = parameters
  }

  /// A method without parameters.
  public init(stringLiteral name: String) { self.init(name) }

  /// Reads `name` or `name:parameter=value,parameter=value`. Commas inside brackets and braces belong to the value, as do those of a list of
  /// numbers: `name:parameter=1,2,parameter=value`.
  /// - Throws: ``GenerationError`` naming the part that is not of that form.
  public init(parsing text: String) throws {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    var values: [String: String] = [:]
    var last: String?
    for pair in parts.count == 2 ? Self.pairs(parts[1]) : [] {
      // Lists of numbers are written with commas as well: timesteps=999,850,736.
      if let last, Double(pair) != nil {
        values[last]? += "," + pair
        continue
      }
      let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard sides.count == 2, !sides[0].isEmpty else { throw GenerationError("'\(pair)' in '\(text)' is not of the form parameter=value") }
      guard values.updateValue(sides[1], forKey: sides[0]) == nil else {
        throw GenerationError("'\(sides[0])' is given twice in '\(text)'")
      }
      last = sides[0]
    }
    self.init(parts[0], parameters: values)
  }

  /// As ``description``, with what would not be read in a table (fitted plans, paths) cut short.
  public var title: String {
    MethodChoice(name, parameters: parameters.mapValues { $0.count > 32 ? "…" : $0 }).description
  }

  /// The parts between commas that are outside of all brackets.
  private static func pairs(_ text: String) -> [String] {
    var pairs = [""]
    var depth = 0
    for character in text {
      if "[{".contains(character) { depth += 1 }
      if "]}".contains(character) { depth -= 1 }
      if character == ",", depth <= 0 { pairs.append("") } else { pairs[pairs.count - 1].append(character) }
    }
    return pairs.filter { !$0.isEmpty }
  }

  /// The text that ``init(parsing:)`` reads back.
  public var description: String {
    parameters.isEmpty ? name : name + ":" + parameters.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
  }
}
