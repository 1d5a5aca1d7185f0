import QuickstepModels
import QuickstepTensor

/// Prompts of class-conditional models: numbers of classes, or their names where the model has any. The label after the last class stands for "no class".
struct ClassConditioner: Conditioner {
  let model: String
  let count: Int
  let device: Device
  /// Numbers by name.
  var labels: [String: Int] = [:]

  var promptChannels: Int? { nil }
  var pooledChannels: Int? { nil }
  var classCount: Int? { count }

  func condition(
    _ prompts: [String], side: GuidanceSide, frame: ConditioningFrame, warnings: inout [String]
  ) throws -> Conditioning {
    let numbers = try prompts.map { prompt in
      if side == .negative, prompt.isEmpty { return count }
      let text = prompt.trimmingSpaces
      guard let number = Int(text) ?? labels[text], (0..<count).contains(number) else {
        let what = side == .negative ? "negative prompt" : "prompt"
        let names = labels.isEmpty ? "" : ", which also have names"
        throw GenerationError(
          "the model '\(model)' makes classes 0…\(count - 1)\(names); the \(what) '\(prompt.prefix(60))' is none of them")
      }
      return number
    }
    return Conditioning(classes: Tensor(numbers).to(device))
  }

  func condition(encoded sequence: Tensor, pooled: Tensor?, frame: ConditioningFrame) throws -> Conditioning {
    throw GenerationError("'\(model)' takes no prompts, so 'prompt_embeds' has no effect")
  }
}
