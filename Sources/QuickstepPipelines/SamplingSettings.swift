internal import Foundation
internal import QuickstepAcceleration
internal import QuickstepDiffusion
public import QuickstepFormats
internal import QuickstepNN

/// How pictures are sampled, whatever they show: what a recipe holds, a search varies and a comparison sets side by side. What is `nil` or
/// empty is left to the model.
///
/// Written as methods joined by ` + `, such as `unipc + karras + steps=10 + taylorseer:interval=4 + guidance=0.2-0.8`; a grid that shares its name with a
/// solver as `grid=NAME`, where no solver is named.
public struct SamplingSettings: Sendable, Hashable, CustomStringConvertible {
  /// A registered solver, or another tool's name for one.
  public var solver: MethodChoice?
  /// A registered spacing of the noise levels.
  public var grid: MethodChoice?
  /// How the run begins, where it does not begin at noise.
  public var start: MethodChoice?
  /// Solver steps.
  public var steps: Int?
  /// Shares of the run between which guidance acts.
  public var guidanceInterval: ClosedRange<Double>?
  /// Registered methods of acceleration, in order.
  public var accelerations: [MethodChoice] = []

  private static let gridPrefix = "grid="

  /// Everything is the model's own.
  public init() {}

  /// Reads methods joined by ` + `, `steps=N` and `guidance=START-END` among them.
  /// - Throws: `GenerationError` naming the part that is nothing known, or the second of its kind.
  public init(parsing text: String) throws {
    for word in text.split(separator: " + ").map({ $0.trimmingCharacters(in: .whitespaces) }) {
      func take(_ given: Bool) throws {
        if given { throw GenerationError("'\(word)' in '\(text)' is the second of its kind") }
      }
      if word.hasPrefix("steps=") {
        try take(steps != nil)
        guard let count = Int(word.dropFirst(6)), count > 0 else { throw GenerationError("'\(word)' in '\(text)' is no number of steps") }
        steps = count
      } else if word.hasPrefix(Self.gridPrefix) {
        try take(grid != nil)
        let choice = try MethodChoice(parsing: String(word.dropFirst(Self.gridPrefix.count)))
        _ = try AllGrids.named(choice.name)
        grid = choice
      } else if word.hasPrefix("guidance=") {
        try take(guidanceInterval != nil)
        guidanceInterval = try Self.interval(String(word.dropFirst(9)), in: text)
      } else {
        try add(MethodChoice(parsing: word), from: text)
      }
    }
  }

  private mutating func add(_ choice: MethodChoice, from text: String) throws {
    if (try? AllSolvers.named(choice.name)) != nil || SchedulerChoice.isFile(choice.name), solver == nil {
      solver = choice
    } else if (try? AllGrids.named(choice.name)) != nil, grid == nil {
      grid = choice
    } else if AllStarts.all.contains(where: { $0.declaration.name == choice.name }), start == nil {
      start = choice
    } else if (try? AllAccelerators.named(choice.name)) != nil {
      accelerations.append(choice)
    } else {
      throw GenerationError(
        "'\(choice.name)' in '\(text)' is no solver, grid, start method or acceleration, or the second of its kind; see 'quickstep methods'"
      )
    }
  }

  /// Two shares of the run with a dash between them.
  package static func interval(_ text: String, in place: String) throws -> ClosedRange<Double> {
    let ends = text.split(separator: "-").map { Double($0) }
    guard ends.count == 2, let start = ends[0], let end = ends[1], 0 <= start, start <= end, end <= 1 else {
      throw GenerationError("'\(text)' in '\(place)' is not of the form START-END with shares of the run in 0…1, such as 0.2-0.8")
    }
    return start...end
  }

  /// The text that ``init(parsing:)`` reads back; empty where nothing is set.
  public var description: String { words(\.description) }
  /// For tables: as ``description``, with long parameters cut short.
  public var title: String { words(\.title) }

