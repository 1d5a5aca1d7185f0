import Foundation
import QuickstepDiffusion
import QuickstepModels
import QuickstepNN
import QuickstepPipelines
import QuickstepTensor
import QuickstepTuner

/// What running a table costs beside the network: sums, memory and bookkeeping, with a denoiser that gives the same answer at once.
enum ExecutorBenchmark {
  private static let steps = 20

  static func rows(_ model: LoadedModel, rounds: Int) throws -> [BenchRow] {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("quickstep-executor-\(getpid())").path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let statistics = try statistics(model, folder: folder)
    let schedule = model.scheduler.schedule
    let grid = try AllGrids.make("trailing").grid(schedule: schedule, steps: steps)
    let evaluation = try evaluationSeconds(model, rounds: rounds)
    let tables: [(String, Tableau)] = try [
      ("ddim", [:]), ("dpm++-2m", [:]), ("unipc", [:]), ("heun", [:]), ("sde-dpm++", [:]), ("dpm-v3", ["statistics": statistics]),
      ("dpm-v3", ["statistics": statistics, "order": "3"]),
    ].map { name, parameters in
      let label = parameters["order"].map { "\(name), order \($0)" } ?? name
      return (label, try AllSolvers.make(name, parameters).compile(schedule: schedule, grid: grid))
    }
    return try tables.map { name, table in
      let hasFields = table.rows.contains { $0.terms.contains { $0.coefficient.field != nil } }
      let times = try (0..<rounds).map { _ in try executorSeconds(table, shape: [1] + model.backbone.sampleShape) }
      return BenchRow([
        "table, \(model.name) at batch 1": name + (hasFields ? ", coefficients by element" : ""),
        "µs per evaluation": Spread.bench(times).text(1e6, digits: 1),
        "% of an evaluation (\(String(format: "%.1f", evaluation * 1000)) ms)": Spread.bench(times.map { $0 / evaluation }).text(
          100, digits: 3),
      ])
    }
  }

  /// Seconds of the executor per evaluation of a whole run.
  private static func executorSeconds(_ table: Tableau, shape: [Int]) throws -> Double {
    let initial = Tensor.ones(shape)
    let answer = Tensor.zeros(shape)
    let seconds = try withInference {
      try stopwatch {
        let executor = try TableauExecutor(table, initial: initial, noise: try SeededNoise(seeds: [1]))
        while try executor.nextEvaluation() != nil { try executor.accept(denoised: answer) }
      }
    }
    return seconds / Double(table.evaluationCount)
  }

  private static func evaluationSeconds(_ model: LoadedModel, rounds: Int) throws -> Double {
    let sample = Tensor.randn([1] + model.backbone.sampleShape, generator: try Generator(seed: 0))
    let timestep = Tensor.full([1], fillValue: 500, dtype: .float32)
    let conditioning = try EvaluationBenchmark.conditioning(model, batch: 1)
    let times = try (0..<rounds + 2).map { _ in
      try withInference {
        try withTensorErrors {
          try stopwatch { _ = try model.backbone(sample, timestep: timestep, conditioning: conditioning, evaluation: .plain) }
        }
      }
    }
    return Spread.bench(Array(times.dropFirst(2))).median
  }

  /// Statistics of the sample's full size, different in every element; their values do not change the time.
  private static func statistics(_ model: LoadedModel, folder: String) throws -> String {
    let shape = model.backbone.sampleShape
    let size = shape.reduce(1, *)
    let lambdas = [-12.0, 0, 12]
    func field(_ offset: Double) -> [Double] { lambdas.flatMap { l in (0..<size).map { offset + 0.001 * sin(l + Double($0)) } } }
    let path = folder + "/statistics.safetensors"
    try ModelStatistics(lambdas: lambdas, shape: shape, l: field(0.9), s: field(0.05), b: field(0.01)).write(to: path, note: [:])
    return path
  }
}
