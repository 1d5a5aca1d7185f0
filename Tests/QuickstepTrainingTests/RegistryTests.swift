import Foundation
import QuickstepDiffusion
import QuickstepFormats
import QuickstepModels
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import QuickstepTraining
import Testing

/// What the registered methods say about themselves.
@Suite struct RegistryTests {
  static let declarations =
    AllSolvers.all.map { $0.declaration } + AllGrids.all.map { $0.declaration } + AllCorrections.all.map { $0.declaration }
    + AllObjectives.all

  @Test("a declaration survives JSON", arguments: declarations.map(\.name))
  func json(_ name: String) throws {
    for declaration in Self.declarations where declaration.name == name {
      let copy = try JSONDecoder().decode(MethodDeclaration.self, from: JSONEncoder().encode(declaration))
      #expect(String(reflecting: copy) == String(reflecting: declaration))
    }
  }

  @Test("standard and neutral values lie in the parameter's own range", arguments: declarations.map(\.name))
  func ranges(_ name: String) throws {
    for declaration in Self.declarations where declaration.name == name {
      for parameter in declaration.parameters {
        #expect(try parameter.parse("\(parameter.standard)") == parameter.standard, "\(parameter.name)")
        if let neutral = parameter.neutral { #expect(try parameter.parse("\(neutral)") == neutral, "\(parameter.name)") }
        #expect(!parameter.summary.isEmpty)
      }
      #expect(Set(declaration.parameters.map(\.name)).count == declaration.parameters.count)
      #expect(!declaration.summary.isEmpty && !declaration.reference.isEmpty && !declaration.points.isEmpty)
      #expect(declaration.name.allSatisfy { $0.isLowercase || $0.isNumber || "-+".contains($0) })
    }
  }

  @Test func namesAreUniqueWithinAFamily() {
    let names = Self.declarations.map { "\($0.family) \($0.name)" }
    #expect(Set(names).count == names.count)
    let tasks = AllTrainingTasks.all.map { $0.name }
    #expect(Set(tasks).count == tasks.count && tasks == tasks.sorted())
  }
}

/// The registered tasks on a handful of made-up digits. In processes of their own, because the data's place is an environment variable.
@Suite struct DigitTaskTests {
  /// A data set in MNIST's form: 12 pictures that show their class as a bright row.
  static func writeDigits(_ folder: TemporaryFolder) throws {
    func header(_ type: UInt8, _ sizes: [Int]) -> [UInt8] {
      [0, 0, type, UInt8(sizes.count)] + sizes.flatMap { size in [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: size >> $0) } }
    }
    let labels = (0..<12).map { UInt8($0 % 10) }
    let pixels = labels.flatMap { label in (0..<784).map { UInt8($0 / 28 == Int(label) + 5 ? 250 : 3) } }
    try folder.write(header(8, [12, 28, 28]) + pixels, to: "mnist/train-images-idx3-ubyte.gz")
    try folder.write(header(8, [12]) + labels, to: "mnist/train-labels-idx1-ubyte.gz")
  }

  static func digitPlan(_ task: String, _ component: String, _ members: [String: JSONValue]) throws -> TrainingPlan {
    try plan([
      "task": .string(task), "components": .object([component: .object(members)]), "data.set": .string("mnist"), "steps": .integer(3),
      "objective": .object([
        "schedule": .string("squaredcos_cap_v2"), "prediction": .string("v_prediction"), "weighting": .string("min-snr"),
        "maximum": .integer(5),
      ]),
    ])
  }

