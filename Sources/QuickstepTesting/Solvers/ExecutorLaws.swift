public import QuickstepDiffusion
import QuickstepNN
public import QuickstepTensor

/// Laws of running a table on tensors. Each checker throws ``LawViolation``.
public enum ExecutorLaws {
  /// Runs a table to its end.
  public static func run(_ table: Tableau, initial: Tensor, noise: any NoiseSource, density: any ToyDensity) throws -> [Double] {
    let executor = try TableauExecutor(table, initial: initial, noise: noise, checksFinite: true)
    while try advance(executor, density) {}
    return try executor.result.to(.float64).scalars(Double.self)
  }

  /// One evaluation; false at the end.
  public static func advance(_ executor: TableauExecutor, _ density: any ToyDensity) throws -> Bool {
    guard let (state, context) = try executor.nextEvaluation() else { return false }
    let values = density.denoised(try state.to(.float64).scalars(Double.self), at: context.level)
    try executor.accept(denoised: Tensor(values, shape: state.shape).to(state.dtype))
    return true
  }

  /// The executor equals the scalar twin to 1e-12 in float64, the same seed gives the same bits, and two interleaved requests give the bits
  /// of two separate ones.
  public static func check(_ table: Tableau, name: String, density: any ToyDensity, states: ([Double], [Double])) throws {
    let shape = [1, states.0.count]
    let first = Tensor(states.0, shape: shape)
    let second = Tensor(states.1, shape: shape)
    let alone = (
      try run(table, initial: first, noise: SeededNoise(seeds: [1]), density: density),
      try run(table, initial: second, noise: SeededNoise(seeds: [2]), density: density)
    )
    guard alone.0 == (try run(table, initial: first, noise: SeededNoise(seeds: [1]), density: density)) else {
      throw LawViolation("\(name): the same seed gave other numbers")
    }
    try checkTwin(table, name, states.0, alone.0, density)
    let a = try TableauExecutor(table, initial: first, noise: SeededNoise(seeds: [1]))
    let b = try TableauExecutor(table, initial: second, noise: SeededNoise(seeds: [2]))
    // The second request begins two evaluations later, so that the two are at different steps.
    _ = try advance(a, density)
    _ = try advance(a, density)
    var goesOn = true
    while goesOn {
      let movedA = try advance(a, density)
      let movedB = try advance(b, density)
      goesOn = movedA || movedB
    }
    guard try a.result.scalars(Double.self) == alone.0, try b.result.scalars(Double.self) == alone.1 else {
      throw LawViolation("\(name): two interleaved requests differ from two separate ones")
    }
  }

  private static func checkTwin(
    _ table: Tableau, _ name: String, _ state: [Double], _ found: [Double], _ density: any ToyDensity
  ) throws {
    var source = try SeededNoise(seeds: [1])
    let noises = try (0..<table.noiseCount).map { _ in
      try source.draw(shape: [1, state.count], dtype: .float64, device: .cpu).scalars(Double.self)
    }
    let twin = table.runScalar(state, noises: noises) { density.denoised($0, at: $1) }[table.stepCount - 1]
    for (value, expected) in zip(found, twin) where abs(value - expected) > 1e-12 * max(1, abs(expected)) {
      throw LawViolation("\(name): the executor gave \(value), plain arithmetic \(expected)")
    }
  }
}
