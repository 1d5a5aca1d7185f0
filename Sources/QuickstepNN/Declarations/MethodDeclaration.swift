/// Where in a generation run a method acts (design section 6). A method may occupy several points.
public struct Point: Hashable, Sendable, Codable, CustomStringConvertible {
  enum Kind: String, Codable, CaseIterable { case grid, start, stop, step, call, block, `operator`, weights, correction, codec, post }
  let kind: Kind
  /// (schedule, n) → times.
  public static let grid = Point(kind: .grid)
  /// The initial state and its time.
  public static let start = Point(kind: .start)
  /// Early exit.
  public static let stop = Point(kind: .stop)
  /// The tableau: how predictions are combined into the next state.
  public static let step = Point(kind: .step)
  /// Around one model evaluation.
  public static let call = Point(kind: .call)
  /// A site inside the backbone.
  public static let block = Point(kind: .block)
  /// Replaces a linear, convolution, attention or normalisation.
  public static let `operator` = Point(kind: .operator)
  /// Once, before the run.
  public static let weights = Point(kind: .weights)
  /// On x̂0, before it enters the solver's history.
  public static let correction = Point(kind: .correction)
  /// Decoding of the final state.
  public static let codec = Point(kind: .codec)
  /// After decoding.
  public static let post = Point(kind: .post)
  public var description: String { kind.rawValue }
  /// Reads the word that `description` gives, such as `grid`.
  /// - Throws: `DecodingError` when there is no such point.
  public init(from decoder: any Decoder) throws { kind = try decoder.singleValueContainer().decode(Kind.self) }
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(kind)
  }
  init(kind: Kind) { self.kind = kind }
}

/// How far a method's result may be from the same run without it.
public enum Exactness: String, Sendable, Codable, CaseIterable {
  /// The same bits.
  case bitExact = "bit-exact"
  /// Equal in exact arithmetic; floating-point rounding may differ.
  case rounding = "equal up to rounding"
  /// A different result by design.
  case approximate
}

/// The family a method belongs to: `solver`, `grid`, `cache`, … Used to group help, docs and tables.
public struct Family: Hashable, Sendable, Codable, CustomStringConvertible {
  /// Lower case; not limited to the families listed here.
  public let name: String
  /// A family by its name, known or not.
  public init(_ name: String) { self.name = name }
  /// How predictions are combined into the next state.
  public static let solver = Family("solver")
  /// At which noise levels the model is evaluated.
  public static let grid = Family("grid")
  /// How several predictions for one state become one.
  public static let guidance = Family("guidance")
  /// What is done to x̂0 before the solver sees it.
  public static let correction = Family("correction")
  /// What a network is trained to predict, and with which loss.
  public static let objective = Family("objective")
  /// How one layer is computed.
  public static let `operator` = Family("operator")
  public var description: String { name }
  /// Reads the name, a plain string.
  /// - Throws: `DecodingError` when it is no string.
  public init(from decoder: any Decoder) throws { name = try decoder.singleValueContainer().decode(String.self) }
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(name)
  }
}

/// What a method says about itself. Everything that lists, checks or documents methods reads this and nothing else: `quickstep methods`, the
/// checks of parameters on the command line, and later recipes, the search space and the server's schema.
public struct MethodDeclaration: Sendable, Codable {
  /// The name used on the command line and in recipes: lower case, digits, `-`, `+`.
  public var name: String
  /// The registry that holds the method.
  public var family: Family
  /// One sentence.
  public var summary: String
  /// Where in a run it acts, in no particular order.
  public var points: [Point]
  /// Signals the method reads, such as `denoised`, `state`, `block output`.
  public var reads: [String]
  /// Signals the method changes.
  public var changes: [String]
  /// Architecture traits, training or step counts it needs; empty when it fits every model.
  public var needs: [String]
  /// State it keeps per request.
  public var state: String
  /// In the order in which they are listed for the user; empty when the method has none.
  public var parameters: [ParameterDeclaration]
  /// Compared with the same run without the method.
  public var exactness: Exactness
  /// Paper and equation.
  public var reference: String

  /// - Parameters:
  ///   - name: lower case, digits, `-`, `+`; unique within the family.
  ///   - family: the registry it belongs to.
  ///   - summary: one sentence.
  ///   - points: where it acts.
  ///   - reads: signals it reads.
  ///   - changes: signals it changes.
  ///   - needs: what it demands of model or run, in words; empty when it fits every model.
  ///   - state: what it keeps per request, in words.
  ///   - parameters: names, ranges and standard values.
  ///   - exactness: how far its result may be from the run without it.
  ///   - reference: paper and equation, or the program it follows.
  public init(
    name: String, family: Family, summary: String, points: [Point], reads: [String] = [], changes: [String] = [], needs: [String] = [],
    state: String = "none", parameters: [ParameterDeclaration] = [], exactness: Exactness, reference: String
  ) {
    self.name = name
    self.family = family
    self.summary = summary
    self.points = points
    self.reads = reads
    self.changes = changes
    self.needs = needs
    self.state = state
    self.parameters = parameters
    self.exactness = exactness
    self.reference = reference
  }
}
