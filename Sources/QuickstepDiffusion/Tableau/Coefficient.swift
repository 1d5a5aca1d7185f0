/// What a register is multiplied by: a number, or a number for every element of a sample (statistics of a model, levels per frame).
public struct Coefficient: Hashable, Sendable, Codable, CustomStringConvertible, ExpressibleByFloatLiteral {
  /// Numbers that are repeated along sides of 1.
  public struct Field: Hashable, Sendable, Codable {
    /// Of one sample: `[C, H, W]`, or with sides of 1.
    public let shape: [Int]
    /// In row-major order.
    public let values: [Double]

    /// - Throws: ``TableauError`` when there are not as many values as the shape has elements, or none.
    public init(shape: [Int], values: [Double]) throws {
      guard !values.isEmpty, shape.allSatisfy({ $0 > 0 }), shape.reduce(1, *) == values.count else {
        throw TableauError("a coefficient of shape \(shape) has \(values.count) values")
      }
      self.shape = shape
      self.values = values
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
  public var description: String { field.map { "~\(scalar) \($0.shape)" } ?? "\(scalar)" }

  /// Reads a plain number or a field.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let number = try? container.decode(Double.self) {
      self.init(number)
      return
    }
    let read = try container.decode(Field.self)
    do {
      self.init(try Field(shape: read.shape, values: read.values))
    } catch {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "\(error)")
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    if let field { try container.encode(field) } else { try container.encode(scalar) }
  }
}
