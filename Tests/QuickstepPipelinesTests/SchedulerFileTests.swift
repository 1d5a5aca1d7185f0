import QuickstepDiffusion
import QuickstepFormats
import QuickstepNN
import QuickstepPipelines
import QuickstepTesting
import Testing

/// What `scheduler_config.json` files of diffusers' classes choose.
@Suite struct SchedulerFileTests {
  private func read(_ className: String, _ members: [String: JSONValue] = [:]) throws -> SchedulerConfiguration {
    let folder = try TemporaryFolder()
    let all = members.merging(["_class_name": .string(className)]) { first, _ in first }
    try folder.write(JSONValue.object(all).text, to: "scheduler_config.json")
    return try SchedulerConfiguration(path: folder.path + "/scheduler_config.json")
  }

  /// Makes the chosen solver on the chosen grid, so that unknown names and parameters cannot hide.
  private func compiled(_ read: SchedulerConfiguration, steps: Int = 10) throws -> Tableau {
    let solver = try #require(read.solver)
    let grid = try AllGrids.make(read.spacing, read.spacingParameters(for: solver)).grid(schedule: read.schedule, steps: steps)
    return try AllSolvers.make(solver, read.solverParameters(for: solver)).compile(schedule: read.schedule, grid: grid)
  }

  /// Stable Diffusion 1's own file: PLMS that ends at the least trained noise.
  @Test func stableDiffusionsPNDM() throws {
    let file: [String: JSONValue] = [
      "beta_start": .number(0.00085), "beta_end": .number(0.012), "beta_schedule": .string("scaled_linear"), "skip_prk_steps": .bool(true),
      "set_alpha_to_one": .bool(false), "steps_offset": .integer(1), "trained_betas": .null,
    ]
    let read = try read("PNDMScheduler", file)
    #expect(read.solver == "pndm" && read.missingSolver == nil && read.warnings.isEmpty)
    #expect(read.solverParameters(for: "pndm")["start"] == "improved-euler" && read.solverParameters(for: "pndm")["averages"] == "auto")
    #expect(read.spacing == "leading" && read.spacingParameters(for: "pndm") == ["offset": "1", "final": "smallest"])
    let table = try compiled(read)
    #expect(table.evaluationCount == 11 && table.rows.last?.level.timestep == 0)
    let v = try self.read("PNDMScheduler", file.merging(["prediction_type": .string("v_prediction")]) { $1 })
    #expect(v.solverParameters(for: "pndm")["averages"] == "v")
  }

  @Test("rescaled betas leave next to no signal, or none, as the class's own program has it")
  func rescaled() throws {
    let members: [String: JSONValue] = [
      "rescale_betas_zero_snr": .bool(true), "prediction_type": .string("v_prediction"), "timestep_spacing": .string("trailing"),
      "beta_schedule": .string("scaled_linear"),
    ]
    for name in ["EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler", "DPMSolverMultistepScheduler", "UniPCMultistepScheduler"] {
      let read = try read(name, members)
      #expect(try abs(read.schedule.level(at: 999).alpha - 0x1p-12) < 1e-9, "\(name)")
      // σ/α = 4096 is a place to begin from, for the solver and for Karras' grid.
      #expect(try compiled(read).evaluationCount == 10, "\(name)")
      let karras = try self.read(name, members.merging(["use_karras_sigmas": .bool(true)]) { $1 })
      #expect(try name == "EulerAncestralDiscreteScheduler" || compiled(karras).evaluationCount == 10, "\(name)")
    }
    for name in ["DDIMScheduler", "DDPMScheduler", "LCMScheduler", "TCDScheduler"] {
      #expect(try read(name, members).schedule.level(at: 999).alpha == 0, "\(name)")
    }
  }

