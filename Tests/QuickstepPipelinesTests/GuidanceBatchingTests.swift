import QuickstepAcceleration
import QuickstepDiffusion
import QuickstepFormats
import QuickstepNN
import QuickstepPipelines
import QuickstepTensor
import QuickstepTesting
import Synchronization
import Testing

/// Branches of guidance that are evaluated one after the other, in whole requests.
@Suite struct GuidanceBatchingTests {
  /// The largest difference in the largest value of `expected`.
  private func gap(_ actual: Tensor, _ expected: Tensor) throws -> Double {
    let (difference, size) = try withTensorErrors {
      ((actual - expected).abs().amax().to(.float64), expected.abs().amax().to(.float64))
    }
    return try difference.item() / size.item()
  }

  /// The same request with branches together and apart.
  private func both(_ model: LoadedModel, _ request: GenerationRequest) throws -> (together: GenerationResult, apart: GenerationResult) {
    var split = request
    split.guidanceBatching = .split
    return (try model.generate(request), try model.generate(split))
  }

  @Test(
    "pictures are the same up to rounding, with what follows a plan and what decides around calls",
    arguments: [
      "", "fora:interval=2", "taylorseer:interval=3,order=2,level=module", "magcache:threshold=1,ratios=1", "pab:from=1,to=0",
      "guidance-cache:interval=2", "easycache:threshold=9,warmup=2", "deepcache:interval=3,order=1",
      "faster-diffusion:schedule=uniform,interval=4,span=3,noise=0",
    ])
  func equality(_ method: String) throws {
    let needsUNet = method.hasPrefix("deepcache") || method.hasPrefix("faster-diffusion")
    let needsBlocks = method.hasPrefix("magcache")
    for kind in TinyFolder.Kind.allCases where (kind == .transformer ? !needsUNet : !needsBlocks) {
      let model = try TinyFolder(kind).load()
      var request = request(kind == .classes ? "2" : "red fox")
      request.steps = 9
      request.accelerations = try method.isEmpty ? [] : [MethodChoice(parsing: method)]
      let (together, apart) = try both(model, request)
      #expect(try gap(apart.images[0].pixels, together.images[0].pixels) <= 1e-5, "\(kind)")
      #expect(apart.warnings == together.warnings && apart.evaluations == together.evaluations, "\(apart.warnings)")
      #expect(apart.accelerations.map(\.actions) == together.accelerations.map(\.actions))
      #expect(apart.accelerations.allSatisfy { $0.saved > 0 && $0.forced == 0 })
    }
  }

