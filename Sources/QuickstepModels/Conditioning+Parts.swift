public import QuickstepTensor

extension Conditioning {
  private static let fields: [(String, any WritableKeyPath<Conditioning, Tensor?> & Sendable)] = [
    ("sequence", \.sequence), ("mask", \.mask), ("pooled", \.pooled), ("classes", \.classes), ("time ids", \.timeIDs),
    ("guidance", \.guidance), ("guidance scale", \.guidanceScale), ("resolution", \.resolution), ("aspect ratio", \.aspectRatio),
  ]
  private static let preparedPrefix = "prepared "

  /// All that is there but residuals, which belong to one evaluation, under names and in an order that follow from what is there.
  public var parts: [(name: String, tensor: Tensor)] {
    Self.fields.compactMap { name, field in self[keyPath: field].map { (name, $0) } }
      + prepared.sorted { $0.key < $1.key }.map { (Self.preparedPrefix + $0.key, $0.value) }
  }

  /// From ``parts``; names that are none of theirs are left out.
  public init(parts: [(name: String, tensor: Tensor)]) {
    self.init()
    for (name, tensor) in parts {
      if name.hasPrefix(Self.preparedPrefix) {
        prepared[String(name.dropFirst(Self.preparedPrefix.count))] = tensor
      } else if let field = Self.fields.first(where: { $0.0 == name })?.1 {
        self[keyPath: field] = tensor
      }
    }
  }
}

extension Conditioning {
  /// From tensors under the argument names of diffusers' networks.
  /// - Throws: ``ComponentError`` when numbered residuals have gaps.
  package init(named inputs: [String: Tensor]) throws {
    self.init(
      sequence: inputs["encoder_hidden_states"], mask: inputs["encoder_attention_mask"]?.to(.bool),
      pooled: inputs["pooled_projections"] ?? inputs["text_embeds"], classes: inputs["class_labels"])
    timeIDs = inputs["time_ids"]
    guidance = inputs["timestep_cond"]
    guidanceScale = inputs["guidance"]
    (resolution, aspectRatio) = (inputs["resolution"], inputs["aspect_ratio"])
    let prefix = "down_block_additional_residuals."
    let count = inputs.keys.count { $0.hasPrefix(prefix) }
    guard count > 0 || inputs["mid_block_additional_residual"] != nil else { return }
    let down = try (0..<count).map { index in
      guard let tensor = inputs[prefix + String(index)] else {
        throw ComponentError("'\(prefix)\(index)' is missing; \(count) such tensors are given and count from 0")
      }
      return tensor
    }
    residuals = ControlResiduals(down: down, middle: inputs["mid_block_additional_residual"])
  }
}
