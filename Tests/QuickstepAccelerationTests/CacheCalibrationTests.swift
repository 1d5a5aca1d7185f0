import QuickstepAcceleration
import QuickstepNN
import QuickstepTesting
import Testing

/// To what runs the files of MagCache, SmoothCache and TeaCache are bound.
@Suite struct CacheCalibrationTests {
  /// The later half of ten evaluations changes nothing, the first one much.
  private static let ratios = [1, 0.5, 0.5, 0.5, 0.5, 1, 1, 1, 1, 1]
  private static let parameters = "threshold=0.1,retention=0.1,continuous=20"

  private func run(_ count: Int = 10) throws -> RunOutline { outline(try ToyNetwork.random(seed: 1), steps: count) }

  /// Evaluations of a run as a run of its own, as those of stitched runs are, or those of runs that begin with a picture.
  private func part(_ range: Range<Int>, of run: RunOutline) -> RunOutline {
    var part = run
    part.calls = run.calls[range].map { RunOutline.Call(step: $0.step - run.calls[range.lowerBound].step, level: $0.level) }
    part.stepCount = (part.calls.last?.step ?? -1) + 1
    return part
  }

  private func calibration(_ kind: CacheCalibration.Kind, _ run: RunOutline, timed: Bool = true) -> CacheCalibration {
    var calibration = CacheCalibration(
      kind: kind, model: "toy", fingerprint: "a", evaluations: run.evaluations, samples: 1, guidanceScale: 2, solver: "ddim",
      timesteps: timed ? run.calls.map(\.level.timestep) : nil)
    switch kind {
    case .changes: calibration.coefficients = [1]
    case .magnitudes: calibration.ratios = Self.ratios
    case .differences: calibration.differences = ["attention": [Array(repeating: 0.1, count: run.evaluations - 1)]]
    }
    return calibration
  }

  private func mag(_ calibration: CacheCalibration, on run: RunOutline) throws -> Acceleration {
    var values = ["file": try calibration.json()]
    for pair in Self.parameters.split(separator: ",") {
      let sides = pair.split(separator: "=").map(String.init)
      values[sides[0]] = sides[1]
    }
    return try Acceleration([AllAccelerators.make("magcache", values)], run: run)
  }

  /// `nil` where nothing is left out.
  private func codes(_ acceleration: Acceleration, _ run: RunOutline) throws -> String? {
    try acceleration.plan(for: run).actions["blocks[0..<4]"]?.codes
  }

  @Test("MagCache takes the ratios of the nearest timesteps, in runs that begin late as well")
  func nearest() throws {
    let whole = try run()
    let file = calibration(.magnitudes, whole)
    #expect(try codes(mag(file, on: whole), whole) == "CCCCCRRRRR")
    let late = part(5..<10, of: whole)
    #expect(try codes(mag(file, on: late), late) == "CRRRR")
    let fine = try run(20)
    #expect(try codes(mag(file, on: fine), fine) == "CCCCCCCCCRRRRRRRRRRR")
    // Files without timesteps, and lists, go by the share of the run.
    #expect(try codes(mag(calibration(.magnitudes, whole, timed: false), on: late), late) == "CCCRR")
    let list = Self.ratios.map { "\($0)" }.joined(separator: ",")
    #expect(try codes(acceleration("magcache:ratios=\(list),\(Self.parameters)", late), late) == "CCCRR")
  }

  @Test("the parts of a stitched run take each its own ratios")
  func parts() throws {
    let whole = try run()
    let acceleration = try mag(calibration(.magnitudes, whole), on: whole)
    let (first, second) = (part(0..<5, of: whole), part(5..<10, of: whole))
    #expect(try codes(acceleration.narrowed(to: first).acceleration, first) == nil)
    #expect(try codes(acceleration.narrowed(to: second).acceleration, second) == "CRRRR")
  }

  @Test("where a solver evaluates twice at one timestep, the two stay apart")
  func pairs() throws {
    var heun = try run(9)
    for (index, time) in [900.0, 700, 700, 500, 500, 300, 300, 100, 100].enumerated() {
      heun.calls[index].level.timestep = time
      heun.calls[index].step = index / 2
    }
    var file = calibration(.magnitudes, heun)
    file.ratios = [1, 0.5, 1, 0.5, 1, 0.5, 1, 0.5, 1]
    #expect(try codes(mag(file, on: heun), heun) == "CCRCRCRCR")
    let late = part(4..<9, of: heun)
    #expect(try codes(mag(file, on: late), late) == "CCRCR")
  }

