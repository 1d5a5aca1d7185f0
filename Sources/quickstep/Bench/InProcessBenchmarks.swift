import Foundation
import QuickstepDiffusion
import QuickstepModels
import QuickstepNN
import QuickstepPipelines
import QuickstepTensor
import QuickstepTuner

/// Wall-clock seconds of `body`.
func stopwatch(_ body: () throws -> Void) rethrows -> Double {
  let clock = ContinuousClock()
  let duration = try clock.measure(body)
  return Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
}

/// What a call of an operator costs from Swift, kernel included, on tensors so small that the kernel hardly counts.
enum CallBenchmark {
  static func rows(rounds: Int) throws -> [BenchRow] {
    let calls = 50_000
    let x = Tensor.ones([1])
    let operations: [(String, (Tensor) -> Tensor)] = [
      ("detach (a view, no kernel)", { $0.detach() }), ("view", { $0.view([1, 1]) }), ("neg, 1 element", { $0.negated() }),
      ("add, 1 element", { $0.adding(x) }),
    ]
    return try operations.map { name, operation in
      let times = try withInference {
        try (0..<rounds).map { _ in
          try withTensorErrors { stopwatch { for _ in 0..<calls { _ = operation(x) } } } / Double(calls)
        }
      }
      return BenchRow(["operator": name, "µs per call": Spread.bench(times).text(1e6)])
    }
  }
}

/// What sampler, guidance and conversions add to the network's own time.
enum SamplerBenchmark {
  static func row(_ model: LoadedModel, rounds: Int) throws -> BenchRow {
    let shape = [1] + model.backbone.sampleShape
    let solver = try AllSolvers.make("dpm++-2m")
    let grid = try AllGrids.make("trailing").grid(schedule: model.scheduler.schedule, steps: 20)
    let run = try SamplingRun(solver: solver, schedule: model.scheduler.schedule, grid: grid, start: .noise(shape))
    let conditioning = try EvaluationBenchmark.conditioning(model, batch: 2)
    let shares = try (0..<rounds).map { _ in
      var inside = 0.0
      let denoiser = GuidedDenoiser(parametrisation: model.scheduler.parametrisation, guidance: try .classifierFree(scale: 2)) {
        input, context in
        var output = Tensor.undefined
        inside += try stopwatch {
          let timestep = Tensor.full([2], fillValue: .real(context.level.timestep))
          output = try model.backbone(input, timestep: timestep, conditioning: conditioning, evaluation: Evaluation(context))
        }
        return output
      }
      let total = try stopwatch { try withInference { _ = try run.run(denoiser, noise: try SeededNoise(seeds: [1])) } }
      return (total - inside) / total
    }
    return BenchRow(["model": model.name, "outside the network, % of the loop": Spread.bench(shares).text(100)])
  }
}

/// One evaluation of each network, in turns with the same network elsewhere.
enum EvaluationBenchmark {
  static func rows(_ models: [LoadedModel], peer: String?, rounds: Int) throws -> [BenchRow] {
    let process = try peer.map { try PeerProcess(command: $0, threads: Machine.threads) }
    defer { process?.end() }
    return try models.flatMap { model in try [1, 16].map { try row(model, batch: $0, process, rounds: rounds) } }
  }

  private static func row(_ model: LoadedModel, batch: Int, _ peer: PeerProcess?, rounds: Int) throws -> BenchRow {
    let sample = Tensor.randn([batch] + model.backbone.sampleShape, generator: try Generator(seed: 0)).to(model.computeType, model.device)
    let timestep = Tensor.full([batch], fillValue: 500, dtype: .float32, device: model.device)
    let conditioning = try conditioning(model, batch: batch)
    func evaluate() throws -> Double {
      try withInference {
        try withTensorErrors {
          try stopwatch {
            _ = try model.backbone(sample, timestep: timestep, conditioning: conditioning, evaluation: .plain)
            try Machine.synchronize(model.device)
          }
        }
      }
    }
    let folder = "\(model.folder)/\(model.backboneName)"
    let repeats = batch == 1 ? 8 : 2
    for _ in 0..<3 { _ = try evaluate() }
    _ = try peer?.seconds(folder: folder, batch: batch, repeats: 1)
    var ours: [Double] = []
    var theirs: [Double] = []
    var ratios: [Double] = []
    for _ in 0..<rounds {
      let mine = try (0..<repeats).map { _ in try evaluate() }
      ours.append(Spread.bench(mine).median)
      if let peer {
        theirs.append(Spread.bench(try peer.seconds(folder: folder, batch: batch, repeats: repeats)).median)
        ratios.append(ours[ours.count - 1] / theirs[theirs.count - 1])
      }
    }
    return BenchRow([
      "network": model.name, "batch": "\(batch)", "ours, ms": Spread.bench(ours).text(1e3),
      "\(peer?.name ?? "peer"), ms": peer == nil ? "–" : Spread.bench(theirs).text(1e3),
      "ours / peer": peer == nil ? "–" : Spread.bench(ratios).text(digits: 3),
    ])
  }

  /// A condition of the right shape; its values do not change the time.
  static func conditioning(_ model: LoadedModel, batch: Int) throws -> Conditioning {
    var warnings: [String] = []
    let prompt = model.classCount == nil ? "red apple" : "1"
    let side = model.backbone.sampleShape.map { $0 * model.pixelsPerSample }
    return try withInference {
      try withTensorErrors {
        try model.conditioner.condition(
          Array(repeating: prompt, count: batch), side: .positive, frame: ConditioningFrame(width: side[2], height: side[1]),
          warnings: &warnings)
      }
    }
  }
}
