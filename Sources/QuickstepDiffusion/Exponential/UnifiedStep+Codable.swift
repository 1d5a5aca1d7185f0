/// A key of an object in a decision file, whatever its name.
private struct AnyKey: CodingKey {
  let stringValue: String
  var intValue: Int? { nil }
  init(stringValue: String) { self.stringValue = stringValue }
  init?(intValue: Int) { return nil }
}

extension Decoder {
  /// The object, if it has no members but these: a mistyped decision must not pass for a missing one.
  fileprivate func object<Key: CodingKey & CaseIterable>(_ keys: Key.Type) throws -> KeyedDecodingContainer<Key> {
    let known = Key.allCases.map(\.stringValue)
    for key in try container(keyedBy: AnyKey.self).allKeys where !known.contains(key.stringValue) {
      throw DecodingError.dataCorrupted(
        .init(codingPath: codingPath, debugDescription: "no member '\(key.stringValue)'; allowed: \(known.joined(separator: ", "))"))
    }
    return try container(keyedBy: Key.self)
  }
}

extension KeyedDecodingContainer {
  /// An order: what is not given of a decision is made as long as it says, so that it is bounded before a plan is checked.
  /// - Parameter absent: where there is none; `nil` needs one.
  fileprivate func order(forKey key: Key, absent: Int? = nil) throws -> Int {
    try whole(forKey: key, "order", 1...PlanCheck.greatestOrder, absent: absent)
  }

  /// The age of a state, 0 where there is none.
  fileprivate func start(forKey key: Key) throws -> Int { try whole(forKey: key, "start", 0...1_000_000, absent: 0) }

  private func whole(forKey key: Key, _ name: String, _ range: ClosedRange<Int>, absent: Int?) throws -> Int {
    let value: Int
    if let absent { value = try decodeIfPresent(Int.self, forKey: key) ?? absent } else { value = try decode(Int.self, forKey: key) }
    guard range.contains(value) else {
      throw DecodingError.dataCorruptedError(
        forKey: key, in: self, debugDescription: "\(name) \(value); allowed: \(range.lowerBound)…\(range.upperBound)")
    }
    return value
  }
}

extension UnifiedStep: Codable {
  private enum CodingKeys: String, CodingKey, CaseIterable {
    case prediction, order, start, derivatives, corrector, eta, anchor
    case noiseScale = "s-noise"
  }

  /// Reads an object; absent members have the values of ``init(_:order:start:derivatives:corrector:eta:noiseScale:)``.
  /// - Throws: `DecodingError` for unknown members and wrong values, orders outside 1…6 and starts outside 0…1000000 among them.
  public init(from decoder: any Decoder) throws {
    let object = try decoder.object(CodingKeys.self)
    self.init(
      try object.decodeIfPresent(PredictionKind.self, forKey: .prediction) ?? .denoised,
      order: try object.order(forKey: .order, absent: 1), start: try object.start(forKey: .start),
      derivatives: try object.decodeIfPresent([DerivativeEstimate].self, forKey: .derivatives),
      corrector: try object.decodeIfPresent(Corrector.self, forKey: .corrector),
      eta: try object.decodeIfPresent(Double.self, forKey: .eta) ?? 0,
      noiseScale: try object.decodeIfPresent(Double.self, forKey: .noiseScale) ?? 1)
    anchor = try object.decodeIfPresent(Anchor.self, forKey: .anchor)
  }

  public func encode(to encoder: any Encoder) throws {
    var object = encoder.container(keyedBy: CodingKeys.self)
    try object.encode(prediction, forKey: .prediction)
    try object.encode(order, forKey: .order)
    if start != 0 { try object.encode(start, forKey: .start) }
    if !derivatives.isEmpty { try object.encode(derivatives, forKey: .derivatives) }
    try object.encodeIfPresent(corrector, forKey: .corrector)
    if eta != 0 { try object.encode(eta, forKey: .eta) }
    if noiseScale != 1 { try object.encode(noiseScale, forKey: .noiseScale) }
    try object.encodeIfPresent(anchor, forKey: .anchor)
  }
}

extension DerivativeEstimate: Codable {
  private enum CodingKeys: String, CodingKey, CaseIterable { case points, relaxation, coefficient, factor }

