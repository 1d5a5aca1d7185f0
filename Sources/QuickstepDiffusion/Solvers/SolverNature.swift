/// What a solver's runs have in common with the exact process, given an exact denoiser: which laws can be asked of it.
public enum SolverNature: String, Sendable, Codable {
  /// With neutral parameters it follows the probability-flow ODE, with others it keeps its marginals, better on finer grids.
  case flow
  /// It always adds noise, and approaches the marginals on finer grids.
  case diffusion
  /// It jumps to the end in every step and noises the result anew: right for networks distilled to make that jump, and only for them.
  case consistency
}
