import QuickstepModels
import QuickstepTensor

/// Prompts of class-conditional models: numbers of classes. The label after the last class stands for "no class".
struct ClassConditioner: Conditioner {
  let model: String
  let count: Int
  let device: Device

  var promptChannels: Int? { nil }
  var pooledChannels: Int? { nil }
  var classCount: Int? { count }

  func condition(
    _ prompts: [String], side: GuidanceSide, frame: ConditioningFrame, warnings: inout [String]
  ) throws -> Conditioning {
    let labels = try prompts.map { prompt in
      if side == .negative, prompt.isEmpty { return count }
      guard let label = Int(prompt.trimmingSpaces), (0..<count).contains(label) else {
        let what = side == .negative ? "negative prompt" : "prompt"
        throw GenerationError("the model '\(model)' makes classes 0…\(count - 1); the \(what) '\(prompt.prefix(60))' is none of them")
      }
      return label
    }
    return Conditioning(classes: Tensor(labels).to(device))
  }

  func condition(encoded sequence: Tensor, pooled: Tensor?, frame: ConditioningFrame) throws -> Conditioning {
    throw GenerationError("'\(model)' takes no prompts, so 'prompt_embeds' has no effect")
  }
}
