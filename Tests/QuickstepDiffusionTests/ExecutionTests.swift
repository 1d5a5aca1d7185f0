import CKernels
import Foundation
import QuickstepDiffusion
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

@Suite struct LinearCombinationTests {
  /// The vectorised kernels have the bits of their scalar twins, at lengths around a block and with many terms.
  @Test(arguments: [0, 1, 7, 511, 512, 513, 4099], [0, 1, 2, 5]) func kernelsEqualTwins(_ count: Int, _ terms: Int) {
    var state = UInt64(count * 31 + terms)
    func next() -> Double {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Double(Int64(bitPattern: state) >> 11) / 0x1p52
    }
    let coefficients = (0..<terms).map { _ in next() * 3 }
    let doubles = (0..<terms).map { _ in (0..<count).map { _ in next() } }
    let floats = doubles.map { $0.map(Float.init) }
    #expect(
      apply(doubles, coefficients, count, qs_linear_combination_f64)
        == apply(doubles, coefficients, count, qs_linear_combination_f64_scalar))
    #expect(
      apply(floats, coefficients, count, qs_linear_combination_f32) == apply(floats, coefficients, count, qs_linear_combination_f32_scalar))
  }

  private func apply<Element>(
    _ inputs: [[Element]], _ coefficients: [Double], _ count: Int,
    _ kernel: (UnsafeMutablePointer<Element>?, Int64, UnsafePointer<UnsafePointer<Element>?>?, UnsafePointer<Double>?, Int32) -> Void
  ) -> [Element] where Element: ExpressibleByFloatLiteral {
    let flat = inputs.flatMap { $0 }
    var out = [Element](repeating: 9.0, count: count)
    flat.withUnsafeBufferPointer { memory in
      let pointers = inputs.indices.map { index in memory.baseAddress.map { $0 + index * count } }
      out.withUnsafeMutableBufferPointer { kernel($0.baseAddress, Int64(count), pointers, coefficients, Int32(inputs.count)) }
    }
    return out
  }

  /// Weights by element: the vectorised kernels have the bits of their twins, for several samples and with plain weights among them, within and beyond
  /// the block of 2,048 elements that they work in.
  @Test(arguments: [1, 511, 2047, 2049, 5000], [1, 3]) func fieldKernelsEqualTwins(_ count: Int, _ samples: Int) {
    func number(_ i: Int, _ k: Int) -> Double { sin(Double(i * 7 + k * 13) + 0.3) }
    let total = samples * count
    let inputs = (0..<3).map { k in (0..<total).map { number($0, k) } }
    let fields = [(0..<count).map { number($0, 5) }, nil, (0..<count).map { number($0, 9) }]
    let (flatInputs, flatFields) = (inputs.flatMap(\.self), fields.flatMap { $0 ?? [] })
    let floats = flatInputs.map(Float.init)
    func run<T: ExpressibleByFloatLiteral>(
      _ values: [T],
      _ kernel: (
        UnsafeMutablePointer<T>?, Int64, Int64, UnsafePointer<UnsafePointer<T>?>?, UnsafePointer<UnsafePointer<Double>?>?,
        UnsafePointer<Double>?, Int32
      ) -> Void
    ) -> [T] {
      var out = [T](repeating: 9.0, count: total)
      values.withUnsafeBufferPointer { values in
        flatFields.withUnsafeBufferPointer { fields in
          let pointers = (0..<3).map { k in values.baseAddress.map { $0 + k * total } }
          let weights = [fields.baseAddress, nil, fields.baseAddress.map { $0 + count }]
          out.withUnsafeMutableBufferPointer { kernel($0.baseAddress, Int64(samples), Int64(count), pointers, weights, [0, -1.7, 0], 3) }
        }
      }
      return out
    }
    let expected = (0..<total).map { i in
      number(i % count, 5) * inputs[0][i] + -1.7 * inputs[1][i] + number(i % count, 9) * inputs[2][i]
    }
    #expect(run(flatInputs, qs_field_combination_f64) == expected)
    #expect(run(flatInputs, qs_field_combination_f64) == run(flatInputs, qs_field_combination_f64_scalar))
    #expect(run(floats, qs_field_combination_f32) == run(floats, qs_field_combination_f32_scalar))
  }

  /// Fields with sides of 1, through the executor: in one pass, and by tensor operations where the layout asks for them.
  @Test(arguments: [[2, 1, 1], [1, 3, 1], [4], [2, 3, 4]]) func fieldsOfAnyShape(_ shape: [Int]) throws {
    let schedule = try DiscreteVPSchedule()
    let (from, to) = (try schedule.level(at: 500), try schedule.level(at: 200))
    let values = (0..<shape.reduce(1, *)).map { 0.1 * Double($0) - 0.3 }
    let field = Coefficient(try Coefficient.Field(shape: shape, values: values))
    let table = try Tableau(
      solver: "test", stepCount: 1, initialLevel: from,
      rows: [
        .init(
          step: 0, evaluation: .init(state: 0, level: from),
          terms: [.init(.state(0), field), .init(.denoised(0), 0.5), .init(.one, field)], level: to, finishesStep: true)
      ])
    let x = Tensor((0..<48).map { sin(Double($0)) }, shape: [2, 2, 3, 4])
    let wanted = try withTensorErrors {
      let weights = Tensor(values, shape: [Int](repeating: 1, count: 4 - shape.count) + shape)
      return x * weights + x * 2 * 0.5 + weights
    }
    for (state, bound) in [(x, 1e-15), (x.contiguous(memoryFormat: .channelsLast), 1e-15), (x.to(.float32), 1e-6)] {
      let executor = try TableauExecutor(table, initial: state, noise: FixedNoise([]))
      _ = try executor.nextEvaluation()
      try executor.accept(denoised: state * 2)
      let off = try withTensorErrors { (try executor.result.to(.float64) - wanted).abs().max() }.item()
      #expect(off <= bound, "\(off)")
    }
  }

  /// The one-pass sum and the sum by tensor operations agree; every layout and type is accepted.
  @Test func layoutsAndTypes() throws {
    let a = Tensor((0..<24).map { Float($0) * 0.25 - 2 }, shape: [1, 2, 3, 4])
    let b = Tensor((0..<24).map { 1 / (Float($0) + 1) }, shape: [1, 2, 3, 4])
    let expected = try linearCombination([(a, 0.3), (b, -1.7)]).scalars(Float.self)
    let last = try linearCombination([(a.contiguous(memoryFormat: .channelsLast), 0.3), (b.contiguous(memoryFormat: .channelsLast), -1.7)])
    for (left, right) in zip(try last.scalars(Float.self), expected) { #expect(abs(left - right) < 1e-6) }
    let half = try linearCombination([(a.to(.bfloat16), 0.3), (b.to(.bfloat16), -1.7)])
    #expect(half.dtype == .bfloat16)
    #expect { try linearCombination([(a, 1), (b.to(.float64), 1)]) } throws: { "\($0)".contains("term 1") }
    #expect { try linearCombination([]) } throws: { "\($0)".contains("nothing") }
  }
}

