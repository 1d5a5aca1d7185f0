public import QuickstepNN

/// A method was asked for by a name that no registry entry answers to.
public struct UnknownMethodError: Error, CustomStringConvertible {
  /// The name asked for, the nearest known name if one is near, and the full list.
  public let description: String

  /// - Parameters:
  ///   - name: what was asked for.
  ///   - family: the kind of method, for the message.
  ///   - known: every registered name; aliases may be part of `near` only.
  ///   - near: names and aliases to look for a similar one in.
  public init(_ name: String, family: Family, known: [String], near: [String]) {
    let suggestion = closestName(to: name, in: near).map { "; did you mean '\($0)'?" } ?? ""
    description = "no \(family) is called '\(name)'\(suggestion) (known: \(known.joined(separator: ", ")))"
  }
}

/// Lower case without separators, so that `DPM++ 2M`, `dpm++-2m` and `dpm++_2m` are one name.
package func canonicalName(_ name: String) -> String {
  String(name.lowercased().filter { $0.isLetter || $0.isNumber || $0 == "+" })
}

/// The first candidate with the smallest edit distance, if that is at most a third of the name's length (and at least 2).
func closestName(to name: String, in candidates: [String]) -> String? {
  let wanted = canonicalName(name)
  let limit = max(2, wanted.count / 3)
  let ranked = candidates.map { (distance: editDistance(wanted, canonicalName($0)), name: $0) }
  guard let best = ranked.min(by: { $0.distance < $1.distance }), best.distance <= limit else { return nil }
  return best.name
}

/// Levenshtein distance: insertions, deletions and substitutions cost 1.
func editDistance(_ a: String, _ b: String) -> Int {
  let a = Array(a)
  let b = Array(b)
  var previous = Array(0...b.count)
  for (i, left) in a.enumerated() {
    var current = [i + 1]
    for (j, right) in b.enumerated() {
      current.append(min(previous[j] + (left == right ? 0 : 1), previous[j + 1] + 1, current[j] + 1))
    }
    previous = current
  }
  return previous[b.count]
}
