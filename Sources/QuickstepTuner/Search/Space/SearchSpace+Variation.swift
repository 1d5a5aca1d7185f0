internal import Foundation
public import QuickstepNN

/// How two parents become a child.
public enum Crossover: String, Sendable, CaseIterable {
  /// Parents take turns between this many random cuts of the list of genes.
  case points
  /// Every gene from either parent.
  case uniform
  /// Choices as in ``points``, ordered genes by simulated binary crossover (Deb & Agrawal 1995): children lie about their parents as those of
  /// a one-point crossover of binary numbers do.
  case blend
}

extension SearchSpace {
  /// A point with every active gene drawn evenly from its domain. Sets of whole numbers get different members where the domain has enough.
  /// - Parameter stage: genes of later stages stay at their standard values.
  public func random(using random: inout SplitMix64, through stage: Int = .max) -> Candidate {
    var result = Candidate(genes.map { $0.stage <= stage ? draw($0.domain, &random) : $0.standard })
    for members in series {
      for (place, index) in members.enumerated() {
        guard genes[index].stage <= stage, let count = genes[index].domain.count, count >= members.count else { continue }
        let taken = members[..<place].map { result.values[$0] }
        while taken.contains(result.values[index]) { result.values[index] = draw(genes[index].domain, &random) }
      }
    }
    return canonical(result)
  }

  /// A point that differs from this one in one active gene: another choice, the next or last whole number, or a step of the given size.
  /// - Parameters:
  ///   - scale: of steps of real genes, in widths of their domain; whole numbers step by 1 or by as much, whichever is more.
  ///   - stage: genes of later stages are left alone.
  /// - Returns: the same point where no active gene has another value.
  public func neighbour(
    of candidate: Candidate, scale: Double = 0.1, using random: inout SplitMix64, through stage: Int = .max
  ) -> Candidate {
    let movable = movable(candidate, through: stage)
    guard !movable.isEmpty else { return candidate }
    var result = candidate
    let index = movable[random.below(movable.count)]
    let domain = genes[index].domain
    let value = candidate.values[index]
    if domain.isOrdered {
      let least = domain.count.map { 1 / Double($0 - 1) } ?? 0
      let width = scale * abs(random.normal())
      let step = (random.chance(0.5) ? 1 : -1) * max(width, least)
      let position = domain.position(of: value)
      // A step over the edge goes the other way.
      let aim = position + step
      result.values[index] = domain.value(at: aim < -1e-9 || aim > 1 + 1e-9 ? position - step : aim)
    } else {
      result.values[index] = otherChoice(value, domain, &random)
    }
    return canonical(result)
  }

  /// A point with some active genes changed: choices to another one, ordered genes by polynomial mutation (Deb & Goyal 1996).
  /// - Parameters:
  ///   - rate: probability per active gene; 1 / number of active genes where this is `nil`.
  ///   - spread: distribution index η of polynomial mutation; small ones go far.
  ///   - stage: genes of later stages are left alone.
  public func mutated(
    _ candidate: Candidate, rate: Double? = nil, spread: Double = 20, using random: inout SplitMix64, through stage: Int = .max
  ) -> Candidate {
    var result = candidate
    let movable = movable(candidate, through: stage)
    let probability = rate ?? 1 / Double(max(1, movable.count))
    for index in movable where random.chance(probability) {
      let domain = genes[index].domain
      let value = candidate.values[index]
      result.values[index] =
        domain.isOrdered ? polynomial(value, domain, spread: spread, &random) : otherChoice(value, domain, &random)
    }
    return canonical(result)
  }

  /// A point with some active genes drawn anew, wherever they were; members of a set get values that are not in it, while there are any.
  /// - Parameter rate: probability per active gene.
  public func redrawn(_ candidate: Candidate, rate: Double, using random: inout SplitMix64, through stage: Int = .max) -> Candidate {
    var result = candidate
    for index in movable(candidate, through: stage) where random.chance(rate) {
      let others = genes[index].series == nil ? [] : genes.indices.filter { $0 != index && genes[$0].series == genes[index].series }
      let isFull = genes[index].domain.count.map { $0 <= others.count } ?? false
      repeat {
        result.values[index] = draw(genes[index].domain, &random)
      } while !isFull && others.contains { result.values[$0] == result.values[index] }
    }
    return canonical(result)
  }

