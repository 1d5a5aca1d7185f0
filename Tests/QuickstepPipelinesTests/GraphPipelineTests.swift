import QuickstepNN
import QuickstepPipelines
import QuickstepTensor
import QuickstepTesting
import Synchronization
import Testing

/// Requests whose evaluations are recorded and played, by a recorder that does the work again: the pictures are the same, and what could be mixed up
/// between evaluations, branches and batches is not.
@Suite struct GraphPipelineTests {
  /// Makes recorders and counts them.
  private final class Recorders: Sendable {
    private let made = Mutex(0)
    var count: Int { made.withLock { $0 } }
    func pipeline(_ model: LoadedModel) -> ImagePipeline {
      var pipeline = ImagePipeline(model)
      pipeline.graphRecorder = { device in
        self.made.withLock { $0 += 1 }
        return RepeatingRecorder(device)
      }
      return pipeline
    }
  }

  private func pixels(_ result: GenerationResult) throws -> [[Float]] { try result.images.map { try $0.pixels.scalars(Float.self) } }

  @Test("pictures are the same bits", arguments: TinyFolder.Kind.allCases, [1.0, 2.5])
  func sameBits(_ kind: TinyFolder.Kind, _ scale: Double) throws {
    let (model, recorders) = (try TinyFolder(kind).load(), Recorders())
    var request = GenerationRequest(prompts: kind == .classes ? ["0", "2", "1"] : ["red fox", "cat", "a green apple"], seeds: [1, 2, 3])
    (request.steps, request.guidanceScale, request.negative) = (6, scale, kind == .classes || scale == 1 ? "" : "red")
    request.guidanceInterval = scale == 1 ? 0...1 : 0...0.7
    let (plain, played) = (try model.generate(request), try recorders.pipeline(model).generate(request))
    #expect(try pixels(played) == pixels(plain) && played.evaluations == plain.evaluations)
    // Three batches of one share their recordings; evaluations with and without guidance have one each.
    #expect(recorders.count == (scale == 1 ? 1 : 2))
    #expect(played.replayedEvaluations == 18 - 2 * recorders.count && plain.replayedEvaluations == 0)
    #expect(played.warnings == plain.warnings)
  }

  @Test func batchesOfOtherSizesHaveTheirOwn() throws {
    let (model, recorders) = (try TinyFolder().load(), Recorders())
    var request = GenerationRequest(prompts: ["red fox", "cat", "a green apple"], seeds: [1, 2, 3])
    (request.steps, request.batch) = (5, 2)
    let (plain, played) = (try model.generate(request), try recorders.pipeline(model).generate(request))
    #expect(try pixels(played) == pixels(plain) && recorders.count == 2 && played.replayedEvaluations == 6)
  }

  @Test func solversThatEvaluateTwicePerStep() throws {
    let (model, recorders) = (try TinyFolder(.unet).load(), Recorders())
    for solver in ["heun", "dpm++-2s", "euler-ancestral", "unipc"] {
      var request = GenerationRequest(prompts: ["red fox"], seeds: [1])
      (request.steps, request.solver) = (5, solver)
      #expect(try pixels(recorders.pipeline(model).generate(request)) == pixels(model.generate(request)), "\(solver)")
    }
  }

  @Test("where something acts inside evaluations nothing is recorded")
  func methodsInside() throws {
    let (model, recorders) = (try TinyFolder().load(), Recorders())
    var request = GenerationRequest(prompts: ["red fox"], seeds: [1])
    request.steps = 8
    request.accelerations = [MethodChoice("taylorseer", parameters: ["interval": "2"])]
    let plain = try model.generate(request)
    request.graphs = .on
    let played = try recorders.pipeline(model).generate(request)
    #expect(try pixels(played) == pixels(plain) && recorders.count == 0 && played.replayedEvaluations == 0)
    #expect(played.warnings.contains { $0.contains("graphs had no effect") })
    request.graphs = .auto
    #expect(try !recorders.pipeline(model).generate(request).warnings.contains { $0.contains("graphs") })
  }

  @Test func offIsOff() throws {
    let (model, recorders) = (try TinyFolder().load(), Recorders())
    var request = GenerationRequest(prompts: ["red fox"], seeds: [1])
    (request.steps, request.graphs) = (8, .off)
    #expect(try recorders.pipeline(model).generate(request).replayedEvaluations == 0 && recorders.count == 0)
  }

  @Test("a recorder that cannot record costs nothing but a warning")
  func failure() throws {
    final class Broken: GraphRecorder {
      let device = Device.cpu
      func apart<Result>(_ work: () throws -> Result) throws -> Result { try work() }
      func capture(_ work: @escaping () throws -> [Tensor]) throws -> [Tensor] { throw TensorError("out of tape") }
      func replay() throws {}
    }
    let model = try TinyFolder().load()
    var pipeline = ImagePipeline(model)
    pipeline.graphRecorder = { _ in Broken() }
    var request = GenerationRequest(prompts: ["red fox"], seeds: [1])
    request.steps = 6
    let (plain, played) = (try model.generate(request), try pipeline.generate(request))
    #expect(try pixels(played) == pixels(plain))
    #expect(played.warnings.contains { $0.contains("out of tape") } && played.warnings.count == plain.warnings.count + 1)
  }

  @Test func askedForWithoutAGPU() throws {
    var request = GenerationRequest(prompts: ["red fox"], seeds: [1])
    request.graphs = .on
    let error = #expect(throws: GenerationError.self) { try TinyFolder().load().generate(request) }
    #expect("\(try #require(error))".contains("is on cpu"))
  }

  @Test("a ControlNet that acts in a part of the run")
  func control() throws {
    let (fixture, recorders) = (try PictureFixture("sd-control"), Recorders())
    var request = try fixture.request()
    let model = try LoadedModel(folder: "\(Goldens.root)/sd")
    var control = try ControlInput(folder: "\(PictureFixture.root)/parts/controlnet-sd", picture: fixture.picture("control"))
    (control.scale, control.interval) = (0.8, 0.1...0.7)
    request.pictures.controls = [control]
    let (plain, played) = (try model.generate(request), try recorders.pipeline(model).generate(request))
    #expect(try pixels(played) == pixels(plain))
    #expect(recorders.count == 2 && played.replayedEvaluations == 6)
  }
}
