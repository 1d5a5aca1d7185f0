import Foundation
import QuickstepDiffusion
import QuickstepFormats
import QuickstepModels
import QuickstepNN
import QuickstepPipelines
import QuickstepTensor
import QuickstepTesting
import Testing

/// Schedulers that a user chooses in place of the model's own: a file, or a class that takes over the model's settings.
@Suite struct SchedulerChoiceTests {
  private func text(_ className: String, _ members: [String: JSONValue] = [:]) -> String {
    JSONValue.object(members.merging(["_class_name": .string(className)]) { first, _ in first }).text
  }

  /// The settings of the tiny model's own file, for another class.
  private func own(_ className: String, _ members: [String: JSONValue] = [:]) -> String {
    let base: [String: JSONValue] = [
      "num_train_timesteps": .integer(1000), "beta_schedule": .string("squaredcos_cap_v2"), "prediction_type": .string("sample"),
      "timestep_spacing": .string("trailing"), "clip_sample": .bool(false),
    ]
    return text(className, base.merging(members) { $1 })
  }

  private func settings(_ result: GenerationResult) throws -> GenerationSettings { try #require(result.images.first).settings }

  @Test("a class takes over what the model's file says, and its picture is made again without it")
  func classesTakeOver() throws {
    let tiny = try TinyFolder()
    try tiny.writeScheduler(
      "DDIMScheduler", prediction: "sample", more: ["solver_order": .integer(3), "solver_type": .string("heun"), "eta": .number(1)])
    let model = try tiny.load()
    let result = try model.generate(request { $0.solver = "DPMSolverMultistepScheduler" })
    let made = try settings(result)
    #expect(made.solver == "dpm++-3m" && made.spacing == "trailing" && made.solverParameters["variant"] == "taylor")
    #expect(result.warnings.contains { $0.contains("'eta'") })
    let again = try model.generate(GenerationRequest(repeating: made))
    #expect(try again.images[0].pixels.hasBits(of: result.images[0].pixels))
    #expect(try settings(again) == made)
    // What is given beside the name replaces what the file says.
    let given = try settings(
      model.generate(
        request {
          ($0.solver, $0.solverParameters, $0.spacing) = ("DPMSolverMultistepScheduler", ["variant": "midpoint"], "leading")
        }))
    #expect(given.solverParameters["variant"] == "midpoint" && given.spacing == "leading" && given.spacingParameters.isEmpty)
    let named = try settings(model.generate(request { $0.solver = "DPMSolverMultistepScheduler karras" }))
    #expect(named.solver == "dpm++-3m" && named.spacing == "karras" && named.spacingParameters.isEmpty)
    // Our own and other tools' names take nothing of it.
    for name in ["dpm++-2m", "dpmpp_2m"] {
      let plain = try settings(model.generate(request { $0.solver = name }))
      #expect(plain.solver == "dpm++-2m" && plain.solverParameters.isEmpty && plain.scheduler == nil)
    }
  }

  @Test("a class for another kind of noise is its solver on the model's own")
  func otherKindsStayNames() throws {
    let flow = try TinyFolder(.unet).load()
    let made = try settings(flow.generate(request { $0.solver = "DPMSolverMultistepScheduler" }))
    #expect(made.solver == "dpm++-2m" && made.scheduler == nil && made.spacing == "trailing")
    let trained = try TinyFolder().load()
    for (name, solver) in [("EDMEulerScheduler", "euler"), ("FlowMatchEulerDiscreteScheduler", "euler")] {
      let made = try settings(trained.generate(request { $0.solver = name }))
      #expect(made.solver == solver && made.scheduler == nil)
    }
  }

  @Test("a file chooses solver, grid and parameters, and gives what a model with that file gives")
  func filesChoose() throws {
    let folder = try TemporaryFolder()
    defer { withExtendedLifetime(folder) {} }
    let karras: [String: JSONValue] = ["use_karras_sigmas": .bool(true), "sigma_max": .number(20)]
    try folder.write(own("EulerDiscreteScheduler", karras), to: "scheduler_config.json")
    try folder.write(own("EulerDiscreteScheduler", karras), to: "whole/scheduler/scheduler_config.json")
    let model = try TinyFolder().load()
    let twin = try TinyFolder()
    try twin.writeScheduler("EulerDiscreteScheduler", prediction: "sample", more: karras)
    let expected = try twin.load().pictures(request { $0.solver = "euler" })
    for path in ["/scheduler_config.json", "", "/whole"].map({ folder.path + $0 }) {
      let result = try model.generate(request { $0.solver = path })
      let made = try settings(result)
      #expect(made.solver == "euler" && made.spacing == "karras" && made.spacingParameters["sigma-max"] == "20.0")
      #expect(result.warnings.isEmpty, "\(result.warnings)")
      #expect(try result.images.map { try $0.pixels.elementBytes() } == expected)
      #expect(try model.pictures(GenerationRequest(repeating: made)) == expected)
      #expect(try model.pictures(request { $0.scheduler = path }) == expected)
    }
    // A class makes of the file what it makes of the model's own.
    let heun = try settings(model.generate(request { ($0.scheduler, $0.solver) = (folder.path, "HeunDiscreteScheduler") }))
    #expect(heun.solver == "heun" && heun.spacing == "karras")
    let ours = try settings(model.generate(request { ($0.solver, $0.spacing) = (folder.path, "trailing") }))
    #expect(ours.solver == "euler" && ours.spacing == "trailing" && ours.spacingParameters.isEmpty)
    #expect(try SamplingSettings(parsing: "\(folder.path)/scheduler_config.json + steps=3").solver?.name.hasSuffix(".json") == true)
  }

  @Test func whatBelongsToTheModelIsTold() throws {
    let model = try TinyFolder().load()
    let other = try model.generate(request { $0.scheduler = own("DDIMScheduler", ["prediction_type": .string("v_prediction")]) })
    #expect(other.warnings.count == 1 && other.warnings[0].contains("'prediction_type' is v_prediction"), "\(other.warnings)")
    #expect(other.warnings[0].contains("sample"))
    let betas = try model.generate(request { $0.scheduler = own("DDIMScheduler", ["beta_schedule": .string("linear")]) })
    #expect(betas.warnings.count == 3 && betas.warnings.allSatisfy { $0.contains("'beta_") }, "\(betas.warnings)")
    // A class whose standard betas are others than the file's class has.
    let bare = try TinyFolder()
    try bare.writeScheduler("DDIMScheduler", prediction: "sample", more: ["beta_schedule": .string("linear")])
    let heun = try bare.load().generate(request { $0.solver = "HeunDiscreteScheduler" })
    #expect(heun.warnings.contains { $0.contains("'beta_start' is 0.00085") && $0.contains("0.0001") }, "\(heun.warnings)")
  }

  @Test("schedules without ends are the same whatever ends the file names")
  func endsThatAreNotRead() throws {
    for schedule in ["exp", "restoration-5", "squaredcos_cap_v2"] {
      let tiny = try TinyFolder()
      try tiny.writeScheduler(
        "DDIMScheduler", prediction: "sample", more: ["beta_schedule": .string(schedule), "beta_start": .number(0.001)])
      let file = own("DDIMScheduler", ["beta_schedule": .string(schedule), "beta_end": .number(0.5)])
      let result = try tiny.load().generate(request { $0.scheduler = file })
      #expect(result.warnings.isEmpty, "\(result.warnings)")
      let other = try tiny.load().generate(request { $0.scheduler = own("DDIMScheduler", ["beta_schedule": .string("restoration-9")]) })
      #expect(other.warnings.count == 1 && other.warnings[0].contains("'beta_schedule' is restoration-9"), "\(other.warnings)")
    }
  }

  @Test func filesThatDoNotFitAreRefused() throws {
    let folder = try TemporaryFolder()
    defer { withExtendedLifetime(folder) {} }
    try folder.write("{\"beta_schedule\":\"linear\"}", to: "nameless.json")
    let model = try TinyFolder().load()
    func message(_ change: @escaping (inout GenerationRequest) -> Void) throws -> String {
      let error = #expect(throws: (any Error).self) { try model.generate(request("red fox", change)) }
      return "\(try #require(error))"
    }
    let flow = text("FlowMatchEulerDiscreteScheduler", ["shift": .number(3)])
    #expect(try message { $0.scheduler = flow }.contains("trained on"))
    #expect(try message { $0.solver = folder.path + "/nameless.json" }.contains("_class_name"))
    #expect(try message { $0.solver = folder.path }.contains("scheduler_config.json"))
    #expect(try message { $0.solver = folder.path + "/none.json" }.contains("none.json"))
    #expect(try message { ($0.solver, $0.scheduler) = (folder.path + "/nameless.json", flow) }.contains("one scheduler file"))
    let algorithm = own("DPMSolverMultistepScheduler", ["algorithm_type": .string("sde-dpmsolver")])
    #expect(try message { ($0.scheduler, $0.solver) = (algorithm, "DEISMultistepScheduler") }.contains("'algorithm_type'"))
  }

  @Test("Euler's own keys have their effect, or are told")
  func eulersKeys() throws {
    func read(_ members: [String: JSONValue]) throws -> SchedulerConfiguration {
      let all = members.merging(["_class_name": .string("EulerDiscreteScheduler"), "beta_schedule": .string("scaled_linear")]) { $1 }
      return try SchedulerConfiguration(ConfigurationFile(path: "euler", members: all))
    }
    let v = JSONValue.string("v_prediction")
    let continuous = try read(["timestep_type": .string("continuous"), "prediction_type": v, "use_karras_sigmas": .bool(true)])
    #expect(continuous.parametrisation == .edmVelocity(sigmaData: 1) && continuous.schedule is EDMSchedule)
    #expect(try read(["timestep_type": .string("continuous")]).schedule is DiscreteVPSchedule)
    #expect(throws: FormatError.self) { try read(["timestep_type": .string("continuous"), "prediction_type": v]) }
    #expect(throws: FormatError.self) { try read(["timestep_type": .string("odd")]) }
    #expect(throws: FormatError.self) { try read(["interpolation_type": .string("cubic")]) }
    let even = try read(["interpolation_type": .string("log_linear")])
    #expect(even.spacing == "exponential" && even.spacingParameters(for: "euler") == ["final": "smallest"])
    #expect(even.warnings.count == 1 && even.warnings[0].contains("interpolation_type"))
    for members: [String: JSONValue] in [
      ["final_sigmas_type": .string("sigma_min")], ["final_sigmas_type": .string("sigma_min"), "use_karras_sigmas": .bool(true)],
      ["final_sigmas_type": .string("sigma_min"), "timestep_spacing": .string("leading")],
    ] {
      let warnings = try read(members).warnings
      #expect(warnings.count == 1 && warnings[0].contains("goes nowhere"), "\(warnings)")
    }
    let leading = try read([
      "use_karras_sigmas": .bool(true), "timestep_spacing": .string("leading"), "steps_offset": .integer(1),
    ])
    let range = try leading.spacingParameters(for: "euler", steps: 20)
    let (most, least) = (try leading.schedule.level(at: 951), try leading.schedule.level(at: 1))
    #expect(range == ["sigma-max": "\(most.sigma / most.alpha)", "sigma-min": "\(least.sigma / least.alpha)"])
    #expect(try read(["use_karas_sigmas": .bool(true)]).warnings.first?.contains("'use_karas_sigmas'") == true)
    #expect(try read(["skip_prk_steps": .bool(true), "clip_sample": .bool(true)]).warnings.isEmpty)
  }
}