  /// One child of two parents.
  /// - Parameters:
  ///   - points: number of cuts, for ``Crossover/points`` and ``Crossover/blend``.
  ///   - spread: distribution index η of simulated binary crossover; large ones stay near the parents.
  public func crossed(
    _ first: Candidate, _ second: Candidate, by kind: Crossover, points: Int = 4, spread: Double = 15, using random: inout SplitMix64
  ) -> Candidate {
    var result = first
    let cuts = kind == .uniform ? [] : Set(random.sample(Array(1..<max(genes.count, 2)), points))
    var fromSecond = false
    for index in genes.indices {
      fromSecond = kind == .uniform ? random.chance(0.5) : fromSecond != cuts.contains(index)
      if kind == .blend, genes[index].domain.isOrdered {
        result.values[index] = blended(first.values[index], second.values[index], genes[index].domain, spread: spread, &random)
      } else if fromSecond {
        result.values[index] = second.values[index]
      }
    }
    return canonical(result)
  }

  /// Active genes with more than one value.
  private func movable(_ candidate: Candidate, through stage: Int) -> [Int] {
    let active = active(candidate)
    return genes.indices.filter { active[$0] && genes[$0].stage <= stage && genes[$0].domain.count != 1 }
  }

  private func draw(_ domain: Gene.Domain, _ random: inout SplitMix64) -> Double {
    if let count = domain.count { return domain.lower + Double(random.below(count)) }
    return domain.value(at: random.uniform())
  }

  private func otherChoice(_ value: Double, _ domain: Gene.Domain, _ random: inout SplitMix64) -> Double {
    guard let count = domain.count, count > 1 else { return value }
    let drawn = Double(random.below(count - 1))
    return drawn >= value ? drawn + 1 : drawn
  }

  /// Polynomial mutation within bounds; whole numbers move by 1 at least.
  private func polynomial(_ value: Double, _ domain: Gene.Domain, spread: Double, _ random: inout SplitMix64) -> Double {
    let position = domain.position(of: value)
    let draw = random.uniform()
    let power = 1 / (spread + 1)
    let moved: Double
    if draw < 0.5 {
      moved = position + pow(2 * draw + (1 - 2 * draw) * pow(1 - position, spread + 1), power) - 1
    } else {
      moved = position + 1 - pow(2 * (1 - draw) + (2 * draw - 1) * pow(position, spread + 1), power)
    }
    let result = domain.value(at: moved)
    guard domain.isWhole, result == value else { return result }
    let step = draw < 0.5 ? -1.0 : 1.0
    return domain.contains(value + step) ? value + step : value - step
  }

  /// Simulated binary crossover within bounds, one of the two children; each gene takes part with probability 1/2, as is usual.
  private func blended(
    _ first: Double, _ second: Double, _ domain: Gene.Domain, spread: Double, _ random: inout SplitMix64
  ) -> Double {
    let swaps = random.chance(0.5)
    guard random.chance(0.5), first != second else { return swaps ? second : first }
    let (low, high) = (
      min(domain.position(of: first), domain.position(of: second)), max(domain.position(of: first), domain.position(of: second))
    )
    guard high - low > 1e-14 else { return swaps ? second : first }
    let draw = random.uniform()
    func factor(_ room: Double) -> Double {
      let alpha = 2 - pow(1 + 2 * room / (high - low), -(spread + 1))
      return draw <= 1 / alpha ? pow(draw * alpha, 1 / (spread + 1)) : pow(1 / (2 - draw * alpha), 1 / (spread + 1))
    }
    let lower = 0.5 * (low + high - factor(low) * (high - low))
    let upper = 0.5 * (low + high + factor(1 - high) * (high - low))
    return domain.value(at: swaps ? upper : lower)
  }
}
