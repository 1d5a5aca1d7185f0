import Foundation
import QuickstepAcceleration
import QuickstepFormats
import QuickstepPipelines
import QuickstepTensor
import QuickstepTesting
import Testing

/// Runs that begin with pictures or are steered by them, against diffusers.
@Suite struct PicturePipelineTests {
  private func folder(_ base: String) -> String { "\(Goldens.root)/\(base)" }

  @Test("image-to-image is that of the reference", arguments: ["sd", "sdxl"])
  func imageToImage(_ base: String) throws {
    let fixture = try PictureFixture(base + "-image")
    var request = try fixture.request()
    request.pictures.start = StartImage(try fixture.picture("image"), strength: fixture.number("strength"))
    let result = try LoadedModel(folder: folder(base)).generate(request)
    try fixture.expectEqual(result)
    #expect(result.evaluations == 10 && result.warnings.isEmpty, "\(result.warnings)")
    let record = try #require(result.images.first?.settings.pictures)
    #expect(record.strength == fixture.number("strength") && record.start != nil && record.mask == nil)
  }

  @Test(
    "inpainting is that of the reference, with networks that are told the mask and with others",
    arguments: ["sd-inpaint", "sd-inpaint-part", "sd-inpaint-told", "sdxl-inpaint"])
  func inpainting(_ name: String) throws {
    let fixture = try PictureFixture(name)
    var request = try fixture.request()
    request.pictures.start = StartImage(try fixture.picture("image"), strength: fixture.number("strength"))
    request.pictures.mask = InpaintMask(try fixture.picture("mask"))
    let base = try #require(fixture.settings["model"]?.string)
    let copy =
      fixture.settings["told"] == .bool(true)
      ? try PictureFixture.folder(base, replacing: ["unet": "unet-inpaint"], class: "StableDiffusionInpaintPipeline") : nil
    let model = try LoadedModel(folder: copy.map { $0.path + "/model" } ?? folder(base))
    try fixture.expectEqual(model.generate(request))
    if copy != nil {
      request.pictures.mask = nil
      let error = #expect(throws: GenerationError.self) { try model.generate(request) }
      #expect("\(try #require(error))".contains("--mask"))
    }
  }

  @Test("ControlNet is that of the reference", arguments: ["sd-control", "sd-control-guess", "sdxl-control", "sd-control-image"])
  func control(_ name: String) throws {
    let fixture = try PictureFixture(name)
    var request = try fixture.request()
    let base = try #require(fixture.settings["model"]?.string)
    let model = try LoadedModel(folder: folder(base))
    let settings = try #require(fixture.settings["control"])
    var control = try ControlInput(folder: "\(PictureFixture.root)/parts/controlnet-\(base)", picture: fixture.picture("control"))
    control.scale = fixture.number("scale", of: settings) ?? 1
    control.interval = (fixture.number("start", of: settings) ?? 0)...(fixture.number("end", of: settings) ?? 1)
    control.guesses = settings["guess"] == .bool(true)
    request.pictures.controls = [control]
    if let strength = fixture.number("strength") {
      request.pictures.start = StartImage(try fixture.picture("image"), strength: strength)
    }
    try fixture.expectEqual(model.generate(request))
    // Without it the run is another one: the comparison above would notice.
    request.pictures.controls = []
    let other = Dictionary(uniqueKeysWithValues: try model.generate(request).trajectory)
    #expect(try PictureFixture.gap(#require(other["final"]), fixture.file.tensor("final")) > 1e-2)
  }

