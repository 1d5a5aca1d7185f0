import ArgumentParser
import Foundation
import QuickstepAcceleration
import QuickstepFormats
import QuickstepModels
import QuickstepNN
import QuickstepPipelines
import QuickstepTensor
import QuickstepTuner

struct BenchDeepCache: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "deepcache",
    abstract: "What DeepCache gains on a U-Net, beside what the work it leaves out predicts.",
    discussion: """
      In turns: N evaluations of the network as it is, with the time measured that passes within what DeepCache keeps, and N evaluations with DeepCache.
      With s the share of an evaluation outside of what is kept, N/(1 + (N − 1)·s) is predicted.

        quickstep bench deepcache FOLDER --inputs in.safetensors --interval 3 --interval 5
      """)

  @Argument(help: "A component folder of a U-Net, or a model folder or id with --component.", completion: .file())
  var path: String
  @Option(help: "Which component of the model: the name of its folder.")
  var component: String?
  @Option(
    help: "Safetensors file with the network's arguments, as 'quickstep forward' takes them.",
    completion: .file(extensions: ["safetensors"]))
  var inputs: String
  @Option(help: "Evaluations per full one (repeatable; default: 3 and 5).")
  var interval: [Int] = []
  @Option(help: "Skip connection up to which layers run anew.")
  var branch = 0
  @Option(help: "Turns of each side.")
  var rounds = 5
  @Option(help: "Threads per operator (default: one per physical core).")
  var threads: Int?
  @Option(help: "Also write the table to this Markdown file.", completion: .file(extensions: ["md"]))
  var markdown: String?

  func validate() throws {
    if let odd = interval.first(where: { !(2...1000).contains($0) }) { throw ValidationError("--interval is \(odd); allowed: 2…1000.") }
    guard (1...1000).contains(rounds) else { throw ValidationError("--rounds is \(rounds); allowed: 1…1000.") }
    if let markdown { try OutputPath.check(markdown, for: "--markdown") }
  }

  func run() async throws {
    if let threads { Machine.threads = threads }
    Machine.setFlushDenormals(true)
    let part = try ComponentLocator(path: path, component: component, options: ModelOptions()).part()
    let preparation = KernelChoice.standard.preparation(dtype: .float32, device: .cpu)
    let loaded = try Architectures.load(part.configuration, from: part.weights, dtype: .float32, device: .cpu, preparation: preparation)
    guard let network = loaded.component as? any Backbone, network.sites.contains(where: { $0.kind == .inner }) else {
      throw ValidationError("\(path) is no U-Net.")
    }
    let source = try TensorFiles.open(inputs)
    let subject = try CacheSubject(network, names: source.names) { try source.tensor($0) }
    try subject.evaluate(policy: nil, 0, of: 1)
    let intervals = interval.isEmpty ? [3, 5] : interval
    let rows = try intervals.map { try row($0, subject) }
    var report = BenchReport()
    report.add("DeepCache, branch \(branch), \(subject.description)", rows)
    print(report.text)
    if let markdown { try AtomicFile.write(Array(report.markdown.utf8), to: markdown, makeFolder: true) }
  }

  private func row(_ interval: Int, _ subject: CacheSubject) throws -> BenchRow {
    let method = try AllAccelerators.make("deepcache", ["interval": String(interval), "branch": String(branch)])
    let acceleration = try Acceleration([method], run: subject.outline(evaluations: interval))
    var (full, shares, factors, predicted) = ([Double](), [Double](), [Double](), [Double]())
    for _ in 0..<rounds {
      let watch = SiteStopwatch(Site("inner.\(branch)", .inner, depth: branch))
      let plain = try stopwatch { for index in 0..<interval { try subject.evaluate(policy: watch, index, of: interval) } }
      let session = acceleration.makeSession()
      let cached = try stopwatch { for index in 0..<interval { try subject.evaluate(policy: session.sites, index, of: interval) } }
      let share = 1 - watch.seconds / plain
      full.append(plain / Double(interval))
      shares.append(share)
      factors.append(plain / cached)
      predicted.append(Double(interval) / (1 + Double(interval - 1) * share))
    }
    let ratios = zip(factors, predicted).map { $0 / $1 }
    return BenchRow([
      "N": String(interval), "full evaluation, s": Spread.bench(full).text(digits: 3),
      "outside of what is kept, %": Spread.bench(shares).text(100, digits: 1),
      "predicted factor": Spread.bench(predicted).text(), "measured factor": Spread.bench(factors).text(),
      "measured/predicted": Spread.bench(ratios).text(digits: 3),
    ])
  }
}

/// A network with arguments for one evaluation.
private struct CacheSubject: CustomStringConvertible {
  let network: any Backbone
  let sample: Tensor, timestep: Tensor
  let conditioning: Conditioning

  init(_ network: any Backbone, names: [String], tensor: (String) throws -> Tensor) throws {
    guard names.contains("sample"), names.contains("timestep") else { throw ValidationError("--inputs lacks 'sample' or 'timestep'.") }
    func given(_ name: String) throws -> Tensor? { try names.contains(name) ? tensor(name) : nil }
    let sample = try tensor("sample")
    let time = try tensor("timestep")
    (self.network, self.sample) = (network, sample)
    timestep = try withTensorErrors { time.to(.float32).reshape([-1]).expand([sample.size(0)]).contiguous() }
    var conditioning = Conditioning(
      sequence: try given("encoder_hidden_states"), mask: try given("encoder_attention_mask"),
      pooled: try given("pooled_projections") ?? given("text_embeds"), classes: try given("class_labels"))
    (conditioning.timeIDs, conditioning.guidance) = (try given("time_ids"), try given("timestep_cond"))
    self.conditioning = conditioning
  }

  var description: String { "sample \(sample.shape)" }

  func outline(evaluations: Int) -> RunOutline {
    let calls = (0..<evaluations).map { RunOutline.Call(step: $0, level: level) }
    return RunOutline(network: "the network", stepCount: evaluations, calls: calls, sites: network.sites)
  }

  private var level: NoiseLevel { NoiseLevel(timestep: 500, alpha: 0.7, sigma: 0.7) }

  func evaluate(policy: (any SitePolicy)?, _ index: Int, of count: Int) throws {
    let context = StepContext(step: index, stepCount: count, evaluation: index, evaluationCount: count, level: level)
    try withInference {
      try withTensorErrors {
        _ = try network(sample, timestep: timestep, conditioning: conditioning, evaluation: Evaluation(context, policy: policy))
      }
    }
  }
}

/// Seconds that pass within one site.
private final class SiteStopwatch: SitePolicy {
  private let site: Site
  private(set) var seconds = 0.0

  init(_ site: Site) { self.site = site }

  func evaluate(_ site: Site, input: [Tensor], context: StepContext, compute: ([Tensor]) throws -> [Tensor]) throws -> [Tensor] {
    guard site == self.site else { return try compute(input) }
    var output: [Tensor] = []
    seconds += try stopwatch { output = try compute(input) }
    return output
  }
}
