import QuickstepDiffusion
import QuickstepFormats
import QuickstepNN
import QuickstepPipelines
import QuickstepTensor
import QuickstepTesting
import Testing

/// What solvers need to know of a request as a whole, and how its noise is scaled.
@Suite struct SolverRequestTests {
  private func picture() throws -> InputPicture { try InputPicture(PixelImage(width: 8, height: 8, fill: .white)) }

  @Test("adaptive steps refuse what has to know their number")
  func adaptiveRefusals() throws {
    let model = try TinyFolder().load()
    func message(_ change: (inout GenerationRequest) -> Void) throws -> String {
      let asked = request {
        $0.solver = "dpm-adaptive"
        change(&$0)
      }
      let error = #expect(throws: GenerationError.self) { try ImagePipeline(model).plan(of: asked) }
      return try #require(error).description
    }
    let guided = try message { $0.guidanceInterval = 0...0.5 }
    #expect(guided.contains("adaptive steps") && guided.contains("guidance interval is 0.0...0.5, allowed: 0…1"), "\(guided)")
    #expect(try message { $0.guidanceInterval = 0.2...1 }.contains("adaptive steps"))
    var control = try ControlInput(folder: PictureFixture.root + "/parts/controlnet-sd", picture: picture())
    control.interval = 0.25...1
    let steered = try message { $0.pictures.controls = [control] }
    #expect(steered.contains("adaptive steps") && steered.contains("control acts from 0.25 to 1.0"), "\(steered)")
    #expect(try message { $0.recordsTrajectory = true }.contains("trajectory"))
    #expect(try ImagePipeline(model).plan(of: request { $0.solver = "dpm-adaptive" }).parts.count == 1)
  }

  @Test("what a number of adaptive steps is for is said as it is")
  func adaptiveSteps() throws {
    let start = StartImage(try picture(), strength: 0.5)
    func warnings(_ kind: TinyFolder.Kind, _ change: (inout GenerationRequest) -> Void) throws -> [String] {
      let asked = request {
        $0.solver = "dpm-adaptive"
        change(&$0)
      }
      return try ImagePipeline(TinyFolder(kind).load()).plan(of: asked).warnings.filter { $0.contains("adaptive steps") }
    }
    let noisy = try warnings(.transformer) { $0.steps = 6 }
    #expect(noisy.count == 1 && noisy.allSatisfy { $0.contains("the number of steps has no effect") }, "\(noisy)")
    // Flow models begin at pure noise.
    let pure = try warnings(.unet) { $0.steps = 6 }
    #expect(pure.count == 1 && pure.allSatisfy { $0.contains("where the first one ends") && !$0.contains("no effect") }, "\(pure)")
    for kind in [TinyFolder.Kind.transformer, .unet] {
      #expect(try warnings(kind) { _ in }.isEmpty)
      #expect(try warnings(kind) { ($0.steps, $0.pictures.start) = (6, start) }.isEmpty)
    }
    // A single one is the whole run.
    let model = try TinyFolder(.unet).load()
    let (one, plain) = (
      try model.generate(request { ($0.solver, $0.steps) = ("dpm-adaptive", 1) }),
      try model.generate(request { ($0.solver, $0.steps) = ("ddim", 1) })
    )
    #expect(one.evaluations == 1)
    #expect(try one.images[0].pixels.largestDifference(from: plain.images[0].pixels) < 1e-5)
  }

  @Test("a run that begins late takes the end of the list that a number of evaluations is divided into")
  func lateStart() throws {
    let model = try TinyFolder().load()
    let start = StartImage(try picture(), strength: 0.5)
    // Ten evaluations are blocks of 3, 3, 3 and 1, of which the last two are run.
    let late = request { ($0.solver, $0.steps, $0.guidanceScale, $0.pictures.start) = ("DPM fast", 10, 1, start) }
    let result = try model.generate(late)
    #expect(result.evaluations == 4)
    let settings = try #require(result.images.first).settings
    #expect(settings.steps == 4 && settings.solverParameters["evaluations"] == "10")
    var again = GenerationRequest(repeating: settings)
    again.pictures.start = start
    #expect(try model.pictures(again) == result.images.map { try $0.pixels.elementBytes() })
    // What does not fit the whole run is refused as it is for one that begins at noise.
    let error = #expect(throws: TableauError.self) {
      try model.generate(
        request {
          ($0.solver, $0.steps, $0.pictures.start) = ("dpm-singlestep", 5, start)
          $0.solverParameters = ["blocks": "official", "evaluations": "30"]
        })
    }
    #expect(try #require(error).description.contains("30 evaluations into 11 steps; the grid has 5"))
  }

  @Test("a solver that is at hand runs as the one of its name: the model's scheduler does nothing to its x̂0")
  func ownSolver() throws {
    let folder = try TinyFolder()
    try folder.writeScheduler(
      "DDPMScheduler", prediction: "sample", more: ["clip_sample": .bool(true), "clip_sample_range": .number(0.05)])
    let model = try folder.load()
    let solver = try AllSolvers.make("ddim")
    let named = try model.pictures(request { $0.solver = "ddim" })
    let clipped = try model.pictures(
      request { ($0.solver, $0.corrections) = ("ddim", [MethodChoice("clip", parameters: ["range": "0.05"])]) })
    #expect(try model.pictures(request { $0.ownSolver = solver }) == named && named != clipped)
  }

  @Test("noise that is given is that of its seed, wherever a grid begins", arguments: TinyFolder.Kind.allCases)
  func givenNoise(_ kind: TinyFolder.Kind) throws {
    let model = try TinyFolder(kind).load()
    let noise = Tensor.randn([1, kind == .classes ? 1 : 3, 8, 8], generator: try Generator(seed: 21))
    let prompt = kind == .classes ? "1" : "red fox"
    for parameters in [[:], ["sigma-max": "0.9"], ["sigma-max": "0.999"]] {
      func made(seed: UInt64, _ latents: Tensor?) throws -> [[UInt8]] {
        try model.pictures(
          request(prompt, seed: seed) {
            ($0.spacing, $0.spacingParameters) = ("karras", parameters)
            if let latents { $0.given.latents = latents }
          })
      }
      #expect(try made(seed: 5, noise) == made(seed: 21, nil), "\(parameters)")
    }
  }
}