  @Test func classesChooseSolvers() throws {
    let cases: [(String, [String: JSONValue], String, [String: String], String)] = [
      ("DDPMScheduler", [:], "ddpm", ["variance": "fixed-small"], "leading"),
      ("DDPMScheduler", ["variance_type": .string("fixed_large")], "ddpm", ["variance": "fixed-large"], "leading"),
      (
        "PNDMScheduler", ["set_alpha_to_one": .bool(true)], "pndm", ["start": "runge-kutta", "averages": "auto", "half-steps": "cut"],
        "leading"
      ),
      ("LMSDiscreteScheduler", ["use_karras_sigmas": .bool(true)], "lms", [:], "karras"),
      ("LMSDiscreteScheduler", ["use_beta_sigmas": .bool(true)], "lms", [:], "beta"),
      ("KDPM2DiscreteScheduler", [:], "dpm2", [:], "linspace"), ("KDPM2AncestralDiscreteScheduler", [:], "dpm2-ancestral", [:], "linspace"),
      ("HeunDiscreteScheduler", ["use_exponential_sigmas": .bool(true)], "heun", [:], "exponential"),
      ("EulerAncestralDiscreteScheduler", [:], "euler-ancestral", [:], "linspace"),
      ("LCMScheduler", ["original_inference_steps": .integer(25)], "lcm", ["timestep-scaling": "10.0"], "lcm"),
      ("TCDScheduler", [:], "tcd", [:], "lcm"), ("FlowMatchHeunDiscreteScheduler", ["shift": .number(3)], "heun", [:], "linspace"),
      ("FlowMatchEulerDiscreteScheduler", ["stochastic_sampling": .bool(true)], "lcm", ["timestep-scaling": "0"], "linspace"),
      ("FlowMatchLCMScheduler", ["shift": .number(3)], "lcm", ["timestep-scaling": "0"], "linspace"),
      ("DDPMParallelScheduler", ["variance_type": .string("fixed_large")], "ddpm", ["variance": "fixed-large"], "leading"),
      ("DDIMParallelScheduler", ["timestep_spacing": .string("trailing")], "ddim", [:], "trailing"),
    ]
    for (name, members, solver, parameters, spacing) in cases {
      let read = try read(name, members)
      #expect(read.solver == solver && read.solverParameters(for: solver) == parameters && read.spacing == spacing, "\(name)")
      #expect(read.missingSolver == nil)
      _ = try compiled(read)
    }
    #expect(try read("LCMScheduler", ["original_inference_steps": .integer(25)]).spacingParameters == ["original-steps": "25"])
    #expect(try read("KDPM2DiscreteScheduler", ["use_karras_sigmas": .bool(true)]).spacingParameters == ["timestep": "round"])
    #expect(try compiled(read("TCDScheduler")).rows.last?.level.sigma ?? 0 > 0)
    // Classes of distilled and of k-diffusion's samplers have betas of their own where the file says nothing.
    #expect(try abs(read("LCMScheduler").schedule.smallest().sigma - 0.00085.squareRoot()) < 1e-12)
    #expect(try abs(read("HeunDiscreteScheduler").schedule.smallest().sigma - 0.00085.squareRoot()) < 1e-12)
  }

