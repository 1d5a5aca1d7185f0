import Foundation
import QuickstepFormats
import Testing

/// What `compare` and `plan` tell besides pictures: shares of modules, warnings, and figures that are left out.
@Suite struct CompareFigureTests {
  private static let models = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Models").path
  // Absolute: commands run in a folder of their own.
  private static let data = (try? DataLocation.find("weights/squeezenet")).map {
    URL(fileURLWithPath: $0).deletingLastPathComponent().deletingLastPathComponent().path
  }
  private static let weights = "weights/squeezenet/squeezenet1_0_caffe_fp16.safetensors"

  /// With the built-in models at hand.
  private func run(_ place: Workplace, _ arguments: [String], data: String = "") throws -> CommandResult {
    try place.run(arguments, environment: ["QUICKSTEP_MODELS": Self.models, "QUICKSTEP_DATA": data])
  }

  private func contender(_ result: CommandResult) throws -> JSONValue {
    #expect(result.status == 0, "\(result.errors)")
    return try #require(result.json()["contenders"]?.array?.first)
  }

  @Test("modules of a shared run are a share of each model's own")
  func sharedModules() throws {
    let place = try Workplace()
    let methods = ["stitch:models=emoji-small,fraction=0.45", "fora:interval=3"]
    let plan = try run(place, ["plan", "--steps", "9", "--json"] + methods.flatMap { ["--accelerate", $0] })
    let codes = try #require(plan.json()["models"]?.array).flatMap { $0["sites"]?.object?.values.compactMap(\.string) ?? [] }.joined()
    let expected = Double(codes.count { $0 == "C" }) / Double(codes.count)
    #expect(abs(expected - 84.0 / 192) < 1e-12, "\(codes.count)")
    let compared = try run(
      place, ["compare", "owl", "--steps", "9", "--accelerate", methods.joined(separator: " + "), "--no-rivals", "--json"])
    let share = try #require(try contender(compared)["computed_modules"]?.double)
    #expect(abs(share - expected) < 1e-9, "\(share), \(expected) planned")
  }

  @Test("a model in whose part nothing acts computes all of its modules")
  func idleParts() throws {
    let place = try Workplace()
    func share(_ methods: String) throws -> Double {
      let result = try run(place, ["compare", "owl", "-m", "emoji-unet", "--steps", "8", "--accelerate", methods, "--no-rivals", "--json"])
      return try #require(try contender(result)["computed_modules"]?.double)
    }
    // Both halves of the run hold the same plan; in the first one a network without skip connections computes its 18 modules four times.
    let (alone, shared) = (try share("deepcache:interval=4"), try share("stitch:models=emoji-small,fraction=0.5 + deepcache:interval=4"))
    #expect(alone > 0 && alone < shared && shared < 1, "\(alone), \(shared)")
    // shared = (18 + alone·u) / (18 + u) for the U-Net's modules u, a whole number.
    let modules = 18 * (1 - shared) / (shared - alone)
    #expect(abs(modules - modules.rounded()) < 1e-6, "\(modules)")
  }

  @Test(
    "plans tell what is to be known of the request",
    arguments: [
      (["--steps", "4", "--accelerate", "fora"], "a run of 4 evaluations"),
      (["--steps", "9", "--accelerate", "stitch:models=emoji-small,fraction=0.01", "--accelerate", "fora"], "is none of the 9 steps"),
      (["--steps", "9", "-m", "emoji-unet", "--accelerate", "deepcache:control=reuse"], "no ControlNet for control=reuse"),
    ])
  func planWarnings(_ arguments: [String], _ words: String) throws {
    for prompt in [[], ["--prompt", "owl"]] {
      let result = try run(Workplace(), ["plan"] + arguments + prompt)
      #expect(result.status == 0 && result.errors.components(separatedBy: words).count == 2, "\(result.errors)")
    }
    let quiet = try run(Workplace(), ["plan", "--steps", "9", "--accelerate", "fora"])
    #expect(quiet.status == 0 && !quiet.errors.contains("warning"), "\(quiet.errors)")
  }

  @Test("pages list warnings") func pages() throws {
    let place = try Workplace()
    func page(_ steps: String) throws -> String {
      let result = try run(
        place, ["compare", "owl", "--steps", steps, "--accelerate", "fora", "--no-rivals", "--markdown", "table.md"])
      #expect(result.status == 0, "\(result.errors)")
      return try String(contentsOfFile: place.path + "/table.md", encoding: .utf8)
    }
    #expect(try page("4").contains("\n- fora: a run of 4 evaluations"))
    #expect(try !page("6").contains("Warnings"))
  }

  private static let compared = ["compare", "3", "7", "-m", "digits", "--steps", "6", "--accelerate", "deepcache", "--no-rivals", "--json"]

  @Test("figures that are left out are told, and a broken network is an error") func missingNetwork() throws {
    let without = try run(Workplace(), Self.compared)
    #expect(without.errors.contains("distance are left out") && without.errors.contains("weights/squeezenet"), "\(without.errors)")
    let bare = try contender(without)
    #expect(bare["psnr"] != nil && bare["perceptual"] == nil && bare["frechet"] == nil)
    let place = try Workplace()
    try place.write("no tensors", "data/" + Self.weights)
    let broken = try run(place, Self.compared)
    #expect(broken.status != 0 && broken.errors.contains("squeezenet1_0_caffe_fp16"), "\(broken.errors)")
  }

  @Test("with the network they are there", .enabled(if: data != nil, "needs QUICKSTEP_DATA")) func network() throws {
    let result = try run(Workplace(), Self.compared, data: Self.data ?? "")
    let figures = try contender(result)
    #expect(!result.errors.contains("left out"), "\(result.errors)")
    #expect(figures["perceptual"]?.double ?? 0 > 0 && figures["frechet"]?.double != nil)
  }
}
