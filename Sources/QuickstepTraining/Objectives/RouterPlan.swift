internal import Foundation
import QuickstepFormats

/// What the task `router` is told: the entry `router` of a plan.
public struct RouterPlan: Codable, Sendable, Hashable, TeacherRuns {
  /// Folder of the model; ``TrainingPlan/read(_:)`` takes relative ones from the plan's own place.
  public var model: String
  /// Steps of the runs that the plan is for, and their solver.
  public var steps: Int, solver: String
  /// Of those runs.
  public var guidanceScale: Double
  /// Runs to learn from, in groups of pictures of one style. A group is one sample, of which one pair of evaluations is learned from at a time.
  public var groups: Int, pictures: Int
  /// What a module that is computed costs, beside the mean square error of x̂0.
  public var penalty: Double
  /// Scores above this are computed: 0…1.
  public var threshold: Double
  /// Prompts of the runs; absent: the names of the things in the plan's data.
  public var prompts: [String]?

  enum CodingKeys: String, CodingKey {
    case model, steps, solver, groups, pictures, penalty, threshold, prompts
    case guidanceScale = "guidance_scale"
  }

  /// What does not depend on model and solver.
  func check(_ path: String) throws {
    func check(_ holds: Bool, _ problem: String) throws { if !holds { throw FormatError(path, "router: " + problem) } }
    try check((2...1000).contains(steps), "'steps' is \(steps); allowed: 2…1000")
    try check((1...1_000_000).contains(groups) && (1...256).contains(pictures), "'groups' and 'pictures' must be above 0")
    try check(penalty >= 0 && penalty.isFinite, "'penalty' is \(penalty); it must not be negative")
    try check((0...1).contains(threshold), "'threshold' is \(threshold); allowed: 0…1")
    try check(guidanceScale.isFinite, "'guidance_scale' is \(guidanceScale)")
  }
}
