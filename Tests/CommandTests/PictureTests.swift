import Foundation
import QuickstepFormats
import QuickstepTesting
import Testing

/// Pictures on the command line: what cannot be done is said before anything is done, and nothing is written.
@Suite struct PictureTests {
  struct Mistake: Sendable, CustomTestStringConvertible {
    let arguments: [String]
    let parts: [String]
    var testDescription: String { arguments.joined(separator: " ") }
    init(_ arguments: String, _ parts: String...) {
      (self.arguments, self.parts) = (arguments.split(separator: " ").map(String.init), parts)
    }
  }

  static let mistakes = [
    Mistake("--strength 0.5", "--image"), Mistake("--image a.png --strength 0", "above 0"),
    Mistake("--image a.png --strength 1.01", "up to 1"),
    Mistake("--image a.png --strength nan", "above 0"), Mistake("--mask a.png", "--image"), Mistake("--resize crop", "no effect"),
    Mistake("--image a.png --resize wide", "'stretch'"), Mistake("--image missing.png", "missing.png"),
    Mistake("--image b.png", "b.png", "JPEG", "PNG"), Mistake("--image c.png", "c.png", "empty"),
    Mistake("--image cut.png", "cut.png", "PNG"),
    Mistake("--image a.png --size 32x16", "16x16", "32x16", "--resize"), Mistake("--image odd.png", "15x16", "multiples of 2"),
    Mistake("--image a.png --mask odd.png", "odd.png is 15x16", "16x16"), Mistake("--image a.png --refiner model", "--refiner"),
    Mistake("--handover 0.5", "--refiner"), Mistake("--refiner model --handover 1", "below 1"), Mistake("--refiner nowhere", "nowhere"),
    Mistake("--refiner model --trajectory t", "--trajectory"), Mistake("--control a.png", "--controlnet"),
    Mistake("--controlnet controlnet", "--control"), Mistake("--control-scale 2", "--control"), Mistake("--control-guess", "--control"),
    Mistake("--control-interval 0-1", "--control"), Mistake("--control a.png --controlnet model/vae", "AutoencoderKL", "ControlNetModel"),
    Mistake("--control a.png --controlnet nowhere", "nowhere"), Mistake("--control odd.png --controlnet controlnet", "15x16"),
    Mistake("--control a.png --controlnet controlnet --size 32x32", "16x16", "32x32"),
    Mistake("--control a.png --controlnet controlnet --control-scale inf", "--control-scale"),
    Mistake("--control a.png --controlnet controlnet --control-interval 0.5-0.5", "0.5"),
    Mistake("--control a.png --controlnet controlnet --control-interval 2-3", "0…1"),
    Mistake(
      "--control a.png --control a.png --controlnet controlnet --control-scale 1 --control-scale 2 --control-scale 3", "3 times", "2 times"),
    Mistake("--control a.png --controlnet controlnet --controlnet other", "--controlnet was given 2 times"),
    Mistake("--control a.png --control odd.png --controlnet controlnet", "odd.png is 15x16"),
    Mistake("--cuda-graphs on --device cpu", "--cuda-graphs has no effect"), Mistake("--cuda-graphs perhaps", "'auto'"),
    Mistake("--control a.png --controlnet other", "cross_attention_dim", "[20, 20]", "[12, 12]"),
    Mistake("--size 7x7", "multiples of 2"), Mistake("--size 100000x100000", "4096"),
    Mistake("--size 99999999999999999999x1", "WIDTHxHEIGHT"),
    Mistake("--vae-tiling maybe", "'auto'"), Mistake("--guidance-branches apart", "'together'", "'split'"),
    Mistake("--steps 1001", "1001"),
  ]

