public import QuickstepNN

/// A sampling method as a pure function from a schedule and a grid to a table of coefficients.
///
/// A solver never sees a model, a prompt, a device or a tensor. One file per solver; ``AllSolvers`` lists them.
public protocol Solver: Sendable {
  /// What the solver says about itself.
  static var declaration: MethodDeclaration { get }
  /// Names of the same method in other tools.
  static var aliases: [SolverAlias] { get }
  /// - Throws: when the values contradict each other.
  init(_ values: ParameterValues) throws
  /// Which laws its runs obey; ``SolverNature/flow`` unless said otherwise.
  static var nature: SolverNature { get }
  /// The order of convergence in the largest step, on a grid whose steps shrink evenly and that ends above σ = 0.
  var order: Int { get }
  /// The table of a run over `grid`. Pure: the same arguments give the same bits.
  /// - Throws: ``TableauError`` or ``ScheduleError`` when the grid does not suit the solver.
  func compile(schedule: any NoiseSchedule, grid: Grid) throws -> Tableau
  /// The levels the solver was made for, if it brings its own; it compiles on no others then.
  /// - Throws: ``GridError`` or ``ScheduleError`` when the schedule does not have them.
  func ownGrid(schedule: any NoiseSchedule) throws -> Grid?
  /// The solver of a run that leaves out the first steps. It differs where the parameters say something of the whole run, such as a
  /// number of evaluations to be divided among its steps.
  /// - Parameters:
  ///   - step: steps that are left out.
  ///   - steps: those of the whole run.
  /// - Throws: ``TableauError`` when the parameters do not suit the whole run.
  func beginning(at step: Int, of steps: Int) throws -> any Solver
  /// Parameter texts that mean the same everywhere: contents in the place of paths.
  static func resolved(_ parameters: [String: String]) throws -> [String: String]
  /// What of the asked-for method runs of so few steps do not reach, in sentences for the user.
  func fallbacks(steps: Int) -> [String]
  /// What of a run is not what the solver was fitted to, in sentences for the user.
  /// - Parameters:
  ///   - fingerprint: checksum of the model's weights.
  ///   - guidanceScale: of the run; `nil` for models that are not guided.
  ///   - accelerations: the methods of acceleration that run, each with its parameters.
  func concerns(fingerprint: String, guidanceScale: Double?, accelerations: [String]) -> [String]
}

extension Solver {
  /// None.
  public static var aliases: [SolverAlias] { [] }
  static var name: String { declaration.name }
  /// Any grid will do.
  public func ownGrid(schedule: any NoiseSchedule) throws -> Grid? { nil }
  /// The same.
  public func beginning(at step: Int, of steps: Int) throws -> any Solver { self }
  /// As they are.
  public static func resolved(_ parameters: [String: String]) throws -> [String: String] { parameters }
  /// ``SolverNature/flow``.
  public static var nature: SolverNature { .flow }

  /// None.
  public func fallbacks(steps: Int) -> [String] { [] }

  /// None: it was fitted to nothing.
  public func concerns(fingerprint: String, guidanceScale: Double?, accelerations: [String]) -> [String] { [] }

  /// The table of a run in which the solver forgets at some steps what was made before them, and begins anew.
  /// - Parameter restarts: those steps, in order.
  /// - Throws: as ``compile(schedule:grid:)``; ``TableauError`` for steps that are not within the run.
  public func compile(schedule: any NoiseSchedule, grid: Grid, restarts: [Int]) throws -> Tableau {
    try restarts.reduce(compile(schedule: schedule, grid: grid)) { table, step in
      guard step > 0, step < grid.steps else {
        throw TableauError("a run of \(grid.steps) steps cannot begin anew at step \(step); allowed: 1…\(grid.steps - 1)")
      }
      let rest = try beginning(at: step, of: grid.steps).compile(schedule: schedule, grid: grid.suffix(fromStep: step))
      return try table.followed(fromStep: step, by: rest)
    }
  }

  /// A solver with standard parameters, some of them replaced by raw texts.
  /// - Throws: `ParameterError` for unknown names and values.
  public init(_ parameters: [String: String] = [:]) throws {
    try self.init(ParameterValues(parameters, for: Self.declaration))
  }
}

/// A foreign name that stands for a solver together with some parameters and perhaps a spacing.
public struct SolverAlias: Hashable, Sendable {
  /// The name as the other tool writes it.
  public let name: String
  /// The tool: `diffusers`, `A1111`, `k-diffusion`, `ComfyUI`.
  public let tool: String
  /// Parameters the name implies.
  public let parameters: [String: String]
  /// The spacing the name implies, if any.
  public let spacing: String?
  /// Parameters of that spacing, or of one that the name is followed by.
  public let spacingParameters: [String: String]
  /// The order whose blocks the tool divides its number of steps into, where it counts evaluations; `nil` where it counts steps.
  public let dividedOrder: Int?

  /// A foreign name.
  public init(
    _ name: String, tool: String, parameters: [String: String] = [:], spacing: String? = nil, spacingParameters: [String: String] = [:],
    dividedOrder: Int? = nil
  ) {
    self.name = name
    self.tool = tool
    self.parameters = parameters
    self.spacing = spacing
    self.spacingParameters = spacingParameters
    self.dividedOrder = dividedOrder
  }
}
