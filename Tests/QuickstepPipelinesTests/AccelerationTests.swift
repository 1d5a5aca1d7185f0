import Foundation
import QuickstepAcceleration
import QuickstepFormats
import QuickstepPipelines
import QuickstepTensor
import QuickstepTesting
import Testing

/// Methods of acceleration within whole runs.
@Suite struct AccelerationTests {
  private static let methods = [
    "deepcache:interval=2", "deepcache:interval=3,branch=1,order=1", "fora:interval=2", "taylorseer:interval=3",
    "taylorseer:interval=2,order=2,level=module", "first-block-cache:threshold=5", "guidance-cache:interval=2", "cg-taylor:threshold=9",
    "dbcache:threshold=9,warmup=2,estimate=taylor", "teacache:threshold=2.5,coefficients=1", "magcache:threshold=1,ratios=1",
    "pab:from=1,to=0",
    "fastercache:from=1,branch-from=1", "easycache:threshold=9,warmup=2", "speca:threshold=9",
    "toca:interval=2,fresh=0.5,step-slope=0", "step-rehash", "faster-diffusion:schedule=uniform,interval=2",
    "faster-diffusion:schedule=uniform,interval=3,span=2,noise=0", "layer-skip:layers=0,start=0.5", "layer-skip:layers=1,start=0.5",
    "cachequant:starts=0,3,6", "cachequant:starts=0,2,4,6,order=1",
  ]

  @Test(
    "every method acts on every architecture that has what it needs, and says of the others what they lack", arguments: MethodSubject.all)
  func everywhere(_ subject: MethodSubject) throws {
    let opened = try subject.open()
    defer { withExtendedLifetime(opened) {} }
    let exact = try opened.generate(opened.request)
    for method in Self.methods {
      var request = opened.request
      request.accelerations = [try MethodChoice(parsing: method)]
      guard subject.fits(method) else {
        let error = #expect(throws: AccelerationError.self, "\(method)") { try opened.generate(request) }
        #expect("\(try #require(error))".contains("'\(request.accelerations[0].name)'"), "\(method): \(error as Any)")
        continue
      }
      let result: GenerationResult
      do { result = try opened.generate(request) } catch {
        Issue.record("\(method) does not run: \(error)")
        continue
      }
      #expect(result.accelerations.count >= 1 && result.accelerations[0].saved > 0, "\(method)")
      // FasterCache leaves out the branch whose modules it would have to refresh.
      #expect(result.accelerations[0].forced == 0 || method.hasPrefix("fastercache"), "\(method)")
      #expect(result.warnings.filter { $0.contains("no effect") } == [], "\(method)")
      #expect(try result.isFinite && result.images.count == exact.images.count, "\(method)")
      for (image, reference) in zip(result.images, exact.images) {
        #expect(try !image.pixels.hasBits(of: reference.pixels), "\(method) changes nothing")
      }
    }
  }

  @Test("an interval of 1 changes no bit", arguments: ["deepcache:interval=1", "fora:interval=1", "guidance-cache:interval=1"])
  func neutral(_ method: String) throws {
    let model = try TinyFolder(.unet).load()
    let base = try model.pictures(request())
    let choice = try MethodChoice(parsing: method)
    #expect(try model.pictures(request { $0.accelerations = [choice] }) == base)
  }

  @Test("a picture's settings repeat it with what accelerated it")
  func repetition() throws {
    let model = try TinyFolder(.transformer).load()
    let made = try model.generate(
      request {
        $0.steps = 9
        $0.accelerations = [MethodChoice("taylorseer", parameters: ["interval": "3"]), "guidance-cache"]
      })
    let settings = try #require(made.images.first).settings
    let again = try model.generate(GenerationRequest(repeating: settings))
    #expect(try again.images[0].pixels.hasBits(of: made.images[0].pixels))
    #expect(again.accelerations.map(\.method) == ["taylorseer", "guidance-cache"])
  }

  @Test("branches that are left out are not evaluated, and counted")
  func guidance() throws {
    let model = try TinyFolder(.transformer).load()
    let result = try model.generate(
      request {
        $0.steps = 10
        $0.accelerations = [MethodChoice("guidance-cache", parameters: ["interval": "3", "start": "0.2"])]
      })
    #expect(result.accelerations[0].actions == ["call.negative": "CCCRRCRRCR"])
    #expect(result.accelerations[0].computed == 5 && result.accelerations[0].saved == 5 && result.evaluations == 10)
  }