  /// A folder with a Stable Diffusion model, two ControlNets, and pictures good and bad.
  private func place() throws -> Workplace {
    let place = try Workplace()
    let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent(
      "QuickstepPipelinesTests/Fixtures")
    func copy(_ from: String, _ to: String) throws {
      try FileManager.default.copyItem(atPath: fixtures.path + "/" + from, toPath: place.path + "/" + to)
    }
    try copy("sd", "model")
    try copy("pictures/parts/controlnet-sd", "controlnet")
    try copy("pictures/parts/controlnet-sdxl", "other")
    let square = try PNG.encode(PixelImage(width: 16, height: 16, fill: RGBColor(10, 200, 30)))
    try place.write(square, "a.png")
    try place.write(Array(square.prefix(square.count / 2)), "cut.png")
    try place.write(PNG.encode(PixelImage(width: 15, height: 16, fill: .white)), "odd.png")
    try place.write([0xFF, 0xD8, 0xFF, 0xE0, 0, 0x10] + Array("JFIF".utf8), "b.png")
    try place.write([UInt8](), "c.png")
    return place
  }

  @Test("a mistake is told with what is allowed, and nothing is written", arguments: mistakes)
  func refused(_ mistake: Mistake) throws {
    let place = try place()
    let result = try place.run(["generate", "mars", "--model", "model", "-o", "out.png"] + mistake.arguments)
    #expect(result.status != 0 && result.status < 128, "\(result.status)")
    for part in mistake.parts { #expect(result.errors.contains(part), "\(result.errors)") }
    #expect(!FileManager.default.fileExists(atPath: place.path + "/out.png"))
  }

  @Test(
    "pictures go in and a picture comes out",
    arguments: [
      "--image a.png --strength 0.5", "--image a.png --mask a.png", "--control a.png --controlnet controlnet",
      "--image odd.png --resize stretch --size 16x16", "--image odd.png --mask a.png --resize crop --size 32x16",
      "--image a.png --control a.png --controlnet controlnet --control-interval 0-0.5 --control-guess", "--vae-tiling on",
      "--guidance-branches split",
    ])
  func made(_ arguments: String) throws {
    let place = try place()
    let words = arguments.split(separator: " ").map(String.init)
    let result = try place.run(["generate", "mars", "--model", "model", "-o", "out.png", "--steps", "3", "--seed", "1", "--json"] + words)
    #expect(result.status == 0, "\(result.errors)")
    let picture = try PNG.read(place.path + "/out.png")
    let size = words.contains("32x16") ? (32, 16) : (16, 16)
    #expect((picture.image.width, picture.image.height) == size)
    let again = try place.run("generate", "--from-image", "out.png", "--model", "model", "-o", "again.png")
    if arguments.hasPrefix("--vae-tiling") || arguments.hasPrefix("--guidance-branches") {
      #expect(again.status == 0, "\(again.errors)")
      #expect(try PNG.read(place.path + "/again.png").image == picture.image)
    } else {
      #expect(again.status != 0 && again.errors.contains("other pictures"), "\(again.errors)")
    }
  }

  @Test func aControlNetInTheModelsFolderIsFound() throws {
    let place = try place()
    try FileManager.default.moveItem(atPath: place.path + "/controlnet", toPath: place.path + "/model/controlnet")
    let arguments = ["generate", "mars", "--model", "model", "--seed", "1", "--steps", "2", "-o", "out.png", "--json"]
    let without = try place.run(arguments)
    #expect(without.status == 0 && without.output.contains("without --control"), "\(without.errors)")
    let before = try PNG.read(place.path + "/out.png").image
    let with = try place.run(arguments + ["--control", "a.png"])
    #expect(with.status == 0 && !with.output.contains("without --control"), "\(with.errors)")
    #expect(try PNG.read(place.path + "/out.png").image != before)
  }

  @Test func twoModelsShareARun() throws {
    let place = try place()
    let arguments = ["generate", "mars", "venus", "--model", "model", "--seed", "1", "--steps", "5", "--json"]
    let alone = try place.run(arguments + ["-o", "alone"])
    #expect(alone.status == 0, "\(alone.errors)")
    // A model refined by itself walks the same way, for a solver without memory.
    let both = try place.run(arguments + ["-o", "both", "--refiner", "model", "--handover", "0.6"])
    #expect(both.status == 0, "\(both.errors)")
    for name in ["mars-00.png", "venus-00.png"] {
      #expect(try PNG.read("\(place.path)/alone/\(name)").image == PNG.read("\(place.path)/both/\(name)").image)
    }
  }
}