  /// Trains with an interruption and without, and compares the exported folders byte by byte.
  static func checkResume(_ plan: TrainingPlan, files: [String]) throws {
    // Threads that wait for each other take long where tests run side by side.
    Machine.threads = 1
    let data = try TemporaryFolder()
    try writeDigits(data)
    setenv("QUICKSTEP_DATA", data.path, 1)
    let (whole, parts) = (try TemporaryFolder(), try TemporaryFolder())
    let first = try Trainer(plan, folder: whole.path, context: TrainingContext())
    #expect(try first.run())
    try first.export(to: whole.path + "/out")
    #expect(try !Trainer(plan, folder: parts.path, context: TrainingContext()).run(shouldStop: { true }))
    let second = try Trainer(plan, folder: parts.path, context: TrainingContext())
    #expect(second.step == 1)
    #expect(try second.run())
    try second.export(to: parts.path + "/out")
    for file in files {
      let (a, b) = (
        FileManager.default.contents(atPath: "\(whole.path)/out/\(file)"), FileManager.default.contents(atPath: "\(parts.path)/out/\(file)")
      )
      #expect(a != nil && a == b, "\(file)")
    }
    let component = try #require(files.first?.split(separator: "/").first.map(String.init))
    let loaded = try Architectures.load(folder: "\(whole.path)/out/\(component)")
    #expect(loaded.parameters.count > 0)
  }

  @Test func digitsAreTrainedResumedAndExported() async throws {
    await #expect(processExitsWith: .success) {
      let plan = try DigitTaskTests.digitPlan(
        "digits", "unet",
        [
          "_class_name": .string("PromptUNet2D"), "in_channels": .integer(1), "sample_size": .integer(28), "patch_size": .integer(4),
          "block_out_channels": .array([.integer(8)]), "layers_per_block": .integer(1), "attention_levels": .array([.bool(false)]),
          "num_attention_heads": .integer(2), "num_class_embeds": .integer(10),
        ])
      try DigitTaskTests.checkResume(
        plan,
        files: ["unet/diffusion_pytorch_model.safetensors", "unet/config.json", "scheduler/scheduler_config.json", "model_index.json"])
    }
  }

  @Test func theClassifierIsTrainedResumedAndExported() async throws {
    await #expect(processExitsWith: .success) {
      let plan = try DigitTaskTests.digitPlan(
        "digit-classifier", "classifier",
        [
          "_class_name": .string("DigitClassifier"), "in_channels": .integer(1), "block_out_channels": .array([.integer(8)]),
          "feature_dim": .integer(4), "num_classes": .integer(10),
        ])
      try DigitTaskTests.checkResume(
        plan, files: ["classifier/model.safetensors", "classifier/config.json", "classifier/statistics.safetensors"])
    }
  }

  @Test func theNoisePredictorIsTrainedResumedAndExported() async throws {
    await #expect(processExitsWith: .success) {
      let members: [String: JSONValue] = [
        "_class_name": .string("NoiseLevelClassifier"), "in_channels": .integer(1), "block_out_channels": .array([.integer(4)]),
        "hidden_size": .integer(6), "num_classes": .integer(12), "sigma_min": .number(0.1), "sigma_max": .number(30),
      ]
      let plan = try DigitTaskTests.digitPlan("noise-level", "noise_predictor", members)
      try DigitTaskTests.checkResume(plan, files: ["noise_predictor/model.safetensors", "noise_predictor/config.json"])
      // Pictures of other channels are refused.
      let data = try TemporaryFolder()
      try DigitTaskTests.writeDigits(data)
      setenv("QUICKSTEP_DATA", data.path, 1)
      let wrong = try DigitTaskTests.digitPlan("noise-level", "noise_predictor", members.merging(["in_channels": .integer(3)]) { $1 })
      #expect(throws: PlanError.self) { try Trainer(wrong, folder: data.path + "/run", context: TrainingContext()) }
    }
  }

  @Test func missingDataIsExplained() async throws {
    await #expect(processExitsWith: .success) {
      let empty = try TemporaryFolder()
      setenv("QUICKSTEP_DATA", empty.path, 1)
      #expect(FileManager.default.changeCurrentDirectoryPath(empty.path))
      let plan = try DigitTaskTests.digitPlan("digits", "unet", [:])
      let error = #expect(throws: FormatError.self) { try Trainer(plan, folder: empty.path + "/run", context: TrainingContext()) }
      let message = "\(try #require(error))"
      #expect(message.contains("QUICKSTEP_DATA") && message.contains(empty.path + "/mnist"))
    }
  }
}
