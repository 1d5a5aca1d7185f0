public import QuickstepNN
public import QuickstepTensor

extension Parametrisation {
  /// The state as the network wants to see it, same shape.
  /// - Throws: ``ParametrisationError`` where the conversion is not determined.
  public func input(state: Tensor, at level: NoiseLevel) throws -> Tensor {
    let scale = try coefficients(at: level).input
    return scale == 1 ? state : state * scale
  }

  /// x̂0 from a network output of the state's shape.
  /// - Throws: ``ParametrisationError`` where x̂0 is not determined (ε and EDM at α = 0).
  public func denoised(output: Tensor, state: Tensor, at level: NoiseLevel) throws -> Tensor {
    let c = try coefficients(at: level)
    if c.skip == 0 { return c.out == 1 ? output : output * c.out }
    return state * c.skip + output * c.out
  }

  /// The network output that gives x̂0, same shape.
  /// - Throws: ``ParametrisationError`` at σ = 0 (except for `sample`).
  public func output(denoised: Tensor, state: Tensor, at level: NoiseLevel) throws -> Tensor {
    let c = try invertible(at: level)
    if c.skip == 0 { return c.out == 1 ? denoised : denoised / c.out }
    return (denoised - state * c.skip) / c.out
  }
}

extension Parametrisation {
  /// The states of a batch as the network wants to see them, every sample at its own level where the context says so.
  func input(state: Tensor, at context: StepContext) throws -> Tensor {
    guard let levels = context.sampleLevels else { return try input(state: state, at: context.level) }
    let scale = try field(levels) { $0.input }
    return try elementwiseCombination([(state, scale)])
  }

  /// x̂0 of a batch, every sample from its own level where the context says so.
  func denoised(output: Tensor, state: Tensor, at context: StepContext) throws -> Tensor {
    guard let levels = context.sampleLevels else { return try denoised(output: output, state: state, at: context.level) }
    return try elementwiseCombination([(state, field(levels) { $0.skip }), (output, field(levels) { $0.out })])
  }

  private func field(_ levels: [NoiseLevel], _ part: (Coefficients) -> Double) throws -> Coefficient {
    Coefficient(try Coefficient.Field(shape: [], samples: levels.count, values: levels.map { part(try coefficients(at: $0)) }))
  }
}
