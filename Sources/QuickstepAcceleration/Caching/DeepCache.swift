internal import Foundation
public import QuickstepNN

/// DeepCache: most evaluations run the outermost layers of a U-Net alone and take what comes from deeper down from the last full evaluation (Ma
/// et al. 2023, arXiv 2312.00858).
public struct DeepCache: Accelerator {
  public static let declaration = MethodDeclaration(
    name: "deepcache", family: .acceleration, summary: "Recomputes only the outer layers of a U-Net in most evaluations.", points: [.block],
    reads: ["deep features"], changes: ["deep features"], needs: ["a U-Net with skip connections"],
    state: "one feature per branch of guidance (order + 1 with forecasts)",
    parameters: [
      ParameterDeclaration(
        name: "interval", summary: "evaluations per full one, N", domain: .integer(1...1000), standard: .integer(3), neutral: .integer(1),
        searched: .integer(2...8)),
      ParameterDeclaration(
        name: "branch", summary: "skip connection up to which layers run anew, m; 0 is the outermost", domain: .integer(0...1000),
        standard: .integer(0), searched: .integer(0...2)),
      ParameterDeclaration(
        name: "schedule", summary: "full evaluations evenly, or densest around a centre", domain: .choice(["uniform", "centred"]),
        standard: .choice("uniform")),
      ParameterDeclaration(
        name: "centre", summary: "evaluation around which they are densest, of 'centred', as a share of the run", domain: .number(0...1),
        standard: .number(0.3), condition: .init("schedule", ["centred"])),
      ParameterDeclaration(
        name: "power", summary: "how much denser, of 'centred', p", domain: .number(1.02...5), standard: .number(1.2),
        condition: .init("schedule", ["centred"])),
      ParameterDeclaration(
        name: "order", summary: "of the forecast of the deep feature; 0 takes it as it is", domain: .integer(0...4), standard: .integer(0),
        searched: .integer(0...2)),
      ParameterDeclaration(
        name: "control", summary: "whether a ControlNet is evaluated anew in the other evaluations, or gives what it gave",
        domain: .choice(["compute", "reuse"]), standard: .choice("compute")),
    ], exactness: .approximate, reference: "arXiv 2312.00858, section 3")

  let interval: Int
  let branch: Int
  let isCentred: Bool
  let centre: Double
  let power: Double
  let order: Int
  let reusesControl: Bool

  public init(_ values: ParameterValues) {
    (interval, branch, order) = (values.integer("interval") ?? 1, values.integer("branch") ?? 0, values.integer("order") ?? 0)
    (isCentred, centre, power) = (values.choice("schedule") == "centred", values.number("centre"), values.number("power"))
    reusesControl = values.choice("control") == "reuse"
  }

  public func parts(for run: RunOutline) throws -> [Part] {
    let skips = try run.needSkips("deepcache")
    guard branch < skips else {
      throw AccelerationError("'deepcache' with branch \(branch): \(run.network) has skip connections 0…\(skips - 1)")
    }
    guard interval > 1 else { return [] }
    let full = try Set(fullEvaluations(run.evaluations))
    let actions: [SiteAction] = (0..<run.evaluations).map { full.contains($0) ? .compute : order == 0 ? .reuse : .forecast(order: order) }
    var plan: [Site: [SiteAction]] = [:]
    for site in run.sites where site.kind == .inner && site.depth == branch { plan[site] = actions }
    if reusesControl, let control = run.control { plan[control] = actions.map { $0 == .compute ? .compute : .reuse } }
    return [.sites(SiteCache(method: "deepcache", plan: plan, rule: TaylorExtrapolation()))]
  }

  public func warnings(for run: RunOutline) -> [String] {
    guard interval > 1 else { return [] }
    guard run.control != nil else { return reusesControl ? ["'deepcache': there is no ControlNet for control=reuse to act on"] : [] }
    return [
      "'deepcache': in evaluations that are not full, what a ControlNet adds deeper than skip connection \(branch) is that of the last full one"
    ]
  }

  /// Indices of the evaluations that compute everything.
  func fullEvaluations(_ count: Int) throws -> [Int] {
    guard isCentred else { return Array(stride(from: 0, to: count, by: interval)) }
    let centre = Int((centre * Double(count)).rounded())
    return try Self.centred(count: count, wanted: (count + interval - 1) / interval, centre: centre, power: power)
  }

  /// The authors' non-uniform schedule: evenly spaced in a power of the distance from the centre, the power lowered until there are as many
  /// different evaluations as wanted. Powers of negative numbers are principal complex values, of which the real part counts.
  package static func centred(count: Int, wanted: Int, centre: Int, power: Double) throws -> [Int] {
    var power = power
    while power > 1 {
      let from = root(-Double(centre), 1 / power)
      let to = root(Double(count - centre), 1 / power)
      var points: [Int] = []
      for index in 0...wanted {
        let share = Double(index) / Double(wanted)
        let (real, imaginary) = (from.real + (to.real - from.real) * share, from.imaginary * (1 - share))
        let (radius, angle) = ((real * real + imaginary * imaginary).squareRoot(), atan2(imaginary, real))
        let point = Int(pow(radius, power) * cos(angle * power))
        if points.last != point { points.append(point) }
      }
      // First and last stand for the ends of the run.
      let inner = Array(Set(points)).sorted().dropFirst().dropLast().map { $0 + centre }
      let evaluations = [0] + inner
      if evaluations.count == wanted { return evaluations }
      power -= 0.02
    }
    throw AccelerationError(
      "'deepcache' finds no centred schedule of \(wanted) full evaluations among \(count) around \(centre); take another centre or interval"
    )
  }

  private static func root(_ value: Double, _ exponent: Double) -> (real: Double, imaginary: Double) {
    let radius = pow(abs(value), exponent)
    return value >= 0 ? (radius, 0) : (radius * cos(.pi * exponent), radius * sin(.pi * exponent))
  }
}
