import QuickstepDiffusion
import QuickstepFormats

/// The settings each of diffusers' scheduler classes reads (0.37; `Parity/schedulers_chosen.py` writes down what they are). A file may hold
/// those of other classes beside them, which have no effect: diffusers keeps them for a later change of the class.
package enum SchedulerClasses {
  private static let betas = "num_train_timesteps beta_start beta_end beta_schedule trained_betas prediction_type"
  private static let spaced = "\(betas) timestep_spacing steps_offset"
  private static let threshold = "thresholding dynamic_thresholding_ratio sample_max_value"
  private static let clip = "clip_sample clip_sample_range"
  private static let rescale = "rescale_betas_zero_snr"
  // The range is a setting of two classes only, but the others look for it in the file as well.
  private static let sigmas = "use_karras_sigmas use_exponential_sigmas use_beta_sigmas sigma_min sigma_max"
  private static let flow = "use_flow_sigmas flow_shift use_dynamic_shifting time_shift_type"
  private static let multistep = "\(threshold) solver_order solver_type lower_order_final"
  private static let dpm = "algorithm_type final_sigmas_type lambda_min_clipped variance_type"
  private static let edm = "sigma_min sigma_max sigma_data sigma_schedule num_train_timesteps prediction_type rho final_sigmas_type"
  private static let distilled = "original_inference_steps set_alpha_to_one timestep_scaling"
  private static let sequence = "use_dynamic_shifting base_shift max_shift base_image_seq_len max_image_seq_len time_shift_type"

  // The parallel classes take the same steps, several at once where their pipeline asks for it.
  private static let ddim = [spaced, threshold, clip, rescale, "set_alpha_to_one"]
  private static let ddpm = [spaced, threshold, clip, rescale, "variance_type"]

  private static let words: [String: [String]] = [
    "DDIMParallelScheduler": ddim, "DDIMScheduler": ddim, "DDPMParallelScheduler": ddpm, "DDPMScheduler": ddpm,
    "DEISMultistepScheduler": [spaced, multistep, sigmas, flow, "algorithm_type"],
    "DPMSolverMultistepScheduler": [spaced, multistep, sigmas, flow, dpm, rescale, "euler_at_final use_lu_lambdas"],
    "DPMSolverSDEScheduler": [spaced, sigmas, "noise_sampler_seed"],
    "DPMSolverSinglestepScheduler": [betas, multistep, sigmas, flow, dpm],
    "EDMDPMSolverMultistepScheduler": [edm, multistep, "algorithm_type euler_at_final"],
    "EDMEulerScheduler": [edm],
    "EulerAncestralDiscreteScheduler": [spaced, rescale],
    "EulerDiscreteScheduler": [spaced, sigmas, rescale, "interpolation_type timestep_type final_sigmas_type"],
    "FlowMatchEulerDiscreteScheduler": [
      sequence, sigmas, "num_train_timesteps shift invert_sigmas shift_terminal stochastic_sampling",
    ],
    "FlowMatchHeunDiscreteScheduler": ["num_train_timesteps shift"],
    "FlowMatchLCMScheduler": [sequence, sigmas, "num_train_timesteps shift invert_sigmas shift_terminal scale_factors upscale_mode"],
    "HeunDiscreteScheduler": [spaced, sigmas, clip],
    "KDPM2AncestralDiscreteScheduler": [spaced, sigmas],
    "KDPM2DiscreteScheduler": [spaced, sigmas],
    "LCMScheduler": [spaced, threshold, clip, rescale, distilled],
    "LMSDiscreteScheduler": [spaced, sigmas],
    "PNDMScheduler": [spaced, "skip_prk_steps set_alpha_to_one"],
    "TCDScheduler": [spaced, threshold, clip, rescale, distilled],
    "UniPCMultistepScheduler": [
      spaced, multistep, sigmas, flow, rescale, "predict_x0 disable_corrector solver_p final_sigmas_type shift_terminal",
    ],
  ]

  /// Names of settings by class.
  package static let settings: [String: Set<String>] = words.mapValues { lists in
    Set(lists.flatMap { $0.split(separator: " ").map(String.init) })
  }

  private static let all = settings.values.reduce(into: Set<String>()) { $0.formUnion($1) }
  // What the built-in models' files say of flow models beside diffusers' settings.
  private static let flowMore: Set = ["timestep_spacing", "prediction_type"]
  private static let notSettings: Set = ["quantization_config", "auto_map"]

  /// The members that a class reads; all of them for classes that are not known. A configuration that was saved with a list of what was
  /// standard (`_use_default_values`) leaves these to the class.
  static func members(_ members: [String: JSONValue], readBy className: String) -> [String: JSONValue] {
    let standard = Set(members["_use_default_values"]?.array?.compactMap(\.string) ?? [])
    guard var known = settings[className] else { return members.filter { !standard.contains($0.key) } }
    if className.hasPrefix("FlowMatch") { known.formUnion(flowMore) }
    return members.filter { known.contains($0.key) && !standard.contains($0.key) }
  }

  /// Members that no class reads, for a known class: misspelt ones, most likely.
  static func foreign(_ members: [String: JSONValue], to className: String) -> [String] {
    guard settings[className] != nil else { return [] }
    return members.keys.filter { !all.contains($0) && !flowMore.contains($0) && !notSettings.contains($0) && !$0.hasPrefix("_") }.sorted()
  }

  /// Classes of networks whose noise is neither that of β on whole timesteps, nor a straight path told as diffusers' flow classes tell it,
  /// nor EDM's with its preconditioning: tokens instead of numbers, angles, continuous cosines, shifted signal.
  package static let unread: Set = [
    "AmusedScheduler", "CMStochasticIterativeScheduler", "CogVideoXDDIMScheduler", "CogVideoXDPMScheduler", "ConsistencyDecoderScheduler",
    "CosineDPMSolverMultistepScheduler", "DDPMWuerstchenScheduler", "HeliosDMDScheduler", "HeliosScheduler", "IPNDMScheduler",
    "KarrasVeScheduler", "LTXEulerAncestralRFScheduler", "SCMScheduler", "ScoreSdeVeScheduler", "ScoreSdeVpScheduler",
    "VQDiffusionScheduler",
  ]

  /// Refuses files of classes whose noise would be taken for another.
  static func checkNoise(of className: String, path: String) throws {
    guard unread.contains(className.hasPrefix("Flax") ? String(className.dropFirst(4)) : className) else { return }
    throw FormatError(
      path,
      "'_class_name' is '\(className)', a class whose noise is not read here; for networks trained on timesteps, flow or EDM's noise, a "
        + "file of a class for these (DDIMScheduler, FlowMatchEulerDiscreteScheduler, EDMEulerScheduler, …) has to stand in its place")
  }

  /// The class that a solver was asked for by, and the grid that was named behind it; `nil` for names of other tools and our own.
  static func asked(_ match: AllSolvers.Match, as name: String) -> (className: String, grid: String?)? {
    guard match.alias?.tool == "diffusers" else { return nil }
    let wanted = canonicalName(name)
    for className in settings.keys where wanted.hasPrefix(canonicalName(className)) {
      let rest = String(wanted.dropFirst(canonicalName(className).count))
      if rest.isEmpty { return (className, nil) }
      if let grid = match.alias?.spacing, canonicalName(grid) == rest { return (className, grid) }
    }
    return nil
  }
}
