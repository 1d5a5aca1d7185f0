/// Which scope of one naming stands for which scope of another. What lies below a scope keeps its name.
struct ScopeNames: Sendable {
  private(set) var pairs: [(original: String, ours: String)] = []
  private var ours: [String: String] = [:]

  mutating func add(_ original: String, _ name: String) {
    pairs.append((original, name))
    ours[original] = name
  }

  /// Pairs below two scopes.
  mutating func add(_ original: String, _ name: String, inner: [(String, String)]) {
    for (first, second) in inner { add("\(original).\(first)", "\(name).\(second)") }
  }

  /// Our name of an original one: the longest known scope replaced. `nil` when no scope is known.
  func name(of original: String) -> String? {
    var scope = original[...]
    while true {
      if let found = ours[String(scope)] { return found + original[scope.endIndex...] }
      guard let dot = scope.lastIndex(of: ".") else { return nil }
      scope = scope[..<dot]
    }
  }

  /// The other way round.
  var inverse: ScopeNames {
    var result = ScopeNames()
    for (original, name) in pairs { result.add(name, original) }
    return result
  }
}
