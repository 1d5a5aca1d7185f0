public import QuickstepNN

/// A whole sampling run written down before it starts: where the model is evaluated and how states are combined.
///
/// It is in single-assignment form. Row i may evaluate the model on an existing state at a noise level, which gives the next denoised
/// prediction m, and always makes the state x(i+1) as a linear combination of registers. Every solver whose coefficients are known
/// beforehand is such a table: multistep methods name old m's, predictor-correctors make a state twice, singlestep methods have rows that
/// do not finish a step, free-weight methods name any of them.
public struct Tableau: Hashable, Sendable, Codable {
  /// One call of the model.
  public struct Evaluation: Hashable, Sendable, Codable {
    /// Index of the state the model sees.
    public var state: Int
    /// The level the model is told.
    public var level: NoiseLevel
    /// The level it is told of every sample, where samples differ; ``level`` is then the one amid them.
    public var sampleLevels: [NoiseLevel]?

    /// - Parameters:
    ///   - state: index of an existing state.
    ///   - level: the level the model is told; usually that of the state.
    ///   - sampleLevels: one per sample, where they differ.
    public init(state: Int, level: NoiseLevel, sampleLevels: [NoiseLevel]? = nil) {
      self.state = state
      self.level = level
      self.sampleLevels = sampleLevels
    }
  }

  /// coefficient · register.
  public struct Term: Hashable, Sendable, Codable {
    /// What is read.
    public var register: Register
    /// What it is multiplied by.
    public var coefficient: Coefficient

    /// coefficient · register.
    public init(_ register: Register, _ coefficient: Coefficient) {
      self.register = register
      self.coefficient = coefficient
    }
  }

  /// One line of the table.
  public struct Row: Hashable, Sendable, Codable {
    /// The solver step this line belongs to, from 0.
    public var step: Int
    /// The model call that comes before the combination, if there is one.
    public var evaluation: Evaluation?
    /// The new state as a sum, added up in this order.
    public var terms: [Term]
    /// The noise level of the new state.
    public var level: NoiseLevel
    /// Whether the new state is the step's result.
    public var finishesStep: Bool

    /// One line of the table.
    public init(step: Int, evaluation: Evaluation? = nil, terms: [Term], level: NoiseLevel, finishesStep: Bool) {
      self.step = step
      self.evaluation = evaluation
      self.terms = terms
      self.level = level
      self.finishesStep = finishesStep
    }
  }

  /// Name of the solver that made it, for messages and recipes.
  public var solver: String
  /// Number of solver steps.
  public var stepCount: Int
  /// Level of the initial state x0.
  public var initialLevel: NoiseLevel
  /// The lines, in order.
  public var rows: [Row]

  /// - Throws: ``TableauError`` naming the row that breaks a rule (see ``validate()``).
  public init(solver: String, stepCount: Int, initialLevel: NoiseLevel, rows: [Row]) throws {
    self.solver = solver
    self.stepCount = stepCount
    self.initialLevel = initialLevel
    self.rows = rows
    try validate()
  }

  /// How often the model is called.
  public var evaluationCount: Int { rows.count { $0.evaluation != nil } }

  /// How many standard normal draws of the state's shape are needed.
  public var noiseCount: Int {
    rows.reduce(0) { count, row in
      row.terms.reduce(count) { count, term in
        if case .noise(let index) = term.register { max(count, index + 1) } else { count }
      }
    }
  }
}
