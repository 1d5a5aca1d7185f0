import Foundation
internal import QuickstepFormats
internal import QuickstepNN
internal import QuickstepTensor

/// Empirical model statistics of DPM-Solver-v3 (Zheng et al. 2023, arXiv 2310.13268, section 3.2): per element of a sample and per noise level the
/// coefficients l, s and b of the basis in which the rest of the ODE varies least along the model's own paths.
///
/// They are functions of λ = log(α/σ), given on a rising grid and linear in between. Elements may be those of a whole sample, `[C, H, W]`, or
/// fewer that are repeated, `[C, 1, 1]`.
public struct ModelStatistics: Sendable {
  /// λ_0 < λ_1 < …, at least two.
  public let lambdas: [Double]
  /// Of what is multiplied with a sample: `[C, H, W]` or with sides of 1.
  public let shape: [Int]
  /// Of the model they were taken from; `nil` when unknown.
  public let fingerprint: String?
  /// The values themselves, level by level.
  package let l: [Double], s: [Double], b: [Double]

  /// `metadata["kind"]` of files.
  static let kind = "quickstep-model-statistics"

  /// - Parameters:
  ///   - lambdas: rising.
  ///   - shape: of one level's values.
  ///   - l, s, b: level by level, `lambdas.count` times the elements of `shape`.
  /// - Throws: ``ScheduleError`` when numbers do not fit together or are not finite.
  public init(lambdas: [Double], shape: [Int], l: [Double], s: [Double], b: [Double], fingerprint: String? = nil) throws {
    let size = shape.reduce(1, *)
    guard lambdas.count >= 2, zip(lambdas, lambdas.dropFirst()).allSatisfy({ $0 < $1 }), lambdas.allSatisfy(\.isFinite) else {
      throw ScheduleError("statistics of \(lambdas.count) levels; at least two are needed, finite, with rising λ")
    }
    guard size > 0, [l, s, b].allSatisfy({ $0.count == size * lambdas.count }) else {
      throw ScheduleError("statistics of \([l.count, s.count, b.count]) values for \(lambdas.count) levels of shape \(shape)")
    }
    guard [l, s, b].allSatisfy({ $0.allSatisfy(\.isFinite) }) else { throw ScheduleError("statistics hold values that are not finite") }
    (self.lambdas, self.shape, self.l, self.s, self.b, self.fingerprint) = (lambdas, shape, l, s, b, fingerprint)
    isConstant = b.allSatisfy { $0 == 0 } && l.indices.allSatisfy { l[$0] == l[$0 % size] && s[$0] == s[$0 % size] }
  }

  /// The basis of DPM-Solver++: l = 1, s = 0, b = 0, everywhere.
  static func plain(_ range: ClosedRange<Double>) throws -> ModelStatistics {
    let upper = max(range.upperBound, range.lowerBound + 1)
    return try ModelStatistics(lambdas: [range.lowerBound, upper], shape: [1], l: [1, 1], s: [0, 0], b: [0, 0])
  }

  /// Intervals of λ over which Simpson's rule is exact to about 10⁻⁹ of an exponential's integral.
  private static let widest = 0.05
  /// Whether l and s are the same at all levels and b is 0: then integrals are known in closed form.
  private let isConstant: Bool

  /// Reads a file written by ``write(to:note:)``.
  /// - Throws: `FormatError` naming what is missing or does not fit.
  public init(path: String) throws {
    let file = try SafetensorsFile(path: path)
    guard file.metadata["kind"] == Self.kind else {
      throw FormatError(path, "holds no statistics of a model; 'quickstep calibrate statistics' writes such files")
    }
    func values(_ name: String) throws -> [Double] {
      guard let info = file.info(name), info.dtype.isFloatingPoint else { throw FormatError(path, "lacks '\(name)'") }
      let tensor = try file.tensor(name)
      return try withTensorErrors { tensor.to(.float64) }.scalars()
    }
    guard let info = file.info("l"), info.shape.count >= 2 else { throw FormatError(path, "lacks 'l' [levels, …]") }
    do {
      try self.init(
        lambdas: values("lambda"), shape: Array(info.shape.dropFirst()), l: values("l"), s: values("s"), b: values("b"),
        fingerprint: file.metadata["fingerprint"])
    } catch let error as ScheduleError {
      throw FormatError(path, error.description)
    }
  }

  /// Writes l, s and b in float32.
  public func write(to path: String, note: [String: String]) throws {
    func tensor(_ values: [Double]) -> Tensor { Tensor(values.map(Float.init), shape: [lambdas.count] + shape) }
    var metadata = note.merging(["kind": Self.kind]) { _, own in own }
    metadata["fingerprint"] = fingerprint
    try SafetensorsWriter.write(
      [("b", tensor(b)), ("l", tensor(l)), ("lambda", Tensor(lambdas)), ("s", tensor(s))].map { (name: $0.0, tensor: $0.1) },
      metadata: metadata, to: path, makeFolder: true)
  }

  /// What is to be said before they are used with a model: that they were taken from another one.
  func concerns(fingerprint other: String) -> [String] {
    guard let fingerprint, fingerprint != other else { return [] }
    return ["the statistics were taken from another model (weights \(fingerprint)) than this one (\(other))"]
  }

  /// Elements of one level.
  var size: Int { shape.reduce(1, *) }

  /// l at a level; beyond the grid its end's.
  func l(at lambda: Double) -> [Double] { interpolated(l, lambda) }

  private func interpolated(_ values: [Double], _ lambda: Double) -> [Double] {
    let (index, share) = place(lambda)
    let (low, high) = (index * size, (index + 1) * size)
    return (0..<size).map { values[low + $0] + share * (values[high + $0] - values[low + $0]) }
  }