@Suite struct ExecutorTests {
  private func table(_ solver: String = "heun", steps: Int = 3) throws -> Tableau {
    let schedule = try DiscreteVPSchedule()
    return try AllSolvers.make(solver).compile(schedule: schedule, grid: AllGrids.make("karras").grid(schedule: schedule, steps: steps))
  }

  @Test func contextsCountStepsAndEvaluations() throws {
    let table = try table()
    let executor = try TableauExecutor(table, initial: Tensor([0.1, 0.2], shape: [1, 2]), noise: FixedNoise([]))
    var seen: [[Int]] = []
    while let (state, context) = try executor.nextEvaluation() {
      #expect(try executor.nextEvaluation()?.context == context)
      seen.append([context.step, context.evaluation, context.stepCount, context.evaluationCount])
      try executor.accept(denoised: state)
    }
    #expect(seen == [[0, 0, 3, 5], [0, 1, 3, 5], [1, 2, 3, 5], [1, 3, 3, 5], [2, 4, 3, 5]])
    #expect(executor.isFinished && executor.completedSteps == 3)
  }

  @Test func misuseAndBadValuesAreErrors() throws {
    let executor = try TableauExecutor(
      table("euler"), initial: Tensor([0.1, 0.2], shape: [1, 2]), noise: FixedNoise([]), checksFinite: true)
    #expect { try executor.result } throws: { "\($0)".contains("no result yet") }
    #expect { try executor.accept(denoised: Tensor([0.1], shape: [1, 1])) } throws: { "\($0)".contains("[1, 2]") }
    #expect { try executor.accept(denoised: Tensor([Float(0.1), 0], shape: [1, 2])) } throws: { "\($0)".contains("float32") }
    let (state, _) = try #require(try executor.nextEvaluation())
    try executor.accept(denoised: state)
    #expect { try executor.accept(denoised: Tensor([0, .nan], shape: [1, 2])) } throws: {
      "\($0)".contains("step 1 (evaluation 1") && "\($0)".contains("not finite")
    }
    #expect { try TableauExecutor(self.table(), initial: .undefined, noise: FixedNoise([])) } throws: { $0 is SamplingError }
    let noisy = try TableauExecutor(table("euler-ancestral"), initial: state, noise: FixedNoise([]))
    #expect { try noisy.accept(denoised: state) } throws: { "\($0)".contains("noise 1 was asked for; 0 were given") }
  }

  /// An image does not depend on the batch it is drawn in.
  @Test func seedsBelongToImages() throws {
    var pair = try SeededNoise(seeds: [7, 11])
    var alone = try SeededNoise(seeds: [11])
    for _ in 0..<2 {
      let both = try pair.draw(shape: [2, 3, 5], dtype: .float32, device: .cpu).scalars(Float.self)
      #expect(Array(both[15...]) == (try alone.draw(shape: [1, 3, 5], dtype: .float32, device: .cpu).scalars(Float.self)))
    }
    #expect { try pair.draw(shape: [3, 2], dtype: .float32, device: .cpu) } throws: { "\($0)".contains("2 seeds") }
    var torch = try SeededNoise(seeds: [0])
    let first = try torch.draw(shape: [1, 4], dtype: .float32, device: .cpu).scalars(Float.self)
    #expect(zip(first, [1.5409961, -0.2934289, -2.1787894, 0.5684313] as [Float]).allSatisfy { abs($0 - $1) < 1e-6 })
  }
}

