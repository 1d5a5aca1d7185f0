package import QuickstepDiffusion
public import QuickstepNN

/// Faster Diffusion: a U-Net's way down and its middle are computed in key evaluations only; in the others the way up alone runs on what they
/// gave, with its own time (Li et al. 2023, arXiv 2312.09608).
public struct FasterDiffusion: Accelerator {
  public static let declaration = MethodDeclaration(
    name: "faster-diffusion", family: .acceleration, summary: "Computes the encoder half of a U-Net in key evaluations only.",
    points: [.block, .call, .step], reads: ["skip connections", "output of the middle", "initial state"],
    changes: ["skip connections", "output of the middle", "state"], needs: ["a U-Net with skip connections"],
    state: "all skip connections, the output of the middle and the initial state; with span > 1 as many outputs",
    parameters: [
      ParameterDeclaration(
        name: "schedule", summary: "which evaluations are full: the authors' lists for 50, 75 and 100 evaluations, a rule, or every one",
        domain: .choice(KeySchedule.allCases.map(\.rawValue)), standard: .choice(KeySchedule.fifty.rawValue),
        neutral: .choice(KeySchedule.all.rawValue), searched: .choice([KeySchedule.uniform.rawValue])),
      ParameterDeclaration(
        name: "interval", summary: "of schedule 'uniform': evaluations per full one", domain: .integer(2...1000), standard: .integer(3),
        searched: .integer(2...5), condition: .init("schedule", [KeySchedule.uniform.rawValue])),
      ParameterDeclaration(
        name: "keys", summary: "the full evaluations one by one, from 0, in place of a schedule", domain: .list(0...100_000),
        standard: .list([])),
      ParameterDeclaration(
        name: "noise", summary: "share of the initial noise that is added to the state before a step, against lost detail; 0: none",
        domain: .number(0...1), standard: .number(0.003), searched: .number(0...0.003)),
      ParameterDeclaration(
        name: "below", summary: "timestep under which that is done, in the model's own units", domain: .number(0...1e6),
        standard: .number(500)),
      ParameterDeclaration(
        name: "span", summary: "evaluations that are decoded as one batch at most; 1: one after the other", domain: .integer(1...1000),
        standard: .integer(1)),
    ], exactness: .approximate, reference: "arXiv 2312.09608, section 3; github.com/hutaiHang/Faster-Diffusion")

  let schedule: KeySchedule
  let interval: Int
  let given: [Double]
  let noise: Double
  let below: Double
  let span: Int

  /// - Throws: ``AccelerationError`` for keys that are no whole numbers.
  public init(_ values: ParameterValues) throws {
    schedule = values.choice("schedule").flatMap(KeySchedule.init) ?? .fifty
    interval = values.integer("interval") ?? 2
    given = values.list("keys")
    (noise, below) = (values.number("noise"), values.number("below"))
    span = values.integer("span") ?? 1
    guard given.isEmpty || schedule == .fifty else {
      throw AccelerationError("'faster-diffusion': schedule=\(schedule.rawValue) has no effect beside keys, which are given one by one")
    }
    if let odd = given.first(where: { $0 != $0.rounded() }) {
      throw AccelerationError("'faster-diffusion': key \(odd) is no whole number; keys are indices of evaluations")
    }
  }

  public func parts(for run: RunOutline) throws -> [Part] {
    _ = try run.needSkips("faster-diffusion")
    let keys = try keys(run.evaluations)
    guard keys.count < run.evaluations else { return [] }
    let actions: [SiteAction] = (0..<run.evaluations).map { keys.contains($0) ? .compute : .reuse }
    let sites = run.sites.filter { [.down, .middle, .control].contains($0.kind) }
    var parts: [Part] = [.sites(SiteCache(method: "faster-diffusion", sites: sites, actions: actions))]
    if injects(run) {
      let (noise, below) = (noise, below)
      parts.append(.table { try $0.injecting(noise, below: below) })
    }
    if span > 1 {
      let (calls, span) = (run.calls, span)
      let longest = longestSpan(keys, of: run.evaluations)
      // The first of them is handed on at once.
      let tensors = (longest - 1) * run.mostBranches
      parts.append(
        .call(
          CallMethod(
            // What is decoded at once has the branches of one evaluation.
            method: "faster-diffusion", branches: Set(calls.flatMap(\.branches)), evaluationsAtOnce: longest,
            held: { tensors * $0.answer },
            make: { SpanDecoder(keys: keys, calls: calls, span: span) })))
    }
    return parts
  }

  public func warnings(for run: RunOutline) -> [String] {
    guard schedule != .all || !given.isEmpty else { return [] }
    var warnings: [String] = []
    if noise > 0, !beginsAtNoise(run) {
      warnings.append(
        "'faster-diffusion': the run does not begin at noise, so that none of it is added to later states (noise has no effect)")
    }
    if noise > 0, beginsAtNoise(run), !run.calls.contains(where: { $0.level.timestep < below }) {
      warnings.append("'faster-diffusion': no evaluation lies below timestep \(below), so that no noise is added")
    }
    if given.isEmpty, schedule.length != nil, run.evaluations < 10 {
      warnings.append(
        "'faster-diffusion': the key evaluations of schedule '\(schedule.rawValue)' are meant for \(schedule.length ?? 0) evaluations, not for \(run.evaluations)"
      )
    }
    return warnings
  }

