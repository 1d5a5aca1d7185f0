public import QuickstepAcceleration
import QuickstepDiffusion
import QuickstepNN
public import QuickstepTensor

extension CallPolicyLaws {
  /// What methods around calls report is what the network was asked for, is what they planned where they plan, and belongs to one session.
  ///
  /// Of one method alone: where one stands around another, what the outer one lets through may be left out by the inner one.
  /// - Parameter acceleration: with parameters at which it leaves something out.
  public func checkCounts(_ name: String, _ acceleration: Acceleration, initial: Tensor) throws {
    let (session, idle) = (acceleration.makeSession(), acceleration.makeSession())
    let request = try Request(self, session: session, initial: initial)
    _ = try request.finish()
    let reports = session.calls.compactMap { ($0 as? any ReportingCallPolicy)?.report }
    guard !reports.isEmpty else { throw LawViolation("\(name) reports nothing around calls") }
    let plan = try acceleration.plan(for: run).actions
    for report in reports {
      guard report.saved > 0 else { throw LawViolation("\(name) leaves nothing out: \(report)") }
      for (entry, codes) in report.actions {
        try check(name, entry, Array(codes), planned: plan[entry], asked: request.called.map { $0.flatMap { $0 } })
      }
      let letters = report.actions.values.joined()
      let (computed, saved) = (letters.count { $0 == "C" }, letters.count { $0 != "C" && $0 != "-" })
      guard report.computed == computed, report.saved == saved else {
        throw LawViolation("\(name) counts \(report.computed) and \(report.saved); its letters are \(report.actions)")
      }
    }
    for report in idle.reports where report.computed + report.saved + report.peakBytes > 0 {
      throw LawViolation("\(name): a session that was not used reports \(report)")
    }
  }

  /// Of methods whose plans name sites: every letter reported is the planned one, and nothing was computed for want of something to answer from.
  public func checkPlan(_ name: String, _ acceleration: Acceleration, initial: Tensor) throws {
    let session = acceleration.makeSession()
    _ = try Request(self, session: session, initial: initial).finish()
    let planned = try acceleration.plan(for: run).actions.mapValues(\.codes)
    let found = session.reports.reduce(into: [String: String]()) { $0.merge($1.actions) { first, _ in first } }
    guard !planned.isEmpty, found == planned else { throw LawViolation("\(name) did \(found), and planned \(planned)") }
    for report in session.reports where report.forced > 0 { throw LawViolation("\(name) had nothing to answer from: \(report)") }
  }

  /// What methods hold at most is what they declare beforehand from the sizes of one evaluation.
  public func checkHeld(_ name: String, _ acceleration: Acceleration, initial: Tensor) throws {
    let session = acceleration.makeSession()
    _ = try Request(self, session: session, initial: initial).finish()
    let held = session.reports.reduce(0) { $0 + $1.peakBytes }
    let declared = acceleration.heldBytes(try sizes(initial))
    guard held > 0, held == declared else { throw LawViolation("\(name) held \(held) bytes, and declares \(declared)") }
  }

  /// Of an evaluation with the most branches.
  private func sizes(_ initial: Tensor) throws -> RunSizes {
    guard let index = run.calls.indices.max(by: { run.calls[$0].branches.count < run.calls[$1].branches.count }) else { return RunSizes() }
    let observer = SizeObserver()
    var context = Self.context(index, of: run)
    context.branches = run.calls[index].branches
    let evaluation = Evaluation(context, policy: RunRecorder([observer]))
    _ = try withTensorErrors {
      try withInference { try model(.cat(Array(repeating: initial, count: context.branches.count), dim: 0), evaluation) }
    }
    var sizes = observer.sizes
    sizes.answer = initial.byteCount
    return sizes
  }

  /// - Parameters:
  ///   - entry: `call`, or `call.` and a branch.
  ///   - codes: reported, one letter per evaluation; the last ones may be missing.
  ///   - planned: actions of the entry, where there is a plan.
  ///   - asked: branches that the network was asked for, by evaluation.
  private func check(_ name: String, _ entry: String, _ codes: [Character], planned: [SiteAction]?, asked: [[String]]) throws {
    let branch = entry == "call" ? nil : String(entry.dropFirst("call.".count))
    for index in run.calls.indices {
      let code = index < codes.count ? codes[index] : "-"
      let compared = run.calls[index].branches
      // Where a branch is not compared with another one there is nothing to decide about it.
      let concerns = branch.map { compared.count > 1 && compared.contains($0) } ?? true
      guard concerns else {
        if code != "-" { throw LawViolation("\(name) reports '\(code)' for \(entry) in evaluation \(index), which has \(compared)") }
        continue
      }
      let wasAsked = branch.map { asked[index].contains($0) } ?? !asked[index].isEmpty
      guard (code == "C") == wasAsked, code != "-" else {
        throw LawViolation("\(name) reports '\(code)' for \(entry) in evaluation \(index); the network was asked for \(asked[index])")
      }
      if let planned, planned[index].code != code {
        throw LawViolation("\(name) plans \(planned[index]) for \(entry) in evaluation \(index), and reports '\(code)'")
      }
    }
  }
}