  /// Thresholding and clipping, where the class makes its next state of what they leave.
  @Test func correctionsOfFiles() throws {
    let threshold: [String: JSONValue] = [
      "thresholding": .bool(true), "sample_max_value": .number(1.5), "dynamic_thresholding_ratio": .number(0.9),
    ]
    let expected = [MethodChoice("dynamic-threshold", parameters: ["ratio": "0.9", "max": "1.5"])]
    for name in [
      "DPMSolverMultistepScheduler", "DPMSolverSinglestepScheduler", "UniPCMultistepScheduler", "DEISMultistepScheduler", "DDPMScheduler",
      "EDMDPMSolverMultistepScheduler",
    ] {
      let read = try read(name, threshold)
      #expect(read.corrections == expected && read.warnings.isEmpty, "\(name): \(read.corrections) \(read.warnings)")
      for choice in read.corrections { _ = try AllCorrections.make(choice.name, choice.parameters) }
      if name != "DDPMScheduler" { #expect(try self.read(name).corrections.isEmpty) }
    }
    #expect(try read("DDPMScheduler").corrections == [MethodChoice("clip", parameters: ["range": "1.0"])])
    #expect(try read("DDPMScheduler", ["clip_sample": .bool(false)]).corrections.isEmpty)
    // These leave ε as the network said it, or threshold nothing.
    let ddim = try read("DDIMScheduler", threshold)
    #expect(ddim.corrections.isEmpty && ddim.warnings.contains { $0.contains("thresholding") })
    let unipc = try read("UniPCMultistepScheduler", threshold.merging(["predict_x0": .bool(false)]) { $1 })
    #expect(unipc.corrections.isEmpty && unipc.warnings.contains { $0.contains("thresholding") })
  }

  @Test func edmFiles() throws {
    let members: [String: JSONValue] = [
      "sigma_min": .number(0.01), "sigma_max": .number(50), "sigma_data": .number(0.6), "rho": .number(5),
    ]
    let euler = try read("EDMEulerScheduler", members)
    #expect(euler.solver == "euler" && euler.warnings.isEmpty && euler.parametrisation == .edm(sigmaData: 0.6))
    #expect(euler.spacing == "karras" && euler.spacingParameters == ["rho": "5.0"])
    let table = try compiled(euler)
    #expect(table.initialLevel.alpha == 1 && abs(table.initialLevel.sigma - 50) < 1e-9 && table.rows.last?.level.sigma == 0)
    let second = try read("EDMDPMSolverMultistepScheduler", ["prediction_type": .string("v_prediction")])
    #expect(second.solver == "dpm++-2m" && second.parametrisation == .edmVelocity() && second.missingSolver == nil)
    _ = try compiled(second)
    let third = try read(
      "EDMDPMSolverMultistepScheduler", ["solver_order": .integer(3), "sigma_schedule": .string("exponential")])
    #expect(third.solver == "dpm++-3m" && third.spacing == "exponential")
    let noisy = try read("EDMDPMSolverMultistepScheduler", ["algorithm_type": .string("sde-dpmsolver++")])
    #expect(noisy.solver == "sde-dpm++" && noisy.solverParameters(for: "sde-dpm++")["eta"] == "1")
    _ = try compiled(noisy)
    #expect(try read("EDMEulerScheduler", ["final_sigmas_type": .string("sigma_min")]).warnings.count == 1)
    for wrong: [String: JSONValue] in [
      ["sigma_max": .number(0.001)], ["sigma_data": .number(0)], ["prediction_type": .string("sample")],
      ["sigma_schedule": .string("linear")],
    ] {
      #expect(throws: (any Error).self) { try read("EDMEulerScheduler", wrong) }
    }
    #expect(throws: FormatError.self) { try read("EDMDPMSolverMultistepScheduler", ["algorithm_type": .string("dpmsolver")]) }
  }

  @Test func terminalTimesAndNoise() throws {
    let flow = try read("FlowMatchEulerDiscreteScheduler", ["shift": .number(3), "shift_terminal": .number(0.1)])
    #expect(flow.warnings.isEmpty && flow.spacingParameters == ["terminal": "0.1"])
    let rows = try compiled(flow).rows
    #expect(abs((rows.last?.evaluation?.level.sigma ?? 0) - 0.1) < 1e-12 && rows.first?.evaluation?.level.sigma == 1)
    let sde = try read("DPMSolverSDEScheduler", ["use_karras_sigmas": .bool(true)])
    #expect(sde.solver == "dpm++-sde" && sde.missingSolver == nil && sde.spacing == "karras" && sde.warnings.isEmpty)
    #expect(try compiled(sde).noiseCount == 18)
    for (order, solver) in [(1, "ddim"), (2, "dpm++-2s"), (3, "dpm++-3s")] {
      let read = try read(
        "DPMSolverSinglestepScheduler", ["algorithm_type": .string("sde-dpmsolver++"), "solver_order": .integer(order)])
      #expect(read.solver == solver && read.solverParameters(for: solver)["eta"] == "1" && read.warnings.isEmpty)
      #expect(try compiled(read).noiseCount > 0)
    }
    #expect(throws: GridError.self) {
      try AllGrids.make("linspace", ["terminal": "0.1"]).grid(schedule: DiscreteVPSchedule(), steps: 4)
    }
  }

  /// Of several spacings that a file asks for, diffusers takes Karras' before Lu's, and both before flow's.
  @Test func spacingsHaveAnOrder() throws {
    let both = try read("DPMSolverMultistepScheduler", ["use_karras_sigmas": .bool(true), "use_lu_lambdas": .bool(true)])
    #expect(both.spacing == "karras")
    #expect(try read("DPMSolverMultistepScheduler", ["use_lu_lambdas": .bool(true)]).spacing == "exponential")
    for key in ["use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "use_lu_lambdas"] {
      let flow = try read("DPMSolverMultistepScheduler", ["use_flow_sigmas": .bool(true), key: .bool(true)])
      #expect(flow.warnings.count == 1 && flow.warnings[0].contains("'\(key)'"), "\(flow.warnings)")
    }
    let two: [String: JSONValue] = ["use_karras_sigmas": .bool(true), "use_beta_sigmas": .bool(true)]
    for name in ["EulerDiscreteScheduler", "UniPCMultistepScheduler", "FlowMatchEulerDiscreteScheduler"] {
      let error = #expect(throws: FormatError.self) { try read(name, two) }
      let message = "\(try #require(error))"
      #expect(message.contains("'use_beta_sigmas' and 'use_karras_sigmas'"), "\(message)")
    }
    // A class that reads neither.
    #expect(try read("EulerAncestralDiscreteScheduler", two).spacing == "linspace")
  }