  @Test("a run that begins with a picture begins with a full evaluation")
  func imageToImage() throws {
    let model = try TinyFolder(.unet).load()
    let picture = try #require(try model.generate(request()).images.first)
    let start = StartImage(try InputPicture(PixelImage(tensor: picture.pixels)), strength: 0.5)
    let result = try model.generate(
      request {
        $0.steps = 8
        $0.pictures.start = start
        $0.accelerations = [MethodChoice("deepcache", parameters: ["interval": "3"])]
      })
    #expect(result.accelerations[0].actions["inner.0"] == "CRRC" && result.accelerations[0].forced == 0)
  }

  @Test("stitched with itself a model makes the same picture, and caches begin anew at the seam")
  func stitching() throws {
    let folder = try TinyFolder(.transformer)
    let model = try folder.load()
    func made(_ change: (inout GenerationRequest) -> Void) throws -> GenerationResult {
      let request = request {
        $0.steps = 10
        change(&$0)
      }
      return try ImagePipeline(model, companions: ImagePipeline.companions(of: request, like: model)).generate(request)
    }
    let stitch = MethodChoice("stitch", parameters: ["models": folder.path, "fraction": "0.4"])
    let base = try made { _ in }
    let stitched = try made { $0.accelerations = [stitch] }
    #expect(try stitched.images[0].pixels.hasBits(of: base.images[0].pixels))
    #expect(stitched.accelerations[0].saved == 4 && stitched.accelerations[0].computed == 6)
    let cached = try made { $0.accelerations = [stitch, MethodChoice("fora", parameters: ["interval": "3"])] }
    #expect(cached.accelerations.map(\.method) == ["fora (\(model.name))", "fora", "stitch"])
    #expect(cached.accelerations[0].actions["blocks.0.ff"] == "CRRC" && cached.accelerations[1].actions["blocks.0.ff"] == "CRRCRR")
    // None and all are the two models alone.
    for share in ["0", "1"] {
      let alone = try made { $0.accelerations = [MethodChoice("stitch", parameters: ["models": folder.path, "fraction": share])] }
      #expect(try alone.images[0].pixels.hasBits(of: base.images[0].pixels))
    }
    // What acts in the other model's part alone has an effect.
    let whole = try made {
      $0.accelerations = [MethodChoice("stitch", parameters: ["models": folder.path, "fraction": "1"]), "fora"]
    }
    #expect(whole.accelerations[0].saved > 0 && !whole.warnings.contains { $0.contains("no effect") }, "\(whole.warnings)")
  }

  @Test("plans count evaluations, not steps, under solvers of two evaluations", arguments: ["heun:frame=flow", "dpm++-2s"])
  func severalEvaluations(_ solver: String) throws {
    for (kind, method, name) in [
      (TinyFolder.Kind.transformer, "fora", "blocks.0.ff"), (.unet, "deepcache", "inner.0"),
      (.transformer, "guidance-cache", "call.negative"),
    ] {
      let model = try TinyFolder(kind).load()
      let choice = try MethodChoice(parsing: solver)
      func made(_ accelerations: [MethodChoice]) throws -> GenerationResult {
        try model.generate(
          request {
            ($0.steps, $0.solver, $0.solverParameters, $0.accelerations) = (6, choice.name, choice.parameters, accelerations)
          })
      }
      let (exact, cached) = try (made([]), made([MethodChoice(method, parameters: ["interval": "3"])]))
      let actions = try #require(cached.accelerations.first?.actions[name])
      #expect(exact.evaluations > 6 && cached.evaluations == exact.evaluations && actions.count == exact.evaluations)
      #expect(actions.contains("CRRCRRC"), "\(actions)")
      #expect(try !cached.images[0].pixels.hasBits(of: exact.images[0].pixels))
    }
  }

