import ArgumentParser
import QuickstepPipelines
import QuickstepTuner

/// A way to sample, as written on a command line: `heun + karras`, `ddim + teleport:data=FILE,skip=2` or
/// `steps=30 + taylorseer + guidance-cache`. In parameters `{n}` stands for the number of evaluations.
struct Contender {
  let label: String
  private let text: String

  init(_ text: String) throws {
    (label, self.text) = (text, text)
    _ = try settings(evaluations: 1)
  }

  /// What a recipe says.
  init(_ recipe: Recipe) throws {
    (label, text) = (recipe.whole.title, recipe.whole.description)
    _ = try settings(evaluations: 1)
  }

  /// A label for tables: files without the folders they lie in.
  static func shown(_ label: String) -> String {
    label.replacing(/=[^,\s]*\/([^,\/\s]+\.(?:json|safetensors))/) { "=\($0.1)" }
  }

  /// A request that samples this way; what the contender does not name is the model's own.
  func applied(to request: GenerationRequest, evaluations: Int) throws -> GenerationRequest {
    var request = request
    (request.solver, request.solverParameters) = (nil, [:])
    (request.spacing, request.spacingParameters) = (nil, [:])
    request.start = nil
    return try settings(evaluations: evaluations).applied(to: request)
  }

  /// A request that samples this way; what the contender does not name stays as it is.
  func added(to request: GenerationRequest) throws -> GenerationRequest { try settings(evaluations: 1).applied(to: request) }

  /// Solver steps that it names.
  var steps: Int? { get throws { try settings(evaluations: 1).steps } }

  private func settings(evaluations: Int) throws -> SamplingSettings {
    do { return try SamplingSettings(parsing: text.replacing("{n}", with: String(evaluations))) } catch {
      throw ValidationError("\(error).")
    }
  }
}
