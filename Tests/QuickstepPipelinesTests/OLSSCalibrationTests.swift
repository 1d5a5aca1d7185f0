import Foundation
import QuickstepDiffusion
import QuickstepNN
import QuickstepPipelines
import QuickstepTensor
import QuickstepTesting
import Testing

/// OLSS fitted to runs of a small transformer.
@Suite struct OLSSCalibrationTests {
  private let request: GenerationRequest

  init() {
    var request = GenerationRequest(prompts: ["0", "1", "2", "3", "4", "5"], seeds: Array(0..<6))
    (request.steps, request.solver, request.guidanceScale) = (12, "ddim", 2)
    self.request = request
  }

  private func plan(_ model: LoadedModel, steps: Int, rounds: Int?, accelerations: [MethodChoice] = []) throws -> OLSSPlan {
    var request = request
    request.accelerations = accelerations
    var calibration = OLSSCalibration(request, steps: steps)
    // Batches of unequal sizes.
    (calibration.teacherSteps, calibration.rounds, calibration.batch) = (12, rounds, 4)
    return try calibration.fit(model)
  }

  /// Root mean square of what a way's final states differ by from the full run's.
  private func error(_ model: LoadedModel, _ change: (inout GenerationRequest) throws -> Void) throws -> Double {
    func latents(_ request: GenerationRequest) throws -> [Double] {
      var request = request
      request.stopsAtLatents = true
      request.batch = request.prompts.count
      let pipeline = ImagePipeline(model, companions: try ImagePipeline.companions(of: request, like: model))
      return try withTensorErrors { try #require(try pipeline.generate(request).latents).to(.float64) }.scalars(Double.self)
    }
    var own = request
    try change(&own)
    let pairs = zip(try latents(own), try latents(request))
    return (pairs.reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } / Double(pairs.underestimatedCount)).squareRoot()
  }

  @Test("rows fitted in order: the plan ends where its last row says, nearer than rows fitted to the full runs and than fewer steps")
  func inOrder() throws {
    let model = try LoadedModel(folder: "\(Goldens.root)/dit", kernels: .plain)
    for steps in [3, 5] {
      let plan = try plan(model, steps: steps, rounds: nil)
      #expect(plan.origin?.isInOrder == true && plan.steps == steps)
      let own = try error(model) { ($0.ownSolver, $0.steps) = (try OLSS(plan), steps) }
      let told = try #require(plan.errors.last)
      #expect(abs(own - told) < 1e-3 * told + 1e-6, "\(own) where \(told) was told")
      let paper = try self.plan(model, steps: steps, rounds: 0)
      #expect(try own <= error(model) { ($0.ownSolver, $0.steps) = (try OLSS(paper), steps) } * 1.0001)
      #expect(try own < error(model) { $0.steps = steps })
    }
  }

  @Test("fitted to runs with a cache, a plan ends where its last row says in such runs, nearer than one fitted without it")
  func withACache() throws {
    let model = try LoadedModel(folder: "\(Goldens.root)/dit", kernels: .plain)
    let choices: [MethodChoice] = [try MethodChoice(parsing: "guidance-cache:interval=2,start=0")]
    let (own, plain) = (try plan(model, steps: 5, rounds: nil, accelerations: choices), try plan(model, steps: 5, rounds: nil))
    func error(_ plan: OLSSPlan) throws -> Double {
      try self.error(model) { ($0.ownSolver, $0.steps, $0.accelerations) = (try OLSS(plan), 5, choices) }
    }
    let told = try #require(own.errors.last)
    #expect(try abs(error(own) - told) < 1e-3 * told + 1e-6)
    #expect(try error(own) < error(plain) && told > plain.errors.last ?? 0)
    #expect(own.origin?.accelerations?.count == 1 && plain.origin?.accelerations == nil)
    let refused = #expect(throws: GenerationError.self) { try plan(model, steps: 5, rounds: 0, accelerations: choices) }
    #expect("\(try #require(refused))".contains("0 rounds"))
    // Refused before any run: the progress of full runs is never told.
    var wrong = request
    wrong.accelerations = [try MethodChoice(parsing: "cachequant:starts=0,9")]
    var calibration = OLSSCalibration(wrong, steps: 5)
    calibration.teacherSteps = 12
    calibration.progress = { what, _ in Issue.record("\(what) was begun") }
    #expect(throws: (any Error).self) { try calibration.fit(model) }
  }

