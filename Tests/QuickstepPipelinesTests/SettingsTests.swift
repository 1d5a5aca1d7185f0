import Foundation
import QuickstepAcceleration
import QuickstepDiffusion
import QuickstepFormats
import QuickstepNN
import QuickstepPipelines
import QuickstepTensor
import QuickstepTesting
import Testing

/// A picture can be made again from what is stored in it.
@Suite struct SettingsTests {
  struct Variant: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let change: @Sendable (inout GenerationRequest) -> Void
    init(_ name: String, _ change: @escaping @Sendable (inout GenerationRequest) -> Void) {
      (testDescription, self.change) = (name, change)
    }
  }

  static let variants = [
    Variant("defaults") { _ in },
    Variant("solver with a parameter") { ($0.solver, $0.solverParameters) = ("ddim", ["eta": "0.7"]) },
    Variant("foreign name with a parameter") { $0.solver = "PLMS" },
    Variant("foreign name, parameter overridden") { ($0.solver, $0.solverParameters) = ("PLMS", ["order": "2"]) },
    Variant("foreign name with a grid") { $0.solver = "DPM++ 2M Karras" },
    Variant("two foreign names") { ($0.solver, $0.spacing) = ("dpm_2_ancestral", "sgm_uniform") },
    Variant("levels one by one") { ($0.spacing, $0.spacingParameters) = ("explicit", ["timesteps": "999,500,20.5"]) },
    Variant("grid with a parameter") { ($0.spacing, $0.spacingParameters) = ("karras", ["rho": "3"]) },
    Variant("leading grid") { $0.spacing = "leading" },
    Variant("no style") { $0.style = "none" },
    Variant("another style") { $0.style = "mono" },
    Variant("guidance interval") { ($0.guidanceScale, $0.guidanceInterval) = (3.25, 0.25...0.75) },
    Variant("branches apart") { $0.guidanceBatching = .split },
    Variant("no guidance") { $0.guidanceScale = 1 },
    Variant("negative prompt") { $0.negative = "green cat" },
    Variant("corrections") { $0.corrections = ["clip"] },
    Variant("correction with a parameter") { $0.corrections = ["clip", MethodChoice("dynamic-threshold", parameters: ["ratio": "0.9"])] },
    Variant("size") { ($0.width, $0.height) = (12, 16) },
    Variant("large seed") { $0.seeds = [.max] },
    Variant("odd prompt") { $0.prompts = ["  Red FOX,\nSteps: 7 \"ü\" 🦊, Seed: 3\n"] },
    Variant("ancestral") { ($0.solver, $0.steps) = ("Euler a", 7) },
  ]

  @Test("settings in a PNG make the picture again, bit for bit", arguments: variants)
  func repeatable(_ variant: Variant) throws {
    let model = try TinyFolder().load()
    let first = try #require(try model.generate(request(seed: 9, variant.change)).images.first)
    let png = try PNG.encode(PixelImage(tensor: first.pixels), text: first.settings.chunks())
    let file = try PNG.decode(png, name: "x.png")
    let settings = try GenerationSettings.read(from: file, path: "x.png")
    #expect(settings == first.settings)
    let again = try #require(try model.generate(GenerationRequest(repeating: settings)).images.first)
    #expect(try again.pixels.hasBits(of: first.pixels))
    #expect(again.settings == first.settings)
    // The form for other programs says the same.
    let parameters = GenerationParameters(parsing: try #require(file.text("parameters")))
    #expect(
      parameters.prompt == first.settings.prompt && parameters.seed == first.settings.seed && parameters.steps == first.settings.steps)
  }

  @Test func settingsAreJSON() throws {
    let model = try TinyFolder().load()
    let settings = try #require(try model.generate(request(seed: .max) { $0.guidanceScale = 0.1 + 0.2 }).images.first).settings
    let text = try settings.json()
    #expect(try JSONDecoder().decode(GenerationSettings.self, from: Data(text.utf8)) == settings)
    let value = try JSONValue(parsing: text)
    #expect(value["prompt"] == .string("red fox") && value["solver"] == .string("ddim") && value["steps"] == .integer(4))
    #expect(text.contains("\"seed\":18446744073709551615") && text.contains("0.30000000000000004"))
  }

  @Test("files and models that a picture depends on are known by their checksums")
  func dependencies() throws {
    let (tiny, place) = (try TinyFolder(.transformer), try TemporaryFolder())
    let model = try tiny.load()
    let path = place.path + "/plan.json"
    try place.write(
      SitePlan(evaluations: 4, actions: ["blocks.0.ff": [SiteAction](codes: "CRCR", of: "blocks.0.ff")]).json(), to: "plan.json")
    let base = request(seed: 9) {
      $0.accelerations = [
        MethodChoice("plan", parameters: ["file": path]), MethodChoice("stitch", parameters: ["models": tiny.path, "fraction": "0"]),
      ]
    }
    let plain = try #require(try model.generate(request(seed: 9)).images.first).settings
    #expect(plain.files == nil && plain.companions == nil && plain.changes() == [])
    let settings = try #require(try model.generate(base).images.first).settings
    #expect(settings.files.map { Array($0.keys) } == [path] && settings.changes() == [])
    let read = try JSONDecoder().decode(GenerationSettings.self, from: Data(settings.json().utf8))
    #expect(read == settings && read.changes() == [])
    try place.write(
      SitePlan(evaluations: 4, actions: ["blocks.0.ff": [SiteAction](codes: "CCCR", of: "blocks.0.ff")]).json(), to: "plan.json")
    #expect(read.changes().count == 1 && read.changes()[0].contains("'\(path)' has changed"), "\(read.changes())")
    try FileManager.default.removeItem(atPath: path)
    #expect(read.changes().count == 1 && read.changes()[0].contains("is not there any more"))
    // A model that does a part of the run.
    let shared = request(seed: 9) { $0.accelerations = [MethodChoice("stitch", parameters: ["models": tiny.path, "fraction": "0.5"])] }
    let companions = try ImagePipeline.companions(of: shared, like: model)
    var own = try #require(try ImagePipeline(model, companions: companions).generate(shared).images.first).settings
    #expect(own.companions == [tiny.path: model.fingerprint] && own.changes(companions: companions) == [])
    own.companions = [tiny.path: "0123456789"]
    #expect(own.changes(companions: companions).first?.contains("(0123456789 then, \(model.fingerprint) now)") == true)
    withExtendedLifetime((tiny, place)) {}
  }

  @Test func picturesWithoutSettingsAreRefused() throws {
    let image = PixelImage(width: 2, height: 2, fill: .white)
    func read(_ text: [PNGText]) throws {
      _ = try GenerationSettings.read(from: PNG.decode(PNG.encode(image, text: text), name: "x.png"), path: "photo.png")
    }
    let none = #expect(throws: FormatError.self) { try read([]) }
    #expect(try #require(none).description == "photo.png: holds no settings of quickstep")
    let foreign = #expect(throws: FormatError.self) { try read([PNGText("parameters", "a fox\nSteps: 3, Seed: 1")]) }
    #expect(try #require(foreign).description.contains("another program"))
    for text in ["", "{", "{}", "[1]", "{\"steps\": \"many\"}"] {
      let damaged = #expect(throws: FormatError.self) { try read([PNGText("quickstep", text)]) }
      #expect(try #require(damaged).description.hasPrefix("photo.png") && #require(damaged).description.contains("settings"))
    }
  }

  @Test(
    "hostile settings are errors, not the end",
    arguments: [
      "\"steps\":0", "\"steps\":-5", "\"steps\":9223372036854775807", "\"width\":0", "\"width\":-8", "\"height\":1000000",
      "\"guidanceStart\":-1",
      "\"guidanceEnd\":9", "\"solver\":\"none\"", "\"spacing\":\"\"", "\"corrections\":[{\"name\":\"x\",\"parameters\":{}}]",
      "\"guidanceScale\":1e308", "\"style\":\"gothic\"",
    ])
  func hostile(_ change: String) throws {
    let model = try TinyFolder().load()
    let settings = try #require(try model.generate(request()).images.first).settings
    var members = try #require(try JSONValue(parsing: settings.json()).object)
    members.merge(try #require(try JSONValue(parsing: "{\(change)}").object)) { $1 }
    let hostile = try JSONDecoder().decode(GenerationSettings.self, from: Data(JSONValue.object(members).text.utf8))
    #expect(throws: (any Error).self) { try model.generate(GenerationRequest(repeating: hostile)) }
  }
}
