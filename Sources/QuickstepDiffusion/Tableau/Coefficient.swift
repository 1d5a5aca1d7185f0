/// What a register is multiplied by: a number, or a number for every element of a sample (statistics of a model) or for every sample of the
/// batch (levels that differ from sample to sample).
public struct Coefficient: Hashable, Sendable, Codable, CustomStringConvertible, ExpressibleByFloatLiteral {
  /// Numbers that are repeated along sides of 1.
  public struct Field: Hashable, Sendable, Codable {
    /// Of one sample: `[C, H, W]`, or with sides of 1; empty for one number per sample.
    public let shape: [Int]
    /// How many samples have numbers of their own; 1 where all samples share them.
    public let samples: Int
    /// In row-major order, sample after sample.
    public let values: [Double]

    enum CodingKeys: String, CodingKey { case shape, samples, values }

    /// - Throws: ``TableauError`` when there are not as many values as samples and shape ask for, or none.
    public init(shape: [Int], samples: Int = 1, values: [Double]) throws {
      guard !values.isEmpty, samples > 0, shape.allSatisfy({ $0 > 0 }), shape.reduce(samples, *) == values.count else {
        throw TableauError("a coefficient of shape \(shape) for \(samples) samples has \(values.count) values")
      }
      (self.shape, self.samples, self.values) = (shape, samples, values)
    }

    /// Reads a field and checks it.
    /// - Throws: `DecodingError`; ``TableauError`` when the numbers do not fit.
    public init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: CodingKeys.self)
      try self.init(
        shape: container.decode([Int].self, forKey: .shape), samples: container.decodeIfPresent(Int.self, forKey: .samples) ?? 1,
        values: container.decode([Double].self, forKey: .values))
    }

    public func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(shape, forKey: .shape)
      if samples != 1 { try container.encode(samples, forKey: .samples) }
      try container.encode(values, forKey: .values)
    }
  }

  /// The number, or the mean of the numbers.
  public let scalar: Double
  /// The numbers by element; `nil` where all are one.
  public let field: Field?

  /// A coefficient that is the same for every element.
  public init(_ scalar: Double) { (self.scalar, field) = (scalar, nil) }
  /// A coefficient that is the same for every element.
  public init(floatLiteral value: Double) { self.init(value) }
  /// A coefficient by element. Equal numbers everywhere give a plain one.
  public init(_ field: Field) {
    let isPlain = field.values.allSatisfy { $0 == field.values[0] }
    scalar = isPlain ? field.values[0] : field.values.reduce(0, +) / Double(field.values.count)
    self.field = isPlain ? nil : field
  }

  /// Whether all of its numbers are.
  public var isFinite: Bool { field?.values.allSatisfy(\.isFinite) ?? scalar.isFinite }

  /// The number in Swift's shortest form that reads back to the same bits; a field by its mean and shape.
  public var description: String { field.map { "~\(scalar) \(($0.samples > 1 ? [$0.samples] : []) + $0.shape)" } ?? "\(scalar)" }

  /// Reads a plain number or a field.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let number = try? container.decode(Double.self) {
      self.init(number)
      return
    }
    do {
      self.init(try container.decode(Field.self))
    } catch let error as TableauError {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "\(error)")
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    if let field { try container.encode(field) } else { try container.encode(scalar) }
  }
}
