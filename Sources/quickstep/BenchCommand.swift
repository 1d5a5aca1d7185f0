import ArgumentParser
import Foundation
import QuickstepFormats
import QuickstepModels
import QuickstepPipelines
import QuickstepTensor
import QuickstepTuner

struct BenchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Measure this build on this machine.",
    discussion: """
      Measures what one operator call costs, what the sampler adds to the network's own time, one evaluation of each network at batch 1
      and 16, and a whole 'generate' process with its memory. With --peer the same networks run in another program, in turns with ours
      (A B A B …), so that a machine that speeds up or slows down does so for both.

      On a GPU the section 'graphs' times evaluations one kernel after the other and played from a recording, in turns.

      Examples:
        quickstep bench --device cuda --dtype bfloat16 --markdown out/bench-gpu.md
        quickstep bench --peer "python3 Benchmarks/peer_eager.py" --markdown out/bench.md
        quickstep bench --only executor --model emoji
      """,
    subcommands: [BenchDeepCache.self])

  @Option(name: [.short, .long], help: "Models to measure (repeatable; default: all that are found).")
  var model: [String] = []
  @Option(help: "Command of a peer that speaks the protocol of Benchmarks/peer_eager.py.")
  var peer: String?
  @Option(help: "Turns of each side.")
  var rounds = 15
  @Option(help: "cpu, cuda or cuda:N (default: cpu).")
  var device = "cpu"
  @Option(help: "Type of weights and computation: float32 (default), bfloat16, float16.")
  var dtype = "float32"
  @Option(help: "Threads per operator (default: one per physical core).")
  var threads: Int?
  @Option(help: "Measure this alone (repeatable): \(Section.allCases.map(\.rawValue).joined(separator: ", ")).")
  var only: [Section] = []
  @Option(help: "Also write the tables to this Markdown file.", completion: .file(extensions: ["md"]))
  var markdown: String?
  @Flag(help: .hidden)
  var idle = false

  /// What is measured.
  enum Section: String, CaseIterable, ExpressibleByArgument {
    case calls, sampler, executor, evaluations, graphs, recipes, processes

    /// Whether it is measured on a GPU, and whether on the processor: what looks at the machinery around networks is measured there.
    var runsOnGPU: Bool { [.evaluations, .graphs, .recipes].contains(self) }
    var runsOnCPU: Bool { self != .graphs }
  }

  func validate() throws {
    if peer != nil, !wants(.evaluations), !wants(.recipes) {
      throw ValidationError("--peer has no effect without the section 'evaluations' or 'recipes'.")
    }
    if rounds < 3 || rounds > 1000 { throw ValidationError("--rounds is \(rounds); allowed: 3…1000.") }
    if let markdown { try OutputPath.check(markdown, for: "--markdown") }
  }

  private func wants(_ section: Section) -> Bool {
    only.isEmpty ? (device == "cpu" ? section.runsOnCPU : section.runsOnGPU) : only.contains(section)
  }

  /// Checks that all that is asked for can be measured there.
  private func place() throws -> (Device, DType) {
    guard let type = DType(name: dtype), type.isFloatingPoint else {
      throw ValidationError("--dtype \(dtype) is unknown; use float32, bfloat16 or float16.")
    }
    let device = try Device(named: device)
    if let section = only.first(where: { device.isCUDA ? !$0.runsOnGPU : !$0.runsOnCPU }) {
      throw ValidationError("The section '\(section.rawValue)' is not measured on \(device).")
    }
    if peer != nil, device.isCUDA { throw ValidationError("--peer runs on the processor and is not compared with a GPU.") }
    if peer != nil, type != .float32 {
      throw ValidationError("--peer computes in float32 and is not compared with \(type); leave --dtype out.")
    }
    return (device, type)
  }

  func run() async throws {
    if let threads { Machine.threads = threads }
    // The floor for memory figures: libtorch loaded, one operator run.
    if idle {
      let sum = try Tensor.ones([8, 8]).sum().item()
      return printJSON(.object(["sum": .number(sum), "peak_memory_bytes": .integer(ProcessMemory.peakBytes)]))
    }
    let built = ModelLibrary.all().filter { $0.pipeline != nil && $0.problem == nil }.map(\.path)
    let (device, type) = try place()
    let models = try (model.isEmpty ? built : model.map(ModelLibrary.find)).map { try LoadedModel(folder: $0, dtype: type, device: device) }
    // What a newcomer runs first is the default model.
    let first = models.first { $0.name == "emoji" } ?? models.first
    if first == nil, let section = Section.allCases.first(where: { $0 != .calls && wants($0) }) {
      throw ValidationError(
        "No model was found to measure, and the section '\(section.rawValue)' needs one: name it with --model, or a folder of models with "
          + "\(ModelLibrary.variable) (see 'quickstep models').")
    }
    if only.contains(.recipes), try !models.contains(where: { try Recipe.standard(of: $0.folder) != nil }) {
      throw ValidationError(
        "There is no recipe beside \(models.map(\.name).joined(separator: ", ")), and the section 'recipes' measures those; 'quickstep tune' makes one."
      )
    }
    var report = BenchReport(device: device, dtype: type)
    if wants(.calls) { report.add("Operator call", try CallBenchmark.rows(rounds: rounds)) }
    if wants(.sampler) { report.add("Sampler overhead, 20 steps", try models.map { try SamplerBenchmark.row($0, rounds: rounds) }) }
    if let first, wants(.executor) { report.add("Running a table, 20 steps", try ExecutorBenchmark.rows(first, rounds: rounds)) }
    if wants(.evaluations) { report.add("One evaluation", try EvaluationBenchmark.rows(models, peer: peer, rounds: rounds)) }
    if wants(.graphs) {
      report.add("One evaluation, recorded as a graph", try models.flatMap { try GraphBenchmark.rows($0, rounds: rounds) })
    }
    if wants(.recipes) { report.add("A picture by the model's recipe", try RecipeBenchmark.rows(models, peer: peer, rounds: rounds)) }
    if let first, wants(.processes) {
      report.add("Whole process: generate, 20 steps, one picture", try ProcessBenchmark.rows(model: first, rounds: rounds))
    }
    print(report.text)
    if let markdown { try AtomicFile.write(Array(report.markdown.utf8), to: markdown, makeFolder: true) }
  }
}
