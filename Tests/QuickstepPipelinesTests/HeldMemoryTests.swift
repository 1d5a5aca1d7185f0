import QuickstepAcceleration
import QuickstepFormats
import QuickstepPipelines
import QuickstepTensor
import QuickstepTesting
import Testing

/// What methods are expected to hold before a run, beside what they held in it.
@Suite struct HeldMemoryTests {
  private static let planned = [
    "deepcache:interval=2,order=1", "fora:interval=2", "taylorseer:interval=3", "taylorseer:interval=2,order=2,level=module",
    "guidance-cache:interval=2,order=1", "toca:interval=2,fresh=0.5,step-slope=0", "toca:interval=2,fresh=0.5,step-slope=0,score=change",
  ]
  private static let deciding = [
    "cg-taylor:threshold=9", "teacache:threshold=2.5,coefficients=1", "easycache:threshold=9,warmup=2", "fastercache:from=1,branch-from=1",
  ]

  private func held(_ result: GenerationResult) -> Int { result.accelerations.reduce(0) { $0 + $1.peakBytes } }

  @Test("the estimate is what was held, on every architecture", arguments: MethodSubject.published)
  func everywhere(_ subject: MethodSubject) throws {
    let folder = subject.name
    let model = try LoadedModel(folder: "\(Goldens.root)/\(folder)")
    let outline = try LoadedModel.outline(folder: "\(Goldens.root)/\(folder)")
    var request = try Goldens.request(Goldens.file(folder))
    request.recordsTrajectory = false
    #expect(try ImagePipeline(outline).estimate(request).held == 0)
    for method in Self.planned + Self.deciding {
      request.accelerations = [try MethodChoice(parsing: method)]
      guard subject.fits(method) else {
        #expect(throws: AccelerationError.self, "\(method)") { try ImagePipeline(outline).estimate(request) }
        continue
      }
      let estimate: MemoryEstimate
      do { estimate = try ImagePipeline(outline).estimate(request) } catch {
        Issue.record("\(method) has no estimate: \(error)")
        continue
      }
      let expected = try #require(estimate.held, "\(method)")
      let found = held(try ImagePipeline(model).generate(request))
      #expect(found > 0, "\(method)")
      if Self.planned.contains(method) {
        #expect(expected == found, "\(method)")
      } else {
        #expect(expected >= found && expected <= 3 * found, "\(method): \(expected) expected, \(found) held")
      }
      #expect(estimate.peak >= estimate.weights + expected)
    }
  }

  @Test("the same of a loaded model, of half types and of batches")
  func kinds() throws {
    let tiny = try TinyFolder(.transformer)
    var request = request {
      $0.steps = 8
      $0.accelerations = ["fora"]
    }
    let model = try tiny.load()
    let one = try #require(try ImagePipeline(model).estimate(request).held)
    #expect(one == held(try model.generate(request)))
    (request.prompts, request.seeds, request.batch) = (["red fox", "cat", "green apple"], [1, 2, 3], 2)
    #expect(try ImagePipeline(model).estimate(request).held == 2 * one)
    #expect(held(try model.generate(request)) == 2 * one)
    let half = try LoadedModel(folder: tiny.path, dtype: .bfloat16)
    let outline = try LoadedModel.outline(folder: tiny.path, dtype: .bfloat16)
    #expect(try ImagePipeline(outline).estimate(request).held == held(half.generate(request)))
  }

  @Test("models that share a run, and what methods bring along, count as weights")
  func companions() throws {
    let (first, second) = (try TinyFolder(.transformer), try TinyFolder(.transformer))
    let (model, other) = (try first.load(), try second.load())
    let shared = request {
      $0.steps = 10
      $0.accelerations = [MethodChoice("stitch", parameters: ["models": other.folder, "fraction": "0.4"]), "fora"]
    }
    let pipeline = ImagePipeline(model, companions: [other.folder: other])
    let alone = try ImagePipeline(model).estimate(request { $0.steps = 10 })
    let estimate = try pipeline.estimate(shared)
    #expect(estimate.weights == alone.weights + other.parameterBytes)
    // Either part's cache is held until the batch is done.
    #expect(try estimate.held == held(pipeline.generate(shared)))
    let denoise = try [model, other].map { try #require(ImagePipeline($0).estimate(request { $0.steps = 10 }).denoise) }
    #expect(estimate.denoise == denoise.max())
  }

  @Test("evaluations that are decoded as one batch take more while they are") func spans() throws {
    let outline = try LoadedModel.outline(folder: "\(Goldens.root)/sd")
    var request = try Goldens.request(Goldens.file("sd"))
    request.recordsTrajectory = false
    func denoise(_ span: Int) throws -> Int {
      request.accelerations = [try MethodChoice(parsing: "faster-diffusion:schedule=uniform,interval=5,span=\(span),noise=0")]
      return try #require(try ImagePipeline(outline).estimate(request).denoise)
    }
    let (one, four) = (try denoise(1), try denoise(4))
    #expect(four > 2 * one && four < 5 * one, "\(one), \(four)")
  }

  @Test("what is held of a ControlNet is held where it acts in a part of the run too") func controls() throws {
    let model = try LoadedModel(folder: "\(Goldens.root)/sd")
    var request = try Goldens.request(Goldens.file("sd"))
    request.recordsTrajectory = false
    let picture = try PictureFixture("sd-control").picture("control")
    request.pictures.controls = [try ControlInput(folder: "\(PictureFixture.root)/parts/controlnet-sd", picture: picture)]
    request.accelerations = [try MethodChoice(parsing: "deepcache:interval=2,control=reuse")]
    let whole = try #require(try ImagePipeline(model).estimate(request).held)
    #expect(whole == held(try ImagePipeline(model).generate(request)))
    request.pictures.controls[0].interval = 0.2...1
    #expect(try ImagePipeline(model).estimate(request).held == whole)
  }

  @Test("gates hold what they compare for both branches and for one where guidance acts in a part of the run") func windows() throws {
    let model = try LoadedModel(folder: "\(Goldens.root)/dit")
    var request = try Goldens.request(Goldens.file("dit"))
    request.recordsTrajectory = false
    request.accelerations = [try MethodChoice(parsing: "teacache:threshold=2.5,coefficients=1")]
    let whole = try #require(try ImagePipeline(model).estimate(request).held)
    request.guidanceInterval = 0...0.5
    let part = try #require(try ImagePipeline(model).estimate(request).held)
    let found = held(try ImagePipeline(model).generate(request))
    #expect(part > whole && part >= found && found > 0, "\(whole), \(part), \(found)")
  }
}