  @Test("on published architectures", arguments: ["sd", "sdxl", "dit", "pixart-alpha", "sd3", "sana"])
  func architectures(_ folder: String) throws {
    let model = try LoadedModel(folder: "\(Goldens.root)/\(folder)")
    var request = try Goldens.request(Goldens.file(folder))
    (request.recordsTrajectory, request.steps) = (false, 5)
    let (together, apart) = try both(model, request)
    for (one, other) in zip(apart.images, together.images) { #expect(try gap(one.pixels, other.pixels) <= 1e-5) }
    #expect(apart.images[0].settings.guidanceBatching == .split && together.images[0].settings.guidanceBatching == nil)
  }

  @Test("methods that decide inside the network decide for each branch, and the user is told")
  func deciding() throws {
    let model = try TinyFolder(.transformer).load()
    for method in ["first-block-cache:threshold=5", "teacache:threshold=2.5,coefficients=1", "speca:threshold=9", "cg-taylor:threshold=9"] {
      let choice = try MethodChoice(parsing: method)
      let (together, apart) = try both(
        model,
        request {
          $0.steps = 10
          $0.accelerations = [choice]
        })
      #expect(apart.warnings.contains { $0.contains("'\(choice.name)' decides for each branch") }, "\(apart.warnings)")
      #expect(!together.warnings.contains { $0.contains("each branch") })
      #expect(apart.accelerations[0].saved > 0 && apart.accelerations[0].forced == 0, "\(method)")
      #expect(try withTensorErrors { apart.images[0].pixels.isFinite().all() }.item() != 0, "\(method)")
    }
  }

  @Test("a ControlNet acts on each branch as on both, also where it leaves the one without a prompt alone", arguments: [false, true])
  func control(_ guesses: Bool) throws {
    let fixture = try PictureFixture("sd-control")
    let model = try LoadedModel(folder: "\(Goldens.root)/sd")
    var control = try ControlInput(folder: "\(PictureFixture.root)/parts/controlnet-sd", picture: fixture.picture("control"))
    (control.guesses, control.interval) = (guesses, 0...0.7)
    var request = try fixture.request()
    (request.steps, request.recordsTrajectory) = (4, false)
    let without = try model.generate(request)
    request.pictures.controls = [control]
    let (together, apart) = try both(model, request)
    for index in together.images.indices {
      #expect(try gap(apart.images[index].pixels, together.images[index].pixels) <= 1e-5)
      #expect(try gap(together.images[index].pixels, without.images[index].pixels) > 1e-4)
    }
  }

  @Test("models that share a run do so as well")
  func stitching() throws {
    let (first, second) = (try TinyFolder(.transformer), try TinyFolder(.transformer, seed: 11))
    let model = try first.load()
    func made(_ scale: Double, _ stitchScale: String, _ batching: GuidedDenoiser.Batching) throws -> GenerationResult {
      let choice = MethodChoice("stitch", parameters: ["models": second.path, "fraction": "0.4", "scale": stitchScale])
      let request = request {
        ($0.steps, $0.guidanceScale, $0.guidanceBatching, $0.accelerations) = (10, scale, batching, [choice])
      }
      return try ImagePipeline(model, companions: ImagePipeline.companions(of: request, like: model)).generate(request)
    }
    for (scale, stitchScale) in [(2.0, "0"), (1.0, "3")] {
      let (together, apart) = (try made(scale, stitchScale, .together), try made(scale, stitchScale, .split))
      #expect(try gap(apart.images[0].pixels, together.images[0].pixels) <= 1e-5)
      #expect(apart.warnings == together.warnings && apart.images[0].settings.guidanceBatching == .split)
    }
    withExtendedLifetime((first, second)) {}
  }

  @Test("recorded evaluations: the same bits, and one recording for all branches")
  func graphs() throws {
    for kind in TinyFolder.Kind.allCases {
      let model = try TinyFolder(kind).load()
      var pipeline = ImagePipeline(model)
      pipeline.graphRecorder = { RepeatingRecorder($0) }
      let request = request(kind == .classes ? "2" : "red fox") {
        ($0.steps, $0.guidanceInterval, $0.guidanceBatching) = (6, 0...0.5, .split)
      }
      let (plain, played) = (try model.generate(request), try pipeline.generate(request))
      #expect(try played.images[0].pixels.hasBits(of: plain.images[0].pixels))
      // Three evaluations of two branches and three of one, of which the first two are done as they are.
      #expect(played.replayedEvaluations == 3 * 2 + 3 - 2)
    }
  }

  @Test("chains evaluate their branches one after the other")
  func chains() throws {
    let model = try TinyFolder(.transformer).load()
    let cases: [(GuidedDenoiser.Batching, Int)] = [(.together, 1), (.split, 2)]
    for (batching, branches) in cases {
      var pipeline = ImagePipeline(model)
      let made = Recordings()
      pipeline.graphRecorder = { device in
        made.add()
        return RepeatingRecorder(device)
      }
      let result = try pipeline.generate(
        request {
          ($0.steps, $0.guidanceBatching) = (2, batching)
          $0.start = MethodChoice(
            "dlg", parameters: ["sigma": "residual", "skip": "2", "start-steps": "2", "warm-up": "1", "burn-in": "1"])
        })
      #expect(result.replayedEvaluations + 2 * made.count == branches * result.evaluations)
      #expect(!result.warnings.contains { $0.contains("one after the other") }, "\(result.warnings)")
    }
  }

  @Test("an estimate counts one branch, and a run takes less")
  func memory() throws {
    let model = try TinyFolder(.unet).load()
    let request = request { ($0.steps, $0.width, $0.height) = (2, 64, 64) }
    var split = request
    split.guidanceBatching = .split
    let (together, apart) = (try ImagePipeline(model).estimate(request), try ImagePipeline(model).estimate(split))
    let denoise = (try #require(together.denoise), try #require(apart.denoise))
    #expect(Double(denoise.1) < 0.6 * Double(denoise.0), "\(denoise)")
    // What is kept for all pictures together stays as it is.
    #expect(2 * denoise.1 > denoise.0 && apart.peak < together.peak && apart.weights == together.weights)
    func peak(_ request: GenerationRequest) throws -> Int { try AllocationCount.measure { try model.generate(request) }.bytes.peak }
    _ = try model.generate(request)
    let peaks = (try peak(request), try peak(split))
    #expect(Double(peaks.1) < 0.7 * Double(peaks.0), "\(peaks)")
    #expect(peaks.0 <= denoise.0 && peaks.1 <= denoise.1, "\(peaks), \(denoise) expected")
  }

  @Test("what methods hold is the same", arguments: ["fora", "guidance-cache:interval=2,order=1", "taylorseer:interval=3"])
  func held(_ method: String) throws {
    // Sizes are found by reading the folder once more.
    let tiny = try TinyFolder(.transformer)
    defer { withExtendedLifetime(tiny) {} }
    let model = try tiny.load()
    let choice = try MethodChoice(parsing: method)
    func asked(_ batching: GuidedDenoiser.Batching) -> GenerationRequest {
      request { ($0.steps, $0.accelerations, $0.guidanceBatching) = (8, [choice], batching) }
    }
    let expected = try #require(try ImagePipeline(model).estimate(asked(.together)).held)
    #expect(try ImagePipeline(model).estimate(asked(.split)).held == expected)
    #expect(try model.generate(asked(.split)).accelerations.reduce(0) { $0 + $1.peakBytes } == expected)
  }

  @Test("without branches to compare it has no effect, which is told")
  func noEffect() throws {
    let model = try TinyFolder(.transformer).load()
    let changes: [(inout GenerationRequest) -> Void] = [{ $0.guidanceScale = 1 }, { $0.guidanceInterval = 0.5...0.5 }]
    for change in changes {
      let request = request {
        $0.guidanceBatching = .split
        change(&$0)
      }
      let result = try model.generate(request)
      #expect(result.warnings.count { $0.contains("no effect") && $0.contains("one after the other") } == 1, "\(result.warnings)")
      #expect(result.images[0].settings.guidanceBatching == nil)
      var plain = request
      plain.guidanceBatching = .together
      #expect(try result.images[0].pixels.hasBits(of: model.generate(plain).images[0].pixels))
    }
    let distilled = try LoadedModel(folder: "\(Goldens.root)/flux-dev")
    var told = try Goldens.request(Goldens.file("flux-dev"))
    (told.guidanceBatching, told.steps, told.recordsTrajectory) = (.split, 2, false)
    #expect(try distilled.generate(told).warnings.contains { $0.contains("compares no branches") })
  }
}

/// Counts recordings.
private final class Recordings: Sendable {
  private let made = Mutex(0)
  var count: Int { made.withLock { $0 } }
  func add() { made.withLock { $0 += 1 } }
}
