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
    let verdicts = contenders.prefix(2).compactMap { $0["verdict"]?.string }
    #expect(verdicts.count == 2 && verdicts.allSatisfy { ["better", "worse", "even"].contains($0) }, "\(verdicts)")
    #expect(contenders[2]["problem"]?.string?.contains("list of at least 2 blocks") == true && contenders[2]["slower_rival"] == nil)
    try checkTimes(json, steps: 12)
    let sheet = try PNG.read(place.path + "/sheet.png")
    #expect(sheet.image.width > 2 * 28)
    #expect(try PNG.read(place.path + "/plot.png").image.width == 1800)
    #expect(try String(contentsOfFile: place.path + "/table.md", encoding: .utf8).contains("| deepcache:interval=3 |"))
    #expect(try String(contentsOfFile: place.path + "/table.md", encoding: .utf8).contains("| their time |"))
    let alone = try run(
      place, "compare", "3", "-m", "digits", "--steps", "6", "--accelerate", "guidance-cache", "--no-rivals", "--json"
    ).json()
    #expect(alone["fewer_steps"]?.array?.isEmpty == true && alone["contenders"]?.array?.first?["verdict"] == nil)
  }

  /// All times are shares of the exact run's in the same pass, and rivals stand on both sides of a contender's.
  private func checkTimes(_ json: JSONValue, steps: Int) throws {
    func numbers(_ way: JSONValue, _ key: String) throws -> [Double] { try #require(way[key]?.array).compactMap(\.double) }
    func median(_ way: JSONValue) throws -> Double { try #require(way["time"]?["median"]?.double) }
    let exact = try #require(json["exact"])
    #expect(try numbers(exact, "times") == [1, 1] && median(exact) == 1 && exact["steps"]?.integer == steps)
    let fewer = try #require(json["fewer_steps"]?.array)
    let counts = fewer.compactMap { $0["steps"]?.integer }
    #expect(!counts.isEmpty && counts.allSatisfy { (1..<steps).contains($0) } && counts == counts.sorted())
    let contenders = try #require(json["contenders"]?.array).filter { $0["problem"] == nil }
    for way in fewer + contenders {
      let (times, own, beside) = try (numbers(way, "times"), numbers(way, "seconds"), numbers(way, "exact_seconds"))
      #expect(times.count == 2 && zip(times, zip(own, beside)).allSatisfy { abs($0 * $1.1 - $1.0) <= 1e-9 * $1.0 })
    }
    // The exact run took its turn with fewer steps again.
    let first = try numbers(exact, "seconds")
    #expect(try contenders.allSatisfy { try numbers($0, "exact_seconds") == first })
    #expect(try fewer.allSatisfy { try numbers($0, "exact_seconds") != first })
    for contender in contenders {
      let (faster, slower) = (contender["faster_rival"], contender["slower_rival"])
      #expect(faster != nil || slower != nil)
      if let faster { #expect(try median(faster) <= median(contender)) }
      if let slower { #expect(try median(slower) >= median(contender)) }
    }
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

  @Test("models that share a run have a block each, at their evaluations") func sharedPlans() throws {
    let place = try Workplace()
    let methods = ["plan", "--steps", "9", "--accelerate", "stitch:models=emoji-small,fraction=0.45", "--accelerate"]
    let plan = try run(place, methods + ["fora:interval=3", "--png", "plan.png"])
    #expect(plan.status == 0, "\(plan.errors)")
    let blocks = plan.output.split(separator: "emoji (evaluations 4-8)\n").map { $0.split(separator: "\n") }
    try #require(blocks.count == 2)
    #expect(blocks[0].first == "emoji-small (evaluations 0-3)" && blocks[0].count == 1 + 6 * 3)
    let rows = [blocks[0].dropFirst(), blocks[1].prefix { $0.hasPrefix("  blocks.") }]
    #expect(rows[1].count == 8 * 3 && blocks[1].last?.contains("blank: another model's") == true, "\(plan.output)")
    #expect(rows[0].allSatisfy { $0.hasSuffix(" CRRC") } && rows[1].allSatisfy { $0.hasSuffix("     CRRCR") }, "\(plan.output)")
    // No name has a capital letter.
    let places = rows.map { Set($0.compactMap { row in row.firstIndex(of: "C").map { row.distance(from: row.startIndex, to: $0) } }) }
    #expect(places[0].count == 1 && places[1] == Set(places[0].map { $0 + 4 }))
    let alone = try run(place, "plan", "--steps", "9", "--accelerate", "fora:interval=3", "--png", "alone.png")
    #expect(alone.status == 0 && !alone.output.contains("evaluations"))
    let heights = try ["plan", "alone"].map { try PNG.read("\(place.path)/\($0).png").image.height }
    #expect(heights[0] > heights[1], "a row for every site of both models")
    let json = try run(place, methods + ["fora:interval=3", "--json"])
    #expect(json.errors.contains("plans of several models"))
    let models = try #require(json.json()["models"]?.array)
    #expect(models.map { $0["model"]?.string } == ["emoji-small", "emoji"])
    #expect(models.map { $0["first_evaluation"]?.integer } == [0, 4] && models.map { $0["evaluations"]?.integer } == [4, 5])
    #expect(models.map { $0["sites"]?.object?.count } == [18, 24])
    #expect(models.map { $0["sites"]?["blocks.0.ff"]?.string } == ["CRRC", "CRRCR"])
  }

  @Test("what was done in a shared run stands at its model's evaluations") func sharedRuns() throws {
    let place = try Workplace()
    let methods = [
      "plan", "--steps", "9", "--accelerate", "stitch:models=emoji-small,fraction=0.45", "--accelerate", "first-block-cache:threshold=5",
    ]
    let unseen = try run(place, methods)
    #expect(unseen.status == 64 && unseen.errors.contains("--prompt"))
    let seen = try run(place, methods + ["--prompt", "owl"])
    let lines = seen.output.split(separator: "\n").map { $0.split(separator: " ", omittingEmptySubsequences: false) }
    #expect(lines.first?.joined(separator: " ") == "emoji-small (evaluations 0-3)", "\(seen.output) \(seen.errors)")
    let rows = lines.filter { $0.count > 2 && $0[2].hasPrefix("blocks[1..<") }
    #expect(rows.map { $0.last ?? "" } == ["CRRR", "CRRRR"], "\(seen.output)")
    // Names are as long, so that blanks are the evaluations of the other model.
    #expect(rows.count == 2 && rows[1].count == rows[0].count + 4)
    let json = try run(place, methods + ["--prompt", "owl", "--json"]).json()
    let sites = try #require(json["models"]?.array).map { $0["sites"]?.object?.mapValues { $0.string ?? "" } }
    #expect(json["evaluations"]?.integer == 9 && sites == [["blocks[1..<6]": "CRRR"], ["blocks[1..<8]": "CRRRR"]])
    #expect(json["models"]?.array?.allSatisfy { $0["keeps"]?.object?.count == 1 } == true)
    // Nothing but the models themselves.
    let bare = try run(place, "plan", "--steps", "9", "--accelerate", "stitch:models=emoji-small,fraction=1")
    #expect(bare.status == 0 && bare.output.hasPrefix("emoji-small (evaluations 0-8)\n\nC computed"), "\(bare.output)")
  }

  @Test("recipes run at their guidance scale, which has to be one")
  func recipes() throws {
    let place = try Workplace()
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    var members = try #require(try JSONValue(path: root.path + "/Models/digits/recipe.json").object)
    let steps = try #require(members["sampling"]?["steps"]?.integer)
    try place.write(JSONValue.object(members).text, "a.json")
    let scale = try #require(members["guidance_scale"]?.double)
    members["guidance_scale"] = .number(scale + 1.25)
    try place.write(JSONValue.object(members).text, "b.json")
    let apart = try run(place, "compare", "3", "-m", "digits", "--recipe", "a.json", "--recipe", "b.json")
    #expect(apart.status != 0 && apart.errors.contains("different guidance scales (a.json: \(scale), b.json: \(scale + 1.25))"))
    let result = try run(place, "compare", "3", "-m", "digits", "--steps", "8", "--recipe", "b.json", "--no-rivals", "--json")
    #expect(result.status == 0, "\(result.errors)")
    let json = try result.json()
    #expect(json["title"]?.string?.contains("guidance \(scale + 1.25)") == true, "\(result.output.prefix(300))")
    #expect(json["contenders"]?.array?.first?["evaluations"]?.integer == steps)
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
