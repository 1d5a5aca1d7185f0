internal import Foundation
public import QuickstepDiffusion
public import QuickstepNN
internal import QuickstepTensor

/// Gaussian teleportation: the first part of a run in closed form, as if the data were normally distributed (Wang & Vastola 2024).
///
/// At high noise a model's prediction is close to that of a Gaussian with the data's mean and covariance, whose probability-flow ODE has an exact
/// solution: the run jumps from pure noise to the level of its step `skip` without calling the network.
public struct Teleportation: StartMethod {
  public static let declaration = MethodDeclaration(
    name: "teleport", family: .start, summary: "Jumps over the first steps, as if the data were normally distributed.", points: [.start],
    reads: ["state"], changes: ["state"], needs: ["moments of the model's data, made by 'quickstep calibrate gaussian'"],
    parameters: [
      ParameterDeclaration(
        name: "data", summary: "The moments.", domain: .text("path of a safetensors file"), standard: .text("")),
      ParameterDeclaration(
        name: "skip", summary: "Steps of the grid to jump over.", domain: .integer(0...100_000), standard: .integer(0), neutral: .integer(0)
      ),
      ParameterDeclaration(
        name: "until", summary: "Jump to the first step at or below this timestep, in place of a number of steps; 0 takes 'skip'.",
        domain: .number(0...1e6), standard: .number(0)),
    ], exactness: .approximate, reference: "arXiv 2412.09726, section 5")

  let data: GaussianDataFile?
  let path: String
  let skip: Int
  let until: Double

  /// Reads the file of moments.
  /// - Throws: `GenerationError` when `skip` and `until` are both given; `FormatError` when the file is not of the kind.
  public init(_ values: ParameterValues) throws {
    path = values.text("data") ?? ""
    skip = values.integer("skip") ?? 0
    until = values.number("until")
    guard skip == 0 || until == 0 else { throw GenerationError("'teleport' takes 'skip' or 'until', not both") }
    data = path.isEmpty ? nil : try GaussianDataFile(path: path)
  }

  public func prepared(model: LoadedModel, grid: Grid, sampleShape: [Int], prompts: [String]) throws -> PreparedStart {
    let steps = until > 0 ? grid.timesteps.firstIndex { $0 <= until } ?? grid.steps : skip
    guard steps > 0 else { return PreparedStart(skippedSteps: 0) { state, _ in state } }
    guard steps < grid.steps else {
      throw GenerationError("'teleport' would jump over \(steps) of \(grid.steps) steps; at least one has to be left")
    }
    guard let data else {
      throw GenerationError("'teleport' needs moments: teleport:data=FILE; 'quickstep calibrate gaussian' makes them for a model")
    }
    guard data.sampleShape == sampleShape else {
      throw GenerationError("the moments in \(path) are of samples \(data.sampleShape); this run's are \(sampleShape)")
    }
    var warnings: [String] = []
    if let origin = data.fingerprint, origin != model.fingerprint {
      warnings.append(
        "the moments in \(path) were made with other weights (\(origin)) than those of '\(model.name)' (\(model.fingerprint))")
    }
    let parts = try prompts.map { try data.parts(for: $0) }
    let (from, to) = (grid.levels[0], grid.levels[steps])
    return PreparedStart(skippedSteps: steps, warnings: warnings) { initial, images in
      try withTensorErrors {
        let samples = try images.enumerated().map { offset, image in
          try parts[image].transported(initial.narrow(0, start: offset, length: 1).contiguous(), from: from, to: to)
        }
        return samples.count == 1 ? samples[0] : .cat(samples)
      }
    }
  }
}
