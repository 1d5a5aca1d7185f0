import QuickstepNN
import QuickstepTensor

/// Tokens of a picture and of its prompt, which pass through blocks side by side.
struct Streams: SiteValue {
  /// `[B, N, C]`.
  var image: Tensor { didSet { piece = nil } }
  /// `[B, L, C]`; `nil` where a last block has nothing to say about the prompt.
  var text: Tensor? { didSet { piece = nil } }
  /// Both in one piece of memory, the prompt's tokens first, where a block has left them so: `[B, L + N, C]`.
  private var piece: Tensor?

  init(image: Tensor, text: Tensor?) {
    self.image = image
    self.text = text
  }

  init(tensors: [Tensor]) { self.init(image: tensors.first ?? .undefined, text: tensors.count > 1 ? tensors[1] : nil) }

  /// - Parameter joined: `[B, L + N, C]`.
  init(joined: Tensor, textLength: Int) {
    image = joined.narrow(1, start: textLength, length: joined.size(1) - textLength)
    text = joined.narrow(1, start: 0, length: textLength)
    piece = joined
  }

  /// Tokens of the prompt, then those of the picture: `[B, L + N, C]`.
  /// - Throws: as ``prompt()``.
  func joined() throws -> Tensor { try piece ?? .cat([prompt(), image], dim: 1) }

  var tensors: [Tensor] { text.map { [image, $0] } ?? [image] }

  /// - Throws: ``ComponentError`` when a policy has left the prompt out.
  func prompt() throws -> Tensor {
    guard let text else { throw ComponentError("a block of two streams was given the picture's alone") }
    return text
  }
}

/// Queries, keys and values of one stream, normalised per head where the model has it. `[B, N, C] → [B, N, heads, D]` each.
struct HeadProjections: Sendable {
  let heads: Int
  let query: Linear, key: Linear, value: Linear
  let queryNorm: RMSNorm?, keyNorm: RMSNorm?

  /// - Parameter isAdded: the prompt's, which are called `add_q_proj`, `norm_added_q` and so on, and not `to_q`, `norm_q`.
  init(_ weights: Weights, size: Int, heads: Int, normalisesHeads: Bool, isAdded: Bool = false) {
    self.heads = heads
    func linear(_ letter: String) -> Linear { Linear(weights[isAdded ? "add_\(letter)_proj" : "to_\(letter)"], size, size) }
    func norm(_ letter: String) -> RMSNorm? {
      normalisesHeads ? RMSNorm(weights[isAdded ? "norm_added_\(letter)" : "norm_\(letter)"], size / max(1, heads)) : nil
    }
    (query, key, value) = (linear("q"), linear("k"), linear("v"))
    (queryNorm, keyNorm) = (norm("q"), norm("k"))
  }

  func queries(_ input: Tensor) -> Tensor {
    let heads = HeadAttention.split(query(input), heads: self.heads)
    return queryNorm.map { $0(heads) } ?? heads
  }

  func keys(_ input: Tensor) -> Tensor {
    let heads = HeadAttention.split(key(input), heads: self.heads)
    return keyNorm.map { $0(heads) } ?? heads
  }

  func values(_ input: Tensor) -> Tensor { HeadAttention.split(value(input), heads: heads) }
}

/// Attention over the tokens of prompt and picture together, each stream with weights of its own (Esser et al. 2024, arXiv 2403.03206,
/// section 4).
struct JointAttention: Sendable {
  let image: HeadProjections
  let text: HeadProjections
  let imageOutput: Linear
  let textOutput: Linear?
  let attend: ScaledAttention

  init(_ weights: Weights, size: Int, heads: Int, normalisesHeads: Bool, hasTextOutput: Bool) {
    image = HeadProjections(weights, size: size, heads: heads, normalisesHeads: normalisesHeads)
    text = HeadProjections(weights, size: size, heads: heads, normalisesHeads: normalisesHeads, isAdded: true)
    attend = ScaledAttention(weights)
    imageOutput = Linear(weights["to_out", 0], size, size)
    textOutput = hasTextOutput ? Linear(weights["to_add_out"], size, size) : nil
  }

  /// - Parameters:
  ///   - imageTokens: `[B, N, C]`, normalised.
  ///   - textTokens: `[B, L, C]`, normalised.
  ///   - rotary: positions of all L + N tokens, the prompt's first; `nil` for models that add positions to their input.
  ///   - probe: is told how the tokens attend.
  func callAsFunction(
    _ imageTokens: Tensor, _ textTokens: Tensor, rotary: RotaryPositions?, probe: AttentionProbe? = nil
  ) -> Streams {
    func turned(_ heads: Tensor) -> Tensor { rotary.map { $0(heads) } ?? heads }
    let key = turned(.cat([text.keys(textTokens), image.keys(imageTokens)], dim: 1))
    let value = Tensor.cat([text.values(textTokens), image.values(imageTokens)], dim: 1)
    let lengths = [textTokens.size(1), imageTokens.size(1)]
    func observe(_ query: Tensor) {
      probe?.observe(query: query, key: key, value: value) { $0.split(sizes: lengths, dim: 1).reversed() }
    }
    // Queries of a prompt that nobody reads any more would be in vain.
    guard let textOutput else {
      let query = image.queries(imageTokens)
      observe(query)
      return Streams(image: imageOutput(attend(query, key, value)), text: nil)
    }
    let query = turned(.cat([text.queries(textTokens), image.queries(imageTokens)], dim: 1))
    observe(query)
    let mixed = attend(query, key, value)
    let parts = mixed.split(sizes: lengths, dim: 1)
    return Streams(image: imageOutput(parts[1]), text: textOutput(parts[0]))
  }
}

