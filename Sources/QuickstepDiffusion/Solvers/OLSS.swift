import Foundation
public import QuickstepNN

/// OLSS, optimal linear subspace search (Duan et al. 2023): weights and levels fitted by least squares to full runs of the model.
///
/// x_{i+1} = w_i·x_T + Σ_{j≤i} v_ij·ε_j with ε_j = (x_j − α_j·x̂0_j)/σ_j. Every deterministic solver without correction is of this form; here the
/// numbers come from the model's own paths. See ``OLSSPlan``.
public struct OLSS: FittedSolver {
  public static let declaration = MethodDeclaration(
    name: "olss", family: .solver, summary: "Weights and levels fitted by least squares to full runs of this very model.",
    points: [.step, .grid],
    reads: ["state", "denoised", "all previous denoised"], changes: ["state"],
    needs: ["a plan made by 'quickstep calibrate olss' for this model, guidance and size"], state: "the initial state and every prediction",
    parameters: [
      ParameterDeclaration(
        name: "plan", summary: "The fitted plan.", domain: .text("path of a JSON file, or its text"), standard: .text(""))
    ], exactness: .approximate, reference: "arXiv 2305.14677, section 3")

  let plan: OLSSPlan?
  let path: String

  /// Reads the file named by `plan`. Without one the solver can be listed, not compiled.
  /// - Throws: ``TableauError`` when the file cannot be read or is no plan.
  public init(_ values: ParameterValues) throws {
    path = values.text("plan") ?? ""
    plan = path.isEmpty ? nil : try Self.read(path)
  }

  /// Puts the plan's text in the place of its path, so that a picture's settings repeat it without the file.
  public static func resolved(_ parameters: [String: String]) throws -> [String: String] {
    guard let path = parameters["plan"], !path.isEmpty else { return parameters }
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    return parameters.merging(["plan": String(decoding: try encoder.encode(read(path)), as: UTF8.self)]) { $1 }
  }

  /// A plan that is at hand.
  /// - Throws: `SamplingError` when its numbers do not fit together.
  public init(_ plan: OLSSPlan) throws {
    try plan.validate()
    (self.plan, path) = (plan, "")
  }

  /// Not an order of convergence: the weights are those of one grid. First-order steps are among what is fitted.
  public var order: Int { 1 }

  /// Another model, guidance scale or acceleration than the plan says it was fitted to. Plans that were fitted without acceleration may
  /// run with any; what plans do not say is not asked about.
  public func concerns(fingerprint: String, guidanceScale: Double?, accelerations: [String]) -> [String] {
    guard let origin = plan?.origin else { return [] }
    var concerns: [String] = []
    if origin.fingerprint != fingerprint {
      concerns.append(
        "the plan was fitted to another model ('\(origin.model)', weights \(origin.fingerprint)) than this one (\(fingerprint))")
    }
    if let guidanceScale, abs(origin.guidanceScale - guidanceScale) > 1e-6 {
      concerns.append("the plan was fitted at guidance scale \(origin.guidanceScale); this run's is \(guidanceScale)")
    }
    guard let fitted = origin.accelerations, !fitted.isEmpty else { return concerns }
    let (missing, added) = (fitted.filter { !accelerations.contains($0) }, accelerations.filter { !fitted.contains($0) })
    if !missing.isEmpty { concerns.append("the plan was fitted with \(missing.joined(separator: ", ")), which this run lacks") }
    if !added.isEmpty { concerns.append("the plan was fitted without \(added.joined(separator: ", ")), which this run has") }
    return concerns
  }

  /// The plan's levels.
  /// - Throws: ``TableauError`` without a plan, and where the schedule has other levels.
  public func grid(on schedule: any NoiseSchedule) throws -> Grid {
    let plan = try needed()
    for level in plan.levels.dropLast() {
      // Networks may be told rounded timesteps, so that a level is known by its noise, and its timestep up to a whole one.
      let own = try schedule.level(lambda: level.lambda)
      let isSame = abs(own.alpha - level.alpha) < 1e-6 && abs(own.sigma - level.sigma) <= 1e-6 * max(1, level.sigma)
      guard isSame, abs(own.timestep - level.timestep) <= 1 else {
        throw TableauError(
          "the plan\(path.isEmpty || path.hasPrefix("{") ? "" : " " + path) was fitted to another schedule: timestep \(level.timestep) has "
            + "α \(level.alpha), σ \(level.sigma) there; as much noise on \(schedule.summary) is timestep \(own.timestep) with "
            + "α \(own.alpha), σ \(own.sigma)")
      }
    }
    return try Grid(levels: plan.levels, spacing: "fitted")
  }

  /// One evaluation per step.
  /// - Throws: ``TableauError`` without a plan, and for a grid that is not the plan's: weights are worth nothing elsewhere.
  public func compile(schedule: any NoiseSchedule, grid: Grid) throws -> Tableau {
    let plan = try needed()
    guard grid.levels == plan.levels else {
      throw TableauError(
        "'olss' can only run the \(plan.steps) levels it was fitted to, from the first one on; use it without a start image")
    }
    var table = TableauBuilder(solver: Self.name, grid: grid)
    var states = [table.initial]
    var predictions: [Register] = []
    for step in 0..<plan.steps {
      predictions.append(table.evaluate(states[step], at: plan.levels[step]))
      var sums: [Register: Double] = [table.initial: plan.initial[step]]
      for (index, weight) in plan.noises[step].enumerated() {
        let level = plan.levels[index]
        sums[states[index], default: 0] += weight / level.sigma
        sums[predictions[index], default: 0] -= weight * level.alpha / level.sigma
      }
      let terms = (states + predictions).compactMap { register in sums[register].map { (register, $0) } }
      states.append(table.combine(terms, to: plan.levels[step + 1]))
    }
    return try table.build()
  }

  private func needed() throws -> OLSSPlan {
    guard let plan else { throw TableauError("'olss' needs a plan: olss:plan=FILE; 'quickstep calibrate olss' makes one for a model") }
    return plan
  }

  private static func read(_ path: String) throws -> OLSSPlan {
    let isText = path.hasPrefix("{")
    guard let data = isText ? Data(path.utf8) : FileManager.default.contents(atPath: path) else {
      throw TableauError("the plan \(path) cannot be read")
    }
    do {
      let plan = try JSONDecoder().decode(OLSSPlan.self, from: data)
      try plan.validate()
      return plan
    } catch let error as SamplingError {
      throw TableauError("\(isText ? "the given plan" : path): \(error)")
    } catch {
      throw TableauError("\(isText ? "the given text" : path) is no plan of 'olss': \(error)")
    }
  }
}
