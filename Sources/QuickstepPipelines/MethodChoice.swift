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

  /// Reads `name` or `name:parameter=value,parameter=value`; a value may be a list of numbers, `name:parameter=1,2,parameter=value`.
  /// - Throws: ``GenerationError`` naming the part that is not of that form.
  public init(parsing text: String) throws {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    var values: [String: String] = [:]
    var last: String?
    for pair in parts.count == 2 ? parts[1].split(separator: ",") : [] {
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

  /// The text that ``init(parsing:)`` reads back.
  public var description: String {
    parameters.isEmpty ? name : name + ":" + parameters.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
  }
}
