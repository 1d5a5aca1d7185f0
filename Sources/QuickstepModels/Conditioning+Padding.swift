import QuickstepTensor

extension Conditioning {
  /// Conditions of one evaluation without the places behind the last one that counts in any of them: encoders fill prompts up to a fixed length, of which
  /// short ones take a tenth. As they are where one has no mask or nothing that counts, and where their lengths differ.
  ///
  /// Reads the masks: for the beginning of a request, not for evaluations.
  /// - Throws: `TensorError`.
  package static func withoutPadding(_ conditions: [Conditioning]) throws -> [Conditioning] {
    let masks = conditions.compactMap(\.mask)
    let lengths = Set(conditions.compactMap { $0.sequence?.size(1) } + masks.map { $0.size(-1) })
    guard !conditions.isEmpty, masks.count == conditions.count, lengths.count == 1, let length = lengths.first,
      masks.allSatisfy({ $0.rank == 2 && $0.device != .meta })
    else { return conditions }
    let places = try withTensorErrors { Tensor.arange(1, end: Scalar(length + 1), dtype: .int64) }
    let ends = try masks.flatMap { mask in
      try withTensorErrors { (mask.to(.bool).to(.cpu).to(.int64) * places).amax([1]) }.scalars(Int64.self)
    }
    // A prompt of which nothing counts sees all places alike, so that each has a part.
    guard let last = ends.max(), last < length, !ends.contains(0) else { return conditions }
    return try withTensorErrors {
      conditions.map { condition in
        var condition = condition
        condition.sequence = condition.sequence?.narrow(1, start: 0, length: Int(last)).contiguous()
        condition.mask = condition.mask?.narrow(1, start: 0, length: Int(last)).contiguous()
        return condition
      }
    }
  }
}

extension Backbone {
  /// The conditions of a request, by branch of guidance, without padding that has no part in any answer.
  /// - Throws: `TensorError`.
  package func unpadded(_ conditions: [String: Conditioning]) throws -> [String: Conditioning] {
    guard ignoresHiddenPlaces else { return conditions }
    let branches = conditions.sorted { $0.key < $1.key }
    let short = try Conditioning.withoutPadding(branches.map(\.value))
    return Dictionary(uniqueKeysWithValues: zip(branches.map(\.key), short))
  }
}