  @Test("words that diffusers refuses are refused, with the words that are known")
  func unknownWords() throws {
    let cases: [(String, String, String)] = [
      ("EulerDiscreteScheduler", "final_sigmas_type", "sigma_min"), ("EDMEulerScheduler", "final_sigmas_type", "zero"),
      ("EDMDPMSolverMultistepScheduler", "final_sigmas_type", "zero"), ("DPMSolverMultistepScheduler", "final_sigmas_type", "zero"),
      ("DPMSolverSinglestepScheduler", "final_sigmas_type", "zero"), ("UniPCMultistepScheduler", "final_sigmas_type", "zero"),
      ("DPMSolverMultistepScheduler", "solver_type", "midpoint"), ("DPMSolverSinglestepScheduler", "solver_type", "heun"),
      ("EDMDPMSolverMultistepScheduler", "solver_type", "heun"), ("UniPCMultistepScheduler", "solver_type", "bh1"),
      ("DEISMultistepScheduler", "solver_type", "logrho"), ("DDIMScheduler", "timestep_spacing", "leading"),
      ("DPMSolverMultistepScheduler", "timestep_spacing", "linspace"), ("PNDMScheduler", "timestep_spacing", "trailing"),
      ("DPMSolverSinglestepScheduler", "algorithm_type", "dpmsolver"), ("EDMEulerScheduler", "sigma_schedule", "karras"),
    ]
    for (name, key, known) in cases {
      // A name of ours that is none of theirs.
      let error = #expect(throws: FormatError.self, "\(name)") { try read(name, [key: .string("log-snr")]) }
      let message = "\(try #require(error))"
      #expect(message.contains("'\(key)' is 'log-snr'") && message.contains(known), "\(message)")
    }
    // diffusers takes each other's words for these, as its own standard.
    for word in ["midpoint", "logrho", "bh1", "bh2"] {
      let read = try read("DPMSolverMultistepScheduler", ["solver_type": .string(word)])
      #expect(read.solverParameters(for: "dpm++-2m")["variant"] == "midpoint")
      _ = try self.read("DEISMultistepScheduler", ["solver_type": .string(word)])
    }
    for word in ["midpoint", "heun", "logrho"] {
      let read = try read("UniPCMultistepScheduler", ["solver_type": .string(word)])
      #expect(read.solverParameters(for: "unipc")["variant"] == "bh2")
    }
    // What a class does not read is not looked at; flow models' files may name our grids.
    _ = try read("LCMScheduler", ["timestep_spacing": .string("log-snr"), "solver_type": .string("log-snr")])
    #expect(try read("FlowMatchEulerDiscreteScheduler", ["timestep_spacing": .string("log-snr")]).spacing == "log-snr")
  }

  @Test func classesWithOtherNoise() throws {
    for name in SchedulerClasses.unread.sorted() + ["FlaxScoreSdeVeScheduler"] {
      let error = #expect(throws: FormatError.self, "\(name)") { try read(name) }
      let message = "\(try #require(error))"
      #expect(message.contains("'\(name)'"), "\(message)")
    }
    #expect(SchedulerClasses.unread.isDisjoint(with: SchedulerClasses.settings.keys))
    for name in ["DDIMInverseScheduler", "RePaintScheduler", "SASolverScheduler", "UnCLIPScheduler"] {
      let read = try read(name)
      #expect(read.missingSolver == name && read.solver == "dpm++-2m")
    }
    // Its betas are a cosine where the file says nothing.
    let cosine = try DiscreteVPSchedule(.cosine)
    #expect(try abs(read("UnCLIPScheduler").schedule.level(at: 500).alpha - cosine.level(at: 500).alpha) < 1e-12)
    let growing = try read("FlowMatchLCMScheduler", ["scale_factors": .array([.number(0.5), .number(1)])])
    #expect(growing.warnings.count == 1 && growing.warnings[0].contains("'scale_factors'"))
  }

  @Test("DDIM clips where the file says nothing, unless it thresholds")
  func clippingByStandard() throws {
    for name in ["DDIMScheduler", "DDIMParallelScheduler"] {
      for members: [String: JSONValue] in [[:], ["clip_sample": .bool(true)]] {
        let warnings = try read(name, members).warnings
        #expect(warnings.count == 1 && warnings[0].contains("'clip_sample'"), "\(warnings)")
      }
      #expect(try read(name, ["clip_sample": .bool(false)]).warnings.isEmpty)
      let threshold = try read(name, ["thresholding": .bool(true)]).warnings
      #expect(threshold.count == 1 && threshold[0].contains("'thresholding'"), "\(threshold)")
    }
    #expect(try read("LCMScheduler").warnings.isEmpty)
  }

  @Test func whatHasNoCounterpartIsTold() throws {
    #expect(try read("DDPMScheduler", ["variance_type": .string("learned_range")]).warnings.contains { $0.contains("learned_range") })
    #expect(throws: FormatError.self) { try read("DDPMScheduler", ["variance_type": .string("wide")]) }
    let empty = try read("PNDMScheduler")
    #expect(empty.warnings.count == 1 && empty.warnings[0].contains("steps_offset"))
    #expect(try compiled(empty).rows.last?.level.sigma == 0)
    #expect(try read("PNDMScheduler", ["timestep_spacing": .string("linspace")]).warnings.count == 2)
    #expect(throws: FormatError.self) { try read("LCMScheduler", ["original_inference_steps": .integer(0)]) }
  }
}
