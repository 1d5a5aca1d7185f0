import Foundation
import QuickstepFormats
import Testing

/// `compare`, `plan` and `generate --accelerate`, as they are typed.
@Suite struct CompareTests {
  private func run(_ place: Workplace, _ arguments: String...) throws -> CommandResult { try run(place, arguments) }

  /// With the built-in models at hand.
  private func run(_ place: Workplace, _ arguments: [String]) throws -> CommandResult {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    return try place.run(arguments, environment: ["QUICKSTEP_MODELS": root.appending(path: "Models").path])
  }

  @Test func comparisonsHaveRivalsAndFigures() throws {
    let place = try Workplace()
    let result = try run(
      place, "compare", "3", "7", "-m", "digits", "--steps", "12", "--accelerate", "deepcache:interval=3", "--accelerate",
      "steps=8 + guidance-cache", "--accelerate", "taylorseer", "--sheet", "sheet.png", "--plot", "plot.png", "--markdown", "table.md",
      "--json")
    #expect(result.status == 0, "\(result.errors)")
    let json = try result.json()
    let contenders = try #require(json["contenders"]?.array)
    #expect(contenders.count == 3)
    #expect(contenders[0]["psnr"]?.double ?? 0 > 10 && contenders[0]["evaluations"]?.integer == 24)
    #expect(contenders[1]["evaluations"]?.integer == 16)
    // Multiplications tell what is left out around the network too, where nobody counts modules.
    let works = contenders.prefix(2).compactMap { $0["work"]?.double }
    #expect(works.count == 2 && works.allSatisfy { $0 > 0.05 && $0 < 0.9 } && works[1] < 8.0 / 12, "\(works)")
    #expect(contenders[0]["computed_modules"]?.double != nil && contenders[1]["computed_modules"] == .null)
    let verdicts = contenders.prefix(2).compactMap { $0["rival"] == nil ? "none" : $0["verdict"]?.string }
    #expect(verdicts.count == 2 && verdicts.allSatisfy { ["better", "worse", "even", "none"].contains($0) }, "\(verdicts)")
    #expect(contenders[2]["problem"]?.string?.contains("list of at least 2 blocks") == true)
    let sheet = try PNG.read(place.path + "/sheet.png")
    #expect(sheet.image.width > 2 * 28)
    #expect(try PNG.read(place.path + "/plot.png").image.width == 1800)
    #expect(try String(contentsOfFile: place.path + "/table.md", encoding: .utf8).contains("| deepcache:interval=3 |"))
  }

  @Test(
    "plans hold what a method keeps: residuals, differences", arguments: ["guidance-cache:interval=3", "magcache:threshold=1,ratios=1"])
  func plansAreFollowed(_ method: String) throws {
    let place = try Workplace()
    let plan = try run(place, "plan", "--steps", "9", "--accelerate", method, "--prompt", "owl", "--json")
    #expect(plan.status == 0 && plan.output.contains("keeps") && !plan.errors.contains("something else"), "\(plan.errors)")
    try plan.output.write(toFile: place.path + "/plan.json", atomically: true, encoding: .utf8)
    let pictures = try [method, "plan:file=plan.json"].enumerated().map { index, choice in
      let made = try run(place, "generate", "owl", "--seed", "1", "--steps", "9", "--accelerate", choice, "-o", "\(index).png", "-q")
      #expect(made.status == 0, "\(made.errors)")
      return try PNG.read("\(place.path)/\(index).png").image.pixels
    }
    #expect(pictures[0] == pictures[1])
  }

  @Test func plansArePrintedDrawnAndTakenBack() throws {
    let place = try Workplace()
    let plan = try run(place, "plan", "--steps", "9", "--accelerate", "taylorseer:interval=3,order=2", "--json", "--png", "plan.png")
    #expect(plan.status == 0 && plan.output.contains("CCC22C22C"), "\(plan.errors)")
    #expect(try PNG.read(place.path + "/plan.png").image.height > 40)
    try plan.output.write(toFile: place.path + "/plan.json", atomically: true, encoding: .utf8)
    func bytes(_ choice: String, _ name: String) throws -> [UInt8] {
      let made = try run(place, "generate", "owl", "--seed", "1", "--steps", "9", "--accelerate", choice, "-o", name, "-q")
      #expect(made.status == 0, "\(made.errors)")
      return try PNG.read(place.path + "/" + name).image.pixels
    }
    #expect(try bytes("plan:file=plan.json", "a.png") == bytes("taylorseer:interval=3,order=2", "b.png"))
    let dynamic = try run(place, "plan", "--steps", "9", "--accelerate", "first-block-cache")
    #expect(dynamic.status == 64 && dynamic.errors.contains("--prompt"))
    let observed = try run(place, "plan", "--steps", "9", "--accelerate", "first-block-cache:threshold=5", "--prompt", "owl")
    #expect(observed.status == 0 && observed.output.contains("CRRRRRRRR"), "\(observed.output)")
  }

  @Test(arguments: [
    (["compare", "3", "-m", "digits"], 64, "--accelerate"),
    (["compare", "3", "-m", "digits", "--accelerate", "nothing"], 64, "nothing"),
    (["compare", "3", "-m", "digits", "--steps", "1", "--accelerate", "fora"], 64, "below 2"),
    (["plan", "--accelerate", "deepcache"], 1, "U-Net"),
    (["generate", "3", "-m", "digits", "--accelerate", "deepcache:interval=0"], 1, "interval"),
    (["generate", "3", "-m", "digits", "--accelerate", "deepcache:branch=77"], 1, "skip connections"),
    (["generate", "owl", "--accelerate", "stitch:models=nowhere"], 1, "nowhere"),
  ])
  func mistakes(_ arguments: [String], _ status: Int32, _ words: String) throws {
    let result = try run(Workplace(), arguments)
    #expect(result.status == status && result.errors.contains(words), "\(result.status) \(result.errors)")
  }

  @Test func reportsSayWhatWasLeftOut() throws {
    let place = try Workplace()
    let result = try run(
      place, "generate", "3", "-m", "digits", "--steps", "10", "--accelerate", "deepcache:interval=5", "-o", "a.png", "--json", "-q")
    let json = try result.json()
    let report = try #require(json["accelerators"]?.array?.first)
    #expect(report["computed"]?.integer == 2 && report["saved"]?.integer == 8 && json["exactness"]?.string == "approximate")
    #expect(report["actions"]?["inner.0"]?.string == "CRRRRCRRRR")
  }
}
