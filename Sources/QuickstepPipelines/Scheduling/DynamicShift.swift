import Foundation
import QuickstepDiffusion
import QuickstepFormats

/// A flow schedule's shift that depends on the picture's size (`use_dynamic_shifting`): a number linear in the length of the transformer's
/// sequence (Esser et al. 2024, section 5.3.2; FLUX).
struct DynamicShift: Sendable {
  let baseShift: Double, maxShift: Double
  let baseTokens: Int, maxTokens: Int
  /// Whether the number is the shift's logarithm, and not the shift (`time_shift_type`).
  let isExponential: Bool

  init?(_ keys: SchedulerKeys) throws {
    guard try keys.flag("use_dynamic_shifting") else { return nil }
    baseShift = try keys.number("base_shift", 0.5)
    maxShift = try keys.number("max_shift", 1.15)
    baseTokens = try keys.integer("base_image_seq_len", 256, 1...1_000_000_000)
    maxTokens = try keys.integer("max_image_seq_len", 4096, 2...1_000_000_000)
    isExponential = try keys.choice("time_shift_type", "exponential", allowed: ["exponential", "linear"]) == "exponential"
    guard maxTokens > baseTokens else {
      throw FormatError(keys.path, "'max_image_seq_len' is \(maxTokens), not above 'base_image_seq_len' (\(baseTokens))")
    }
  }

  /// The shift for sequences of this length.
  func shift(tokens: Int) throws -> Double {
    let exponential = try FlowSchedule.dynamicShift(
      tokens: tokens, baseShift: baseShift, maxShift: maxShift, baseTokens: baseTokens, maxTokens: maxTokens)
    return isExponential ? exponential : log(exponential)
  }
}
