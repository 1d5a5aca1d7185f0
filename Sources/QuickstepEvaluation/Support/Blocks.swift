/// Rows of a large matrix taken in parts, so that a part holds a bounded number of values.
enum Blocks {
  /// Values of a part: 4 million, 32 MB of float64.
  static let size = 1 << 22

  /// Consecutive ranges of `rows` whose rows of `columns` values make a part.
  static func ranges(_ rows: Int, columns: Int) -> [Range<Int>] {
    let step = max(1, size / max(1, columns))
    return stride(from: 0, to: rows, by: step).map { $0..<min($0 + step, rows) }
  }
}
