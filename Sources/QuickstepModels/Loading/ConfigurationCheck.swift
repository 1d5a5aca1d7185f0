/// Checks on the numbers of a configuration, which come from a file that anyone may have written.
enum ConfigurationCheck {
  /// The first number outside its range, in words.
  static func problem(_ numbers: [(name: String, value: Int, allowed: ClosedRange<Int>)]) -> String? {
    for (name, value, allowed) in numbers where !allowed.contains(value) {
      return "'\(name)' is \(value); allowed: \(allowed.lowerBound)…\(allowed.upperBound)"
    }
    return nil
  }

  static func multiple(_ name: String, _ value: Int, of divisorName: String, _ divisor: Int) -> String? {
    divisor > 0 && value % divisor == 0 ? nil : "'\(name)' is \(value), which is no multiple of '\(divisorName)' (\(divisor))"
  }
}
