/// Keys of original single files that no network needs: buffers of training and tables that are computed anew. Everything else has to be used.
enum IgnoredKeys {
  /// Whole names.
  private static let names: Set<String> = [
    "alphas_cumprod", "alphas_cumprod_prev", "betas", "epoch", "global_step", "iteration", "log_one_minus_alphas_cumprod", "logvar",
    "posterior_log_variance_clipped", "posterior_mean_coef1", "posterior_mean_coef2", "posterior_variance", "scale_factor",
    "sqrt_alphas_cumprod", "sqrt_one_minus_alphas_cumprod", "sqrt_recip_alphas_cumprod", "sqrt_recipm1_alphas_cumprod", "v_pred", "ztsnr",
    "lvlb_weights", "first_stage_model.logvar", "conditioner.embedders.0.transformer.text_projection.weight",
  ]

  /// Scopes: averaged weights, losses with their discriminators, the noise levels of the training code.
  private static let prefixes = [
    "model_ema.", "first_stage_model.loss.", "first_stage_model.model_ema.", "loss.", "denoiser.", "callbacks.", "optimizer_states.",
    "lr_schedulers.",
  ]

  static func contains(_ name: String) -> Bool { names.contains(name) || prefixes.contains { name.hasPrefix($0) } }
}
