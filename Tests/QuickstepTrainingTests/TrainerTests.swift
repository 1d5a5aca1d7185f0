import Foundation
import QuickstepFormats
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import QuickstepTraining
import Testing

/// The loop, its checkpoints, and what happens when something goes wrong.
@Suite struct TrainerTests {
  /// Trains to the end, interrupted after the given steps, and returns the exported weights.
  private func train(_ plan: TrainingPlan, stops: [Int] = []) throws -> (weights: [UInt8], log: String, visited: [[Int]]) {
    let folder = try TemporaryFolder()
    var visited: [[Int]] = []
    for stop in stops + [plan.steps] {
      let (trainer, task) = try toyTrainer(plan, folder.path)
      let finished = try trainer.run(checkpointSeconds: 1e9, reportSteps: 1, shouldStop: { trainer.step == stop })
      #expect(finished == (stop == plan.steps) && trainer.step == stop)
      visited += task.visited
      if finished { try trainer.export(to: folder.path + "/out") }
    }
    let log = try String(contentsOfFile: folder.path + "/loss.csv", encoding: .utf8)
    let withoutSeconds = log.split(separator: "\n").map { $0.split(separator: ",").dropLast().joined(separator: ",") }.joined(
      separator: "\n")
    return (try Array(Data(contentsOf: URL(fileURLWithPath: folder.path + "/out/toy.safetensors"))), withoutSeconds, visited)
  }

  @Test("an interrupted run gives the bits of one that was not", arguments: [[3], [1], [5], [1, 2, 4]], [0.9, 0])
  func resume(_ stops: [Int], _ averaging: Double) throws {
    let plan = try plan(["averaging_decay": .number(averaging)])
    let whole = try train(plan)
    let resumed = try train(plan, stops: stops)
    #expect(resumed.weights == whole.weights)
    #expect(resumed.log == whole.log)
    #expect(resumed.visited == whole.visited)
  }

  @Test func theSeedDecides() throws {
    let first = try train(plan())
    #expect(try train(plan()).weights == first.weights)
    #expect(try train(plan(["seed": .integer(4)])).weights != first.weights)
  }

  @Test func theAverageIsWhatIsExported() throws {
    #expect(try train(plan(["averaging_decay": .number(0)])).weights != train(plan()).weights)
  }

  @Test func aRunOfMoreStepsContinuesAFinishedOne() throws {
    let folder = try TemporaryFolder()
    #expect(try toyTrainer(plan(), folder.path).trainer.run())
    let (longer, task) = try toyTrainer(plan(["steps": .integer(9), "defaults.default_steps": .integer(5)]), folder.path)
    #expect(longer.step == 6)
    #expect(try longer.run())
    #expect(longer.step == 9 && task.visited.count == 3)
    #expect(try toyTrainer(plan(), folder.path).trainer.run(), "nothing is left to do")
  }

