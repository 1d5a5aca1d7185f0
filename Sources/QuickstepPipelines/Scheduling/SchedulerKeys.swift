import QuickstepFormats
import QuickstepModels

/// Reads members of a `scheduler_config.json`; what is absent or null has its standard value.
struct SchedulerKeys {
  let path: String
  let members: [String: JSONValue]

  private func value(_ key: String) -> JSONValue? { members[key].flatMap { $0 == .null ? nil : $0 } }

  func has(_ key: String) -> Bool { value(key) != nil }

  func text(_ key: String, _ standard: String) throws -> String {
    guard let value = value(key) else { return standard }
    guard let text = value.string else { throw FormatError(path, "'\(key)' is not a string") }
    return text
  }

  /// One of the words that the class accepts.
  func choice(_ key: String, _ standard: String, allowed: [String]) throws -> String {
    let text = try text(key, standard)
    guard allowed.contains(text) else {
      throw FormatError(path, "'\(key)' is '\(text)'; supported: \(allowed.joined(separator: ", "))")
    }
    return text
  }

  func number(_ key: String, _ standard: Double) throws -> Double {
    guard let value = value(key) else { return standard }
    guard let number = value.double else { throw FormatError(path, "'\(key)' is not a number") }
    return number
  }

  func integer(_ key: String, _ standard: Int, _ allowed: ClosedRange<Int>) throws -> Int {
    guard let value = Int(exactly: try number(key, Double(standard))), allowed.contains(value) else {
      throw FormatError(path, "'\(key)' is not a whole number of \(allowed.lowerBound)…\(allowed.upperBound)")
    }
    return value
  }

  func flag(_ key: String, _ standard: Bool = false) throws -> Bool {
    guard let value = value(key) else { return standard }
    guard let flag = value.bool else { throw FormatError(path, "'\(key)' is neither true nor false") }
    return flag
  }

  /// A list of step numbers; none where the key is absent.
  func integers(_ key: String) throws -> [Int] {
    guard let value = value(key) else { return [] }
    let numbers = value.array?.map { $0.double.flatMap { Int(exactly: $0) } }
    guard let numbers, numbers.allSatisfy({ ($0 ?? -1) >= 0 }) else { throw FormatError(path, "'\(key)' is not a list of step numbers") }
    return numbers.compactMap { $0 }
  }

  /// The `trained_betas`, if there are any.
  func betas() throws -> [Double]? { try has("trained_betas") ? numbers("trained_betas") : nil }

  /// A list of numbers; none where the key is absent.
  func numbers(_ key: String) throws -> [Double] {
    guard let value = value(key) else { return [] }
    guard let list = value.array else { throw FormatError(path, "'\(key)' is not a list of numbers") }
    return try list.map { value in
      guard let number = value.double else { throw FormatError(path, "'\(key)' holds something that is not a number") }
      return number
    }
  }
}
