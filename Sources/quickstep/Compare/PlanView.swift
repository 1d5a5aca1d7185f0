import Foundation
import QuickstepAcceleration
import QuickstepFormats
import QuickstepPipelines

/// What is done at which site in which evaluation, as planned or as a run did it: a block for each model of the run, for people and for programs.
struct PlanView {
  /// The part of one model.
  struct Block {
    let part: RequestPlan.Part
    /// In the order of the network's sites, whatever else is named behind them; letters from the part's first evaluation.
    let rows: [(name: String, codes: String)]
  }

  let blocks: [Block]
  /// Whether models share the run; otherwise nothing is said about the one that does it.
  let isShared: Bool

  /// - Parameter reports: of a run; without them what is planned is shown.
  init(_ planned: RequestPlan, reports: [AccelerationReport]?) {
    isShared = planned.isShared
    blocks = planned.parts.map { part in
      let codes = reports.map { Self.codes($0, part, isShared: planned.isShared) } ?? part.plan.actions.mapValues(\.codes)
      let places = Dictionary(part.sites.enumerated().map { ($1, $0) }) { first, _ in first }
      let rows = codes.map { (name: $0.key, codes: $0.value) }
        .sorted { (places[$0.name] ?? .max, $0.name) < (places[$1.name] ?? .max, $1.name) }
      return Block(part: part, rows: rows)
    }
  }

  /// What methods did within a part. What says which model did which steps is the blocks themselves.
  private static func codes(_ reports: [AccelerationReport], _ part: RequestPlan.Part, isShared: Bool) -> [String: String] {
    let own = reports.filter { !isShared || $0.share?.evaluations == part.evaluations }
    return own.reduce(into: [:]) { $0.merge($1.actions) { first, _ in first } }
  }

  /// Evaluations of the run.
  var evaluations: Int {
    let seen = blocks.flatMap { block in block.rows.map { block.part.evaluations.lowerBound + $0.codes.count } }
    return max(blocks.last?.part.evaluations.upperBound ?? 0, seen.max() ?? 0)
  }

  private func heading(_ block: Block) -> String? {
    guard isShared else { return nil }
    let (first, last) = (block.part.evaluations.lowerBound, block.part.evaluations.upperBound - 1)
    return "\(block.part.model) (\(first == last ? "evaluation \(first)" : "evaluations \(first)-\(last)"))"
  }

  /// Rows with the evaluations of other models left blank.
  private func shown(_ block: Block) -> [(name: String, codes: String)] {
    let blank = String(repeating: " ", count: block.part.evaluations.lowerBound)
    return block.rows.map { (name: $0.name, codes: blank + $0.codes) }
  }

  var text: String {
    let width = blocks.flatMap(\.rows).map(\.name.count).max() ?? 0
    let indent = isShared ? "  " : ""
    let lines = blocks.flatMap { block -> [String] in
      let rows = shown(block).map { indent + $0.name.padding(toLength: width + 2, withPad: " ", startingAt: 0) + $0.codes }
      return [heading(block)].compactMap { $0 } + rows
    }
    let others = isShared ? " · blank: another model's" : ""
    let legend = "C computed · R reused · 1…9 forecast of that order · A corrected · T some tokens · I left out · - not visited" + others
    return (lines + ["", legend]).joined(separator: "\n")
  }

  func picture(title: String) -> PlanPicture {
    PlanPicture(title: title, blocks: blocks.map { PlanPicture.Block(heading: heading($0), rows: shown($0)) })
  }

  /// The plan of one model, or the plans of all with their places in the run.
  func json() throws -> String {
    guard isShared else { return try blocks.first.map { try plan($0).json() } ?? "{}" }
    let models = try blocks.map { block -> JSONValue in
      guard case .object(var members) = try JSONValue(parsing: plan(block).json()) else { return .null }
      members["model"] = .string(block.part.model)
      members["first_evaluation"] = .integer(block.part.evaluations.lowerBound)
      return .object(members)
    }
    return indented(.object(["evaluations": .integer(evaluations), "models": .array(models)]))
  }

  private func plan(_ block: Block) throws -> SitePlan {
    let count = max(block.part.evaluations.count, block.rows.map(\.codes.count).max() ?? 0)
    let actions = try block.rows.map { row in
      // What was not visited need not be computed either; a plan says so by computing it.
      let codes = row.codes.replacing("-", with: "C").padding(toLength: count, withPad: "C", startingAt: 0)
      return (row.name, try [SiteAction](codes: codes, of: row.name))
    }
    let named = Set(block.rows.map(\.name))
    return try SitePlan(
      evaluations: count, actions: Dictionary(actions) { first, _ in first }, keeps: block.part.keeps.filter { named.contains($0.key) })
  }
}