  @Test func theLossFalls() throws {
    let folder = try TemporaryFolder()
    let plan = try plan(["steps": .integer(150), "batch": .integer(32), "optimiser.clip": .number(0)])
    let losses = LossList()
    _ = try toyTrainer(plan, folder.path).trainer.run(reportSteps: 15, report: { losses.values.append($0.loss) })
    let (first, last) = (try #require(losses.values.first), try #require(losses.values.last))
    #expect(losses.values.count == 10 && last < 0.8 * first, "\(losses.values)")
    #expect(FileManager.default.fileExists(atPath: folder.path + "/loss.png"))
  }

  private final class LossList { var values: [Double] = [] }

  @Test(
    "a step that goes wrong is an error and leaves the checkpoint as it was",
    arguments: [
      (ToyTask.Fault.nan, "the loss is nan at step 3"), (.infinite, "the loss is inf at step 3"), (.infiniteGradient, "not finite"),
      (.unusedParameter, "'net.0.weight'"), (.tensorFailure, "aten::view"),
    ])
  func faults(_ kind: ToyTask.Fault, _ part: String) throws {
    let folder = try TemporaryFolder()
    let plan = try plan()
    _ = try toyTrainer(plan, folder.path).trainer.run(shouldStop: { true })
    let (broken, _) = try toyTrainer(plan, folder.path, fault: (2, kind))
    let path = URL(fileURLWithPath: folder.path + "/checkpoint.safetensors")
    let before = try Data(contentsOf: path)
    let error = #expect(throws: (any Error).self) { try broken.run(checkpointSeconds: 1e9) }
    #expect("\(try #require(error))".contains(part), "\(error as Any)")
    #expect(broken.step == 3)
    #expect(try Data(contentsOf: path) == before)
    // The weights were not touched either: going on from the checkpoint gives what an undisturbed run gives.
    let (healthy, _) = try toyTrainer(plan, folder.path)
    #expect(healthy.step == 1)
    #expect(try healthy.run())
    try healthy.export(to: folder.path + "/out")
    let weights = try Array(Data(contentsOf: URL(fileURLWithPath: folder.path + "/out/toy.safetensors")))
    #expect(try weights == train(plan).weights)
  }

  @Test func aFailedStepChangesNoWeight() throws {
    let folder = try TemporaryFolder()
    let (trainer, task) = try toyTrainer(plan(), folder.path, fault: (0, .infiniteGradient))
    let before = try task.parameters.all.map { try $0.tensor.detach().elementBytes() }
    #expect(throws: TensorError.self) { try trainer.run() }
    #expect(try task.parameters.all.map { try $0.tensor.detach().elementBytes() } == before)
  }

  @Test(
    "a checkpoint of another plan is refused",
    arguments: ["batch", "seed", "optimiser.learning_rate", "objective.maximum", "averaging_decay"])
  func otherPlan(_ key: String) throws {
    let folder = try TemporaryFolder()
    _ = try toyTrainer(plan(), folder.path).trainer.run(shouldStop: { true })
    let value: JSONValue = key == "batch" || key == "seed" ? .integer(7) : .number(0.02)
    let changed = try plan([key: value, "optimiser.final_learning_rate": .number(0.001)])
    let error = #expect(throws: PlanError.self) { try toyTrainer(changed, folder.path) }
    #expect(try #require(error).description.contains("belongs to another plan"))
    #expect(try #require(error).description.contains("checkpoint.safetensors"))
  }

  @Test func damagedCheckpointsAreRefused() throws {
    let folder = try TemporaryFolder()
    let plan = try plan()
    _ = try toyTrainer(plan, folder.path).trainer.run(shouldStop: { true })
    let path = folder.path + "/checkpoint.safetensors"
    let file = try SafetensorsFile(path: path)
    let tensors = try file.names.map { name in (name: name, tensor: try withTensorErrors { try file.tensor(name).clone() }) }
    let metadata = file.metadata
    func refused(_ part: String, _ comment: String) throws {
      let error = #expect(throws: (any Error).self, "\(comment)") { try toyTrainer(plan, folder.path) }
      let message = "\(try #require(error))"
      #expect(message.contains("checkpoint.safetensors") && (part.isEmpty || message.contains(part)), "\(comment): \(message)")
    }
    for prefix in ["parameter.", "average.", "adam.m.", "adam.v."] {
      try SafetensorsWriter.write(tensors.filter { $0.name != prefix + "net.1.bias" }, metadata: metadata, to: path)
      try refused("net.1.bias", "without \(prefix)")
      let odd = tensors.map { ($0.name, $0.name == prefix + "net.0.weight" ? Tensor.zeros([2, 2]) : $0.tensor) }
      try SafetensorsWriter.write(odd, metadata: metadata, to: path)
      try refused("net.0.weight", "\(prefix) of another shape")
    }
    for step in ["", "-3", "x", "99999999999999999999"] {
      try SafetensorsWriter.write(tensors, metadata: metadata.merging(["step": step]) { $1 }, to: path)
      try refused("step", "step '\(step)'")
    }
    try SafetensorsWriter.write(tensors, metadata: metadata, to: path)
    let whole = try Data(contentsOf: URL(fileURLWithPath: path))
    for count in [0, 7, 100, whole.count - 1] {
      try whole.prefix(count).write(to: URL(fileURLWithPath: path))
      try refused("", "\(count) of \(whole.count) bytes")
    }
    try whole.write(to: URL(fileURLWithPath: path))
    #expect(try toyTrainer(plan, folder.path).trainer.step == 1)
  }

  @Test(
    "a damaged loss log is no reason to stop", arguments: ["nan,1,1,1,1", "1e300,1,1,1,1", "-inf,0,0,0,0", "1,2", "\u{0}", "1,a,b,c,d"])
  func damagedLog(_ line: String) throws {
    let folder = try TemporaryFolder()
    _ = try toyTrainer(plan(), folder.path).trainer.run(shouldStop: { true })
    try folder.write("step,loss,learning_rate,gradient_norm,seconds\n\(line)\n", to: "loss.csv")
    #expect(try toyTrainer(plan(), folder.path).trainer.run())
  }

  @Test func tasksAreFoundByName() throws {
    for task in AllTrainingTasks.all { #expect(try AllTrainingTasks.named(task.name) == task) }
    let error = #expect(throws: PlanError.self) { try Trainer(plan(), folder: "unused", context: TrainingContext()) }
    #expect(try #require(error).description.contains("unknown training task 'toy'"))
    #expect(!FileManager.default.fileExists(atPath: "unused"))
  }
}
