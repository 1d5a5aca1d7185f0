import Foundation
import QuickstepAcceleration
import QuickstepDiffusion
import QuickstepModels
import QuickstepNN
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

  @Test("with a cleared history the solver begins anew where the next model takes over")
  func history() throws {
    func states(_ solver: String, _ history: String) throws -> (states: [Tensor], warnings: [String]) {
      let shared = try Shared(["fora:interval=2"]) {
        ($0.solver, $0.recordsTrajectory) = (solver, true)
        $0.accelerations[0].parameters["history"] = history
      }
      defer { withExtendedLifetime(shared.folder) {} }
      let result = try shared.pipeline.generate(shared.request)
      return (result.trajectory.filter { $0.name.hasPrefix("step_") }.map(\.tensor), result.warnings)
    }
    let (kept, cleared) = (try states("dpm++-2m", "keep"), try states("dpm++-2m", "clear"))
    #expect(kept.states.count == 10 && cleared.states.count == 10)
    // The first step of the second model tells: its predecessor's prediction does not count.
    #expect(
      try zip(kept.states, cleared.states).map { try $0.hasBits(of: $1) } == Array(repeating: true, count: 4)
        + Array(repeating: false, count: 6))
    #expect(!cleared.warnings.contains { $0.contains("history") })
    let plain = (kept: try states("ddim", "keep"), cleared: try states("ddim", "clear"))
    for (one, other) in zip(plain.kept.states, plain.cleared.states) { #expect(try one.hasBits(of: other)) }
    #expect(plain.cleared.warnings.contains { $0.contains("history=clear has no effect") })
    let whole = try Shared { $0.accelerations[0].parameters.merge(["history": "clear", "fraction": "1"]) { $1 } }
    #expect(try whole.pipeline.plan(of: whole.request).warnings.contains { $0.contains("no model takes over") })
    #expect { _ = try states("pndm", "clear") } throws: { "\($0)".contains("needs history=keep") }
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

  /// A request on the small Stable Diffusion with a ControlNet that acts in the middle of the run.
  private func steered() throws -> GenerationRequest {
    var request = GenerationRequest(prompts: ["portrait of mars, 8k"], seeds: [2])
    (request.steps, request.guidanceScale, request.recordsTrajectory) = (8, 2, true)
    let picture = try PictureFixture("sd-control").picture("control")
    var control = try ControlInput(folder: "\(PictureFixture.root)/parts/controlnet-sd", picture: picture)
    control.interval = 0.25...0.75
    request.pictures.controls = [control]
    return request
  }

  private func stitch(_ folder: String, _ fraction: String) -> MethodChoice {
    MethodChoice("stitch", parameters: ["models": folder, "fraction": fraction])
  }

  @Test("a ControlNet acts in every part whose network it suits, in the same steps of the whole run")
  func controls() throws {
    let base = Goldens.root + "/sd"
    let model = try LoadedModel(folder: base)
    let plain = try steered()
    let expected = try model.generate(plain).trajectory
    var without = plain
    without.pictures.controls = []
    let index = try #require(expected.firstIndex { $0.name == "step_003" })
    #expect(try !model.generate(without).trajectory[index].tensor.hasBits(of: expected[index].tensor))
    var request = plain
    request.accelerations = [stitch(base, "0.5")]
    let pipeline = try ImagePipeline(model, companions: ImagePipeline.companions(of: request, like: model))
    let result = try pipeline.generate(request)
    #expect(result.warnings.filter { $0.contains("ControlNet") } == [])
    #expect(result.trajectory.map(\.name) == expected.map(\.name))
    for (own, other) in zip(result.trajectory, expected) { #expect(try own.tensor.hasBits(of: other.tensor), "\(own.name)") }
    // What caches see of it is there in both parts.
    request.accelerations.append(try MethodChoice(parsing: "deepcache:interval=2,control=reuse"))
    let plan = try pipeline.plan(of: request)
    #expect(plan.parts.count == 2 && plan.parts.allSatisfy { $0.plan.actions[Site.controlNetwork.path] != nil })
  }

  @Test("where its network does not suit a model, that model's part is done without it, and says so")
  func misfit() throws {
    let place = try TemporaryFolder()
    let (base, small) = (Goldens.root + "/sd", place.path + "/small")
    try FileManager.default.copyItem(atPath: base, toPath: small)
    try FileManager.default.removeItem(atPath: small + "/unet")
    try FileManager.default.copyItem(atPath: Goldens.root + "/stitch/sd-small", toPath: small + "/unet")
    let model = try LoadedModel(folder: base)
    var request = try steered()
    request.accelerations = [stitch(small, "1")]
    let pipeline = try ImagePipeline(model, companions: ImagePipeline.companions(of: request, like: model))
    let result = try pipeline.generate(request)
    func told(_ warnings: [String]) -> [String] { warnings.filter { $0.contains("in the steps of 'small' the ControlNet in") } }
    #expect(told(result.warnings).count == 1 && told(result.warnings)[0].contains("block_out_channels"))
    var alone = request
    (alone.accelerations, alone.pictures.controls) = ([], [])
    let expected = try LoadedModel(folder: small).generate(alone)
    #expect(try result.images[0].pixels.hasBits(of: expected.images[0].pixels))
    // The model's own part is steered all the same.
    request.accelerations = [stitch(small, "0.25")]
    let steered = try pipeline.generate(request)
    var free = request
    free.pictures.controls = []
    #expect(try !steered.images[0].pixels.hasBits(of: pipeline.generate(free).images[0].pixels))
    // Twice the same is said once, and nothing where it would not act in that model's steps anyway.
    request.pictures.controls[0].interval = 0...1
    request.pictures.controls.append(request.pictures.controls[0])
    #expect(told(try pipeline.generate(request).warnings).count == 1)
    for index in request.pictures.controls.indices { request.pictures.controls[index].interval = 0.25...1 }
    #expect(told(try pipeline.generate(request).warnings) == [])
    withExtendedLifetime(place) {}
  }

  @Test("a steering picture of another size is fitted for all models")
  func fitted() throws {
    let base = Goldens.root + "/sd"
    let model = try LoadedModel(folder: base)
    var request = try steered()
    (request.width, request.height, request.pictures.fit) = (32, 24, .stretch)
    request.accelerations = [stitch(base, "0.5")]
    let pipeline = try ImagePipeline(model, companions: ImagePipeline.companions(of: request, like: model))
    var plain = request
    plain.accelerations = []
    #expect(try pipeline.generate(request).images[0].pixels.hasBits(of: model.generate(plain).images[0].pixels))
  }

  @Test("what is left out for a branch counts as possible where branches are evaluated apart")
  func branchesLeftOut() throws {
    let shared = try Shared(["fora:interval=2", "guidance-cache:interval=2,start=0"]) { $0.guidanceBatching = .split }
    defer { withExtendedLifetime(shared.folder) {} }
    let modules = try shared.pipeline.plan(of: shared.request).parts.map { part in part.plan.actions.keys.count { $0.hasPrefix("blocks") } }
    #expect(try shared.pipeline.generate(shared.request).possibleModules == 2 * (4 * modules[0] + 6 * modules[1]))
  }
}
