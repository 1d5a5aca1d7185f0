import Foundation
import QuickstepAcceleration
import QuickstepDiffusion
import QuickstepFormats
import QuickstepModels
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

/// Sequences of evaluations under diffusers' hooks and under the authors' programs, by `Parity/caches.py` and `Parity/caches_authors.py`.
@Suite struct CacheParityTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let file: String, network: String, method: String
    var testDescription: String { "\(network), \(method.prefix(90))" }
  }

  private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path + "/Fixtures"

  private static func open(_ file: String) throws -> SafetensorsFile { try SafetensorsFile(path: "\(folder)/\(file).safetensors") }

  static let cases: [Case] = ["caches", "caches-authors"].flatMap { file -> [Case] in
    let names = (try? open(file).names) ?? []
    return names.sorted().compactMap { name in
      let parts = name.split(separator: "|").map(String.init)
      return parts.count == 3 && parts[2] == "out" ? Case(file: file, network: parts[0], method: parts[1]) : nil
    }
  }

  @Test func thereIsSomethingToCompare() {
    #expect(Self.cases.count >= 30)
    #expect(Set(Self.cases.map { $0.method.split(separator: ":")[0] }).count >= 7)
  }

  @Test("outputs and decisions are those of the reference", arguments: cases)
  func parity(_ item: Case) throws {
    let run = try TinyRun(TinyNetwork(name: "checkpoints/" + item.network))
    let file = try Self.open(item.file)
    let expected = try file.tensor("\(item.network)|\(item.method)|out")
    let session = try item.method == "none" ? nil : acceleration(item.method, run.outline).makeSession()
    let values = expected.size(1)
    let found = try run.outputs(session?.sites).map { try picked($0, values, run) }
    let gap = try withTensorErrors { Tensor.stack(found).to(.float32) }.largestDifference(from: expected)
    #expect(gap <= 1e-4)
    guard let session else { return }
    let full = try withTensorErrors { try file.tensor("\(item.network)|\(item.method)|full").to(.int64) }.scalars(Int64.self)
    let report = try #require(session.reports.first)
    let attention = try #require(run.backbone.sites.last { $0.kind == .attention }).path
    let row = report.actions.first { $0.key.hasPrefix("blocks[") }?.value ?? report.actions[attention]
    if let row { #expect(row.map { $0 == "C" } == full.map { $0 != 0 }, "\(row) for \(full)") }
  }

  /// The values of an output that the golden holds.
  private func picked(_ output: Tensor, _ count: Int, _ run: TinyRun) throws -> Tensor {
    try withTensorErrors {
      let flat = (run.isTokens ? FluxTransformer.packed(output) : output).contiguous().flatten(startDim: 0)
      let last = Float(flat.size(0) - 1)
      // As torch.linspace computes it: from the nearer end.
      let step = last / Float(count - 1)
      let places = (0..<count).map { index in
        Int64(index < count / 2 ? step * Float(index) : last - step * Float(count - 1 - index))
      }
      return flat.indexSelect(0, index: Tensor(places))
    }
  }

  @Test("FasterCache's branch", arguments: ["12x10", "15x21"])
  func branches(_ size: String) throws {
    let file = try Self.open("caches")
    let pictures = try file.tensor("branches-\(size)|pictures")
    let expected = try file.tensor("branches-\(size)|made")
    let count = pictures.size(0)
    let calls = (0..<count).map { index in
      RunOutline.Call(
        step: index, level: NoiseLevel(timestep: 990 - 60 * Double(index), alpha: 0.5, sigma: 0.5), branches: ["negative", "positive"])
    }
    var outline = RunOutline(
      network: "a picture", stepCount: count, calls: calls, sites: [Site("attn", .attention, depth: 0)])
    outline.trainedTime = 1000
    let session = try acceleration("fastercache:branch-interval=3,low=1.1,high=1.1", outline).makeSession()
    let policy = try #require(session.calls.first)
    var made = 0
    for index in 0..<count {
      let context = StepContext(step: index, stepCount: count, evaluation: index, evaluationCount: count, level: calls[index].level)
      let both = try withTensorErrors { pictures.select(0, index: index) }
      let outputs = try policy.outputs(both, branches: ["negative", "positive"], context: context) { _, names, _ in
        if names.count == 1 { made += 1 }
        return try withTensorErrors { names.map { both.narrow(0, start: $0 == "negative" ? 0 : 1, length: 1) } }
      }
      #expect(try outputs[0].largestDifference(from: withTensorErrors { expected.narrow(0, start: index, length: 1) }) < 1e-4)
    }
    #expect(made == session.reports[0].saved + (session.reports.last?.saved ?? 0) && made > 2)
  }
}
