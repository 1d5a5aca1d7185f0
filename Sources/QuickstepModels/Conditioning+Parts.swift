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
