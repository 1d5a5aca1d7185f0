import Foundation
import QuickstepFormats
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import QuickstepTraining
import Testing

/// AdamW, its learning rate and the averaging, against plain Double arithmetic.
@Suite struct OptimiserTests {
  /// AdamW as the paper writes it (Loshchilov & Hutter 2019, algorithm 2), one list of numbers.
  private struct Reference {
    var values: [Double]
    let decays: Bool
    var first: [Double]
    var second: [Double]

    init(_ values: [Double], decays: Bool) {
      self.values = values
      self.decays = decays
      first = values.map { _ in 0 }
      second = first
    }

    mutating func update(_ gradient: [Double], _ plan: OptimiserPlan, rate: Double, step: Int) {
      for index in values.indices {
        first[index] = plan.beta1 * first[index] + (1 - plan.beta1) * gradient[index]
        second[index] = plan.beta2 * second[index] + (1 - plan.beta2) * gradient[index] * gradient[index]
        let m = first[index] / (1 - pow(plan.beta1, Double(step)))
        let v = second[index] / (1 - pow(plan.beta2, Double(step)))
        if decays { values[index] -= rate * plan.weightDecay * values[index] }
        values[index] -= rate * m / (v.squareRoot() + plan.epsilon)
      }
    }
  }

  private static let names = ["net.weight", "net.bias", "embeddings.token_embedding.weight"]

