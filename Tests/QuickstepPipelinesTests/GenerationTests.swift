import Foundation
import QuickstepDiffusion
import QuickstepNN
import QuickstepPipelines
import QuickstepTensor
import QuickstepTesting
import Testing

/// From a request to pictures.
@Suite struct GenerationTests {
  @Test("the seed decides, and everything else matters", arguments: TinyFolder.Kind.allCases)
  func determinism(_ kind: TinyFolder.Kind) throws {
    let model = try TinyFolder(kind).load()
    let (one, two) = kind == .classes ? ("1", "2") : ("red fox", "green apple")
    let base = try model.pictures(request(one))
    #expect(try model.pictures(request(one)) == base)
    #expect(try TinyFolder(kind).load().pictures(request(one)) == base, "a model loaded again")
    let others: [(String, GenerationRequest)] = [
      ("seed", request(one, seed: 2)), ("prompt", request(two)), ("steps", request(one) { $0.steps = 5 }),
      ("solver", request(one) { $0.solver = "euler-ancestral" }), ("guidance", request(one) { $0.guidanceScale = 3 }),
      ("no guidance", request(one) { $0.guidanceScale = 1 }), ("grid", request(one) { $0.spacing = "karras" }),
      ("interval", request(one) { $0.guidanceInterval = 0...0.5 }), ("negative", request(one) { $0.negative = two }),
      ("correction", request(one) { $0.corrections = [MethodChoice("clip", parameters: ["range": "0.25"])] }),
    ]
    for (name, other) in others { #expect(try model.pictures(other) != base, "\(name) has no effect") }
    if kind != .classes {
      #expect(try model.pictures(request(one) { $0.style = "mono" }) != base)
      #expect(try model.pictures(request(one) { $0.style = "flat" }) == base, "the default style")
    }
  }

  @Test func whatIsNotSaidIsTheModelsDefault() throws {
    let model = try TinyFolder().load()
    let result = try model.generate(request())
    let settings = try #require(result.images.first).settings
    #expect(settings.steps == 4 && settings.guidanceScale == 2 && settings.solver == "ddim" && settings.style == "flat")
    #expect(
      settings.width == 8 && settings.height == 8 && settings.spacing == "trailing" && settings.batch == 1 && settings.dtype == "float32")
    #expect(result.images[0].pixels.shape == [3, 8, 8])
    #expect(result.evaluations == 4 && result.warnings == [])
    #expect(
      try model.pictures(request())
        == model.pictures(request { ($0.steps, $0.guidanceScale, $0.solver, $0.spacing) = (4, 2, "DDIM", "trailing") }))
  }

  /// Steps are what they are in the tool whose name it is; the settings say it in our words.
  @Test(arguments: [5, 6, 7, 20]) func namesThatCountEvaluations(_ count: Int) throws {
    let model = try TinyFolder().load()
    let result = try model.generate(request { ($0.solver, $0.steps, $0.guidanceScale) = ("DPM fast", count, 1) })
    let settings = try #require(result.images.first).settings
    #expect(settings.steps == (count + 2) / 3 + (count % 3 == 0 ? 1 : 0) && settings.solver == "dpm-singlestep")
    #expect(settings.solverParameters["evaluations"] == "\(count)" && settings.spacingParameters["final"] == "smallest")
    #expect(result.evaluations == count)
    #expect(try model.pictures(GenerationRequest(repeating: settings)) == result.images.map { try $0.pixels.elementBytes() })
  }

  @Test("a picture of a batch is the one made alone, up to rounding", arguments: TinyFolder.Kind.allCases, ["ddim", "euler-ancestral"])
  func batches(_ kind: TinyFolder.Kind, _ solver: String) throws {
    let model = try TinyFolder(kind).load()
    let prompts = kind == .classes ? ["0", "3", "1"] : ["red fox", "cat", "a green apple"]
    var together = GenerationRequest(prompts: prompts, seeds: [5, 6, 7])
    together.solver = solver
    together.batch = 3
    let batch = try model.generate(together).images
    together.batch = 2
    let uneven = try model.generate(together).images
    together.batch = 1
    let separate = try model.generate(together).images
    for index in prompts.indices {
      let alone = try #require(try model.generate(request(prompts[index], seed: [5, 6, 7][index]) { $0.solver = solver }).images.first)
      #expect(try separate[index].pixels.hasBits(of: alone.pixels), "one after the other")
      #expect(try batch[index].pixels.largestDifference(from: alone.pixels) < 1e-4)
      #expect(try uneven[index].pixels.largestDifference(from: alone.pixels) < 1e-4)
      #expect(batch[index].settings.prompt == prompts[index] && batch[index].settings.batch == 3)
    }
  }

  @Test("requests that run side by side on one model give the bits of separate ones", arguments: TinyFolder.Kind.allCases)
  func concurrency(_ kind: TinyFolder.Kind) async throws {
    let model = try TinyFolder(kind).load()
    let prompts = kind == .classes ? ["0", "1", "2", "3"] : ["red fox", "cat", "green apple", "a red cat"]
    let solvers = AllSolvers.all.filter { !($0 is any FittedSolver.Type) }.map { $0.declaration.name }
    let requests = (0..<8).map { index in
      request(prompts[index % 4], seed: UInt64(index)) {
        $0.solver = solvers[index % solvers.count]
        $0.steps = 3 + index % 3
        $0.guidanceScale = index % 2 == 0 ? 1 : 2.5
      }
    }
    let serial = try requests.map { try model.pictures($0) }
    #expect(Set(serial).count == 8)
    let concurrent = try await withThrowingTaskGroup(of: (Int, [[UInt8]]).self) { group in
      for (index, request) in requests.enumerated() { group.addTask { (index, try model.pictures(request)) } }
      return try await group.reduce(into: [Int: [[UInt8]]]()) { $0[$1.0] = $1.1 }
    }
    for index in requests.indices { #expect(concurrent[index] == serial[index], "request \(index)") }
  }

  @Test func cancellationActsWithinOneEvaluation() async throws {
    let model = try TinyFolder().load()
    let steps = StepList()
    let work = request {
      $0.steps = 50
      $0.progress = { progress in
        steps.append(progress.step)
        if progress.step == 3 { withUnsafeCurrentTask { $0?.cancel() } }
      }
    }
    let outcome = await Task { try model.generate(work) }.result
    #expect(throws: CancellationError.self) { try outcome.get() }
    #expect(steps.values == [1, 2, 3])
    #expect(try model.pictures(request()).count == 1, "the model serves on")
  }

  @Test func progressTellsWhichPictureAndStep() throws {
    let model = try TinyFolder().load()
    let steps = StepList()
    var work = GenerationRequest(prompts: ["red", "fox", "cat"], seeds: [1, 2, 3])
    work.batch = 2
    work.solver = "heun"
    work.progress = { progress in
      steps.append(progress.image * 100 + progress.step)
      let rows = progress.image == 0 ? 2 : 1
      if progress.stepCount != 4 || progress.imageCount != 3 || progress.denoised.shape != [rows, 3, 8, 8] { steps.append(-1) }
    }
    let result = try model.generate(work)
    #expect(steps.values == [1, 2, 3, 4, 201, 202, 203, 204])
    #expect(result.evaluations > 8, "Heun evaluates twice in most steps")
  }

  @Test func theTrajectoryHoldsEveryStepOfEveryPicture() throws {
    let model = try TinyFolder().load()
    var work = GenerationRequest(prompts: ["red", "fox", "cat"], seeds: [1, 2, 3])
    work.batch = 3
    work.solver = "heun"
    #expect(try model.generate(work).trajectory.isEmpty)
    work.recordsTrajectory = true
    let result = try model.generate(work)
    #expect(result.trajectory.map(\.name) == ["step_000", "step_001", "step_002", "step_003", "final", "timesteps"])
    let tensors = Dictionary(uniqueKeysWithValues: result.trajectory.map { ($0.name, $0.tensor) })
    for (name, tensor) in tensors where name != "timesteps" { #expect(tensor.shape == [3, 3, 8, 8], "\(name)") }
    let final = try #require(tensors["final"])
    for (index, image) in result.images.enumerated() { #expect(try final.select(0, index: index).hasBits(of: image.pixels)) }
    #expect(try #require(tensors["step_003"]).hasBits(of: final))
    #expect(try !#require(tensors["step_002"]).hasBits(of: final))
    // Trailing in four steps: 999, 749, 499, 249.
    #expect(try #require(tensors["timesteps"]).scalars(Double.self) == [999, 749, 499, 249])
    // Recording changes nothing, and a trajectory that would lack pictures is refused.
    work.recordsTrajectory = false
    #expect(try model.pictures(work) == result.images.map { try $0.pixels.elementBytes() })
    (work.recordsTrajectory, work.batch) = (true, 2)
    #expect(throws: GenerationError.self) { try model.generate(work) }
  }

  @Test func givenNoiseStandsForASeed() throws {
    let model = try TinyFolder().load()
    let noise = Tensor.randn([1, 3, 8, 8], generator: try Generator(seed: 21))
    let given = try model.generate(request(seed: 5) { $0.given.latents = noise })
    #expect(try given.images[0].pixels.elementBytes() == model.pictures(request(seed: 21))[0])
    #expect(given.images[0].settings.hasGivenTensors)
    for shape in [[1, 4, 8, 8], [3, 8, 8], [1, 3, 7, 8], [0, 3, 8, 8]] {
      #expect(throws: (any Error).self, "\(shape)") { try model.generate(request { $0.given.latents = .zeros(shape) }) }
    }
    let two = GenerationRequest(prompts: ["red", "fox"], seeds: [1, 2])
    var short = two
    short.given.latents = noise
    #expect(throws: (any Error).self, "one noise for two pictures") { try model.generate(short) }
  }

  @Test func givenEmbeddingsReplaceTheEncoder() throws {
    let model = try TinyFolder().load()
    let embeds = Tensor.randn([1, 6, 8], generator: try Generator(seed: 3))
    let alone = request("words nobody knows") {
      $0.given.promptEmbeds = embeds
      $0.guidanceScale = 1
    }
    let result = try model.generate(alone)
    #expect(result.warnings == [] && result.images[0].settings.hasGivenTensors)
    #expect(try model.pictures(alone) != model.pictures(request("red fox") { $0.guidanceScale = 1 }))
    let error = #expect(throws: GenerationError.self) { try model.generate(request { $0.given.promptEmbeds = embeds }) }
    #expect(try #require(error).description.contains("negative_prompt_embeds"))
    #expect(throws: (any Error).self) {
      try model.generate(
        request {
          $0.given.promptEmbeds = .zeros([1, 6, 9])
          $0.guidanceScale = 1
        })
    }
  }
}

/// Numbers collected by a callback.
final class StepList: @unchecked Sendable {
  private let lock = NSLock()
  private var stored: [Int] = []
  func append(_ value: Int) { lock.withLock { stored.append(value) } }
  var values: [Int] { lock.withLock { stored } }
}
