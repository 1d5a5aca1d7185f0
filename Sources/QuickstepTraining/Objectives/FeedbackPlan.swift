internal import QuickstepFormats

/// What a plan says of the task `feedback`: which model is trained for, in which runs, and how.
public struct FeedbackPlan: Codable, Sendable, Hashable, TeacherRuns {
  /// Folder of the model; ``TrainingPlan/read(_:)`` takes relative ones from the plan's own place.
  public var model: String
  /// First and last block of the inner range, from 0.
  public var first: Int, last: Int
  /// Steps of the runs with feedback, and their solver.
  public var steps: Int, solver: String
  /// Of teacher and student.
  public var guidanceScale: Double
  /// Fine steps of the teacher per step: 2…16.
  public var refinement: Int
  /// Evaluations without feedback at the beginning and at the end of a run.
  public var begin: Int, end: Int
  /// Runs of the teacher, in groups of pictures of one style. A group is one sample; all its trained steps are learned from at once.
  public var groups: Int, pictures: Int
  /// Weight w and bound γ of the error of the noise; see ``FeedbackObjective``.
  public var noiseWeight: Double, noiseBound: Double
  /// Prompts of the runs; absent: the names of the things in the plan's data.
  public var prompts: [String]?

  enum CodingKeys: String, CodingKey {
    case model, first, last, steps, solver, refinement, begin, end, groups, pictures, prompts
    case guidanceScale = "guidance_scale"
    case noiseWeight = "noise_weight"
    case noiseBound = "noise_bound"
  }

  /// What does not depend on model and solver.
  func check(_ path: String) throws {
    func check(_ holds: Bool, _ problem: String) throws { if !holds { throw FormatError(path, "feedback: " + problem) } }
    try check(first >= 0 && first <= last, "the inner range \(first)…\(last) is empty or begins before the first block")
    try check((2...1000).contains(steps), "'steps' is \(steps); allowed: 2…1000")
    try check((2...16).contains(refinement), "'refinement' is \(refinement); allowed: 2…16")
    try check(begin >= 0 && end >= 0 && begin + end < steps, "'begin' (\(begin)) and 'end' (\(end)) leave none of \(steps) steps")
    try check((1...1_000_000).contains(groups) && (1...256).contains(pictures), "'groups' and 'pictures' must be above 0")
    try check(noiseWeight >= 0 && noiseBound > 0, "'noise_weight' must not be negative, 'noise_bound' above 0")
    try check(guidanceScale.isFinite, "'guidance_scale' is \(guidanceScale)")
  }
}
