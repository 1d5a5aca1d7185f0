import QuickstepModels
import QuickstepTensor

extension GivenTensors {
  /// The same with every tensor that is there replaced. `change` is told the tensor's name as in a file of latents.
  func mapped(_ change: (String, Tensor) throws -> Tensor) rethrows -> GivenTensors {
    var result = self
    result.latents = try latents.map { try change("latents", $0) }
    result.promptEmbeds = try promptEmbeds.map { try change("prompt_embeds", $0) }
    result.negativePromptEmbeds = try negativePromptEmbeds.map { try change("negative_prompt_embeds", $0) }
    result.pooledPromptEmbeds = try pooledPromptEmbeds.map { try change("pooled_prompt_embeds", $0) }
    result.negativePooledPromptEmbeds = try negativePooledPromptEmbeds.map { try change("negative_pooled_prompt_embeds", $0) }
    result.promptMask = try promptMask.map { try change("prompt_attention_mask", $0) }
    result.negativePromptMask = try negativePromptMask.map { try change("negative_prompt_attention_mask", $0) }
    return result
  }

  /// Whether nothing was brought along.
  var isEmpty: Bool {
    latents == nil && promptEmbeds == nil && negativePromptEmbeds == nil && pooledPromptEmbeds == nil && negativePooledPromptEmbeds == nil
      && promptMask == nil && negativePromptMask == nil
  }

  /// Checked against the request and placed where the model is: latents in float32, embeddings in the type of its weights.
  /// - Throws: ``GenerationError`` naming the tensor, its shape and the one that is needed.
  func checked(count: Int, latentShape: [Int], model: LoadedModel) throws -> GivenTensors {
    if promptEmbeds == nil,
      let orphan = [
        ("negative_prompt_embeds", negativePromptEmbeds), ("pooled_prompt_embeds", pooledPromptEmbeds),
        ("negative_pooled_prompt_embeds", negativePooledPromptEmbeds), ("prompt_attention_mask", promptMask),
        ("negative_prompt_attention_mask", negativePromptMask),
      ].first(where: { $0.1 != nil })
    {
      throw GenerationError("'\(orphan.0)' has no effect without 'prompt_embeds'")
    }
    if promptEmbeds != nil, model.conditioner.promptChannels == nil {
      throw GenerationError("'\(model.name)' takes no prompts, so 'prompt_embeds' has no effect")
    }
    let size = model.conditioner.promptChannels ?? 0
    let pooled = model.conditioner.pooledChannels
    if pooled == nil, pooledPromptEmbeds != nil || negativePooledPromptEmbeds != nil {
      throw GenerationError("'\(model.name)' uses no summary of the prompt, so 'pooled_prompt_embeds' has no effect")
    }
    if !model.conditioner.takesMask, promptMask != nil || negativePromptMask != nil {
      throw GenerationError("'\(model.name)' takes no mask of the prompt, so 'prompt_attention_mask' has no effect")
    }
    let lengths = ["prompt_attention_mask": promptEmbeds, "negative_prompt_attention_mask": negativePromptEmbeds].mapValues {
      $0.map { $0.rank == 3 ? $0.size(1) : 0 } ?? 0
    }
    return try mapped { name, tensor in
      let shape = tensor.shape
      let needed =
        lengths[name].map { "[\(count), \($0)]" }
        ?? (name == "latents"
          ? "\([count] + latentShape)" : name.contains("pooled") ? "[\(count), \(pooled ?? 0)]" : "[\(count), L, \(size)]")
      let fits: Bool
      switch name {
      case "latents": fits = shape == [count] + latentShape
      case "prompt_attention_mask", "negative_prompt_attention_mask": fits = shape == [count, lengths[name] ?? 0]
      case "pooled_prompt_embeds", "negative_pooled_prompt_embeds": fits = shape == [count, pooled ?? 0]
      default: fits = shape.count == 3 && shape[0] == count && shape[1] > 0 && shape[2] == size
      }
      guard fits else { throw GenerationError("'\(name)' is \(shape); this request needs \(needed)") }
      return try withTensorErrors { tensor.to(name == "latents" ? .float32 : model.computeType, model.device) }
    }
  }
}
