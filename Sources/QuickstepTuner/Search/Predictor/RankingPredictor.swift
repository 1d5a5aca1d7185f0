internal import Foundation
internal import QuickstepNN
internal import QuickstepTensor

/// A small network that puts candidates in order: trained on pairs, told which of two is better and not by how much.
///
/// Two hidden layers; one score per objective, small ones are good. The loss is the hinge over pairs,
/// max(0, margin − (s_worse − s_better)) (Herbrich, Graepel & Obermayer 2000), minimised by Adam over pairs drawn anew for every update. Float64, and
/// scores are rounded, so that the number of threads does not change what is proposed.
struct RankingPredictor {
  /// How it is trained.
  struct Settings: Sendable {
    var hidden = 64
    var updates = 200
    var learningRate = 0.005
    var margin = 0.1
    /// Pairs per update. So few that no operation is worth several threads.
    var pairs = 1024
  }

  private let parameters: [Tensor]

  /// - Parameters:
  ///   - features: one row per candidate, at least one row, all of one length.
  ///   - ranks: for each score, the place of every candidate; smaller is better, equal ones are not compared.
  ///   - seed: of the initial weights.
  /// - Throws: `TensorError`; ``SearchError`` where training diverges.
  init(features: [[Double]], ranks: [[Int]], settings: Settings, seed: UInt64) throws {
    let generator = try Generator(seed: seed)
    let sizes = [features[0].count, settings.hidden, settings.hidden, ranks.count]
    let parameters = try withTensorErrors {
      zip(sizes, sizes.dropFirst()).flatMap { input, output in
        [
          Tensor.randn([input, output], generator: generator, dtype: .float64) * (2 / Double(input)).squareRoot(),
          Tensor.zeros([output], dtype: .float64),
        ]
      }
    }
    self.parameters = parameters
    var random = SplitMix64(seed: SplitMix64.mixed(seed, 1))
    try withGradients { try Self.train(parameters, features, ranks, settings, &random) }
  }

  /// One list of scores per candidate, rounded to six decimals.
  /// - Throws: `TensorError`; ``SearchError`` for scores that are not finite.
  func scores(_ features: [[Double]]) throws -> [[Double]] {
    guard !features.isEmpty else { return [] }
    let output: [Double] = try withoutGradients {
      try withTensorErrors { Self.forward(parameters, Self.matrix(features)).contiguous() }.scalars()
    }
    guard output.allSatisfy(\.isFinite) else { throw SearchError("the predictor's scores are not finite; give a lower learning-rate") }
    let count = output.count / features.count
    return features.indices.map { row in output[row * count..<(row + 1) * count].map { ($0 * 1e6).rounded() / 1e6 } }
  }

  private static func train(
    _ parameters: [Tensor], _ features: [[Double]], _ ranks: [[Int]], _ settings: Settings, _ random: inout SplitMix64
  ) throws {
    guard ranks.contains(where: { Set($0).count > 1 }) else { return }
    let input = matrix(features)
    for parameter in parameters { parameter.setRequiresGradient(true) }
    defer { for parameter in parameters { parameter.setRequiresGradient(false) } }
    var optimiser = try Adam(parameters, learningRate: settings.learningRate)
    for _ in 0..<settings.updates {
      let pairs = pairs(ranks, count: settings.pairs, &random)
      let gradients = try withTensorErrors {
        let scores = forward(parameters, input).reshape([-1])
        let difference = scores.indexSelect(0, index: Tensor(pairs.worse)) - scores.indexSelect(0, index: Tensor(pairs.better))
        return try Tensor.gradients(of: [(settings.margin - difference).relu().mean()], withRespectTo: parameters)
      }
      try optimiser.update(gradients)
    }
  }

  /// Places of scores to compare, drawn evenly among all pairs of candidates and all objectives that tell some of them apart.
  private static func pairs(_ ranks: [[Int]], count: Int, _ random: inout SplitMix64) -> (better: [Int64], worse: [Int64]) {
    var (better, worse): ([Int64], [Int64]) = ([], [])
    while better.count < count {
      let (head, first, second) = (random.below(ranks.count), random.below(ranks[0].count), random.below(ranks[0].count))
      let (left, right) = (ranks[head][first], ranks[head][second])
      guard left != right else { continue }
      better.append(Int64((left < right ? first : second) * ranks.count + head))
      worse.append(Int64((left < right ? second : first) * ranks.count + head))
    }
    return (better, worse)
  }

  private static func forward(_ parameters: [Tensor], _ input: Tensor) -> Tensor {
    var value = input
    for layer in stride(from: 0, to: parameters.count, by: 2) {
      value = (layer > 0 ? value.relu() : value).matmul(parameters[layer]) + parameters[layer + 1]
    }
    return value
  }

  private static func matrix(_ rows: [[Double]]) -> Tensor { Tensor(rows.flatMap { $0 }, shape: [rows.count, rows[0].count]) }
}

/// Adam (Kingma & Ba 2015) with its usual constants, for a handful of small tensors.
private struct Adam {
  let parameters: [Tensor]
  let learningRate: Double
  var first: [Tensor]
  var second: [Tensor]
  var step = 0

  init(_ parameters: [Tensor], learningRate: Double) throws {
    self.parameters = parameters
    self.learningRate = learningRate
    (first, second) = try withTensorErrors { (parameters.map { $0.zerosLike() }, parameters.map { $0.zerosLike() }) }
  }

  mutating func update(_ gradients: [Tensor]) throws {
    step += 1
    let count = Float(step)
    try withTensorErrors {
      withoutGradients {
        Tensor.fusedAdamWInPlace(
          parameters, grads: gradients, expAvgs: first, expAvgSqs: second, maxExpAvgSqs: [],
          stateSteps: parameters.map { _ in Tensor(scalar: count) }, lr: learningRate, beta1: 0.9, beta2: 0.999, weightDecay: 0, eps: 1e-8,
          amsgrad: false, maximize: false)
      }
    }
  }
}

extension SearchSpace {
  /// A candidate as a network sees it: choices one by one, ordered genes by their position, all of them 0 while inactive, and for genes with a
  /// condition whether they are active.
  func features(_ candidate: Candidate) -> [Double] {
    let active = active(candidate)
    var result: [Double] = []
    for (index, gene) in genes.enumerated() {
      let on = active[index] ? 1.0 : 0.0
      if gene.condition != nil { result.append(on) }
      if case .choice(let count) = gene.domain {
        result += (0..<count).map { candidate.values[index] == Double($0) ? on : 0 }
      } else {
        result.append(on * (2 * gene.domain.position(of: candidate.values[index]) - 1))
      }
    }
    return result
  }
}
