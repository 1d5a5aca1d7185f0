public import QuickstepNN

/// What a metric says about itself. `quickstep evaluate` and the search for recipes read this and nothing else.
public struct MetricDeclaration: Sendable, Codable {
  /// What pictures are compared with.
  public enum Kind: String, Sendable, Codable, CaseIterable {
    /// One picture with one other of the same size: a value per pair.
    case paired
    /// A set with another: one figure.
    case set
    /// A picture with the text it was asked for by: a value per picture.
    case prompted
  }

  /// Name on the command line and in recipes: lower case, digits, `-`.
  public var name: String
  /// One sentence.
  public var summary: String
  /// What pictures are compared with.
  public var kind: Kind
  /// Which values are better.
  public var direction: MetricDirection
  /// What kind of network it needs; `nil` when it works on pixels.
  public var need: MetricNeed?
  /// The shorter side has to have at least this many pixels.
  public var smallestSide: Int
  /// Pictures it needs at least.
  public var smallestCount: Int
  /// Whether values are shares in 0…1, shown as percentages.
  public var isShare: Bool
  /// Whether it is measured where nothing is chosen; costly ones and second views are not.
  public var isStandard: Bool
  /// In the order in which they are listed for the user.
  public var parameters: [ParameterDeclaration]
  /// Paper and equation.
  public var reference: String

  /// - Parameters:
  ///   - name: lower case, digits, `-`; unique.
  ///   - summary: one sentence.
  ///   - kind: what pictures are compared with.
  ///   - direction: which values are better.
  ///   - need: what kind of network it needs; `nil` when it works on pixels.
  ///   - smallestSide: pixels of the shorter side.
  ///   - smallestCount: pictures it needs at least.
  ///   - isShare: whether values are shares in 0…1.
  ///   - isStandard: whether it is measured where nothing is chosen.
  ///   - parameters: names, ranges and standard values.
  ///   - reference: paper and equation.
  public init(
    name: String, summary: String, kind: Kind, direction: MetricDirection, need: MetricNeed? = nil, smallestSide: Int = 1,
    smallestCount: Int = 1, isShare: Bool = false, isStandard: Bool = true, parameters: [ParameterDeclaration] = [], reference: String
  ) {
    self.name = name
    self.summary = summary
    self.kind = kind
    self.direction = direction
    self.need = need
    self.smallestSide = smallestSide
    self.smallestCount = smallestCount
    self.isShare = isShare
    self.isStandard = isStandard
    self.parameters = parameters
    self.reference = reference
  }
}

/// A kind of network that a metric needs.
public enum MetricNeed: String, Sendable, Codable, CaseIterable {
  /// A ``FeatureNet``: one list of features per picture.
  case features
  /// A ``PictureDistance``: maps of several layers.
  case distance
  /// A ``TextPictureNet``: texts and pictures in one space.
  case texts
  /// A ``RecognisingNet``: tells whether a picture shows what it was asked for.
  case recognition
}
