import Foundation
import QuickstepFormats
import QuickstepPipelines
import QuickstepTensor
import QuickstepTuner

/// A picture by each model's own recipe, beside the recipe's exact run here and the same loop elsewhere, in turns: what a user gains in all.
enum RecipeBenchmark {
  static func rows(_ models: [LoadedModel], peer: String?, rounds: Int) throws -> [BenchRow] {
    let found = try models.compactMap { model in try Recipe.standard(of: model.folder).map { (model, $0) } }
    guard !found.isEmpty else { return [] }
    let process = try peer.map { try PeerProcess(command: $0, threads: Machine.threads) }
    defer { process?.end() }
    return try found.map { try row($0, $1, process, rounds: rounds) }
  }

  private static func row(_ model: LoadedModel, _ recipe: Recipe, _ peer: PeerProcess?, rounds: Int) throws -> BenchRow {
    let prompts = try TuningPrompts.choose(model, file: nil, search: 1, check: max(2, rounds)).check
    var plain = GenerationRequest(prompts: [prompts[0]], seeds: [0])
    plain.guidanceScale = recipe.guidanceScale
    let companions = try ImagePipeline.companions(of: recipe.applied(to: plain), like: model)
    let pipeline = ImagePipeline(model, companions: companions)
    let steps = recipe.exact.steps ?? model.defaults.steps
    func seconds(_ request: GenerationRequest, _ round: Int) throws -> Double {
      var request = request
      (request.prompts, request.seeds) = ([prompts[round % prompts.count]], [UInt64(round)])
      let result = try pipeline.generate(request)
      return result.seconds.encode + result.seconds.denoise + result.seconds.decode
    }
    let (exact, own) = (recipe.exact.applied(to: plain), recipe.applied(to: plain))
    // Nothing is measured cold.
    _ = try (seconds(own, 0), seconds(exact, 0))
    let isGuided = model.comparesBranches(at: recipe.guidanceScale)
    let loop = PeerProcess.Loop(folder: "\(model.folder)/\(model.backboneName)", steps: steps, guided: isGuided)
    _ = try peer?.seconds(loop, repeats: 1)
    var (ours, plainOurs, theirs, ratios): ([Double], [Double], [Double], [Double]) = ([], [], [], [])
    for round in 0..<rounds {
      ours.append(try seconds(own, round))
      plainOurs.append(try seconds(exact, round))
      guard let peer else { continue }
      theirs += try peer.seconds(loop, repeats: 1)
      ratios.append(theirs[round] / ours[round])
    }
    let quality = recipe.measured?.quality.map { String(format: "%@ %.4f (%.4f–%.4f)", $0.metric, $0.value, $0.lower, $0.upper) } ?? []
    return BenchRow([
      "model": model.name, "recipe": recipe.sampling.title, "by the recipe, ms": Spread.bench(ours).text(1e3, digits: 0),
      "\(recipe.exact), ms": Spread.bench(plainOurs).text(1e3, digits: 0),
      "\(peer?.name ?? "peer"), \(steps) steps, ms": peer == nil ? "–" : Spread.bench(theirs).text(1e3, digits: 0),
      "exact / recipe": Spread.bench(zip(plainOurs, ours).map { $0 / $1 }).text(digits: 1),
      "peer / recipe": peer == nil ? "–" : Spread.bench(ratios).text(digits: 1),
      "likeness to the exact run": quality.joined(separator: ", "),
    ])
  }
}