  /// Reads an object with `points`; the relaxation is a word, that of `linear` has a `coefficient`.
  /// - Throws: `DecodingError` for unknown members and wrong values.
  public init(from decoder: any Decoder) throws {
    let object = try decoder.object(CodingKeys.self)
    let word = try object.decodeIfPresent(String.self, forKey: .relaxation) ?? "none"
    let coefficient = try object.decodeIfPresent(Double.self, forKey: .coefficient)
    guard let relaxation = Relaxation(word: word, coefficient: coefficient ?? 0), coefficient == nil || word == "linear" else {
      throw DecodingError.dataCorruptedError(
        forKey: .relaxation, in: object,
        debugDescription: "relaxation '\(word)'\(coefficient.map { " with coefficient \($0)" } ?? ""); allowed: "
          + "\(Relaxation.words.joined(separator: ", ")), and a coefficient with linear")
    }
    self.init(
      points: try object.decode([Int].self, forKey: .points), relaxation: relaxation,
      factor: try object.decodeIfPresent(Double.self, forKey: .factor) ?? 1)
  }

  public func encode(to encoder: any Encoder) throws {
    var object = encoder.container(keyedBy: CodingKeys.self)
    try object.encode(points, forKey: .points)
    if relaxation != .none { try object.encode(relaxation.word, forKey: .relaxation) }
    if case .linear(let coefficient) = relaxation { try object.encode(coefficient, forKey: .coefficient) }
    if factor != 1 { try object.encode(factor, forKey: .factor) }
  }
}

extension Corrector: Codable {
  private enum CodingKeys: String, CodingKey, CaseIterable { case kind, order, start, derivatives }

  /// Reads an object with `order`; absent members have the values of ``init(_:order:start:derivatives:)``.
  /// - Throws: `DecodingError` for unknown members and wrong values, orders outside 1…6 and starts outside 0…1000000 among them.
  public init(from decoder: any Decoder) throws {
    let object = try decoder.object(CodingKeys.self)
    self.init(
      try object.decodeIfPresent(Kind.self, forKey: .kind) ?? .pseudo, order: try object.order(forKey: .order),
      start: try object.start(forKey: .start),
      derivatives: try object.decodeIfPresent([DerivativeEstimate].self, forKey: .derivatives))
  }

  public func encode(to encoder: any Encoder) throws {
    var object = encoder.container(keyedBy: CodingKeys.self)
    try object.encode(kind, forKey: .kind)
    try object.encode(order, forKey: .order)
    if start != 0 { try object.encode(start, forKey: .start) }
    if !derivatives.isEmpty { try object.encode(derivatives, forKey: .derivatives) }
  }
}

extension Anchor: Codable {
  private enum CodingKeys: String, CodingKey, CaseIterable { case point, strength }

  /// Reads an object with `strength`; without a `point` it is the first.
  /// - Throws: `DecodingError` for unknown members and wrong values.
  public init(from decoder: any Decoder) throws {
    let object = try decoder.object(CodingKeys.self)
    self.init(
      try object.decodeIfPresent(Point.self, forKey: .point) ?? .first, strength: try object.decode(Double.self, forKey: .strength))
  }

  public func encode(to encoder: any Encoder) throws {
    var object = encoder.container(keyedBy: CodingKeys.self)
    try object.encode(point, forKey: .point)
    try object.encode(strength, forKey: .strength)
  }
}

extension UnifiedDecisions: Codable {
  private enum CodingKeys: String, CodingKey, CaseIterable {
    case every, steps, sigmas
    case firstEvaluation = "first-evaluation"
  }

  /// Reads an object with `every` or `steps`.
  /// - Throws: `DecodingError` for unknown members and wrong values.
  public init(from decoder: any Decoder) throws {
    let object = try decoder.object(CodingKeys.self)
    every = try object.decodeIfPresent(UnifiedStep.self, forKey: .every)
    steps = try object.decodeIfPresent([UnifiedStep].self, forKey: .steps)
    sigmas = try object.decodeIfPresent([Double].self, forKey: .sigmas)
    firstEvaluation = try object.decodeIfPresent(FirstEvaluation.self, forKey: .firstEvaluation) ?? .network
    guard (every == nil) != (steps == nil) else {
      throw DecodingError.dataCorrupted(
        .init(codingPath: decoder.codingPath, debugDescription: "there must be either 'every' or 'steps'"))
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var object = encoder.container(keyedBy: CodingKeys.self)
    try object.encodeIfPresent(every, forKey: .every)
    try object.encodeIfPresent(steps, forKey: .steps)
    try object.encodeIfPresent(sigmas, forKey: .sigmas)
    if firstEvaluation != .network { try object.encode(firstEvaluation, forKey: .firstEvaluation) }
  }
}
