extension String {
  /// As the reference brings captions into form: Python's `lower()`, then its `strip()`.
  package var asCaption: String { loweredWithFinalSigma.strippedOfSeparators }

  /// Lower case by the Unicode Standard's full mapping (section 3.13): unlike `lowercased()`, a capital sigma becomes `ς` at the end of a word.
  private var loweredWithFinalSigma: String {
    let sigma: Unicode.Scalar = "\u{3A3}"
    guard unicodeScalars.contains(sigma) else { return lowercased() }
    let scalars = Array(unicodeScalars)
    var result = ""
    for (index, scalar) in scalars.enumerated() {
      result += scalar != sigma ? scalar.properties.lowercaseMapping : Self.isFinal(index, scalars) ? "\u{3C2}" : "\u{3C3}"
    }
    return result
  }

  /// Whether a cased letter comes before the one at `index` and none behind it, marks and the like left aside (table 3-17, `Final_Sigma`).
  private static func isFinal(_ index: Int, _ scalars: [Unicode.Scalar]) -> Bool {
    let before = scalars[..<index].last { !$0.properties.isCaseIgnorable }
    let behind = scalars[(index + 1)...].first { !$0.properties.isCaseIgnorable }
    return before?.properties.isCased == true && behind?.properties.isCased != true
  }

  /// Without white space at the ends, scalar by scalar; the four separators of ASCII count as such, as in Python.
  private var strippedOfSeparators: String {
    func separates(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.isWhitespace || (0x1C...0x1F).contains(scalar.value) }
    let start = unicodeScalars.drop(while: separates)
    guard let last = start.lastIndex(where: { !separates($0) }) else { return "" }
    return String(start[...last])
  }
}
