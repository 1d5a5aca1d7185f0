import Foundation

/// One axis of a plot: which values it spans, where its ticks are, and what stands beside them.
struct PlotAxis {
  let low: Double
  let high: Double
  let isLogarithmic: Bool
  let ticks: [Double]
  /// Ticks without a number: the 2…9 between powers of ten.
  let minorTicks: [Double]

  /// Spans the finite `values` (positive ones only on a logarithmic axis), with about `count` ticks.
  init(values: some Sequence<Double>, isLogarithmic: Bool, count: Int) {
    var low = Double.infinity
    var high = -Double.infinity
    for value in values where value.isFinite && (!isLogarithmic || value > 0) {
      low = min(low, value)
      high = max(high, value)
    }
    if low > high { (low, high) = isLogarithmic ? (0.1, 1) : (0, 1) }
    self.isLogarithmic = isLogarithmic
    if isLogarithmic {
      (self.low, self.high) = low == high ? (low / 2, high * 2) : (low, high)
      (ticks, minorTicks) = Self.logarithmicTicks(self.low, self.high, count: count)
    } else {
      if low == high {
        let margin = max(abs(low) * 0.1, 1e-9)
        (low, high) = (low - margin, high + margin)
      }
      (self.low, self.high) = (low, high)
      ticks = Self.linearTicks(low, high, count: count)
      minorTicks = []
    }
  }

  /// Where `value` lies between the ends, 0 to 1; nil for what the axis cannot show.
  func position(_ value: Double) -> Double? {
    guard value.isFinite else { return nil }
    guard isLogarithmic else { return value / (high - low) - low / (high - low) }
    guard value > 0 else { return nil }
    return (log10(value) - log10(low)) / (log10(high) - log10(low))
  }

  private static func linearTicks(_ low: Double, _ high: Double, count: Int) -> [Double] {
    // Halved first: the difference of two finite numbers can overflow.
    let rough = (high / 2 - low / 2) / Double(max(1, count)) * 2
    guard rough.isFinite, rough > 0 else { return [] }
    let power = pow(10, log10(rough).rounded(.down))
    let step = power * ([1, 2, 2.5, 5, 10].first { $0 * power >= rough } ?? 10)
    guard step.isFinite, step > 0, abs(low / step) < 1e15, abs(high / step) < 1e15 else { return [] }
    let first = Int((low / step - 1e-9).rounded(.up))
    let last = Int((high / step + 1e-9).rounded(.down))
    return first <= last ? (first...min(last, first + 50)).map { Double($0) * step } : []
  }

  private static func logarithmicTicks(_ low: Double, _ high: Double, count: Int) -> ([Double], [Double]) {
    let first = Int(log10(low).rounded(.down))
    let last = Int(log10(high).rounded(.up))
    let inside = { (value: Double) in value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9) }
    let step = max(1, (last - first) / max(1, count))
    let powers = stride(from: first, through: last, by: step).map { pow(10, Double($0)) }.filter(inside)
    let between = (first...last).flatMap { power in (2...9).map { Double($0) * pow(10, Double(power)) } }.filter(inside)
    if powers.count >= 2 { return (powers, step == 1 ? between : []) }
    // Less than two decades: numbers at 1, 2 and 5 times a power of ten, or evenly where even those are too few.
    let fine = (first...last).flatMap { power in [1.0, 2, 5].map { $0 * pow(10, Double(power)) } }.filter(inside)
    return fine.count >= 2 ? (fine, between) : (linearTicks(low, high, count: count).filter { $0 > 0 }, [])
  }

  /// A short number: `0.05`, `1500`, `20k`, `3e-5`.
  static func label(_ value: Double) -> String {
    let size = abs(value)
    if size < 1e-12 { return "0" }
    if size >= 1e7 || size < 1e-3 {
      let parts = String(format: "%.2e", value).split(separator: "e")
      let power = Int(parts.last ?? "") ?? 0
      return trimmed(String(parts.first ?? "")) + "e\(power)"
    }
    if size >= 10_000 { return trimmed(String(format: "%.3f", value / 1000)) + "k" }
    return trimmed(String(format: "%.4f", value))
  }

  private static func trimmed(_ text: String) -> String {
    guard text.contains(".") else { return text }
    let withoutZeros = text.reversed().drop { $0 == "0" }
    return String((withoutZeros.first == "." ? withoutZeros.dropFirst() : withoutZeros).reversed())
  }
}
