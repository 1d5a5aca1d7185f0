import QuickstepNN

extension Tableau {
  /// One table for a batch whose samples have tables of their own: the same solver over as many steps, from and through other levels. What
  /// differs becomes coefficients and levels by sample.
  ///
  /// Rows are matched within a step by the evaluations they hold. Where only some samples have a row before an evaluation (noise that is added
  /// at some levels only), the others keep their state in it; the noise is then drawn for the whole batch.
  /// - Parameter tables: one per sample, at least one.
  /// - Throws: ``TableauError`` when the tables differ in more than numbers.
  public init(samples tables: [Tableau]) throws {
    guard let first = tables.first else { throw TableauError("no tables to be joined; allowed: one per sample, at least one") }
    guard tables.count > 1, tables.contains(where: { $0 != first }) else {
      self = first
      return
    }
    guard tables.allSatisfy({ $0.stepCount == first.stepCount }) else {
      throw TableauError("tables of '\(first.solver)' with \(Set(tables.map(\.stepCount)).sorted()) steps cannot run as one batch")
    }
    var merger = SampleMerger(tables)
    for step in 0..<first.stepCount { try merger.merge(step: step) }
    try self.init(
      solver: first.solver, stepCount: first.stepCount, initialLevel: NoiseLevel.amid(tables.map(\.initialLevel)), rows: merger.rows)
  }
}

extension NoiseLevel {
  /// The one in the middle of some levels, ordered by their noise.
  static func amid(_ levels: [NoiseLevel]) -> NoiseLevel {
    let sorted = levels.sorted { $0.lambda < $1.lambda }
    return sorted[sorted.count / 2]
  }
}

/// Joins the tables of several samples row by row.
private struct SampleMerger {
  /// Where a sample's own registers are in the joined table.
  private struct Sample {
    let rows: [Tableau.Row]
    /// Rows that are done.
    var position = 0
    var states = [0]
    var noises: [Int] = []
  }

  let solver: String
  private var samples: [Sample]
  private(set) var rows: [Tableau.Row] = []
  private var noises = 0

  init(_ tables: [Tableau]) {
    solver = tables[0].solver
    samples = tables.map { Sample(rows: $0.rows) }
  }

  mutating func merge(step: Int) throws {
    while true {
      let next = samples.map { sample in
        sample.position < sample.rows.count && sample.rows[sample.position].step == step ? sample.rows[sample.position] : nil
      }
      guard next.contains(where: { $0 != nil }) else { return }
      // A row without evaluation that not all have is passed over by the others, as long as nothing but it differs.
      let plain = next.map { $0?.evaluation == nil && $0 != nil }
      if plain.contains(true), plain.contains(false) {
        try append(zip(next, plain).map { $1 ? $0 : nil }, step)
      } else {
        guard !next.contains(where: { $0 == nil }) else { throw mismatch(step, "evaluations") }
        try append(next, step)
      }
    }
  }

  /// One joined row. Samples without a row of their own keep their newest state.
  private mutating func append(_ parts: [Tableau.Row?], _ step: Int) throws {
    let present = parts.compactMap { $0 }
    guard Set(present.map(\.finishesStep)).count == 1, present[0].finishesStep == false || present.count == parts.count else {
      throw mismatch(step, "rows after the last evaluation")
    }
    try drawNoises(parts)
    let evaluation = try self.evaluation(parts, step)
    var order: [Register] = []
    var coefficients: [Register: [Int: Coefficient]] = [:]
    for (index, part) in parts.enumerated() {
      let terms = part?.terms ?? [Tableau.Term(.state(samples[index].states.count - 1), Coefficient(1))]
      for term in terms {
        let register = joined(term.register, index)
        if coefficients[register] == nil { order.append(register) }
        coefficients[register, default: [:]][index] = term.coefficient
      }
    }
    let terms = try order.map { register in
      Tableau.Term(register, try Coefficient(samples: parts.indices.map { coefficients[register]?[$0] ?? Coefficient(0) }))
    }
    rows.append(
      Tableau.Row(
        step: step, evaluation: evaluation, terms: terms, level: .amid(present.map(\.level)), finishesStep: present[0].finishesStep))
    for (index, part) in parts.enumerated() {
      if part == nil {
        // What the sample calls its newest state is from now on this row's.
        samples[index].states[samples[index].states.count - 1] = rows.count
      } else {
        samples[index].states.append(rows.count)
        samples[index].position += 1
      }
    }
  }

  /// Gives places to the noises that are read for the first time: the k-th new one of every sample shares its place.
  private mutating func drawNoises(_ parts: [Tableau.Row?]) throws {
    var most = 0
    for (index, part) in parts.enumerated() {
      var fresh = 0
      for term in part?.terms ?? [] {
        guard case .noise(let own) = term.register, own == samples[index].noises.count else { continue }
        samples[index].noises.append(noises + fresh)
        fresh += 1
      }
      most = max(most, fresh)
    }
    noises += most
  }

  private func evaluation(_ parts: [Tableau.Row?], _ step: Int) throws -> Tableau.Evaluation? {
    let calls = parts.enumerated().compactMap { index, part in
      part?.evaluation.map { (state: samples[index].states[$0.state], level: $0.level) }
    }
    guard let first = calls.first else { return nil }
    guard calls.count == parts.count, calls.allSatisfy({ $0.state == first.state }) else {
      throw mismatch(step, "states that are evaluated")
    }
    let levels = calls.map(\.level)
    return Tableau.Evaluation(state: first.state, level: .amid(levels), sampleLevels: levels.contains { $0 != first.level } ? levels : nil)
  }

  private func joined(_ register: Register, _ index: Int) -> Register {
    switch register {
    case .state(let own): .state(samples[index].states[own])
    case .noise(let own): .noise(samples[index].noises[own])
    case .denoised, .one: register
    }
  }

  private func mismatch(_ step: Int, _ what: String) -> TableauError {
    TableauError("the samples' tables of '\(solver)' differ in their \(what) in step \(step), so that they cannot run as one batch")
  }
}

extension Coefficient {
  /// One coefficient per sample.
  /// - Throws: ``TableauError`` when some are fields of different shapes.
  init(samples: [Coefficient]) throws {
    let shapes = Set(samples.compactMap { $0.field?.shape })
    guard shapes.count <= 1, samples.allSatisfy({ $0.field?.samples ?? 1 == 1 }) else {
      throw TableauError("coefficients of shapes \(shapes.sorted { $0.count < $1.count }) cannot be those of one batch")
    }
    let shape = shapes.first ?? []
    let size = shape.reduce(1, *)
    self.init(
      try Field(
        shape: shape, samples: samples.count,
        values: samples.flatMap { $0.field?.values ?? Array(repeating: $0.scalar, count: size) }))
  }
}
