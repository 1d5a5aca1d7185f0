import QuickstepAcceleration
import QuickstepDiffusion
import QuickstepPipelines
import QuickstepTensor
import QuickstepTesting
import Testing

/// Models that share a run: what of the request holds in whose part.
@Suite struct StitchTests {
  /// A model, and a request of ten steps of which a copy of it does the first four.
  private struct Shared {
    let folder: TinyFolder
    let model: LoadedModel
    let pipeline: ImagePipeline
    let request: GenerationRequest

    init(scale: Double = 2, companionScale: String = "0", _ methods: [String] = [], _ change: (inout GenerationRequest) -> Void = { _ in })
      throws
    {
      folder = try TinyFolder(.transformer)
      model = try folder.load()
      var request = GenerationRequest(prompts: ["red fox"], seeds: [1])
      (request.steps, request.guidanceScale) = (10, scale)
      let stitch = MethodChoice("stitch", parameters: ["models": folder.path, "fraction": "0.4", "scale": companionScale])
      request.accelerations = try [stitch] + methods.map { try MethodChoice(parsing: $0) }
      change(&request)
      pipeline = try ImagePipeline(model, companions: ImagePipeline.companions(of: request, like: model))
      self.request = request
    }
  }

  @Test("corrections act in all steps")
  func corrections() throws {
    let shared = try Shared {
      $0.corrections = [MethodChoice("clip", parameters: ["range": "0.02"])]
      $0.recordsTrajectory = true
    }
    defer { withExtendedLifetime(shared.folder) {} }
    var (plain, bare) = (shared.request, shared.request)
    plain.accelerations = []
    (bare.accelerations, bare.corrections) = ([], [])
    let (expected, without) = (try shared.model.generate(plain).trajectory, try shared.model.generate(bare).trajectory)
    // It tells in the steps that are the other model's.
    let index = try #require(expected.firstIndex { $0.name == "step_003" })
    #expect(try !without[index].tensor.hasBits(of: expected[index].tensor))
    let found = try shared.pipeline.generate(shared.request).trajectory
    #expect(found.map(\.name) == expected.map(\.name))
    for (own, other) in zip(found, expected) { #expect(try own.tensor.hasBits(of: other.tensor), "\(own.name)") }
  }

  @Test("methods see the branches of the model whose part it is", arguments: [(2.0, "1"), (1.0, "3")])
  func branches(_ scale: Double, _ companionScale: String) throws {
    let shared = try Shared(scale: scale, companionScale: companionScale, ["fora:interval=2", "guidance-cache:interval=2,start=0"])
    defer { withExtendedLifetime(shared.folder) {} }
    let (guided, other) = scale == 1 ? (0, 1) : (1, 0)
    let own = shared.model.name
    let plan = try shared.pipeline.plan(of: shared.request)
    #expect(plan.parts.map { $0.plan.actions["call.negative"] != nil } == [guided == 0, guided == 1])
    #expect(plan.parts.allSatisfy { $0.plan.actions["blocks.0.ff"] != nil })
    #expect(plan.warnings.contains { $0.contains("'guidance-cache' does not act in '\(plan.parts[other].model)'") }, "\(plan.warnings)")
    let result = try shared.pipeline.generate(shared.request)
    let cache = try #require(result.accelerations.first { $0.method.hasPrefix("guidance-cache") })
    let cached = guided == 0 ? ["guidance-cache (\(own))", "fora"] : ["fora", "guidance-cache"]
    #expect(result.accelerations.map(\.method) == ["fora (\(own))"] + cached + ["stitch"])
    #expect(cache.actions == ["call.negative": guided == 0 ? "CRCR" : "CRCRCR"] && cache.forced == 0)
    let held = result.accelerations.reduce(0) { $0 + $1.peakBytes }
    #expect(try shared.pipeline.estimate(shared.request).held == held)
  }

  @Test("where no model compares branches a method of theirs is refused")
  func refusal() throws {
    let shared = try Shared(scale: 1, companionScale: "1", ["guidance-cache"])
    defer { withExtendedLifetime(shared.folder) {} }
    let error = #expect(throws: AccelerationError.self) { try shared.pipeline.generate(shared.request) }
    #expect(error?.description.contains("one branch") == true)
  }

  @Test("modules are counted by part, and for each branch that is evaluated by itself", arguments: GuidedDenoiser.Batching.allCases)
  func modules(_ batching: GuidedDenoiser.Batching) throws {
    let shared = try Shared(["fora:interval=2"]) { $0.guidanceBatching = batching }
    defer { withExtendedLifetime(shared.folder) {} }
    let result = try shared.pipeline.generate(shared.request)
    let modules = try shared.pipeline.plan(of: shared.request).parts.map { $0.plan.actions.count }
    let branches = batching == .split ? 2 : 1
    #expect(modules[0] > 0 && result.possibleModules == branches * (4 * modules[0] + 6 * modules[1]))
    #expect(result.computedModules == branches * (2 * modules[0] + 3 * modules[1]))
    var plain = shared.request
    plain.accelerations = Array(plain.accelerations.prefix(1))
    let alone = try shared.pipeline.generate(plain)
    #expect(alone.possibleModules == 0 && alone.computedModules == 0)
  }
}