  @Test("fitted to runs that another model shares, a plan ends where its last row says in such runs, and makes up for that model's errors")
  func withAnotherModel() throws {
    let (large, place) = (Goldens.root + "/stitch/large", try TemporaryFolder())
    defer { withExtendedLifetime(place) {} }
    let other = place.path + "/small"
    try FileManager.default.copyItem(atPath: large, toPath: other)
    try FileManager.default.removeItem(atPath: other + "/transformer")
    try FileManager.default.copyItem(atPath: Goldens.root + "/stitch/small", toPath: other + "/transformer")
    let model = try LoadedModel(folder: large, kernels: .plain)
    let choices = [MethodChoice("stitch", parameters: ["models": other, "fraction": "0.4"])]
    let (own, plain) = (try plan(model, steps: 5, rounds: nil, accelerations: choices), try plan(model, steps: 5, rounds: nil))
    func error(_ plan: OLSSPlan) throws -> Double {
      try self.error(model) { ($0.ownSolver, $0.steps, $0.accelerations) = (try OLSS(plan), 5, choices) }
    }
    let told = try #require(own.errors.last)
    #expect(try abs(error(own) - told) < 1e-3 * told + 1e-6)
    #expect(try error(own) < error(plain))
  }

  @Test("a plan that runs with what it was not fitted to is warned about; one that does not say, or runs as it was fitted, is not")
  func otherRuns() throws {
    let model = try LoadedModel(folder: "\(Goldens.root)/dit", kernels: .plain)
    let cache = try MethodChoice(parsing: "guidance-cache:interval=2,start=0")
    let other = try MethodChoice(parsing: "guidance-cache:interval=3,start=0")
    let fitted = try plan(model, steps: 5, rounds: nil, accelerations: [cache])
    func warnings(_ plan: OLSSPlan, _ accelerations: [MethodChoice], guidanceScale: Double = 2) throws -> [String] {
      var own = GenerationRequest(prompts: ["0"], seeds: [0])
      (own.ownSolver, own.steps, own.accelerations, own.guidanceScale) = (try OLSS(plan), 5, accelerations, guidanceScale)
      own.stopsAtLatents = true
      return try ImagePipeline(model).generate(own).warnings.filter { $0.contains("the plan was fitted") }
    }
    #expect(try warnings(fitted, [cache]) == [])
    let guided = try warnings(fitted, [cache], guidanceScale: 3)
    #expect(guided.count == 1 && guided.allSatisfy { $0.contains("guidance scale 2") }, "\(guided)")
    let alone = try warnings(fitted, [])
    #expect(alone.count == 1 && alone.allSatisfy { $0.contains(cache.description + ", which this run lacks") }, "\(alone)")
    let changed = try warnings(fitted, [other])
    #expect(changed.count == 2 && changed.contains { $0.contains("without " + other.description) }, "\(changed)")
    var foreign = fitted
    foreign.origin?.fingerprint = "0123456789"
    let told = try warnings(foreign, [cache])
    #expect(told.count == 1 && told.allSatisfy { $0.contains("another model") && $0.contains("0123456789") }, "\(told)")
    foreign.origin = nil
    #expect(try warnings(foreign, [], guidanceScale: 3) == [])
    // Fitted without acceleration, it may run with any.
    #expect(try warnings(plan(model, steps: 5, rounds: 0), [cache]) == [])
  }

  @Test("cancellation is honoured while rows are fitted, whose progress is told")
  func cancellation() async throws {
    let model = try LoadedModel(folder: "\(Goldens.root)/dit", kernels: .plain)
    var calibration = OLSSCalibration(request, steps: 5)
    (calibration.teacherSteps, calibration.batch) = (12, 4)
    let rows = StepList()
    calibration.progress = { what, fraction in
      guard what.hasPrefix("rows") else { return }
      rows.append(Int((fraction * 5).rounded()))
      if rows.values.count == 2 { withUnsafeCurrentTask { $0?.cancel() } }
    }
    let outcome = await Task { [calibration] in try calibration.fit(model) }.result
    #expect(throws: CancellationError.self) { try outcome.get() }
    #expect(rows.values == [1, 2])
  }

  @Test("several plans come from the same full runs, each the one that is fitted by itself")
  func several() throws {
    let model = try LoadedModel(folder: "\(Goldens.root)/dit", kernels: .plain)
    var calibration = OLSSCalibration(request, steps: 3)
    (calibration.teacherSteps, calibration.batch) = (12, 4)
    let plans = try calibration.fit(model, steps: [3, 4])
    #expect(plans[0] == (try calibration.fit(model)) && plans[1].steps == 4)
  }
}
