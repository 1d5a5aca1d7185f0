import Foundation
import QuickstepFormats
import QuickstepTesting
import Testing

/// What `generate` writes and tells, and what is said beforehand when it could not be written.
@Suite struct OutputTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()
  private static let builtIn = ["QUICKSTEP_MODELS": root.appendingPathComponent("Models").path]

  /// A folder with a small Stable Diffusion model, and a file where somebody may expect a folder.
  private func place() throws -> Workplace {
    let place = try Workplace()
    let fixture = Self.root.appendingPathComponent("Tests/QuickstepPipelinesTests/Fixtures/sd")
    try FileManager.default.copyItem(at: fixture, to: URL(fileURLWithPath: place.path + "/model"))
    try place.write("what somebody wrote", "notes")
    return place
  }

  private static let generate = ["generate", "mars", "--model", "model", "--steps", "2", "--seed", "1"]

  private func names(_ place: Workplace, _ folder: String = "") throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: place.path + "/" + folder).filter { !$0.hasPrefix(".") }.sorted()
  }

  static let unwritable: [([String], String)] = [
    (["-o", "notes"], "--output 'notes' cannot be written: 'notes' is a file"),
    (["-o", "notes/fox.png"], "'notes' is a file"), (["-o", "notes/deep/folder"], "'notes' is a file"),
    (["-o", "folder.png"], "--output 'folder.png' is a folder"),
    (["-o", String(repeating: "x", count: 252) + ".png"], "cannot be written: File name too long"),
    (["-o", "new/" + String(repeating: "x", count: 252) + ".png"], "256 bytes"),
    (["-o", "fox.png", "--sheet", "model"], "--sheet 'model' is a folder"),
    (["-o", "fox.png", "--sheet", "notes/all.png"], "--sheet 'notes/all.png' cannot be written"),
    (["-o", "fox.png", "--trajectory", "notes/path.safetensors"], "--trajectory 'notes/path.safetensors' cannot be written"),
    (["-o", "fox.png", "--trajectory", "new/"], "--trajectory 'new/' names no file"),
  ]

  @Test("a path that cannot be written is told before anything is made", arguments: unwritable)
  func refused(_ arguments: [String], _ part: String) throws {
    let place = try place()
    try FileManager.default.createDirectory(atPath: place.path + "/folder.png", withIntermediateDirectories: false)
    // A dry run makes no picture, so that it is not the writing that fails.
    for more in [[], ["--dry-run"]] {
      let result = try place.run(Self.generate + arguments + more)
      #expect(result.status != 0 && result.errors.contains(part), "\(result.errors)")
      #expect(try names(place) == ["folder.png", "model", "notes"])
    }
  }

  @Test(
    "commands that look for long say beforehand that they cannot write",
    arguments: [
      (
        ["compare", "mars", "--model", "model", "--accelerate", "fora", "--plot", "notes/plot.png"],
        "--plot 'notes/plot.png' cannot be written"
      ),
      (["compare", "mars", "--model", "model", "--accelerate", "fora", "--sheet", "model"], "--sheet 'model' is a folder"),
      (["compare", "mars", "--model", "model", "--accelerate", "fora", "--markdown", "notes/a.md"], "--markdown 'notes/a.md' cannot be"),
      (["plan", "--model", "model", "--accelerate", "fora", "--png", "notes/plan.png"], "--png 'notes/plan.png' cannot be written"),
      (["tune", "--model", "model", "--output", "notes/r.json"], "--output 'notes/r.json' cannot be written"),
      (
        ["recipe", "check", "r.json", "--model", "model", "--measure", "--output", "notes/r.json"],
        "--output 'notes/r.json' cannot be written"
      ),
    ])
  func refusedElsewhere(_ arguments: [String], _ part: String) throws {
    let result = try place().run(arguments)
    #expect(result.status != 0 && result.output.isEmpty && result.errors.contains(part), "\(result.errors)")
  }

  @Test func foldersThatAreMissingAreMade() throws {
    let place = try place()
    let result = try place.run(
      Self.generate + ["-o", "out/deep/fox.png", "--sheet", "sheets/all.png", "--trajectory", "paths/run.safetensors"])
    #expect(result.status == 0, "\(result.errors)")
    #expect(try PNG.read(place.path + "/out/deep/fox.png").image.width == 16)
    #expect(try PNG.read(place.path + "/sheets/all.png").image.width > 16)
    #expect(try !SafetensorsFile(path: place.path + "/paths/run.safetensors").names.isEmpty)
  }

  /// Sixty letters of nine bytes each: the first 48 would take 432 bytes.
  @Test func namesOfFilesAreShortInBytes() throws {
    let place = try Workplace()
    let prompt = String(repeating: "e\u{301}\u{302}\u{303}\u{304}", count: 60)
    let result = try place.run(
      ["generate", prompt, "--model", "emoji", "--recipe", "none", "--steps", "1", "--guidance", "1", "-o", "out"],
      environment: Self.builtIn)
    #expect(result.status == 0, "\(result.errors)")
    #expect(try names(place, "out").map(\.utf8.count) == [22 * 9 + "-00.png".utf8.count])
  }

  @Test("seeds are told as they are, also above what 64 bits with a sign hold")
  func largeSeeds() throws {
    let place = try place()
    let result = try place.run(
      "generate", "mars", "--model", "model", "--steps", "1", "--seed", "18446744073709551615", "--count", "2", "--json", "-o", "out")
    #expect(result.status == 0, "\(result.errors)")
    let report = try JSONValue(parsing: result.output)
    #expect(report["seed"] == .string("18446744073709551615"))
    #expect(report["images"]?.array?.compactMap { $0["seed"] } == [.string("18446744073709551615"), .integer(0)])
  }

  @Test("a picture that is made again tells when a file it depends on has changed")
  func changedFiles() throws {
    let place = try place()
    try place.write(#"{"evaluations":4,"sites":{"inner.0":"CRRC"}}"#, "plan.json")
    let digits = ["generate", "7", "--model", "digits", "--recipe", "none", "--steps", "4", "--accelerate", "plan:file=plan.json"]
    #expect(try place.run(digits + ["-o", "7.png"], environment: Self.builtIn).status == 0)
    func again() throws -> String {
      let result = try place.run(["generate", "--from-image", "7.png", "--model", "digits", "-o", "again.png"], environment: Self.builtIn)
      #expect(result.status == 0, "\(result.errors)")
      return result.errors
    }
    #expect(try !again().contains("plan.json' has changed"))
    try place.write(#"{"evaluations":4,"sites":{"inner.0":"CRCC"}}"#, "plan.json")
    #expect(try again().contains("the file 'plan.json' has changed since the picture was made"))
  }

  @Test("a preview is shown for models on pixels, and not for those on latents, which is told")
  func previews() throws {
    let place = try place()
    let latents = try place.run(Self.generate + ["-o", "fox.png", "--preview"])
    #expect(latents.status == 0 && latents.errors.contains("--preview shows nothing: 'model' works on latents"), "\(latents.errors)")
    #expect(!latents.errors.contains("▀"))
    let told = try JSONValue(parsing: try place.run(Self.generate + ["-o", "fox.png", "--preview", "--json"]).output)
    #expect(told["warnings"]?.array?.contains { $0.string?.hasPrefix("--preview shows nothing") == true } == true)
    let pixels = try place.run(
      ["generate", "7", "--model", "digits", "--recipe", "none", "--steps", "1", "-o", "7.png", "--preview"], environment: Self.builtIn)
    #expect(pixels.status == 0 && pixels.errors.contains("▀") && !pixels.errors.contains("--preview"), "\(pixels.errors)")
  }

  @Test("Ctrl-C ends a run between two evaluations, and nothing is written")
  func interrupted() throws {
    let place = try place()
    let process = Process()
    process.executableURL = URL(fileURLWithPath: executable)
    process.arguments = ["generate", "mars", "--model", "model", "--steps", "500", "--count", "100", "-o", "out"]
    process.currentDirectoryURL = URL(fileURLWithPath: place.path)
    let errors = try place.write("", ".errors")
    process.standardError = FileHandle(forWritingAtPath: errors)
    process.standardOutput = FileHandle.nullDevice
    process.standardInput = FileHandle.nullDevice
    try process.run()
    // Until then nothing is caught: the model is being loaded.
    while process.isRunning, !Self.isCaught(SIGINT, by: process.processIdentifier) { usleep(2000) }
    process.interrupt()
    process.waitUntilExit()
    let text = try String(contentsOfFile: errors, encoding: .utf8)
    #expect(process.terminationReason == .exit && process.terminationStatus != 0 && text.contains("interrupted"), "\(text)")
    #expect(try names(place) == ["model", "notes"])
  }

  /// Whether a process has a handler for a signal, as the system tells.
  private static func isCaught(_ number: Int32, by process: Int32) -> Bool {
    let status = (try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("SigCgt:") } ?? ""
    let mask = line.split(separator: "\t").last.flatMap { UInt64($0, radix: 16) } ?? 0
    return mask & (1 << UInt64(number - 1)) != 0
  }
}
