import QuickstepModels
import QuickstepNN
import QuickstepPipelines
import QuickstepTensor
import QuickstepTuner

/// One evaluation on a GPU as it is and played from a recording, in turns: what the processor's part of it costs.
enum GraphBenchmark {
  static func rows(_ model: LoadedModel, rounds: Int) throws -> [BenchRow] {
    try [1, 2, 16].map { try row(model, batch: $0, rounds: rounds) }
  }

  private static func row(_ model: LoadedModel, batch: Int, rounds: Int) throws -> BenchRow {
    let sample = try Tensor.randn([batch] + model.backbone.sampleShape, generator: Generator(seed: 0)).to(model.computeType, model.device)
    let timestep = Tensor.full([batch], fillValue: 500, dtype: .float32, device: model.device)
    let side = (height: model.backbone.sampleShape[1], width: model.backbone.sampleShape[2])
    let condition = try withInference {
      try withTensorErrors { model.backbone.prepared(try EvaluationBenchmark.conditioning(model, batch: batch), sampleSide: side) }
    }
    let (told, tables) = (condition.parts, ConstantTables())
    func evaluate(_ inputs: [Tensor]) throws -> [Tensor] {
      try tables.keeping {
        let own = zip(told, inputs.dropFirst(2)).map { (name: $0.name, tensor: $1) }
        return [try model.backbone(inputs[0], timestep: inputs[1], conditioning: Conditioning(parts: own), evaluation: .plain)]
      }
    }
    let inputs = [sample, timestep] + told.map(\.tensor)
    let graph = try EvaluationGraph(device: model.device, inputs: inputs)
    func seconds(_ work: () throws -> [Tensor]) throws -> Double {
      try withInference {
        try stopwatch {
          _ = try withTensorErrors { try work() }
          try Machine.synchronize(model.device)
        }
      }
    }
    // The third call records, and all after it play.
    for _ in 0..<4 { _ = try (seconds { try evaluate(inputs) }, seconds { try graph(inputs, evaluate) }) }
    var (plain, played): ([Double], [Double]) = ([], [])
    for _ in 0..<rounds {
      plain.append(Spread.bench(try (0..<8).map { _ in try seconds { try evaluate(inputs) } }).median)
      played.append(Spread.bench(try (0..<8).map { _ in try seconds { try graph(inputs, evaluate) } }).median)
    }
    return BenchRow([
      "network": model.name, "batch": "\(batch)", "as it is, ms": Spread.bench(plain).text(1e3, digits: 3),
      "played, ms": Spread.bench(played).text(1e3, digits: 3),
      "as it is / played": Spread.bench(zip(plain, played).map { $0 / $1 }).text(digits: 2),
    ])
  }
}