@Suite struct SamplingRunTests {
  private let density = ToyGaussian(means: [0.5, -0.5, 1], deviations: [0.2, 0.7, 1])
  private var denoiser: ClosureDenoiser {
    ClosureDenoiser { state, context in
      Tensor(self.density.denoised(try state.scalars(Double.self), at: context.level), shape: state.shape)
    }
  }

  private func run(
    _ solver: String, start: SamplingRun.Start, steps: Int = 10, stopAfter: Int? = nil,
    progress: ((SamplingRun.Progress) throws -> Void)? = nil
  ) throws -> (state: Tensor, report: SamplingRun.Report) {
    let schedule = try DiscreteVPSchedule()
    let grid = try AllGrids.make("trailing").grid(schedule: schedule, steps: steps)
    return try SamplingRun(solver: AllSolvers.make(solver), schedule: schedule, grid: grid, start: start, stopAfter: stopAfter)
      .run(denoiser, noise: SeededNoise(seeds: [3]), progress: progress)
  }

  @Test func reportsEveryStep() throws {
    var steps: [Int] = []
    let (state, report) = try run("heun", start: .noise([1, 3], dtype: .float64)) { steps.append($0.step) }
    #expect(steps == Array(0..<10))
    #expect(report.steps == 10 && report.evaluations == 19 && report.stepSeconds.count == 10)
    #expect(state.shape == [1, 3])
  }