  private func words(_ text: (MethodChoice) -> String) -> String {
    // Alone, the name of a grid that is a solver's as well would be read as the solver.
    let isAmbiguous = solver == nil && (grid.map { (try? AllSolvers.named($0.name)) != nil } ?? false)
    var words = [solver.map(text), grid.map { (isAmbiguous ? Self.gridPrefix : "") + text($0) }, start.map(text)].compactMap { $0 }
    if let steps { words.append("steps=\(steps)") }
    words += accelerations.map(text)
    if let guidanceInterval { words.append("guidance=\(guidanceInterval.lowerBound)-\(guidanceInterval.upperBound)") }
    return words.joined(separator: " + ")
  }

  /// A request that samples this way; what is not set here stays as it is, and accelerations come after those of the request.
  public func applied(to request: GenerationRequest) -> GenerationRequest {
    var request = request
    if let solver {
      (request.solver, request.solverParameters, request.ownSolver) = (solver.name, solver.parameters, nil)
    }
    if let grid { (request.spacing, request.spacingParameters) = (grid.name, grid.parameters) }
    request.start = start ?? request.start
    request.steps = steps ?? request.steps
    request.guidanceInterval = guidanceInterval ?? request.guidanceInterval
    request.accelerations += accelerations
    return request
  }
}

extension SamplingSettings {
  /// The same as JSON, methods in the form of a command line.
  public var json: JSONValue {
    var members: [String: JSONValue] = [:]
    for (key, method) in [("solver", solver), ("grid", grid), ("start", start)] {
      if let method { members[key] = .string(method.description) }
    }
    if let steps { members["steps"] = .integer(steps) }
    if let guidanceInterval {
      members["guidance_interval"] = .array([.number(guidanceInterval.lowerBound), .number(guidanceInterval.upperBound)])
    }
    if !accelerations.isEmpty { members["accelerations"] = .array(accelerations.map { .string($0.description) }) }
    return .object(members)
  }

  /// Reads what ``json`` gives.
  /// - Parameter place: the file and the member, for messages.
  /// - Throws: `FormatError` naming the key that is unknown or does not hold what it should.
  public init(json: JSONValue, place: String) throws {
    guard let members = json.object else { throw FormatError(place, "must be an object") }
    let known = ["solver", "grid", "start", "steps", "guidance_interval", "accelerations"]
    if let odd = members.keys.sorted().first(where: { !known.contains($0) }) {
      throw FormatError(place, "has the key '\(odd)'; known: \(known.joined(separator: ", "))")
    }
    func wrong(_ key: String, _ what: String) -> FormatError {
      FormatError(place, "'\(key)' is \(members[key]?.text.prefix(60) ?? "missing"); it must be \(what)")
    }
    func method(_ key: String) throws -> MethodChoice? {
      try members[key].map { value in
        guard let text = value.string else { throw wrong(key, "a method, NAME:parameter=value,…") }
        return try MethodChoice(parsing: text)
      }
    }
    (solver, grid, start) = (try method("solver"), try method("grid"), try method("start"))
    if let value = members["steps"] {
      guard let count = value.integer, count > 0 else { throw wrong("steps", "a whole number above 0") }
      steps = count
    }
    if let value = members["guidance_interval"] {
      let ends = value.array?.compactMap(\.double) ?? []
      guard ends.count == 2, value.array?.count == 2, 0 <= ends[0], ends[0] <= ends[1], ends[1] <= 1 else {
        throw wrong("guidance_interval", "two rising shares of the run in 0…1")
      }
      guidanceInterval = ends[0]...ends[1]
    }
    if let value = members["accelerations"] {
      guard let texts = value.array, texts.allSatisfy({ $0.string != nil }) else { throw wrong("accelerations", "a list of methods") }
      accelerations = try texts.compactMap(\.string).map { try MethodChoice(parsing: $0) }
    }
  }
}
