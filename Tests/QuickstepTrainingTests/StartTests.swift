import Foundation
import QuickstepFormats
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import QuickstepTraining
import Testing

/// Runs that begin with trained weights, and parts that keep theirs.
@Suite struct StartTests {
  private static let sketch: JSONValue = .object([
    "_class_name": .string("PromptSketch"), "in_channels": .integer(1), "sample_size": .integer(8), "patch_size": .integer(4),
    "sketch_channels": .integer(2), "cross_attention_dim": .integer(4),
  ])

  private static func transformer(sketchChannels: Int) -> JSONValue {
    .object([
      "_class_name": .string("PromptTransformer2D"), "in_channels": .integer(1), "sample_size": .integer(8), "patch_size": .integer(4),
      "hidden_size": .integer(8), "num_layers": .integer(1), "num_attention_heads": .integer(1), "mlp_ratio": .integer(1),
      "cross_attention_dim": .integer(4), "sketch_channels": .integer(sketchChannels),
    ])
  }

  private func bytes(_ tree: ParameterTree, below part: String = "") throws -> [[UInt8]] {
    try tree.all.filter { $0.name.hasPrefix(part) }.map { try $0.tensor.detach().elementBytes() }
  }

  /// A folder that holds the component `sketch` and a `training.json` beside it.
  private func folderWithSketch(_ changes: [String: JSONValue?]) throws -> (folder: TemporaryFolder, plan: TrainingPlan) {
    let folder = try TemporaryFolder()
    let source = try ComponentSet(plan(["components.sketch": Self.sketch, "seed": .integer(77)]), device: .cpu)
    try source.write(source.parameters, to: folder.path)
    return (folder, try TrainingPlan.read(folder.write(planText(changes), to: "training.json")))
  }

  @Test func aPartStartsFromATrainedComponent() throws {
    let (folder, plan) = try folderWithSketch([
      "components.transformer": Self.transformer(sketchChannels: 2), "start_from": .object(["transformer.sketch": .string("sketch")]),
    ])
    let stored = try SafetensorsFile(path: folder.path + "/sketch/model.safetensors")
    let set = try ComponentSet(plan, device: .cpu)
    for name in stored.names {
      let tensor = try #require(set.parameters["transformer.sketch." + name])
      #expect(try tensor.elementBytes() == stored.tensor(name).to(.float32).elementBytes())
    }
    var fresh = plan
    fresh.startFrom = nil
    let other = try ComponentSet(fresh, device: .cpu)
    #expect(try bytes(other.parameters, below: "transformer.sketch") != bytes(set.parameters, below: "transformer.sketch"))
    #expect(try bytes(other.parameters, below: "transformer.blocks") == bytes(set.parameters, below: "transformer.blocks"))
  }

  @Test(
    "what does not fit is named",
    arguments: [
      ("transformer.head", "sketch", 2, "'transformer.head'"), ("transformer.sketch", "sketch", 3, "needs [12, 4]"),
      ("transformer", "sketch", 2, "'transformer.patch_embed"), ("transformer.sketch", "nowhere", 2, "nowhere"),
      ("transformer.sketch.proj", "sketch", 2, "has no 'patches.bias'"),
    ])
  func misfits(_ part: String, _ from: String, _ channels: Int, _ message: String) throws {
    let (folder, plan) = try folderWithSketch([
      "components.transformer": Self.transformer(sketchChannels: channels), "start_from": .object([part: .string(from)]),
    ])
    let error = #expect(throws: (any Error).self) { try ComponentSet(plan, device: .cpu) }
    let text = "\(try #require(error))"
    #expect(text.contains(message) || (part == "transformer" && text.contains("start_from")), "\(text)")
    withExtendedLifetime(folder) {}
  }

  @Test func frozenPartsKeepTheirWeights() throws {
    let frozen = try plan(["frozen": .array([.string("net.0")])])
    let folder = try TemporaryFolder()
    let (trainer, task) = try toyTrainer(frozen, folder.path)
    let before = (try bytes(task.parameters, below: "net.0"), try bytes(task.parameters, below: "net.1"))
    #expect(try trainer.run())
    #expect(try bytes(task.parameters, below: "net.0") == before.0)
    #expect(try bytes(task.parameters, below: "net.1") != before.1)
    try trainer.export(to: folder.path + "/out")
    let exported = try SafetensorsFile(path: folder.path + "/out/toy.safetensors")
    #expect(exported.names == ["net.0.bias", "net.0.weight", "net.1.bias", "net.1.weight"])
    #expect(
      try exported.names.filter { $0.hasPrefix("net.0") }.map { try exported.tensor($0).elementBytes() }.sorted { $0.count < $1.count }
        == before.0.sorted { $0.count < $1.count })
  }

  @Test func frozenPartsAreRestoredWithTheRest() throws {
    let frozen = try plan(["frozen": .array([.string("net.0")])])
    let whole = try TemporaryFolder()
    let (straight, straightTask) = try toyTrainer(frozen, whole.path)
    #expect(try straight.run())
    let folder = try TemporaryFolder()
    let (first, _) = try toyTrainer(frozen, folder.path)
    #expect(try !first.run(shouldStop: { first.step == 3 }))
    // A task whose frozen weights were made anew, as they are when the folder they came from has changed.
    let task = try ToyTask(frozen, context: TrainingContext())
    for (_, tensor) in task.parameters.all { try withTensorErrors { tensor.copyInPlace(tensor.zerosLike()) } }
    let second = try Trainer(frozen, task: task, folder: folder.path, context: TrainingContext())
    #expect(second.step == 3)
    #expect(try second.run())
    #expect(try bytes(task.parameters) == bytes(straightTask.parameters))
  }

  @Test(
    "a frozen part must be there, and something must be left to train",
    arguments: [(["net.7"], "'net.7'"), (["net.0", "net.1"], "nothing is left")])
  func idleFreezing(_ parts: [String], _ message: String) throws {
    let frozen = try plan(["frozen": .array(parts.map { .string($0) })])
    let folder = try TemporaryFolder()
    let error = #expect(throws: PlanError.self) { try toyTrainer(frozen, folder.path) }
    #expect(try #require(error).description.contains(message))
  }
}
