import QuickstepFormats
import QuickstepNN
import QuickstepPipelines
import QuickstepTensor

/// Runs of a trained model that something learns from, in groups of pictures of one style.
protocol TeacherRuns {
  /// Their solver.
  var solver: String { get }
  /// Their guidance scale.
  var guidanceScale: Double { get }
  /// Pictures of a group.
  var pictures: Int { get }
  /// Their prompts; `nil`: the names of the things in the plan's data.
  var prompts: [String]? { get }
}

/// Prompts and seeds of the teacher's runs, by group: a function of the plan.
struct TeacherPrompts {
  private let byStyle: [(style: String?, prompts: [String])]
  private let seed: UInt64

  /// - Parameter entry: of the plan, for messages.
  init(_ settings: any TeacherRuns, entry: String, data: DataSelection, model: LoadedModel, seed: UInt64) throws {
    self.seed = seed
    let styles: [String?] = data.styles.isEmpty ? [model.defaults.style] : data.styles
    if let prompts = settings.prompts {
      guard !prompts.isEmpty else { throw PlanError("\(entry): 'prompts' is empty") }
      byStyle = styles.map { ($0, prompts) }
      return
    }
    let dataset = try EmojiDataset(path: DataLocation.find(data.set))
    let rows = dataset.rows(split: "train").filter { data.groups.isEmpty || data.groups.contains($0.group) }
    byStyle = styles.map { style in (style, rows.filter { style == nil || $0.style == style }.map(\.name)) }
    if let empty = byStyle.first(where: { $0.prompts.isEmpty }) {
      throw PlanError("data: there is nothing in \(data.set) of style '\(empty.style ?? "any")' and groups \(data.groups)")
    }
  }

  /// The run of a group of pictures.
  func request(_ group: Int, _ settings: any TeacherRuns, steps: Int) -> GenerationRequest {
    var choices = SplitMix64(seed: SplitMix64.mixed(seed, UInt64(group) &+ 0x1F))
    let (style, texts) = byStyle[Int.random(in: 0..<byStyle.count, using: &choices)]
    let chosen = (0..<settings.pictures).map { _ in texts[Int.random(in: 0..<texts.count, using: &choices)] }
    var request = GenerationRequest(prompts: chosen, seeds: chosen.map { _ in choices.next() >> 1 })
    (request.style, request.steps, request.solver, request.guidanceScale) = (style, steps, settings.solver, settings.guidanceScale)
    request.batch = chosen.count
    return request
  }
}
