import ArgumentParser
import QuickstepAcceleration
import QuickstepDiffusion
import QuickstepNN
import QuickstepPipelines

/// A way to sample, as written on a command line: methods joined by ` + `, such as `heun + karras`, `ddim + teleport:data=FILE,skip=2` or
/// `steps=30 + taylorseer + guidance-cache`. In parameters `{n}` stands for the number of evaluations.
struct Contender {
  let label: String

  init(_ text: String) throws {
    label = text
    _ = try parts(evaluations: 1)
  }

  /// A request that samples this way; what the contender does not name is the model's own.
  func applied(to request: GenerationRequest, evaluations: Int) throws -> GenerationRequest {
    var request = request
    (request.solver, request.solverParameters) = (nil, [:])
    (request.spacing, request.spacingParameters) = (nil, [:])
    request.start = nil
    return try added(to: request, evaluations: evaluations)
  }

  /// A request that samples this way; what the contender does not name stays as it is.
  func added(to request: GenerationRequest, evaluations: Int = 1) throws -> GenerationRequest {
    var request = request
    let parts = try parts(evaluations: evaluations)
    if let solver = parts.solver { (request.solver, request.solverParameters) = (solver.name, solver.parameters) }
    if let grid = parts.grid { (request.spacing, request.spacingParameters) = (grid.name, grid.parameters) }
    request.start = parts.start ?? request.start
    request.accelerations += parts.accelerations
    request.steps = parts.steps ?? request.steps
    return request
  }

  private struct Parts {
    var solver: MethodChoice?, grid: MethodChoice?, start: MethodChoice?
    var accelerations: [MethodChoice] = []
    var steps: Int?
  }

  private func parts(evaluations: Int) throws -> Parts {
    var parts = Parts()
    for word in label.replacing("{n}", with: String(evaluations)).split(separator: " + ") {
      if word.hasPrefix("steps=") {
        guard let steps = Int(word.dropFirst(6)), steps > 0, parts.steps == nil else {
          throw ValidationError("'\(word)' in '\(label)' is no number of steps, or the second.")
        }
        parts.steps = steps
        continue
      }
      let choice = try MethodChoice(parsing: String(word))
      if (try? AllSolvers.named(choice.name)) != nil, parts.solver == nil {
        parts.solver = choice
      } else if (try? AllGrids.named(choice.name)) != nil, parts.grid == nil {
        parts.grid = choice
      } else if AllStarts.all.contains(where: { $0.declaration.name == choice.name }), parts.start == nil {
        parts.start = choice
      } else if (try? AllAccelerators.named(choice.name)) != nil {
        parts.accelerations.append(choice)
      } else {
        throw ValidationError(
          "'\(choice.name)' in '\(label)' is no solver, grid, start method or acceleration, or the second of its kind; "
            + "see 'quickstep methods'.")
      }
    }
    return parts
  }
}