  /// Evaluations that are decoded at once.
  private func longestSpan(_ keys: Set<Int>, of count: Int) -> Int {
    var (longest, length) = (1, 0)
    for index in 0..<count {
      length = keys.contains(index) ? 0 : length + 1
      longest = max(longest, min(span, length))
    }
    return longest
  }

  private func injects(_ run: RunOutline) -> Bool { noise > 0 && beginsAtNoise(run) }

  /// Whether the initial state is next to nothing but noise.
  private func beginsAtNoise(_ run: RunOutline) -> Bool { (run.calls.first?.level.lambda ?? 0) < -1 }

  /// Evaluations that are full.
  func keys(_ count: Int) throws -> Set<Int> {
    guard !given.isEmpty else { return schedule.keys(count: count, interval: interval) }
    let keys = Set(given.map { Int($0) })
    guard keys.contains(0) else {
      throw AccelerationError("'faster-diffusion': keys \(keys.sorted()) lack 0; the first evaluation has nothing to reuse")
    }
    if let beyond = keys.first(where: { $0 >= count }) {
      throw AccelerationError("'faster-diffusion': key \(beyond) is none of the run's evaluations 0…\(count - 1)")
    }
    return keys
  }
}

/// Which evaluations are full: the lists of the authors' programs.
package enum KeySchedule: String, CaseIterable {
  /// For 50 evaluations: {0, 1, 2, 3, 5, 10, 15, 25, 35}.
  case fifty = "50ls"
  /// For 75: the first ten, those after 65, and every fifth.
  case seventyFive = "75ls"
  /// For 100: the first ten, those after 85, and every fifth.
  case hundred = "100ls"
  /// For 50: the first twenty, those after 40, and every second.
  case second = "s2"
  /// i with 9 + 8i a square: 0, 2, 5, 9, 14, 20, 27 …
  case squares = "pro"
  /// Every N-th.
  case uniform
  /// Every one.
  case all

  /// Evaluations of the runs that the list is written for; `nil` for rules that fit any run.
  var length: Int? {
    switch self {
    case .fifty, .second: 50
    case .seventyFive: 75
    case .hundred: 100
    case .squares, .uniform, .all: nil
    }
  }

  private func contains(_ index: Int, interval: Int) -> Bool {
    switch self {
    case .fifty: [0, 1, 2, 3, 5, 10, 15, 25, 35].contains(index)
    case .seventyFive: index > 65 || index < 10 || index % 5 == 0
    case .hundred: index > 85 || index < 10 || index % 5 == 0
    case .second: index < 20 || index > 40 || index % 2 == 0
    case .squares: isSquare(9 + 8 * index)
    case .uniform: index % interval == 0
    case .all: true
    }
  }

  private func isSquare(_ value: Int) -> Bool {
    let root = Int(Double(value).squareRoot().rounded())
    return root * root == value
  }

  /// The keys of a run: those of the list at the same shares of a run of another length. The first evaluation is always one.
  package func keys(count: Int, interval: Int) -> Set<Int> {
    guard let length else { return Set((0..<count).filter { contains($0, interval: interval) }).union([0]) }
    let own = (0..<length).filter { contains($0, interval: interval) }
    let scaled = own.map { Int((Double($0) * Double(count) / Double(length)).rounded()) }
    return Set(scaled.filter { $0 < count }).union([0])
  }
}

extension Tableau {
  /// The table with a share of the initial state added to every state that is evaluated below a timestep, after its evaluation and before it is
  /// stepped from (prior noise injection, Li et al. 2023, section 3.4).
  ///
  /// With x' = x + δ·x_T the network's output is kept, so that x̂0' = x̂0 + δ/α·x_T, also where a later row reads either of them. δ is the share,
  /// in the scale of the state: w·√(α² + σ²), divided by the initial state's.
  /// - Throws: ``AccelerationError`` where such a value has a coefficient by element.
  package func injecting(_ weight: Double, below timestep: Double) throws -> Tableau {
    func spread(_ level: NoiseLevel) -> Double { (level.alpha * level.alpha + level.sigma * level.sigma).squareRoot() }
    var shifts: [Register: Double] = [:]
    var (rows, evaluation) = (rows, 0)
    for index in rows.indices {
      if let call = rows[index].evaluation {
        if call.level.timestep < timestep, call.level.alpha > 0 {
          let shift = weight * spread(call.level) / spread(initialLevel)
          shifts[.state(call.state)] = shift
          shifts[.denoised(evaluation)] = shift / call.level.alpha
        }
        evaluation += 1
      }
      var extra = 0.0
      for term in rows[index].terms {
        guard let shift = shifts[term.register] else { continue }
        guard term.coefficient.field == nil else {
          throw AccelerationError("'\(solver)' has coefficients by element; noise cannot be injected (noise=0)")
        }
        extra += term.coefficient.scalar * shift
      }
      guard extra != 0 else { continue }
      if let own = rows[index].terms.firstIndex(where: { $0.register == .state(0) }) {
        rows[index].terms[own].coefficient = Coefficient(rows[index].terms[own].coefficient.scalar + extra)
      } else {
        rows[index].terms.append(Term(.state(0), Coefficient(extra)))
      }
    }
    return try Tableau(solver: solver, stepCount: stepCount, initialLevel: initialLevel, rows: rows)
  }
}
