import Foundation
import QuickstepNN
import QuickstepPipelines
import QuickstepTensor
import QuickstepTuner

/// Small models of the pipelines' goldens: a transformer told classes, a U-Net told prompts.
enum TinyModel {
  static func folder(_ name: String) -> String {
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("QuickstepPipelinesTests/Fixtures/\(name)").path
  }

  static func load(_ name: String = "dit") throws -> LoadedModel { try LoadedModel(folder: folder(name), kernels: .plain) }

  static func request(_ model: LoadedModel, steps: Int = 12, count: Int = 1) -> GenerationRequest {
    var request = GenerationRequest(prompts: (0..<count).map(String.init), seeds: (0..<count).map(UInt64.init))
    (request.steps, request.solver, request.guidanceScale) = (steps, "ddim", 2)
    return request
  }

  static let machine = Recipe.Machine(processor: "a processor", threads: 2, device: "cpu", dtype: "float32", kernels: "plain")

  /// Mean squared difference, as a figure of which less is better.
  static let difference = QualityMeasure(name: "mse", higherIsBetter: false, best: 0) { pictures, exact in
    try withTensorErrors {
      let squares = (pictures - exact) * (pictures - exact)
      return try (0..<squares.size(0)).map { try squares.narrow(0, start: $0, length: 1).mean().item() }
    }
  }
}
