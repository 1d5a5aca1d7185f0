import ArgumentParser
import QuickstepDiffusion
import QuickstepNN
import QuickstepPipelines

/// A way to sample, as written on a command line: methods joined by ` + `, such as `heun + karras` or `ddim + teleport:data=FILE,skip=2`. In
/// parameters `{n}` stands for the number of evaluations.
struct Contender {
  let label: String

  init(_ text: String) throws {
    label = text
    _ = try parts(evaluations: 1)
  }

  /// A request that samples this way.
  func applied(to request: GenerationRequest, evaluations: Int) throws -> GenerationRequest {
    var request = request
    let parts = try parts(evaluations: evaluations)
    (request.solver, request.solverParameters) = (parts.solver?.name, parts.solver?.parameters ?? [:])
    (request.spacing, request.spacingParameters) = (parts.grid?.name, parts.grid?.parameters ?? [:])
    request.start = parts.start
    return request
  }

  private func parts(evaluations: Int) throws -> (solver: MethodChoice?, grid: MethodChoice?, start: MethodChoice?) {
    var (solver, grid, start): (MethodChoice?, MethodChoice?, MethodChoice?)
    for word in label.replacing("{n}", with: String(evaluations)).split(separator: " + ") {
      let choice = try MethodChoice(parsing: String(word))
      if (try? AllSolvers.named(choice.name)) != nil, solver == nil {
        solver = choice
      } else if (try? AllGrids.named(choice.name)) != nil, grid == nil {
        grid = choice
      } else if AllStarts.all.contains(where: { $0.declaration.name == choice.name }), start == nil {
        start = choice
      } else {
        throw ValidationError(
          "'\(choice.name)' in '\(label)' is no solver, grid or start method, or the second of its kind; see 'quickstep methods'.")
      }
    }
    return (solver, grid, start)
  }
}
