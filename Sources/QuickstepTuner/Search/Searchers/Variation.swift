import QuickstepNN

/// How children are made of parents.
struct Variation: Sendable {
  var crossover: Crossover
  var cuts = 4
  /// Probability of two parents.
  var mating: Double
  /// Probability of a change per gene; one change per child on average where this is `nil`.
  var rate: Double?
  var crossoverSpread = 15.0
  var mutationSpread = 20.0

  func child(_ first: Candidate, _ second: Candidate, in space: SearchSpace, _ random: inout SplitMix64) -> Candidate {
    let crossed =
      random.chance(mating)
      ? space.crossed(first, second, by: crossover, points: cuts, spread: crossoverSpread, using: &random) : first
    return space.mutated(crossed, rate: rate, spread: mutationSpread, using: &random)
  }
}