  @Test("each model does its own steps, in the order asked for")
  func stitchingSeveral() throws {
    let folders = try [1, 11, 12].map { try TinyFolder(.transformer, seed: $0) }
    let model = try folders[0].load()
    func made(_ model: LoadedModel, _ stitch: String? = nil) throws -> [String: Tensor] {
      let choices = try stitch.map { [try MethodChoice(parsing: $0)] } ?? []
      let request = request {
        ($0.steps, $0.recordsTrajectory) = (10, true)
        $0.accelerations = choices
      }
      let pipeline = try ImagePipeline(model, companions: ImagePipeline.companions(of: request, like: model))
      return Dictionary(uniqueKeysWithValues: try pipeline.generate(request).trajectory)
    }
    let (own, second) = (try made(model), try made(folders[1].load()))
    func same(_ first: [String: Tensor], _ other: [String: Tensor], _ step: Int) throws -> Bool {
      let key = String(format: "step_%03d", step)
      return try #require(first[key]).hasBits(of: #require(other[key]))
    }
    #expect(try !same(own, second, 0))
    let none = try made(model, "stitch:models=\(folders[1].path),fraction=0")
    let all = try made(model, "stitch:models=\(folders[1].path),fraction=1")
    for step in 0..<10 {
      #expect(try same(none, own, step) && same(all, second, step))
    }
    let part = try made(model, "stitch:models=\(folders[1].path),fraction=0.4")
    for step in 0..<4 { #expect(try same(part, second, step)) }
    #expect(try !same(part, second, 4) && !same(part, own, 4))
    // The third model's steps begin where the second one's state is, whoever goes on.
    let three = try made(model, "stitch:models=\(folders[1].path)+\(folders[2].path),fraction=0.2/0.3")
    let two = try made(folders[2].load(), "stitch:models=\(folders[1].path),fraction=0.2")
    for step in 0..<2 { #expect(try same(three, second, step)) }
    for step in 2..<5 { #expect(try same(three, two, step) && !same(three, second, step)) }
    #expect(try !same(three, two, 5))
    withExtendedLifetime(folders) {}
  }

  @Test("what does not fit is refused before any work")
  func refusals() throws {
    let model = try TinyFolder(.transformer).load()
    func refused(_ text: String, _ change: (inout GenerationRequest) -> Void = { _ in }, saying words: String) throws {
      let choice = try MethodChoice(parsing: text)
      let request = request {
        $0.accelerations = [choice]
        change(&$0)
      }
      let error = #expect(throws: (any Error).self) {
        try ImagePipeline(model, companions: ImagePipeline.companions(of: request, like: model)).generate(request)
      }
      #expect("\(error.map { "\($0)" } ?? "")".contains(words), "\(error.map { "\($0)" } ?? "")")
    }
    try refused("deepcache", saying: "U-Net")
    try refused("guidance-cache", { $0.guidanceScale = 1 }, saying: "one branch")
    try refused("taylorseer", { $0.solver = "dpm-adaptive" }, saying: "chosen while running")
    try refused("taylorseer:order=9", saying: "allowed: 0…4")
    try refused("plan:file={\"evaluations\": 7, \"sites\": {}}", saying: "7 evaluations")
    try refused("plan:file={\"evaluations\": 4, \"sites\": {\"blocks.9.ff\": \"CRCR\"}}", saying: "blocks.9.ff")
    try refused("plan:file={\"evaluations\": 4, \"sites\": {\"blocks[0..<9]\": \"CRCR\"}}", saying: "2 blocks")
    try refused("stitch:fraction=0.5", saying: "needs a model")
    try refused("stitch:models=a+b,fraction=0.5", saying: "one share per model")
    let other = try TinyFolder(.classes)
    try refused("stitch:models=\(other.path)", saying: "cannot do a part")
    let unet = try TinyFolder(.unet)
    try refused("stitch:models=\(unet.path)", saying: "noise schedules differ")
  }

  @Test("short runs are warned about, and what has no effect")
  func warnings() throws {
    let model = try TinyFolder(.transformer).load()
    let short = try model.generate(request { $0.accelerations = ["taylorseer"] })
    #expect(short.warnings.contains { $0.contains("run of 4 evaluations") })
    let idle = try model.generate(
      request {
        $0.steps = 6
        $0.accelerations = [MethodChoice("first-block-cache", parameters: ["threshold": "1e-9"])]
      })
    #expect(idle.warnings.contains { $0.contains("no effect") })
  }
}
