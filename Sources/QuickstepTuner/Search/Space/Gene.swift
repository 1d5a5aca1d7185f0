internal import Foundation

/// One coordinate of a search space. Values are stored as `Double`; choices and integers as whole numbers.
public struct Gene: Sendable, Codable, Hashable {
  /// The values a gene may take.
  public enum Domain: Sendable, Codable, Hashable {
    /// 0 … count − 1 without an order: 1 is no nearer to 0 than 2 is.
    case choice(count: Int)
    /// Whole numbers of a closed range, in order.
    case integer(ClosedRange<Int>)
    /// Real numbers of a closed range.
    case real(ClosedRange<Double>)
    /// Positive real numbers of a closed range whose ratios matter and not their differences.
    case logarithmic(ClosedRange<Double>)
  }

  /// When a gene counts: while another one has one of these values.
  public struct Condition: Sendable, Codable, Hashable {
    /// The name of the other gene, which comes earlier in the space and is a choice or an integer.
    public var gene: String
    /// Whole numbers of that gene's domain.
    public var values: [Double]
    /// Active while the gene of this name has one of these values (and is active itself).
    public init(gene: String, values: [Double]) { (self.gene, self.values) = (gene, values) }
  }

  /// Unique within the space.
  public var name: String
  /// The values it may take.
  public var domain: Domain
  /// The value it has while it is inactive, and while its stage has not begun.
  public var standard: Double
  /// Active only while the gene named here has one of these values; always where this is `nil`. Inactive genes hold their standard value in
  /// canonical candidates, so that equal candidates are equal.
  public var condition: Condition?
  /// Genes of one series hold a set: they have one domain, and the active ones are in ascending order in canonical candidates.
  public var series: String?
  /// Searchers in stages hold a gene at its standard value before this stage; 0 is searched from the beginning.
  public var stage: Int

  /// - Parameters:
  ///   - name: unique within the space.
  ///   - domain: the values it may take.
  ///   - standard: the value while inactive; the domain's first value where this is `nil`.
  ///   - condition: when it counts; always where this is `nil`.
  ///   - series: the set it belongs to.
  ///   - stage: when a search in stages begins to vary it.
  public init(
    _ name: String, _ domain: Domain, standard: Double? = nil, condition: Condition? = nil, series: String? = nil, stage: Int = 0
  ) {
    self.name = name
    self.domain = domain
    self.standard = standard ?? domain.lower
    self.condition = condition
    self.series = series
    self.stage = stage
  }
}

extension Gene.Domain {
  /// The smallest value.
  public var lower: Double {
    switch self {
    case .choice: 0
    case .integer(let range): Double(range.lowerBound)
    case .real(let range), .logarithmic(let range): range.lowerBound
    }
  }

  /// The largest value.
  public var upper: Double {
    switch self {
    case .choice(let count): Double(count - 1)
    case .integer(let range): Double(range.upperBound)
    case .real(let range), .logarithmic(let range): range.upperBound
    }
  }

  /// Number of values; `nil` for real ones.
  public var count: Int? {
    switch self {
    case .choice(let count): count
    case .integer(let range): range.count
    case .real(let range), .logarithmic(let range): range.lowerBound == range.upperBound ? 1 : nil
    }
  }

  /// Whether values are whole numbers.
  public var isWhole: Bool {
    switch self {
    case .choice, .integer: true
    case .real, .logarithmic: false
    }
  }

  /// Whether neighbouring values are alike: everything but choices.
  public var isOrdered: Bool { if case .choice = self { false } else { true } }

  /// Whether a value belongs to the domain.
  public func contains(_ value: Double) -> Bool {
    value.isFinite && value >= lower && value <= upper && (!isWhole || value == value.rounded())
  }

  /// Where a value lies between the smallest, 0, and the largest, 1; by its logarithm where ratios matter. 0 where there is one value.
  public func position(of value: Double) -> Double {
    guard upper > lower else { return 0 }
    if case .logarithmic = self { return (Foundation.log(value / lower)) / Foundation.log(upper / lower) }
    return (value - lower) / (upper - lower)
  }

  /// The value at a position; the inverse of ``position(of:)``. Positions outside of 0…1 are clipped; whole numbers are rounded.
  public func value(at position: Double) -> Double {
    let clipped = min(max(position, 0), 1)
    let value: Double
    if case .logarithmic = self {
      value = lower * Foundation.exp(clipped * Foundation.log(upper / lower))
    } else {
      value = lower + clipped * (upper - lower)
    }
    return min(max(isWhole ? value.rounded() : value, lower), upper)
  }

  /// In words: `one of 3`, `1…50`, `0.1…10 (logarithmic)`.
  public var allowed: String {
    switch self {
    case .choice(let count): "a whole number of 0…\(count - 1)"
    case .integer(let range): "a whole number of \(range.lowerBound)…\(range.upperBound)"
    case .real(let range): "\(range.lowerBound)…\(range.upperBound)"
    case .logarithmic(let range): "\(range.lowerBound)…\(range.upperBound) (logarithmic)"
    }
  }
}