  @Test("five updates equal the algorithm in Double", arguments: [0.0, 0.7, 1000])
  func algorithm(_ clip: Double) throws {
    let plan = OptimiserPlan(learningRate: 0.05, beta1: 0.8, beta2: 0.95, epsilon: 1e-6, weightDecay: 0.2, clip: clip)
    let shapes = [[2, 3], [3], [2, 2]]
    let generator = try Generator(seed: 5)
    var tree = ParameterTree()
    for (name, shape) in zip(Self.names, shapes) { tree.insert(name, .randn(shape, generator: generator)) }
    // Decay is for matrices; vectors and embeddings are left alone.
    var references = try zip(tree.all, [true, false, false]).map { Reference(try $0.tensor.to(.float64).scalars(Double.self), decays: $1) }
    let optimiser = try AdamW(tree, plan: plan)
    for step in 1...5 {
      // Norms around 0.3 in even steps and around 3 in odd ones, so that clipping acts in some.
      let gradients = shapes.map { Tensor.randn($0, generator: generator) * (step % 2 == 0 ? 0.1 : 1) }
      for ((_, tensor), gradient) in zip(tree.all, gradients) { tensor.setGradient(gradient.clone()) }
      var numbers = try gradients.map { try $0.to(.float64).scalars(Double.self) }
      let norm = numbers.joined().reduce(0) { $0 + $1 * $1 }.squareRoot()
      if clip > 0, norm > clip { numbers = numbers.map { $0.map { $0 * clip / norm } } }
      let rate = plan.rate(at: step, of: 10)
      #expect(try abs(optimiser.update(learningRate: rate) - norm) < 1e-5, "the norm before clipping")
      for index in references.indices { references[index].update(numbers[index], plan, rate: rate, step: step) }
      for ((name, tensor), reference) in zip(tree.all, references) {
        let found = try tensor.detach().to(.float64).scalars(Double.self)
        for (value, expected) in zip(found, reference.values) { #expect(abs(value - expected) < 2e-6, "\(name), step \(step)") }
        #expect(tensor.gradient == nil, "gradients are cleared")
      }
    }
    #expect(optimiser.step == 5)
  }

  @Test func aGradientThatIsMissingOrNotFiniteChangesNothing() throws {
    var tree = ParameterTree()
    tree.insert("a.weight", .ones([2, 2]))
    tree.insert("b.weight", .ones([2, 2]))
    let optimiser = try AdamW(tree, plan: OptimiserPlan(learningRate: 0.1))
    tree["a.weight"]?.setGradient(.ones([2, 2]))
    let missing = #expect(throws: TensorError.self) { try optimiser.update(learningRate: 0.1) }
    #expect(try #require(missing).description.contains("'b.weight'"))
    for odd in [Double.nan, .infinity] {
      tree["b.weight"]?.setGradient(.full([2, 2], fillValue: .real(odd)))
      #expect(throws: TensorError.self) { try optimiser.update(learningRate: 0.1) }
    }
    #expect(optimiser.step == 0)
    for (_, tensor) in tree.all { #expect(try tensor.detach().scalars(Float.self) == [1, 1, 1, 1]) }
  }

  @Test func theLearningRateRisesAndFalls() {
    let plan = OptimiserPlan(learningRate: 0.8, finalLearningRate: 0.2, warmup: 4)
    for step in 0..<4 { #expect(abs(plan.rate(at: step, of: 24) - 0.2 * Double(step + 1)) < 1e-15) }
    #expect(plan.rate(at: 4, of: 24) == 0.8)
    // Half way down the cosine, and a quarter: 0.2 + 0.6·(1 + cos(π/4))/2.
    #expect(abs(plan.rate(at: 14, of: 24) - 0.5) < 1e-15)
    #expect(abs(plan.rate(at: 9, of: 24) - (0.2 + 0.3 * (1 + 0.5.squareRoot()))) < 1e-15)
    #expect(abs(plan.rate(at: 24, of: 24) - 0.2) < 1e-15 && abs(plan.rate(at: 1000, of: 24) - 0.2) < 1e-15)
    for step in 4..<23 { #expect(plan.rate(at: step + 1, of: 24) < plan.rate(at: step, of: 24)) }
    let flat = OptimiserPlan(learningRate: 0.1, finalLearningRate: 0.1)
    #expect((0..<5).allSatisfy { abs(flat.rate(at: $0, of: 5) - 0.1) < 1e-15 })
    #expect(OptimiserPlan(learningRate: 0.1, warmup: 10).rate(at: 4, of: 5) == 0.05, "a run that ends within its warm-up")
  }

  /// A loss with a constant gradient, so that weights and average can be followed by hand.
  private final class Slope: TrainingTask {
    static let name = "slope"
    static let summary = "Goes down a slope."
    let parameters: ParameterTree
    let sampleCount = 3
    let slope = Tensor([1, -2, 0.5] as [Float])

    init(_ plan: TrainingPlan, context: TrainingContext) throws {
      var tree = ParameterTree()
      tree.insert("x", Tensor([0.5, 1, -1] as [Float]))
      parameters = tree
    }

    func loss(indices: [Int], random: StepRandom) throws -> Tensor { ((parameters["x"] ?? .undefined) * slope).sum() }
    func export(_ parameters: ParameterTree, plan: TrainingPlan, to folder: String) throws { exported = parameters["x"] }
    private(set) var exported: Tensor?
  }

  @Test("the average follows with a decay that ramps up to the plan's", arguments: [0.3, 0.9999])
  func average(_ decay: Double) throws {
    let plan = try plan([
      "averaging_decay": .number(decay), "steps": .integer(12), "optimiser.warmup": .integer(0), "optimiser.clip": .number(0),
      "optimiser.weight_decay": .number(0), "optimiser.learning_rate": .number(0.1),
    ])
    let folder = try TemporaryFolder()
    let task = try Slope(plan, context: TrainingContext())
    let trainer = try Trainer(plan, task: task, folder: folder.path, context: TrainingContext())
    #expect(try trainer.run())
    try trainer.export(to: folder.path)
    var reference = Reference([0.5, 1, -1], decays: false)
    var average = reference.values
    for step in 1...12 {
      reference.update([1, -2, 0.5], plan.optimiser, rate: plan.optimiser.rate(at: step - 1, of: 12), step: step)
      let current = min(decay, Double(1 + step) / Double(10 + step))
      average = zip(average, reference.values).map { $0 * current + $1 * (1 - current) }
    }
    let found = try #require(task.exported).to(.float64).scalars(Double.self)
    for (value, expected) in zip(found, average) { #expect(abs(value - expected) < 1e-6) }
    for (value, last) in zip(found, reference.values) { #expect(abs(value - last) > 1e-3, "the average lags behind") }
  }
}

/// The order of samples and the random numbers of a step.
@Suite struct OrderTests {
  @Test("every epoch visits every sample once", arguments: [(10, 5), (10, 3), (7, 7), (5, 8), (1, 4), (13, 1)])
  func epochs(_ count: Int, _ batch: Int) throws {
    let order = ShuffledOrder(count: count, batch: batch, seed: 4)
    let visited = try (0..<4 * count).flatMap { try order.indices(step: $0) }
    #expect(visited.count == 4 * count * batch)
    for epoch in 0..<4 * batch { #expect(visited[epoch * count..<(epoch + 1) * count].sorted() == Array(0..<count), "epoch \(epoch)") }
    if count >= 7 { #expect(visited[..<count] != visited[count..<2 * count], "epochs differ") }
  }

  @Test func theOrderIsAFunctionOfSeedAndStep() throws {
    let order = ShuffledOrder(count: 20, batch: 6, seed: 1)
    let forwards = try (0..<12).map { try order.indices(step: $0) }
    let backwards = try (0..<12).reversed().map { try ShuffledOrder(count: 20, batch: 6, seed: 1).indices(step: $0) }
    #expect(forwards == backwards.reversed())
    #expect(try ShuffledOrder(count: 20, batch: 6, seed: 2).indices(step: 0) != forwards[0])
    #expect(try order.indices(step: 1_000_000_007).count == 6)
  }

  @Test func randomNumbersAreAFunctionOfSeedAndStep() throws {
    func draw(_ seed: UInt64, _ step: Int) throws -> [Float] {
      var random = try StepRandom(seed: seed, step: step)
      return try Tensor.randn([3], generator: random.generator).scalars(Float.self) + [Float(random.choices.next() >> 40)]
    }
    #expect(try draw(1, 5) == draw(1, 5))
    let others = try [draw(1, 5), draw(1, 6), draw(2, 5), draw(6, 1)]
    #expect(Set(others).count == 4)
  }

  @Test func choicesAreThePublishedStream() {
    // Reference values of SplitMix64 with seed 1234567 (Vigna's splitmix64.c).
    var generator = SplitMix64(seed: 1_234_567)
    #expect((0..<3).map { _ in generator.next() } == [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423])
  }
}