  /// The interval of the grid that holds λ, and where in it; beyond the ends, the ends.
  private func place(_ lambda: Double) -> (Int, Double) {
    let clamped = min(max(lambda, lambdas[0]), lambdas[lambdas.count - 1])
    let index = min(max((lambdas.firstIndex { $0 > clamped } ?? lambdas.count) - 1, 0), lambdas.count - 2)
    return (index, (clamped - lambdas[index]) / (lambdas[index + 1] - lambdas[index]))
  }

  /// The integrals of a step that begins at λ_s, all per element and from λ_s on.
  struct Integrals {
    /// ∫l, ∫s, ∫e^{−∫s}·b up to the end.
    var l: [Double]
    var s: [Double]
    var b: [Double]
    /// ∫e^{∫l+∫s}·(λ − λ_s)^k/k!, k = 0…
    var powers: [[Double]]
    /// ∫e^{∫l+∫s}·∫e^{−∫s}b.
    var shift: [Double]
  }

  /// How integrals are taken over the grid.
  public enum Quadrature: Sendable {
    /// By the trapezoidal rule over the points of the grid, as the authors' code.
    case trapezoid
    /// By Simpson's rule over its intervals.
    case simpson
  }

  /// - Parameters:
  ///   - start: λ_s.
  ///   - end: λ, before or after it.
  ///   - count: how many powers.
  func integrals(from start: Double, to end: Double, powers count: Int, _ quadrature: Quadrature) -> Integrals {
    let zero = Array(repeating: 0.0, count: size)
    if isConstant, quadrature == .simpson {
      let h = end - start
      let (rates, shares) = (l.prefix(size), s.prefix(size))
      return Integrals(
        l: rates.map { $0 * h }, s: shares.map { $0 * h }, b: zero,
        // ∫₀ʰ e^{cu}·u^k/k! du = e^{ch}·h^{k+1}·φ_{k+1}(−ch).
        powers: (0..<count).map { k in
          zip(rates, shares).map { l, s in exp((l + s) * h) * pow(h, Double(k + 1)) * phi(k + 1, -(l + s) * h) }
        }, shift: zero)
    }
    var sums = Integrals(l: zero, s: zero, b: zero, powers: Array(repeating: zero, count: count), shift: zero)
    let inner = lambdas.filter { $0 > min(start, end) && $0 < max(start, end) }
    let stops = [start] + (start <= end ? inner : inner.reversed()) + [end]
    for (near, far) in zip(stops, stops.dropFirst()) where near != far {
      let parts = quadrature == .simpson ? max(1, Int((abs(far - near) / Self.widest).rounded(.up))) : 1
      for part in 0..<parts {
        let (low, high) = (Double(part) / Double(parts), Double(part + 1) / Double(parts))
        advance(&sums, near + low * (far - near), near + high * (far - near), start, quadrature)
      }
    }
    return sums
  }

  private func advance(_ sums: inout Integrals, _ near: Double, _ far: Double, _ start: Double, _ quadrature: Quadrature) {
    let width = far - near
    let (l0, s0, b0) = (interpolated(l, near), interpolated(s, near), interpolated(b, near))
    let (l1, s1, b1) = (interpolated(l, far), interpolated(s, far), interpolated(b, far))
    let isSimpson = quadrature == .simpson
    func powers(_ lambda: Double) -> [Double] {
      var (value, result) = (1.0, [Double]())
      for k in 0..<sums.powers.count {
        result.append(value)
        value *= (lambda - start) / Double(k + 1)
      }
      return result
    }
    let (p0, pm, p1) = (powers(near), powers((near + far) / 2), powers(far))
    for i in 0..<size {
      // l and s are linear here, so that their integrals up to the middle are exact.
      let (la, sa) = (sums.l[i], sums.s[i])
      let (lm, sm) = (la + width * (3 * l0[i] + l1[i]) / 8, sa + width * (3 * s0[i] + s1[i]) / 8)
      let (lb, sb) = (la + width * (l0[i] + l1[i]) / 2, sa + width * (s0[i] + s1[i]) / 2)
      let (ea, em, eb) = (exp(la + sa), isSimpson ? exp(lm + sm) : 0, exp(lb + sb))
      func integral(_ a: Double, _ m: Double, _ b: Double) -> Double { isSimpson ? width * (a + 4 * m + b) / 6 : width * (a + b) / 2 }
      let (qa, qb) = (exp(-sa) * b0[i], exp(-sb) * b1[i])
      let qm = isSimpson ? exp(-sm) * (b0[i] + b1[i]) / 2 : 0
      let ba = sums.b[i]
      let bb = ba + integral(qa, qm, qb)
      // Up to the middle, by the parabola through the three values.
      let bm = isSimpson ? ba + width * (5 * qa + 8 * qm - qb) / 24 : 0
      for k in sums.powers.indices { sums.powers[k][i] += integral(ea * p0[k], em * pm[k], eb * p1[k]) }
      sums.shift[i] += integral(ea * ba, em * bm, eb * bb)
      (sums.l[i], sums.s[i], sums.b[i]) = (lb, sb, bb)
    }
  }
}

extension ModelStatistics.Quadrature {
  /// How solvers are told.
  static let parameter = ParameterDeclaration(
    name: "quadrature", summary: "Integrals over the statistics: trapezoid is the authors' code.",
    domain: .choice(["simpson", "trapezoid"]), standard: .choice("simpson"))

  init(_ values: ParameterValues) { self = values.choice(Self.parameter.name) == "trapezoid" ? .trapezoid : .simpson }
}
