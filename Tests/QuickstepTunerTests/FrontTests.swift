import Foundation
import QuickstepNN
import QuickstepTuner
import Testing

@Suite("Searchers on problems with known fronts") struct FrontTests {
  /// Population 72 as in ECAD. The bounds are shares of the volume that the whole front dominates; random search is given as many evaluations.
  @Test(
    "NSGA-II comes near the front, and random search does not",
    arguments: [
      (KnownFront.zdt1, 250, 0.98), (.zdt2, 250, 0.97), (.zdt3, 250, 0.98), (.zdt4, 250, 0.93), (.zdt6, 250, 0.95), (.dtlz2, 80, 0.91),
    ])
  func genetic(problem: KnownFront, generations: Int, bound: Double) throws {
    let trials = try search("nsga-2", problem, evaluations: 72 * generations, seed: 1)
    let share = problem.volume(of: trials) / problem.volume
    let rival = try search("random", problem, evaluations: 72 * generations, seed: 1)
    let randomShare = problem.volume(of: rival) / problem.volume
    #expect(share > bound && share < 1, "\(share)")
    #expect(share > randomShare + 0.5, "\(share), random \(randomShare)")
  }

  /// With few evaluations nobody comes near the front; the reference lies further out, where random search dominates something too.
  @Test(
    "the other searchers do better than random search at equal evaluations",
    arguments: [
      ("s3", ["stages": "8", "mutation": "0.1"], 300, KnownFront.zdt1, 1.4), ("s3", ["stages": "8", "mutation": "0.1"], 300, .zdt2, 1.4),
      ("s3", ["stages": "8", "mutation": "0.1"], 300, .dtlz2, 1.05),
      ("annealing", ["chains": "2", "steps": "750", "hot": "0.01", "cold": "0.0001", "scale": "0.3"], 1500, .zdt1, 1.2),
      ("local", [:], 1500, .zdt1, 1.2), ("local", [:], 1500, .zdt2, 1.2), ("autodiffusion", ["mutation": "0.05"], 1000, .zdt1, 1.2),
    ])
  func others(name: String, parameters: [String: String], evaluations: Int, problem: KnownFront, factor: Double) throws {
    let reference = problem.objectives == 2 ? [2.0, 6] : [2.5, 2.5, 2.5]
    func volume(_ trials: [Trial]) -> Double {
      Pareto.hypervolume(Pareto.front(trials).compactMap { $0.outcome?.objectives }, reference: reference)
    }
    let found = volume(try search(name, problem, parameters: parameters, evaluations: evaluations, seed: 1))
    let random = volume(try search("random", problem, evaluations: evaluations, seed: 1))
    #expect(found > factor * random, "\(found), random \(random)")
  }
}
