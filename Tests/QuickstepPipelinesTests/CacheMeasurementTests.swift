import QuickstepAcceleration
import QuickstepFormats
import QuickstepNN
import QuickstepPipelines
import QuickstepTensor
import QuickstepTesting
import Testing

/// What caches are calibrated with, measured on whole runs and handed back to them.
@Suite struct CacheMeasurementTests {
  private static let steps = 9

  private func request() -> GenerationRequest {
    var request = GenerationRequest(prompts: ["red fox", "green apple", "cat"], seeds: [1, 2, 3])
    request.steps = Self.steps
    return request
  }

  private func measured(_ kind: CacheCalibration.Kind, _ model: LoadedModel) throws -> CacheCalibration {
    var measurement = CacheMeasurement(request(), kind: kind)
    (measurement.batch, measurement.degree) = (2, 2)
    let found = try measurement.measure(model)
    #expect(found.evaluations == Self.steps && found.samples == 3 && found.fingerprint == model.fingerprint)
    let outline = try ImagePipeline(model).outline(of: request())
    #expect(found.timesteps == outline.calls.map(\.level.timestep))
    #expect(found.solver == outline.identity?.solver && found.solver != nil && found.guidanceScale == outline.identity?.guidanceScale)
    // What was written is read back.
    #expect(try CacheCalibration(source: found.json(), of: kind) == found)
    return found
  }

  @Test("watching changes no bit, and is not mixed with acceleration")
  func watching() throws {
    let folder = try TinyFolder(.transformer)
    let model = try folder.load()
    let plain = try ImagePipeline(model).generate(request()).images.map(\.pixels)
    for kind in CacheCalibration.Kind.allCases {
      var watched = request()
      watched.observers = [CalibrationSums(kind)]
      for (a, b) in zip(try ImagePipeline(model).generate(watched).images, plain) { #expect(try a.pixels.hasBits(of: b)) }
      watched.accelerations = ["fora"]
      #expect(throws: GenerationError.self) { try ImagePipeline(model).generate(watched) }
    }
  }

  @Test("a polynomial of the model's own changes")
  func changes() throws {
    let folder = try TinyFolder(.transformer)
    let model = try folder.load()
    let found = try measured(.changes, model)
    #expect(found.coefficients?.count == 3 && found.range?.count == 2)
    var accelerated = request()
    accelerated.accelerations = [MethodChoice("teacache", parameters: ["file": try found.json(), "threshold": "50"])]
    let result = try ImagePipeline(model).generate(accelerated)
    #expect(result.accelerations[0].saved > 0 && !result.warnings.contains { $0.contains("coefficients") || $0.contains("was measured") })
    accelerated.guidanceScale = 3.5
    #expect(try ImagePipeline(model).generate(accelerated).warnings.contains { $0.contains("measured at guidance scale") })
    accelerated.guidanceScale = nil
    accelerated.accelerations = [MethodChoice("teacache", parameters: ["threshold": "50"])]
    #expect(try ImagePipeline(model).generate(accelerated).warnings.contains { $0.contains("coefficients") })
  }

  @Test("ratios of every evaluation, the first being 1")
  func magnitudes() throws {
    let folder = try TinyFolder(.transformer)
    let model = try folder.load()
    let found = try measured(.magnitudes, model)
    let ratios = try #require(found.ratios)
    #expect(ratios.count == Self.steps && ratios[0] == 1 && ratios.dropFirst().allSatisfy { $0 > 0 && $0 != 1 })
    var accelerated = request()
    accelerated.accelerations = [MethodChoice("magcache", parameters: ["file": try found.json(), "threshold": "50"])]
    #expect(try ImagePipeline(model).generate(accelerated).accelerations[0].saved > 0)
  }

  @Test("differences by kind of module, lag and evaluation")
  func differences() throws {
    let folder = try TinyFolder(.transformer)
    let model = try folder.load()
    let found = try measured(.differences, model)
    let differences = try #require(found.differences)
    #expect(Set(differences.keys) == ["attention", "crossAttention", "feedForward"])
    for rows in differences.values {
      #expect(rows.map(\.count) == [Self.steps - 1, Self.steps - 2, Self.steps - 3])
      #expect(rows.allSatisfy { $0.allSatisfy { (0..<100).contains($0) } })
    }
    var accelerated = request()
    accelerated.accelerations = [MethodChoice("smoothcache", parameters: ["file": try found.json(), "threshold": "10"])]
    #expect(try ImagePipeline(model).generate(accelerated).accelerations[0].saved > 0)
    accelerated.steps = 8
    #expect(throws: AccelerationError.self) { try ImagePipeline(model).generate(accelerated) }
  }

  @Test("what was measured on another model is refused, and where there is nothing to measure it is said")
  func refusals() throws {
    let folder = try TinyFolder(.transformer)
    var found = try measured(.magnitudes, folder.load())
    found.fingerprint = "another"
    var accelerated = request()
    accelerated.accelerations = [MethodChoice("magcache", parameters: ["file": try found.json()])]
    let error = #expect(throws: AccelerationError.self) { try ImagePipeline(folder.load()).generate(accelerated) }
    #expect(try #require(error).description.contains("measured on"))
    let unet = try TinyFolder(.unet)
    #expect(throws: AccelerationError.self) { try CacheMeasurement(request(), kind: .magnitudes).measure(unet.load()) }
    #expect(throws: AccelerationError.self) { try CacheMeasurement(request(), kind: .changes).measure(unet.load()) }
    var wrong = CacheMeasurement(request(), kind: .changes)
    wrong.batch = 0
    #expect(throws: GenerationError.self) { try wrong.measure(folder.load()) }
  }
}
