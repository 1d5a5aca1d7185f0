import Foundation
import QuickstepFormats
import Testing

@Suite struct ModelsTests {
  private let place: Workplace

  init() throws { place = try Workplace() }

  private func models(_ environment: [String: String] = [:], program: String = executable) throws -> [String: JSONValue] {
    let result = try place.run("models", "--json", environment: environment, program: program)
    #expect(result.status == 0)
    let entries = try #require(try result.json()["models"]?.array)
    return Dictionary(entries.compactMap { entry in entry["id"]?.string.map { ($0, entry) } }) { first, _ in first }
  }

  @Test func modelsOfTheCurrentFolder() throws {
    try place.writeModel("Models/tiny")
    let tiny = try #require(try models()["tiny"])
    #expect(tiny["pipeline"]?.string == "ClassToImagePipeline" && tiny["summary"]?.string == "A very small model")
    #expect(tiny["settings"]?["default_steps"]?.integer == 4)
    // A list of two texts is a setting here, not a library and its class.
    #expect(tiny["settings"]?["styles"]?.array == [.string("round"), .string("square")])
    let parts = try #require(tiny["components"]?.array)
    #expect(parts.compactMap { $0["name"]?.string } == ["classifier", "scheduler"])
    #expect(parts[0]["parameters"]?.integer == 72 + 8 + 8 + 8 + 288 + 4 + 8 + 2)
    let text = try place.run("models")
    #expect(text.status == 0 && text.output.contains("tiny") && text.output.contains("round, square"))
  }

  @Test func namedFoldersComeFirst() throws {
    try place.writeModel("Models/tiny")
    try place.writeModel("mine/tiny")
    try place.writeModel("mine/other")
    let found = try models(["QUICKSTEP_MODELS": "\(place.path)/none:\(place.path)/mine"])
    #expect(found["tiny"]?["path"]?.string == place.path + "/mine/tiny")
    #expect(found["other"] != nil)
  }

  @Test func hubCache() throws {
    let model = "hub/models--org--net--v2"
    try place.writeModel(model + "/snapshots/abc")
    try place.writeModel(model + "/snapshots/zzz")
    try place.write("abc\n", model + "/refs/main")
    #expect(try models()["org/net--v2"]?["path"]?.string?.hasSuffix("snapshots/abc") == true)
    let inspected = try place.run("inspect", "org/net--v2", "--json").json()
    #expect(inspected["pipeline"]?.string == "ClassToImagePipeline")
  }

  /// …/bin/quickstep finds …/share/quickstep/Models.
  @Test func installedProgram() throws {
    try place.writeModel("prefix/share/quickstep/Models/installed")
    try FileManager.default.createDirectory(atPath: place.path + "/prefix/bin", withIntermediateDirectories: true)
    let program = place.path + "/prefix/bin/quickstep"
    do {
      try FileManager.default.linkItem(atPath: executable, toPath: program)
    } catch {
      try FileManager.default.copyItem(atPath: executable, toPath: program)
    }
    #expect(try models(program: program)["installed"] != nil)
  }

  @Test func damagedModelsAreListedWithTheReason() throws {
    try place.write("{", "Models/broken/model_index.json")
    try place.writeModel("Models/cut")
    try place.write([1, 2, 3], "Models/cut/classifier/model.safetensors")
    let found = try models()
    #expect(found["broken"]?["problem"]?.string?.contains("model_index.json") == true)
    #expect(found["cut"]?["components"]?.array?.first?["problem"]?.string?.contains("too few") == true)
  }

  @Test func unknownIdsListWhatThereIs() throws {
    try place.writeModel("Models/tiny")
    let result = try place.run("inspect", "tony")
    #expect(result.status == 1)
    #expect(result.errors.contains("model 'tony'") && result.errors.contains("tiny") && result.errors.contains("Models"))
    // An id never leads out of the folders.
    #expect(try place.run("forward", "../tiny", "--inputs", "x", "--output", "y").status == 1)
  }
}

@Suite struct DoctorTests {
  @Test func reportsTheMachine() throws {
    let place = try Workplace()
    let result = try place.run("doctor", "--json")
    let json = try result.json()
    #expect(result.status == (json["status"]?.string == "problem" ? 1 : 0))
    #expect((json["gigaflops"]?.double ?? 0) > 0 && (json["cores"]?.integer ?? 0) > 0 && (json["memory"]?.integer ?? 0) > 0)
    let checks = try #require(json["checks"]?.array)
    for area in ["libtorch", "arithmetic"] { #expect(checks.first { $0["area"]?.string == area }?["status"]?.string == "ok", "\(area)") }
    for check in checks where check["status"]?.string != "ok" { #expect(check["advice"]?.string?.isEmpty == false, "\(check.text)") }
  }

  @Test func modelsDecideWhetherItCanGenerate() throws {
    let place = try Workplace()
    try place.writeModel("Models/tiny")
    let result = try place.run("doctor")
    #expect(result.status == 0 && result.output.contains("tiny") && result.output.contains("Ready to generate"))
    #expect(!result.output.contains("\u{1B}"))
  }
}