  @Test("what several ControlNets add is summed, as in the reference", arguments: ["sd-controls", "sd-controls-guess"])
  func severalControls(_ name: String) throws {
    let fixture = try PictureFixture(name)
    var request = try fixture.request()
    let model = try LoadedModel(folder: folder("sd"))
    let settings = try #require(fixture.settings["controls"])
    func numbers(_ key: String) throws -> [Double] { try #require(settings[key]?.array).compactMap(\.double) }
    let (scales, starts, ends) = (try numbers("scales"), try numbers("starts"), try numbers("ends"))
    var controls = try [("controlnet-sd", "control"), ("controlnet-sd-grey", "control.1")].map { part, picture in
      try ControlInput(folder: "\(PictureFixture.root)/parts/\(part)", picture: fixture.picture(picture))
    }
    for index in controls.indices {
      (controls[index].scale, controls[index].interval) = (scales[index], starts[index]...ends[index])
      controls[index].guesses = settings["guess"] == .bool(true)
    }
    request.pictures.controls = controls
    let result = try model.generate(request)
    try fixture.expectEqual(result)
    #expect(try #require(result.images.first).settings.pictures?.controls?.map(\.scale) == scales)
    // Either of them counts.
    for index in controls.indices {
      request.pictures.controls = [controls[index]]
      let other = Dictionary(uniqueKeysWithValues: try model.generate(request).trajectory)
      #expect(try PictureFixture.gap(#require(other["final"]), fixture.file.tensor("final")) > 1e-2)
    }
  }

  @Test("prompts of different lengths are steered one by one", arguments: [false, true])
  func controlOfSplitBranches(_ guesses: Bool) throws {
    let fixture = try PictureFixture("sd-control")
    let model = try LoadedModel(folder: folder("sd"))
    var control = try ControlInput(folder: "\(PictureFixture.root)/parts/controlnet-sd", picture: fixture.picture("control"))
    control.guesses = guesses
    func final(_ prompt: String, scale: Double, _ control: ControlInput?) throws -> Tensor {
      var request = GenerationRequest(prompts: [prompt], seeds: [7])
      (request.weighting, request.guidanceScale, request.steps, request.solver) = (.a1111, scale, 1, "ddim")
      (request.pictures.controls, request.pictures.fit, request.recordsTrajectory) = (control.map { [$0] } ?? [], .stretch, true)
      return try #require(try model.generate(request).trajectory.first { $0.name == "final" }).tensor
    }
    let long = Array(repeating: "a (red:1.3) fox", count: 60).joined(separator: " ")
    let whole = try final(long, scale: 3, control)
    // One step of DDIM is linear in what guidance adds up.
    let (asked, avoided) = (try final(long, scale: 1, control), try final("", scale: 1, guesses ? nil : control))
    let expected = try withTensorErrors { asked * 3 - avoided * 2 }
    #expect(try PictureFixture.gap(whole, expected) < 1e-4)
    let other = try withTensorErrors { try asked * 3 - final("", scale: 1, guesses ? control : nil) * 2 }
    #expect(try PictureFixture.gap(whole, other) > 1e-3)
  }

  @Test func theRefinerGoesOnWhereTheBaseStops() throws {
    let fixture = try PictureFixture("sdxl-refined")
    let part = try #require(fixture.number("part"))
    let done = try #require(fixture.settings["first"]?.integer)
    var request = try fixture.request()
    (request.span, request.stopsAtLatents) = (0...part, true)
    let base = try LoadedModel(folder: folder("sdxl")).generate(request)
    try fixture.expectEqual(base, count: done, hasPictures: false)
    #expect(base.images.isEmpty && base.evaluations == done)
    // Methods plan the steps of this model and not those after them.
    request.accelerations = [try MethodChoice(parsing: "fora:interval=2")]
    let plan = try ImagePipeline(LoadedModel(folder: folder("sdxl"))).plan(of: request)
    #expect(plan.parts.map(\.evaluations) == [0..<done] && plan.parts[0].plan.evaluations == done)
    let copy = try PictureFixture.folder("sdxl", replacing: ["unet": "unet-refiner"], class: "StableDiffusionXLImg2ImgPipeline")
    let path = copy.path + "/model/model_index.json"
    let stored = try JSONValue(path: path)
    var index = try #require(stored.object)
    index["text_encoder"] = .array([.null, .null])
    index["requires_aesthetics_score"] = .bool(true)
    try JSONValue.object(index).text.write(toFile: path, atomically: true, encoding: .utf8)
    let refiner = try LoadedModel(folder: copy.path + "/model")
    request = try fixture.request()
    (request.span, request.given, request.pictures.handover) = (part...1, GivenTensors(), base.latents)
    let result = try refiner.generate(request)
    try fixture.expectEqual(result, first: done)
    #expect(result.images.count == 2 && result.images[0].settings.pictures?.from == part)
    // A solver that draws noise must not draw again what the state began with, and one seed gives one picture.
    request.solver = "euler-a"
    #expect(try refiner.pictures(request) == refiner.pictures(request))
  }

  @Test("pictures are resized as Pillow does with Lanczos' filter", arguments: ["40x24", "7x5", "16x9", "33x16"])
  func resizing(_ size: String) throws {
    let fixture = try PictureFixture("resizing")
    let sides = size.split(separator: "x").compactMap { Int($0) }
    let picture = try fixture.picture("image")
    let resized = try picture.resized(width: sides[0], height: sides[1], .stretch)
    let difference = try withTensorErrors { (resized.pixels + 1) * 127.5 - (try fixture.file.tensor(size)) }
    #expect(try withTensorErrors { difference.abs().max() }.item() <= 1e-3, "of 255")
  }

  @Test func croppingTakesTheMiddle() throws {
    let wide = try InputPicture(
      withTensorErrors { Tensor.linspace(-1, end: 1, steps: 8).reshape([1, 1, 8]).expand([3, 4, 8]).contiguous() })
    let cropped = try wide.resized(width: 4, height: 4, .crop)
    let middle = try withTensorErrors { wide.pixels.narrow(2, start: 2, length: 4).contiguous() }
    #expect(try cropped.pixels.hasBits(of: middle))
    #expect(try wide.resized(width: 8, height: 4, .exact).pixels.hasBits(of: wide.pixels))
    #expect(throws: GenerationError.self) { try wide.resized(width: 4, height: 4, .exact) }
  }

  @Test("cropping makes what is kept alone: that of the whole, and of pictures whose whole would fill no memory")
  func croppingNarrowPictures() throws {
    let noise = try Tensor.randn([3, 9, 40], generator: Generator(seed: 3)).clamp(min: -1, max: 1)
    for (pixels, side) in [(noise, 24), (noise.transposed.contiguous(), 24), (noise, 7)] {
      let picture = try InputPicture(pixels)
      let scale = max(Double(side) / Double(picture.width), Double(side) / Double(picture.height))
      let (wide, high) = (Int((Double(picture.width) * scale).rounded()), Int((Double(picture.height) * scale).rounded()))
      let whole = try picture.resized(width: wide, height: high, .stretch).pixels
      let middle = try withTensorErrors {
        whole.narrow(1, start: (high - side) / 2, length: side).narrow(2, start: (wide - side) / 2, length: side).contiguous()
      }
      #expect(try picture.resized(width: side, height: side, .crop).pixels.largestDifference(from: middle) <= 1e-6)
    }
    // A ramp along the long side, of which the middle is left: one pixel of it.
    let ramp = try withTensorErrors {
      Tensor.linspace(-1, end: 1, steps: 16384).reshape([1, 1, 16384]).expand([3, 1, 16384]).contiguous()
    }
    for pixels in [ramp, try withTensorErrors { ramp.transposed.contiguous() }] {
      let cropped = try InputPicture(pixels).resized(width: 512, height: 512, .crop).pixels
      #expect(cropped.shape == [3, 512, 512])
      #expect(try withTensorErrors { cropped.abs().max() }.item() <= 1e-3)
      let along = cropped.size(1) == cropped.size(2) && pixels.size(2) > pixels.size(1) ? 2 : 1
      let (first, last) = try withTensorErrors {
        (cropped.narrow(along, start: 0, length: 1).mean(), cropped.narrow(along, start: 511, length: 1).mean())
      }
      #expect(try first.item() < -1e-5 && last.item() > 1e-5)
    }
  }

  // Models without a codec.

  private func red(_ side: Int = 8) throws -> InputPicture {
    try InputPicture(PixelImage(width: side, height: side, fill: RGBColor(200, 30, 60)))
  }

  @Test("pictures begin runs of models without a codec", arguments: TinyFolder.Kind.allCases)
  func pixels(_ kind: TinyFolder.Kind) throws {
    let model = try TinyFolder(kind).load()
    let prompt = kind == .classes ? "1" : "red fox"
    func made(_ strength: Double, _ mask: InputPicture? = nil) throws -> Tensor {
      var request = request(prompt) { $0.steps = 8 }
      request.pictures.start = StartImage(try red(), strength: strength)
      request.pictures.mask = mask.map { InpaintMask($0) }
      return try #require(try model.generate(request).images.first).pixels
    }
    let start = try made(0.125)
    #expect(try withTensorErrors { start.isFinite().all() }.item() == 1)
    #expect(try PictureFixture.gap(start, made(1)) > 1e-3)
    // What is kept stays exactly as it was.
    let half = try InputPicture(withTensorErrors { Tensor.cat([Tensor.ones([1, 8, 4]), Tensor.ones([1, 8, 4]) * -1], dim: 2) })
    let painted = try made(1, half)
    let kept = try withTensorErrors { painted.narrow(2, start: 4, length: 4).contiguous() }
    let given = try red().pixels
    let original = try withTensorErrors {
      let picture = given
      let weights = Tensor([0.299, 0.587, 0.114] as [Float], shape: [3, 1, 1])
      let seen = painted.size(0) == 1 ? (picture * weights).sum([0], keepdim: true) : picture
      return seen.narrow(2, start: 4, length: 4).contiguous()
    }
    #expect(try kept.hasBits(of: original))
    let changed = try withTensorErrors { painted.narrow(2, start: 0, length: 4).contiguous() }
    #expect(try !changed.hasBits(of: original))
  }

  @Test func aPictureDoesNotDependOnItsBatchOrOnEarlierRuns() throws {
    let model = try TinyFolder().load()
    var one = request(seed: 5) { $0.steps = 4 }
    one.pictures.start = StartImage(try red(), strength: 0.5)
    one.solver = "euler-a"
    let alone = try model.pictures(one)
    var two = GenerationRequest(prompts: ["red fox", "green cat"], seeds: [5, 6])
    (two.steps, two.solver, two.pictures) = (4, "euler-a", one.pictures)
    #expect(try model.pictures(two)[0] == alone[0])
    #expect(try model.pictures(one) == alone)
  }
}
