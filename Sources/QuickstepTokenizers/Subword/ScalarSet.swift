/// A set of characters, as a regular expression names one.
indirect enum ScalarSet: Sendable {
  case single(Unicode.Scalar)
  /// A character in either case.
  case folded(Unicode.Scalar)
  case range(ClosedRange<Unicode.Scalar>)
  case categories(Set<Unicode.GeneralCategory>)
  case space
  case any
  case union([ScalarSet])
  case complement(ScalarSet)

  func contains(_ scalar: Unicode.Scalar) -> Bool {
    switch self {
    case .single(let one): scalar == one
    case .folded(let one): Self.fold(scalar) == one
    case .range(let range): range.contains(scalar)
    case .categories(let categories): categories.contains(scalar.properties.generalCategory)
    case .space: scalar.properties.isWhitespace
    case .any: true
    case .union(let parts): parts.contains { $0.contains(scalar) }
    case .complement(let set): !set.contains(scalar)
    }
  }

  /// Lower case of one character. The long s counts as s, as in Unicode's table of case folding.
  static func fold(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
    if scalar == "\u{17F}" { return "s" }
    let lower = scalar.properties.lowercaseMapping.unicodeScalars
    return lower.count == 1 ? lower.first ?? scalar : scalar
  }

  /// The members of Unicode's general category `name`: `L`, `Lu`, `N`, ….
  static func category(_ name: String) -> ScalarSet? {
    let members = Self.byName.filter { $0.key.hasPrefix(name) }.map(\.value)
    return members.isEmpty || name.isEmpty || name.count > 2 ? nil : .categories(Set(members))
  }

  private static let byName: [String: Unicode.GeneralCategory] = [
    "Lu": .uppercaseLetter, "Ll": .lowercaseLetter, "Lt": .titlecaseLetter, "Lm": .modifierLetter, "Lo": .otherLetter,
    "Mn": .nonspacingMark, "Mc": .spacingMark, "Me": .enclosingMark, "Nd": .decimalNumber, "Nl": .letterNumber, "No": .otherNumber,
    "Pc": .connectorPunctuation, "Pd": .dashPunctuation, "Ps": .openPunctuation, "Pe": .closePunctuation, "Pi": .initialPunctuation,
    "Pf": .finalPunctuation, "Po": .otherPunctuation, "Sm": .mathSymbol, "Sc": .currencySymbol, "Sk": .modifierSymbol, "So": .otherSymbol,
    "Zs": .spaceSeparator, "Zl": .lineSeparator, "Zp": .paragraphSeparator, "Cc": .control, "Cf": .format, "Cs": .surrogate,
    "Co": .privateUse, "Cn": .unassigned,
  ]
}
