import QuickstepAcceleration
import QuickstepPipelines
import QuickstepTensor
import QuickstepTesting
import Testing

/// CacheQuant's schedule and correction, and distances for runs of any length, fitted to whole runs and handed back to them.
@Suite struct CorrectionCalibrationTests {
  private static let steps = 12

  private func request() -> GenerationRequest {
    var request = GenerationRequest(prompts: ["red fox", "green apple", "cat"], seeds: [1, 2, 3])
    (request.steps, request.solver) = (Self.steps, "ddim")
    return request
  }

  @Test("fits to whole runs, by any weighting; the file is used as it says", arguments: CorrectionCalibration.Weighting.allCases)
  func fit(_ weighting: CorrectionCalibration.Weighting) throws {
    let folder = try TinyFolder(.transformer)
    let (model, place) = (try folder.load(), try TemporaryFolder())
    var calibration = CorrectionCalibration(request())
    (calibration.interval, calibration.batch, calibration.weighting) = (3, 2, weighting)
    let found = try calibration.fit(model)
    // Evenly spaced evaluations are among the divisions, so none that was chosen costs more.
    #expect(found.scheduleCost <= 1 + 1e-9 && found.correctedShare < 1)
    #expect(found.calibration.starts.count == 4 && found.calibration.point == .blocks && found.calibration.origin.samples == 3)
    let path = place.path + "/tiny.safetensors"
    try found.calibration.write(to: path)
    let starts = Set(found.calibration.starts)
    for (options, letter) in [([:], "A"), (["correct": "false"], "R"), (["order": "1"], "1")] as [([String: String], String)] {
      var own = request()
      own.accelerations = [MethodChoice("cachequant", parameters: options.merging(["file": path]) { $1 })]
      let actions = try #require(try ImagePipeline(model).generate(own).accelerations.first?.actions.values.first)
      #expect(actions == (0..<Self.steps).map { starts.contains($0) ? "C" : letter }.joined())
      own.steps = 9
      #expect(throws: AccelerationError.self) { try ImagePipeline(model).generate(own) }
    }
  }

  @Test("weights follow the solver: the last evaluation of DDIM is the picture, the first hardly matters")
  func influences() throws {
    let folder = try TinyFolder(.transformer)
    let found = try ImagePipeline(try folder.load()).influences(of: request())
    #expect(found.count == Self.steps && found.allSatisfy { $0.isFinite && $0 >= 0 })
    #expect(found[0] < found[Self.steps - 1])
  }

  @Test("distances are measured once, for runs of any length")
  func distances() throws {
    let folder = try TinyFolder(.transformer)
    let model = try folder.load()
    var calibration = DistanceCalibration(request())
    calibration.batch = 2
    let found = try calibration.measure(model)
    #expect(found.point == .blocks && found.timesteps.count == Self.steps)
    #expect(found.means.indices.allSatisfy { found.means[$0][$0] == 0 } && found.means[0][Self.steps - 1] > 0)
    calibration.batch = 3
    let whole = try calibration.measure(model)
    for (a, b) in zip(found.means.joined(), whole.means.joined()) { #expect(abs(a - b) <= 1e-5 * max(1, b)) }
    #expect(try found.starts(timesteps: [900, 700, 500, 300, 100], interval: 2).first == 0)
    calibration.point = .inner(0)
    #expect(throws: GenerationError.self) { try calibration.measure(model) }
  }
}
