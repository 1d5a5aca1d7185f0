import QuickstepDiffusion
import QuickstepNN
import QuickstepTensor
import Testing

@Suite struct GuidanceTests {
  private func context(step: Int = 0, of count: Int = 10, ratio: Double = 1) -> StepContext {
    StepContext(
      step: step, stepCount: count, evaluation: step, evaluationCount: count, level: NoiseLevel(timestep: 5, alpha: 1, sigma: ratio))
  }

  @Test func classifierFreeTable() throws {
    let guidance = try Guidance.classifierFree(scale: 7.5)
    #expect(guidance.active(context()).map(\.name) == ["negative", "positive"])
    #expect(guidance.active(context()).map(\.weight) == [-6.5, 7.5])
    #expect(try Guidance.classifierFree(scale: 1).active(context()).map(\.name) == ["positive"])
    #expect(try Guidance.composed([("cat", 3), ("hat", 2)]).active(context()).map(\.weight) == [-4, 3, 2])
  }

  @Test func windows() throws {
    let steps = try Guidance.classifierFree(scale: 3, window: .steps(start: 0.2, end: 0.5))
    #expect((0..<10).map { steps.active(context(step: $0)).count } == [1, 1, 2, 2, 2, 1, 1, 1, 1, 1])
    let noise = try Guidance.classifierFree(scale: 3, window: .noise(lower: 0.3, upper: 5))
    #expect([0.3, 0.31, 5, 5.1].map { noise.active(context(ratio: $0)).count } == [1, 2, 2, 1])
    #expect(noise.active(context(ratio: 9)).map(\.weight) == [1])
  }

  @Test func mistakes() {
    #expect(throws: SamplingError.self) { try Guidance([]) }
    #expect { try Guidance([.init("a", weight: 1), .init("a", weight: 2)]) } throws: { "\($0)".contains("a") }
    #expect { try Guidance.classifierFree(scale: .infinity) } throws: { "\($0)".contains("inf") }
  }

  /// Batched and split evaluation give the same numbers, branches arrive stacked in the table's order, weight-0 branches are not called.
  @Test func batchingAndSkipping() throws {
    let state = Tensor([1.0, 2, 3, 4], shape: [2, 2])
    let offsets = ["negative": -1.0, "positive": 2.0]
    var rows: [Int] = []
    let backbone: GuidedDenoiser.Backbone = { input, context in
      rows.append(input.shape[0])
      let parts = input.chunk(context.branches.count)
      return Tensor.cat(zip(parts, context.branches).map { $0 * 0.5 + (offsets[$1] ?? 0) })
    }
    let guidance = try Guidance.classifierFree(scale: 4, window: .steps(start: 0, end: 0.5))
    let together = GuidedDenoiser(parametrisation: .sample, guidance: guidance, backbone: backbone)
    let split = GuidedDenoiser(parametrisation: .sample, guidance: guidance, batching: .split, backbone: backbone)
    let expected = [1.0, 2, 3, 4].map { $0 * 0.5 + -1 * -3 + 2 * 4 }
    #expect(try together.denoised(state, context: context()).scalars(Double.self) == expected)
    #expect(try split.denoised(state, context: context()).scalars(Double.self) == expected)
    #expect(try together.denoised(state, context: context(step: 7)).scalars(Double.self) == [2.5, 3, 3.5, 4])
    #expect(rows == [4, 2, 2, 2])
  }

  @Test func wrongShapesAreNamed() throws {
    let denoiser = GuidedDenoiser(parametrisation: .sample) { input, _ in input.reshape([-1]) }
    #expect { try denoiser.denoised(Tensor([1.0, 2], shape: [1, 2]), context: self.context()) } throws: {
      "\($0)".contains("[2]") && "\($0)".contains("[1, 2]")
    }
  }

  @Test func inputIsScaledAndCorrectionsApply() throws {
    let corrections = [try AllCorrections.make("clip", ["range": "0.5"])]
    let denoiser = GuidedDenoiser(parametrisation: .edm(sigmaData: 0.5), corrections: corrections) { input, _ in
      #expect(abs((try? input.scalars(Double.self)[0] - 3 / 1.25.squareRoot()) ?? 1) < 1e-12)
      return input * 0
    }
    #expect(try denoiser.denoised(Tensor([3.0], shape: [1, 1]), context: context()).scalars(Double.self) == [0.5])
  }
}

@Suite struct CorrectionTests {
  private let context = StepContext(
    step: 0, stepCount: 1, evaluation: 0, evaluationCount: 1, level: NoiseLevel(timestep: 5, alpha: 1, sigma: 1))

  @Test func registry() {
    let names = AllCorrections.all.map { $0.declaration.name }
    #expect(names == names.sorted())
    #expect { try AllCorrections.named("clipp") } throws: { "\($0)".contains("did you mean 'clip'") }
  }

  /// Equal to diffusers' _threshold_sample.
  @Test func dynamicThresholding() throws {
    let golden = try #require(try Golden.shared.thresholded)
    let sample = Tensor((0..<24).map { -3 + 5 * Double($0) / 23 }, shape: [2, 3, 2, 2])
    let correction = try AllCorrections.make("dynamic-threshold", ["max": "1.5"])
    #expect(distance(try correction.apply(sample, state: sample, context: context).scalars(), golden) < 1e-12)
    let half = try correction.apply(sample.to(.bfloat16), state: sample, context: context)
    #expect(half.dtype == .bfloat16 && half.shape == sample.shape)
  }

  @Test func clipping() throws {
    let values = try AllCorrections.make("clip").apply(Tensor([-2.0, 0.5, 3]), state: Tensor([0.0, 0, 0]), context: context)
    #expect(try values.scalars(Double.self) == [-1, 0.5, 1])
  }
}