/// What tells one block of two streams from another.
struct JointBlockShape: Sendable {
  var size: Int
  var heads: Int
  /// RMS normalisation of queries and keys per head.
  var normalisesHeads: Bool
  /// The picture attends to itself alone as well (SD3.5 medium).
  var hasSecondAttention = false
  /// After the last block nobody reads the prompt, so it gets no output and no feed-forward layers. Not with rotary positions.
  var isLast = false
}

/// Joint attention and feed-forward layers on two streams under adaLN-Zero; diffusers' `JointTransformerBlock` (SD3) and
/// `FluxTransformerBlock`.
struct JointBlock: Sendable {
  let shape: JointBlockShape
  let norm: LayerNorm
  let imageModulation: Linear
  let textModulation: Linear
  let attention: JointAttention
  let secondAttention: Attention?
  let imageFeedForward: PlainFeedForward
  let textFeedForward: PlainFeedForward?

  init(_ weights: Weights, _ shape: JointBlockShape) {
    let size = shape.size
    self.shape = shape
    norm = LayerNorm(weights["norm1", "norm"], size, affine: false)
    imageModulation = Linear(weights["norm1", "linear"], size, (shape.hasSecondAttention ? 9 : 6) * size)
    textModulation = Linear(weights["norm1_context", "linear"], size, (shape.isLast ? 2 : 6) * size)
    attention = JointAttention(
      weights["attn"], size: size, heads: shape.heads, normalisesHeads: shape.normalisesHeads, hasTextOutput: !shape.isLast)
    secondAttention =
      shape.hasSecondAttention
      ? Attention(weights["attn2"], size: size, heads: shape.heads, normalisesHeads: shape.normalisesHeads) : nil
    imageFeedForward = PlainFeedForward(weights["ff"], size: size)
    textFeedForward = shape.isLast ? nil : PlainFeedForward(weights["ff_context"], size: size)
  }

  func sites(_ block: Site) -> [Site] {
    Site.modules(
      block.path, depth: block.depth,
      [("attn", .attention)] + (secondAttention == nil ? [] : [("attn2", .attention)]) + [("ff", .feedForward)])
  }

  /// What the attention takes of the picture.
  func modulated(_ input: Streams, signal: Tensor) -> Tensor {
    let parts = imageModulation(signal).unsqueeze(1).chunk(shape.hasSecondAttention ? 9 : 6, dim: -1)
    return modulate(norm(input.image), shift: parts[0], scale: parts[1])
  }

  /// - Parameters:
  ///   - signal: `[B, C]`, after its SiLU.
  ///   - rotary: see ``JointAttention``.
  func callAsFunction(
    _ input: Streams, signal: Tensor, rotary: RotaryPositions?, path: String, depth: Int, evaluation: Evaluation
  ) throws -> Streams {
    let image = imageModulation(signal).unsqueeze(1).chunk(shape.hasSecondAttention ? 9 : 6, dim: -1)
    let text = textModulation(signal).unsqueeze(1).chunk(shape.isLast ? 2 : 6, dim: -1)
    let attended = try evaluation.attention(Site("\(path).attn", .attention, depth: depth), input) { streams, probe in
      // The last block's modulation of the prompt has the scale before the shift.
      let (shift, scale) = shape.isLast ? (text[1], text[0]) : (text[0], text[1])
      let prompt = modulate(norm(try streams.prompt()), shift: shift, scale: scale)
      return attention(modulate(norm(streams.image), shift: image[0], scale: image[1]), prompt, rotary: rotary, probe: probe)
    }
    var hidden = Streams(image: input.image.addcmul(image[2], tensor2: attended.image), text: input.text)
    if let secondAttention {
      let own = try evaluation.site(Site("\(path).attn2", .attention, depth: depth), input.image) {
        secondAttention(modulate(norm($0), shift: image[6], scale: image[7]))
      }
      hidden.image = hidden.image.addcmul(image[8], tensor2: own)
    }
    if !shape.isLast, let change = attended.text { hidden.text = try input.prompt().addcmul(text[2], tensor2: change) }
    let fed = try evaluation.site(Site("\(path).ff", .feedForward, depth: depth), hidden) { streams in
      let prompt = try textFeedForward.map { $0(modulate(norm(try streams.prompt()), shift: text[3], scale: text[4])) }
      return Streams(image: imageFeedForward(modulate(norm(streams.image), shift: image[3], scale: image[4])), text: prompt)
    }
    hidden.image = hidden.image.addcmul(image[5], tensor2: fed.image)
    if !shape.isLast, let change = fed.text { hidden.text = try hidden.prompt().addcmul(text[5], tensor2: change) }
    return hidden
  }
}
