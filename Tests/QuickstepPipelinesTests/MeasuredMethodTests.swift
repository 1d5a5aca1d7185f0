import QuickstepAcceleration
import QuickstepFormats
import QuickstepNN
import QuickstepPipelines
import QuickstepTensor
import QuickstepTesting
import Testing

/// Methods that need something made for the model — a plan, what was measured or trained, another model — on every architecture.
@Suite struct MeasuredMethodTests {
  private func accelerated(_ opened: MethodSubject.Opened, _ name: String, _ parameters: [String: String]) throws -> GenerationResult {
    var request = opened.request
    request.accelerations = [MethodChoice(name, parameters: parameters)]
    return try opened.generate(request)
  }

  /// What every one of them must do: act, count all evaluations, and change the pictures.
  private func expectActs(_ result: GenerationResult, _ exact: GenerationResult) throws {
    let report = try #require(result.accelerations.first)
    #expect(report.saved > 0 && report.forced == 0)
    #expect(report.saved + report.computed == report.actions.count * exact.evaluations)
    #expect(result.warnings.filter { $0.contains("no effect") } == [])
    #expect(try result.isFinite)
    for (image, reference) in zip(result.images, exact.images) { #expect(try !image.pixels.hasBits(of: reference.pixels)) }
  }

  @Test("a plan from a file does what the method does that would decide the same", arguments: MethodSubject.all)
  func plan(_ subject: MethodSubject) throws {
    let opened = try subject.open()
    defer { withExtendedLifetime(opened) {} }
    let exact = try opened.generate(opened.request)
    let run = try ImagePipeline(opened.model).outline(of: opened.request)
    let text = try HeuristicPlan.every(interval: 2).plan(for: run).json()
    let planned = try accelerated(opened, "plan", ["file": text])
    try expectActs(planned, exact)
    let known = try accelerated(opened, "fora", ["interval": "2"])
    #expect(planned.accelerations[0].actions == known.accelerations[0].actions)
    for (one, other) in zip(planned.images, known.images) { #expect(try one.pixels.hasBits(of: other.pixels)) }
  }

  @Test("differences measured on the model say how long its modules are reused", arguments: MethodSubject.all)
  func smoothcache(_ subject: MethodSubject) throws {
    let opened = try subject.open()
    defer { withExtendedLifetime(opened) {} }
    let exact = try opened.generate(opened.request)
    let found = try CacheMeasurement(opened.request, kind: .differences).measure(opened.model)
    try expectActs(accelerated(opened, "smoothcache", ["file": try found.json(), "threshold": "10"]), exact)
    // Nothing lies below 0.
    let none = try accelerated(opened, "smoothcache", ["file": try found.json(), "threshold": "0"])
    for (image, reference) in zip(none.images, exact.images) { #expect(try image.pixels.hasBits(of: reference.pixels)) }
    var other = found
    other.fingerprint = "another"
    #expect(throws: AccelerationError.self) { try accelerated(opened, "smoothcache", ["file": other.json(), "threshold": "10"]) }
  }

  @Test("schedule and correction fitted to the model are followed", arguments: MethodSubject.all)
  func cachequant(_ subject: MethodSubject) throws {
    let opened = try subject.open()
    defer { withExtendedLifetime(opened) {} }
    let exact = try opened.generate(opened.request)
    var calibration = CorrectionCalibration(opened.request)
    calibration.interval = 3
    let found = try calibration.fit(opened.model).calibration
    let outermost: CacheCorrection.Point = subject.isUNet ? .inner(0) : .blocks
    #expect(found.point == outermost)
    let place = try TemporaryFolder()
    defer { withExtendedLifetime(place) {} }
    try found.write(to: place.path + "/correction.safetensors")
    let result = try accelerated(opened, "cachequant", ["file": place.path + "/correction.safetensors"])
    try expectActs(result, exact)
    let letters = (0..<exact.evaluations).map { found.starts.contains($0) ? "C" : "A" }.joined()
    #expect(Array(result.accelerations[0].actions.values) == [letters])
    let uncorrected = try accelerated(opened, "cachequant", ["file": place.path + "/correction.safetensors", "correct": "false"])
    for (one, other) in zip(uncorrected.images, result.images) { #expect(try !one.pixels.hasBits(of: other.pixels)) }
  }

  @Test("a feedback block acts where the network runs blocks of others' making", arguments: MethodSubject.all)
  func feedback(_ subject: MethodSubject) throws {
    let opened = try subject.open()
    let place = try TemporaryFolder()
    defer { withExtendedLifetime((opened, place)) {} }
    let path = place.path + "/module"
    var block: [String: Tensor] = [:]
    if subject.fits("ilf") {
      // The second block's own weights.
      let file = try SafetensorsFile(path: opened.folder + "/transformer/diffusion_pytorch_model.safetensors")
      let prefix = subject.name.hasPrefix("built-in") ? "blocks.1." : "transformer_blocks.1."
      for name in file.names where name.hasPrefix(prefix) { block[String(name.dropFirst(prefix.count))] = try file.tensor(name) }
      #expect(!block.isEmpty)
    }
    let size = subject.name.hasPrefix("pixart") ? 24 : 16
    let settings = FeedbackModule.Configuration(
      model: subject.name, fingerprint: opened.model.fingerprint, blocks: 2, first: 1, last: 1, hiddenSize: size, steps: 10, solver: "ddim",
      begin: 1, end: 1, guidanceScale: 2)
    try FeedbackModule(settings, block: block, scales: [withTensorErrors { .full([size], fillValue: .real(0.5)) }]).write(to: path)
    guard subject.fits("ilf") else {
      let error = #expect(throws: AccelerationError.self) { try accelerated(opened, "ilf", ["module": path]) }
      let words = subject.isUNet ? "list of at least 2 blocks" : "runs blocks of others"
      #expect("\(try #require(error))".contains(words), "\(error as Any)")
      return
    }
    let exact = try opened.generate(opened.request)
    let result = try accelerated(opened, "ilf", ["module": path])
    let report = try #require(result.accelerations.first)
    // One block again and the module's own in all evaluations but the first and the last; nothing is left out.
    #expect(report.computed == 2 * exact.evaluations && report.saved == 0 && report.additional == 2 * (exact.evaluations - 2))
    #expect(result.warnings.filter { $0.contains("no effect") } == [])
    #expect(try result.isFinite)
    for (image, reference) in zip(result.images, exact.images) { #expect(try !image.pixels.hasBits(of: reference.pixels)) }
  }

  @Test("stitched with itself every model makes the same pictures", arguments: MethodSubject.all)
  func stitch(_ subject: MethodSubject) throws {
    let opened = try subject.open()
    defer { withExtendedLifetime(opened) {} }
    let exact = try opened.generate(opened.request)
    let result = try accelerated(opened, "stitch", ["models": opened.folder, "fraction": "0.4"])
    let report = try #require(result.accelerations.first { $0.method == "stitch" })
    #expect(report.saved > 0 && report.computed > report.saved && report.saved + report.computed == exact.evaluations)
    for (image, reference) in zip(result.images, exact.images) { #expect(try image.pixels.hasBits(of: reference.pixels)) }
  }
}
