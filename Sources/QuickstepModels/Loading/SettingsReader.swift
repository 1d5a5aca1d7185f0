import QuickstepFormats
import QuickstepNN

/// Reads the `config.json` of a published checkpoint key by key, with the reference library's own defaults.
///
/// Every key has to be read, be fixed to a value that is supported, or be named as one that does not touch inference; ``finish()`` refuses
/// the rest. A key that is `null` counts as absent.
final class SettingsReader {
  private let path: String
  private var members: [String: JSONValue]

  init(_ file: ConfigurationFile) {
    path = file.path
    members = file.members.filter { !$0.key.hasPrefix("_") && $0.value != .null }
  }

  private func take(_ key: String) -> JSONValue? { members.removeValue(forKey: key) }

  private func mismatch(_ key: String, _ value: JSONValue, _ expected: String) -> FormatError {
    FormatError(path, "'\(key)' is \(String(value.text.prefix(60))); expected \(expected)")
  }

  func integer(_ key: String, _ standard: Int? = nil, in allowed: ClosedRange<Int> = 1...65536) throws -> Int {
    guard let value = try optionalInteger(key, in: allowed) ?? standard else { throw FormatError(path, "the key '\(key)' is missing") }
    return value
  }

  func optionalInteger(_ key: String, in allowed: ClosedRange<Int> = 1...65536) throws -> Int? {
    guard let value = take(key) else { return nil }
    guard let number = value.integer, allowed.contains(number) else {
      throw mismatch(key, value, "a whole number in \(allowed.lowerBound)…\(allowed.upperBound)")
    }
    return number
  }

  /// Levels of which each halves the side: more would make a factor of pixels that no picture has.
  static let mostHalvings = 16

  /// One number for all levels, or one for each.
  /// - Parameter limit: how many there may be.
  func integers(
    _ key: String, _ standard: [Int]? = nil, count: Int? = nil, atMost limit: Int = 64, in allowed: ClosedRange<Int> = 1...65536
  ) throws -> [Int] {
    guard let value = take(key) else {
      guard let standard else { throw FormatError(path, "the key '\(key)' is missing") }
      return standard
    }
    let numbers =
      value.integer.flatMap { number in count.map { Array(repeating: number, count: $0) } } ?? value.array?.compactMap(\.integer)
    guard let numbers, numbers.allSatisfy(allowed.contains), numbers.count == count ?? numbers.count, !numbers.isEmpty,
      numbers.count <= limit,
      value.array.map({ $0.count == numbers.count }) ?? true
    else {
      let length = count.map { "a whole number, or a list of \($0)" } ?? "a list of 1 to \(limit) whole numbers"
      throw mismatch(key, value, "\(length), in \(allowed.lowerBound)…\(allowed.upperBound)")
    }
    return numbers
  }

  /// A list of positions in a list of `count` things; it may be empty.
  func positions(_ key: String, below count: Int) throws -> [Int] {
    guard let value = take(key) else { return [] }
    guard let list = value.array, list.count <= count, case let numbers = list.compactMap(\.integer), numbers.count == list.count,
      Set(numbers).count == numbers.count, numbers.allSatisfy({ (0..<count).contains($0) })
    else { throw mismatch(key, value, "a list of different whole numbers in 0…\(count - 1)") }
    return numbers
  }

  func number(_ key: String, _ standard: Double) throws -> Double {
    guard let value = take(key) else { return standard }
    guard let number = value.double, number.isFinite else { throw mismatch(key, value, "a number") }
    return number
  }

  func flag(_ key: String, _ standard: Bool) throws -> Bool {
    guard let value = take(key) else { return standard }
    guard let flag = value.bool else { throw mismatch(key, value, "true or false") }
    return flag
  }

  /// One flag for all levels, or one for each.
  func flags(_ key: String, _ standard: Bool, count: Int) throws -> [Bool] {
    guard let value = take(key) else { return Array(repeating: standard, count: count) }
    if let flag = value.bool { return Array(repeating: flag, count: count) }
    guard let list = value.array?.compactMap(\.bool), list.count == count, value.array?.count == count else {
      throw mismatch(key, value, "true, false, or a list of \(count) of them")
    }
    return list
  }

  func text(_ key: String, _ standard: String? = nil, of allowed: [String]) throws -> String {
    guard let value = take(key) else {
      guard let standard else { throw FormatError(path, "the key '\(key)' is missing") }
      return standard
    }
    guard let text = value.string, allowed.contains(text) else { throw mismatch(key, value, "one of \(allowed.joined(separator: ", "))") }
    return text
  }

  func optionalText(_ key: String, of allowed: [String]) throws -> String? {
    members[key] == nil ? nil : try text(key, of: allowed)
  }

  /// A list of names, each one of `allowed`.
  func texts(_ key: String, _ standard: [String], of allowed: [String]) throws -> [String] {
    guard let value = take(key) else { return standard }
    guard let list = value.array, (1...64).contains(list.count) else { throw mismatch(key, value, "a list of names") }
    return try list.map { item in
      guard let text = item.string, allowed.contains(text) else {
        throw FormatError(path, "'\(key)' holds \(String(item.text.prefix(60))); supported: \(allowed.joined(separator: ", "))")
      }
      return text
    }
  }

  /// One name for all levels, or one for each.
  func textsPerLevel(_ key: String, _ standard: String, of allowed: [String], count: Int) throws -> [String] {
    if members[key] == nil || members[key]?.string != nil {
      return Array(repeating: try text(key, standard, of: allowed), count: count)
    }
    let list = try texts(key, [], of: allowed)
    guard list.count == count else { throw FormatError(path, "'\(key)' names \(list.count) levels, there are \(count)") }
    return list
  }

  /// A list of lists of whole numbers, which may be empty.
  func lists(_ key: String, _ standard: [[Int]], in allowed: ClosedRange<Int>) throws -> [[Int]] {
    guard let value = take(key) else { return standard }
    let lists = value.array?.map { $0.array.map { list in (list.count, list.compactMap(\.integer)) } }
    guard let lists, lists.count <= 64 else { throw mismatch(key, value, "a list of lists of whole numbers") }
    return try lists.map { list in
      guard let (count, numbers) = list, count <= 64, count == numbers.count, numbers.allSatisfy(allowed.contains) else {
        throw mismatch(key, value, "a list of lists of whole numbers in \(allowed.lowerBound)…\(allowed.upperBound)")
      }
      return numbers
    }
  }

  /// A setting that exists in the reference library with several values, of which only these are supported here.
  func fixed(_ key: String, _ supported: JSONValue...) throws {
    guard let value = take(key) else { return }
    guard supported.contains(where: { $0 == value || ($0.double != nil && $0.double == value.double) }) else {
      throw FormatError(
        path,
        "'\(key)' is \(String(value.text.prefix(60))), which is not supported; supported: \(supported.map(\.text).joined(separator: ", "))")
    }
  }

  /// Settings of training and of the reference library itself.
  func ignore(_ keys: String...) { for key in keys { members[key] = nil } }

  /// - Throws: `FormatError` with all keys that nobody asked for.
  func finish() throws {
    if !members.isEmpty { throw FormatError(path, "unknown keys: \(members.keys.sorted().joined(separator: ", "))") }
  }

  /// Refuses numbers that make no network.
  func require(_ holds: Bool, _ problem: @autoclosure () -> String) throws { if !holds { throw FormatError(path, problem()) } }
}
