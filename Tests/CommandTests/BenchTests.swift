import Foundation
import QuickstepFormats
import Testing

@Suite struct BenchTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path

  /// The program where it finds no models: not beside the repository's.
  private func away(_ place: Workplace) throws -> String {
    let program = place.path + "/prefix/bin/quickstep"
    try FileManager.default.createDirectory(atPath: place.path + "/prefix/bin", withIntermediateDirectories: true)
    do {
      try FileManager.default.linkItem(atPath: executable, toPath: program)
    } catch {
      try FileManager.default.copyItem(atPath: executable, toPath: program)
    }
    return program
  }

  @Test func modelsThatAreMissingAreAnError() throws {
    let place = try Workplace()
    let program = try away(place)
    for arguments in [["bench"], ["bench", "--only", "executor"], ["bench", "--only", "calls", "--only", "recipes"]] {
      let result = try place.run(arguments, program: program)
      #expect(result.status != 0 && result.output.isEmpty && result.errors.contains("No model was found"), "\(result.errors)")
    }
  }

  @Test func recipesThatAreMissingAreAnError() throws {
    let place = try Workplace()
    try FileManager.default.copyItem(atPath: Self.root + "/Tests/QuickstepPipelinesTests/Fixtures/sd", toPath: place.path + "/sd")
    let result = try place.run(["bench", "--only", "recipes", "--model", "sd"])
    #expect(result.status != 0 && result.output.isEmpty && result.errors.contains("no recipe beside sd"), "\(result.errors)")
  }

  @Test("what needs no model is measured without one, and the folder of the tables is made")
  func calls() throws {
    let place = try Workplace()
    let result = try place.run(
      ["bench", "--only", "calls", "--rounds", "3", "--markdown", "out/deep/bench.md"], program: try away(place))
    #expect(result.status == 0 && result.output.contains("Operator call"), "\(result.errors)")
    #expect(try String(contentsOfFile: place.path + "/out/deep/bench.md", encoding: .utf8).contains("### Operator call"))
  }

  @Test(
    "what cannot be is said before anything is measured",
    arguments: [
      (["--peer", "true", "--dtype", "bfloat16", "--only", "evaluations"], "not compared with bfloat16"),
      (["--markdown", "notes/bench.md"], "--markdown 'notes/bench.md' cannot be written"),
      (["deepcache", "model", "--inputs", "in.safetensors", "--markdown", "notes/bench.md"], "cannot be written"),
    ])
  func refused(_ arguments: [String], _ part: String) throws {
    let place = try Workplace()
    try place.write("what somebody wrote", "notes")
    let result = try place.run(["bench"] + arguments)
    #expect(result.status != 0 && result.output.isEmpty && result.errors.contains(part), "\(result.errors)")
  }
}
