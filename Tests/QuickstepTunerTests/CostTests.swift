import QuickstepAcceleration
import QuickstepModels
import QuickstepNN
import QuickstepPipelines
import QuickstepTensor
import QuickstepTuner
import Testing

@Suite struct CostTests {
  /// What a watched run counted, by site, over all branches.
  private func counts(_ text: String, _ model: LoadedModel, steps: Int = 12) throws -> (watch: RunWatch, result: GenerationResult) {
    let watch = RunWatch()
    var request = try SamplingSettings(parsing: text).applied(to: TinyModel.request(model, steps: steps))
    request.observers = [watch]
    return (watch, try ImagePipeline(model).generate(request))
  }

  @Test("an exact run visits every site once per evaluation")
  func exactCounts() throws {
    let model = try TinyModel.load()
    let (watch, result) = try counts("ddim", model)
    let counts = watch.findings.counts
    #expect(counts[.init(model: model.name, site: nil, branches: 2)] == 12)
    for site in model.backbone.sites {
      #expect(counts[.init(model: model.name, site: site.path, branches: 2)] == 12, "\(site.path)")
    }
    // Parts do not overlap, so together they take no longer than the loop.
    #expect(watch.findings.totalSeconds <= result.seconds.denoise)
    #expect(watch.findings.totalSeconds > 0.2 * result.seconds.denoise)
  }

  @Test("what is left out is not counted, and the picture is the same as without a watch")
  func watchedCaches() throws {
    let model = try TinyModel.load()
    let (watch, result) = try counts("fora:interval=3", model)
    let computed = watch.findings.counts.filter { $0.key.site?.hasSuffix("attn1") ?? false }.values
    #expect(!computed.isEmpty && computed.allSatisfy { $0 == 4 })
    let plain = try ImagePipeline(model).generate(SamplingSettings(parsing: "fora:interval=3").applied(to: TinyModel.request(model)))
    #expect(try (result.images[0].pixels - plain.images[0].pixels).abs().max().item() == 0)
  }

  @Test("predictions: equal work costs the same, half of the steps half of the loop, one branch less than two")
  func predictions() throws {
    let model = try TinyModel.load()
    let cost = try CostModel(measuring: model, request: TinyModel.request(model), steps: 3, rounds: 2)
    func seconds(_ text: String, steps: Int) throws -> Double {
      let (watch, result) = try counts(text, model, steps: steps)
      // Without what methods took for themselves, which is measured anew each time.
      return cost.seconds(watch.findings, pictures: 1, evaluations: Double(result.evaluations)) - watch.findings.methodSeconds
    }
    let (full, again, half) = (try seconds("ddim", steps: 12), try seconds("euler", steps: 12), try seconds("ddim", steps: 6))
    #expect(abs(full - again) < 1e-9 * full)
    #expect(abs((full - cost.around) / 2 - (half - cost.around)) < 1e-9 * full)
    #expect(try seconds("fora:interval=3", steps: 12) < full)
    #expect(try seconds("guidance-cache:interval=3,start=0", steps: 12) < full)
    #expect(cost.evaluationSeconds(of: model.name, branches: 2) >= cost.evaluationSeconds(of: model.name, branches: 1))
    #expect(cost.evaluationSeconds(of: "another", branches: 1) == cost.perEvaluation)
  }
}