  @Test("SmoothCache is refused on other timesteps")
  func timesteps() throws {
    let run = try run()
    func made(_ file: CacheCalibration, _ run: RunOutline) throws -> Acceleration {
      try Acceleration([AllAccelerators.make("smoothcache", ["file": file.json(), "threshold": "0.5"])], run: run)
    }
    let file = calibration(.differences, run)
    #expect(try made(file, run).plan(for: run).actions["blocks.0.attn"]?.codes == "CRCRCRCRCC")
    var other = run
    other.calls[4].level.timestep += 1
    let error = #expect(throws: AccelerationError.self) { try made(file, other) }
    #expect(error?.description.contains("evaluation 4 at timestep") == true, "\(error?.description ?? "")")
    // A run that begins with a picture, of as many evaluations.
    let late = part(10..<20, of: try self.run(20))
    #expect(throws: AccelerationError.self) { try made(file, late) }
    #expect(try made(calibration(.differences, run, timed: false), late).acts)
  }

  @Test(
    "another guidance scale or solver is warned of",
    arguments: zip(["teacache", "magcache", "smoothcache"], CacheCalibration.Kind.allCases))
  func concerns(_ method: String, _ kind: CacheCalibration.Kind) throws {
    var run = try run()
    let file = try calibration(kind, run).json()
    func warnings(_ scale: Double, _ solver: String, threshold: String = "0.5") throws -> [String] {
      run.identity = RunIdentity(fingerprint: "a", solver: solver, guidanceScale: scale)
      return try Acceleration([AllAccelerators.make(method, ["file": file, "threshold": threshold])], run: run).warnings
    }
    #expect(try warnings(2, "ddim").isEmpty)
    let scale = try warnings(3, "ddim")
    #expect(scale.count == 1 && scale[0].contains(method) && scale[0].contains("guidance scale 2.0; this run's is 3.0"))
    let solver = try warnings(2, "euler")
    #expect(solver.count == 1 && solver[0].contains("'ddim'") && solver[0].contains("'euler'"))
    #expect(try warnings(3, "euler").count == 2)
    // What does nothing need not fit.
    #expect(try warnings(3, "euler", threshold: "0").isEmpty)
  }

  @Test("older files are read as they are, and timesteps have to be as many as the evaluations")
  func files() throws {
    let old = #"{"kind": "magnitudes", "model": "toy", "evaluations": 2, "samples": 1, "guidanceScale": 2, "ratios": [1, 0.9]}"#
    let read = try CacheCalibration(source: old, of: .magnitudes)
    #expect(read.timesteps == nil && read.solver == nil && read.guidanceScale == 2)
    for timesteps in ["[900]", "[900, 500, 100]"] {
      let error = #expect(throws: AccelerationError.self) {
        try CacheCalibration(source: String(old.dropLast()) + ", \"timesteps\": \(timesteps)}", of: .magnitudes)
      }
      #expect(error?.description.contains("'timesteps'") == true)
    }
    var short = calibration(.magnitudes, try run())
    short.ratios = [1, 0.9]
    let text = try short.json()
    let error = #expect(throws: AccelerationError.self) { try CacheCalibration(source: text, of: .magnitudes) }
    #expect(error?.description.contains("'ratios'") == true)
  }

  @Test("parts of the trained time are those of the model, and models without one are refused", arguments: ["pab", "fastercache"])
  func trainedTime(_ method: String) throws {
    var run = try run(20)
    let expected = try acceleration(method, run).plan(for: run).actions
    #expect(expected.values.contains { $0.contains { $0 != .compute } })
    // A model that is told times of 0…1.
    for index in run.calls.indices { run.calls[index].level.timestep /= 1000 }
    run.trainedTime = 1
    #expect(try acceleration(method, run).plan(for: run).actions == expected)
    run.trainedTime = nil
    let error = #expect(throws: AccelerationError.self) { try acceleration(method, run) }
    #expect(error?.description.contains("trained time") == true, "\(error?.description ?? "")")
    // What does nothing needs nothing.
    let idle = ["pab": "pab:interval=1,cross-interval=1", "fastercache": "fastercache:interval=1"]
    #expect(try !acceleration(#require(idle[method]), run).acts)
  }
}
