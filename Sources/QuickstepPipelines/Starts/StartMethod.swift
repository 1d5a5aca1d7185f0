public import QuickstepDiffusion
public import QuickstepNN
public import QuickstepTensor

/// A way to begin a run later than at pure noise, without a picture to begin with. One file per method; ``AllStarts`` lists them.
public protocol StartMethod: Sendable {
  /// What the method says about itself.
  static var declaration: MethodDeclaration { get }
  /// - Throws: when the values contradict each other or name a file that cannot be used.
  init(_ values: ParameterValues) throws
  /// Checks the method against a model and a run.
  /// - Parameters:
  ///   - sampleShape: `[C, H, W]` of what is denoised.
  ///   - prompts: one per picture.
  /// - Throws: `GenerationError` naming what does not fit.
  func prepared(model: LoadedModel, grid: Grid, sampleShape: [Int], prompts: [String]) throws -> PreparedStart
  /// Whether runs begin at noise levels that only turn up while it is at work: their grids are then made for each of them.
  var walks: Bool { get }
}

extension StartMethod {
  /// Levels are known beforehand.
  public var walks: Bool { false }
}

/// A start method, ready for one request.
public struct PreparedStart: Sendable {
  /// Steps of the grid that are left out.
  public var skippedSteps: Int
  /// What the user should know, in sentences.
  public var warnings: [String]
  /// From the state at the grid's first level, `[B, C, H, W]` of the pictures in the range, to the one at the first level that is run.
  public var state: @Sendable (_ initial: Tensor, _ images: Range<Int>) throws -> Tensor

  /// For starts that walk: how. What begins a run then are the states of chains, and ``state`` is not asked.
  public var chains: ChainPlan?

  /// A start that leaves out some steps.
  public init(
    skippedSteps: Int, warnings: [String] = [], state: @escaping @Sendable (_ initial: Tensor, _ images: Range<Int>) throws -> Tensor
  ) {
    self.skippedSteps = skippedSteps
    self.warnings = warnings
    self.state = state
  }
}

extension Family {
  /// Where and in which state a run begins.
  public static let start = Family("start")
}

/// Every start method, sorted by name.
public enum AllStarts {
  /// The registered methods.
  public static let all: [any StartMethod.Type] = [LangevinGibbsStart.self, Teleportation.self]

  /// The method with this name, made from raw parameter texts.
  /// - Throws: `UnknownMethodError` with the nearest name; `ParameterError`.
  public static func make(_ choice: MethodChoice) throws -> any StartMethod {
    let wanted = canonicalName(choice.name)
    guard let method = all.first(where: { canonicalName($0.declaration.name) == wanted }) else {
      let names = all.map { $0.declaration.name }
      throw UnknownMethodError(choice.name, family: .start, known: names, near: names)
    }
    return try method.init(ParameterValues(choice.parameters, for: method.declaration))
  }
}
