import Foundation
import QuickstepNN
import QuickstepTuner
import Testing

@Suite("Searchers on problems with known fronts") struct FrontTests {
  /// Population 72 as in ECAD. The bounds are shares of the volume that the whole front dominates; random search is given as many evaluations.
  @Test(
    "NSGA-II comes near the front, and random search does not",
    arguments: [
      (KnownFront.zdt1, 120, 0.97), (.zdt2, 120, 0.95), (.zdt3, 120, 0.97), (.zdt4, 160, 0.9), (.zdt6, 160, 0.93), (.dtlz2, 60, 0.93),
    ])
  func genetic(problem: KnownFront, generations: Int, bound: Double) throws {
    let trials = try search("nsga-2", problem, evaluations: 72 * generations, seed: 1)
    let share = problem.volume(of: trials) / problem.volume
    let rival = try search("random", problem, evaluations: 72 * generations, seed: 1)
    let randomShare = problem.volume(of: rival) / problem.volume
    print("\(problem.name): \(share), random \(randomShare)")
    #expect(share > bound && share < 1)
    #expect(share > randomShare + 0.2)
  }

  @Test("the predictor finds more with few evaluations than random search", arguments: [KnownFront.zdt1, .zdt2, .dtlz2])
  func guided(problem: KnownFront) throws {
    for seed: UInt64 in [1, 2] {
      let trials = try search("s3", problem, parameters: ["stages": "8", "mutation": "0.1"], evaluations: 300, seed: seed)
      let rival = try search("random", problem, evaluations: 300, seed: seed)
      print("s3 \(problem.name): \(problem.volume(of: trials) / problem.volume), random \(problem.volume(of: rival) / problem.volume)")
      #expect(trials.count == 300)
      #expect(problem.volume(of: trials) > problem.volume(of: rival) + 0.15 * problem.volume)
    }
  }

  @Test("annealing and local search do better than random search too", arguments: ["annealing", "local"])
  func local(name: String) throws {
    for (problem, seed) in [(KnownFront.zdt1, UInt64(1)), (.zdt2, 2)] {
      let trials = try search(name, problem, parameters: name == "annealing" ? ["steps": "750"] : [:], evaluations: 3000, seed: seed)
      let rival = try search("random", problem, evaluations: 3000, seed: seed)
      print("\(name) \(problem.name): \(problem.volume(of: trials) / problem.volume), random \(problem.volume(of: rival) / problem.volume)")
      #expect(problem.volume(of: trials) > problem.volume(of: rival) + 0.15 * problem.volume)
    }
  }
}
