import Foundation
import QuickstepFormats

/// Prints one JSON value to standard output: keys sorted, two spaces of indentation.
func printJSON(_ value: JSONValue) { print(indented(value)) }

/// Keys sorted, two spaces of indentation.
func indented(_ value: JSONValue, depth: Int = 0) -> String {
  let inner = String(repeating: "  ", count: depth + 1)
  let end = "\n" + String(repeating: "  ", count: depth)
  switch value {
  case .array(let values) where values.contains { $0.isNested }:
    return "[\n" + values.map { inner + indented($0, depth: depth + 1) }.joined(separator: ",\n") + end + "]"
  case .object(let members) where !members.isEmpty:
    let sorted = members.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
    let lines = sorted.map { "\(inner)\(JSONValue.quoted($0.key)): \(indented($0.value, depth: depth + 1))" }
    return "{\n" + lines.joined(separator: ",\n") + end + "}"
  // Lists of plain values, such as shapes, stay on one line.
  default: return value.text
  }
}

extension JSONValue {
  fileprivate var isNested: Bool {
    switch self {
    case .array(let values): values.contains { $0.isNested }
    case .object(let members): !members.isEmpty
    default: false
    }
  }

  /// A text, or null.
  static func optional(_ text: String?) -> JSONValue { text.map { .string($0) } ?? .null }
  static func optional(_ value: Int?) -> JSONValue { value.map { .integer($0) } ?? .null }
  /// A number, or its digits as a text where a 64-bit integer with a sign does not hold it: most readers of JSON would round it.
  static func unsigned(_ value: UInt64) -> JSONValue { Int(exactly: value).map { .integer($0) } ?? .string(String(value)) }
  static func strings(_ texts: [String]) -> JSONValue { .array(texts.map { .string($0) }) }
  static func integers(_ values: [Int]) -> JSONValue { .array(values.map { .integer($0) }) }

  /// As a person would write it: texts without quotes, lists with commas.
  var plainText: String {
    switch self {
    case .string(let text): text
    case .array(let values) where !values.contains { $0.isNested }: values.map(\.plainText).joined(separator: ", ")
    default: text
    }
  }
}

/// Sizes and counts in words.
enum Quantity {
  /// `12.3 MB`, powers of 1000.
  static func bytes(_ count: Int) -> String { scaled(Double(count), ["B", "kB", "MB", "GB", "TB"]) }
  /// `12.3 M`, powers of 1000.
  static func short(_ count: Int) -> String { scaled(Double(count), ["", "k", "M", "G", "T"]) }

  /// `3,210,123`.
  static func grouped(_ count: Int) -> String {
    let digits = Array(String(count.magnitude))
    var text = ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index) % 3 == 0 { text += "," }
      text.append(digit)
    }
    return (count < 0 ? "-" : "") + text
  }

  /// `1 tensor`, `2 tensors`.
  static func counted(_ count: Int, _ noun: String, plural: String? = nil) -> String {
    "\(grouped(count)) \(count == 1 ? noun : plural ?? noun + "s")"
  }

  /// `0.83 ms`, `12.4 s`.
  static func seconds(_ value: Double) -> String {
    value < 1 ? String(format: value < 0.1 ? "%.2f ms" : "%.1f ms", value * 1000) : String(format: "%.2f s", value)
  }

  private static func scaled(_ value: Double, _ units: [String]) -> String {
    var value = value
    var unit = 0
    // 999.96 would print as 1000.0.
    while value >= 999.95, unit < units.count - 1 {
      value /= 1000
      unit += 1
    }
    let number = unit == 0 ? String(Int(value)) : String(format: value < 99.95 ? "%.1f" : "%.0f", value)
    return units[unit].isEmpty ? number : "\(number) \(units[unit])"
  }
}
