/// Reads the text of a ``ScalarPattern``.
struct ScalarPatternParser {
  private let source: String
  private let scalars: [Unicode.Scalar]
  private var place = 0
  private var depth = 0

  init(_ source: String) {
    self.source = source
    scalars = Array(source.unicodeScalars)
  }

  mutating func parse() throws -> [[ScalarPattern.Item]] {
    guard scalars.count <= 4096 else { throw TokenizerError("a pattern has \(scalars.count) characters; allowed: at most 4096") }
    let result = try alternatives(folding: false)
    guard place == scalars.count else { throw error("a bracket closes that did not open") }
    return result
  }

  private func error(_ problem: String) -> TokenizerError {
    TokenizerError("the pattern '\(source.prefix(200))' cannot be used: \(problem) at character \(place)")
  }

  private var current: Unicode.Scalar? { place < scalars.count ? scalars[place] : nil }

  private mutating func take(_ text: String) -> Bool {
    guard scalars[place...].starts(with: text.unicodeScalars) else { return false }
    place += text.unicodeScalars.count
    return true
  }

  private mutating func next() throws -> Unicode.Scalar {
    guard let scalar = current else { throw error("it ends too early") }
    place += 1
    return scalar
  }

  private mutating func alternatives(folding: Bool) throws -> [[ScalarPattern.Item]] {
    var result = [try sequence(folding: folding)]
    while take("|") { result.append(try sequence(folding: folding)) }
    return result
  }

  private mutating func sequence(folding: Bool) throws -> [ScalarPattern.Item] {
    var items: [ScalarPattern.Item] = []
    while let scalar = current, scalar != "|", scalar != ")" {
      let atom = try atom(folding: folding)
      let (range, isPossessive) = try quantifier()
      if case .set = atom {
      } else if range != 1...1, range != 0...1 {
        throw error("groups cannot be repeated here")
      } else if case .ahead = atom, range != 1...1 {
        throw error("looking ahead cannot be repeated")
      }
      items.append(.init(atom: atom, minimum: range.lowerBound, maximum: range.upperBound, isPossessive: isPossessive))
    }
    return items
  }

  private mutating func atom(folding: Bool) throws -> ScalarPattern.Atom {
    if take("(") { return try group(folding: folding) }
    if take("[") { return .set(try bracket(folding: folding)) }
    if take("\\") { return .set(try escape(folding: folding)) }
    if take(".") { return .set(.complement(.single("\n"))) }
    let scalar = try next()
    guard !"^$*+?{".unicodeScalars.contains(scalar) else { throw error("'\(scalar)' is not known here") }
    return .set(one(scalar, folding: folding))
  }

  private mutating func group(folding: Bool) throws -> ScalarPattern.Atom {
    guard depth < 16 else { throw error("brackets are nested deeper than 16") }
    depth += 1
    defer { depth -= 1 }
    func kind() throws -> (ahead: Bool?, folding: Bool) {
      if take("?:") { return (nil, folding) }
      if take("?i:") { return (nil, true) }
      if take("?!") { return (false, folding) }
      if take("?=") { return (true, folding) }
      guard current != "?" else { throw error("a kind of group that is not known") }
      return (nil, folding)
    }
    let (ahead, folds) = try kind()
    let inner = try alternatives(folding: folds)
    guard take(")") else { throw error("a bracket does not close") }
    return ahead.map { .ahead(inner, isWanted: $0) } ?? .group(inner)
  }

  private func one(_ scalar: Unicode.Scalar, folding: Bool) -> ScalarSet {
    folding ? .folded(ScalarSet.fold(scalar)) : .single(scalar)
  }

  private mutating func bracket(folding: Bool) throws -> ScalarSet {
    let isComplement = take("^")
    var parts: [ScalarSet] = []
    while true {
      if take("]") { break }
      if take("\\") {
        parts.append(try escape(folding: folding))
        continue
      }
      let first = try next()
      guard first != "[", !(first == "&" && current == "&") else { throw error("sets in sets are not known") }
      if current == "-", place + 1 < scalars.count, scalars[place + 1] != "]" {
        place += 1
        var last = try next()
        if last == "\\" { last = try next() }
        guard first <= last, !folding else { throw error("a range of characters that is not known") }
        parts.append(.range(first...last))
      } else {
        parts.append(one(first, folding: folding))
      }
    }
    guard !parts.isEmpty else { throw error("a set is empty") }
    let set = parts.count == 1 ? parts[0] : .union(parts)
    return isComplement ? .complement(set) : set
  }

  private mutating func escape(folding: Bool) throws -> ScalarSet {
    let scalar = try next()
    switch scalar {
    case "s": return .space
    case "S": return .complement(.space)
    case "d": return .categories([.decimalNumber])
    case "D": return .complement(.categories([.decimalNumber]))
    case "r": return .single("\r")
    case "n": return .single("\n")
    case "t": return .single("\t")
    case "p", "P":
      guard take("{"), let end = scalars[place...].firstIndex(of: "}") else { throw error("a category in {} is missing") }
      let name = String(String.UnicodeScalarView(scalars[place..<end]))
      guard let set = ScalarSet.category(name) else { throw error("the category '\(name.prefix(20))' is not known") }
      place = end + 1
      return scalar == "p" ? set : .complement(set)
    default:
      guard scalar.isASCII, !scalar.properties.isAlphabetic, scalar.properties.numericType == nil else {
        throw error("'\\\(scalar)' is not known")
      }
      return one(scalar, folding: folding)
    }
  }

  private mutating func quantifier() throws -> (ClosedRange<Int>, isPossessive: Bool) {
    var range = 1...1
    if take("?") {
      range = 0...1
    } else if take("*") {
      range = 0...Int.max
    } else if take("+") {
      range = 1...Int.max
    } else if take("{") {
      range = try counts()
    } else {
      return (range, false)
    }
    guard current != "?" else { throw error("lazy quantifiers are not known") }
    return (range, take("+"))
  }

  private mutating func counts() throws -> ClosedRange<Int> {
    guard let end = scalars[place...].firstIndex(of: "}") else { throw error("'{' does not close") }
    let parts = String(String.UnicodeScalarView(scalars[place..<end])).split(separator: ",", omittingEmptySubsequences: false)
    guard let low = parts.first.flatMap({ Int($0) }), parts.count <= 2, (0...1000).contains(low) else {
      throw error("counts in {} are not numbers")
    }
    let high = parts.count == 1 ? low : parts[1].isEmpty ? Int.max : Int(parts[1]) ?? -1
    guard high >= low else { throw error("counts in {} do not rise") }
    place = end + 1
    return low...high
  }
}
