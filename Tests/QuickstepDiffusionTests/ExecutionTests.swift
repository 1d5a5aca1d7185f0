import CKernels
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