  @Test func startsFromAnImage() throws {
    let image = Tensor([0.4, -0.1, 0.9], shape: [1, 3])
    #expect(try run("dpm++-2m", start: .from(image, strength: 0.35)).report.steps == 3)
    #expect(try run("dpm++-2m", start: .from(image, strength: 1)).report.steps == 10)
    // At least one step is run, from the least noise; the image hardly changes.
    let (state, report) = try run("euler", start: .from(image, strength: 0), steps: 1000)
    #expect(report.steps == 1)
    #expect(distance(try state.scalars(), try image.scalars()) < 0.1)
    #expect { try self.run("euler", start: .from(image, strength: 1.5)) } throws: { "\($0)".contains("1.5") }
  }

  @Test func stopsEarlyWhereTheFullRunWas() throws {
    var fourth: [Double] = []
    _ = try run("dpm++-2m", start: .noise([1, 3], dtype: .float64)) { if $0.step == 3 { fourth = try $0.state.scalars() } }
    let (state, report) = try run("dpm++-2m", start: .noise([1, 3], dtype: .float64), stopAfter: 4)
    #expect(try state.scalars() == fourth)
    #expect(report.steps == 4)
  }

  @Test(
    "a run in which the solver begins anew is two runs, the second from where the first has stopped",
    arguments: ["dpm++-2m", "unipc", "sde-dpm++", "deis", "ddim"])
  func restarts(_ solver: String) throws {
    let schedule = try DiscreteVPSchedule()
    let grid = try AllGrids.make("trailing").grid(schedule: schedule, steps: 10)
    let method = try AllSolvers.make(solver)
    func final(_ grid: Grid, _ start: SamplingRun.Start, _ noise: SeededNoise, stopAfter: Int? = nil, restarts: [Int] = []) throws -> Tensor
    {
      try SamplingRun(solver: method, schedule: schedule, grid: grid, start: start, stopAfter: stopAfter, restarts: restarts)
        .run(denoiser, noise: noise).state
    }
    let start = SamplingRun.Start.noise([1, 3], dtype: .float64)
    let noise = try SeededNoise(seeds: [3])
    // Generators are shared by the copies of a source.
    let middle = try final(grid, start, noise, stopAfter: 4)
    let last = try final(grid.suffix(fromStep: 4), .given(middle), noise)
    #expect(try final(grid, start, SeededNoise(seeds: [3]), restarts: [4]).hasBits(of: last))
    let goesOn = try final(grid, start, SeededNoise(seeds: [3]))
    #expect(try goesOn.hasBits(of: last) == (solver == "ddim"))
    #expect(throws: TableauError.self) { try final(grid, start, noise, restarts: [10]) }
    #expect(throws: TableauError.self) { try final(grid, start, noise, restarts: [0]) }
  }

  @Test func cancellationEndsTheRun() async throws {
    let task = Task { () throws -> Int in
      withUnsafeCurrentTask { $0?.cancel() }
      return try run("euler", start: .noise([1, 3], dtype: .float64)).report.steps
    }
    await #expect(throws: CancellationError.self) { try await task.value }
  }

  @Test func modelFailuresAreNamed() throws {
    let schedule = try DiscreteVPSchedule()
    let sampling = try SamplingRun(
      solver: AllSolvers.make("euler"), schedule: schedule, grid: AllGrids.make("trailing").grid(schedule: schedule, steps: 4),
      start: .noise([1, 3]))
    let broken = ClosureDenoiser { state, _ in state + Tensor.zeros([7]) }
    #expect(throws: TensorError.self) { try sampling.run(broken, noise: SeededNoise(seeds: [1])) }
    let infinite = ClosureDenoiser { state, _ in state / 0 }
    #expect { try sampling.run(infinite, noise: SeededNoise(seeds: [1])) } throws: { "\($0)".contains("step 0") }
  }
}
