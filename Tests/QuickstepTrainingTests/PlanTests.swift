import QuickstepFormats
import QuickstepTesting
import QuickstepTraining
import Testing

/// Plan files: what is refused, and how it is named.
@Suite struct PlanTests {
  @Test func aPlanIsRead() throws {
    let read = try plan()
    #expect(read.task == "toy" && read.batch == 5 && read.steps == 6 && read.seed == 3 && read.averagingDecay == 0.9)
    #expect(read.optimiser.warmup == 2 && read.objective?.weighting == "velocity" && read.defaults["default_steps"] == .integer(20))
    #expect(try plan(["objective": nil]).objective == nil)
  }

  @Test(
    "unknown keys are refused by name, wherever they stand",
    arguments: ["nesterov", "optimiser.nesterov", "objective.gamma", "data.split"])
  func unknownKeys(_ key: String) throws {
    let error = #expect(throws: FormatError.self) { try plan([key: .integer(1)]) }
    let message = try #require(error).description
    #expect(message.contains(key) && message.contains("training.json"), "\(message)")
  }

  @Test(
    "missing keys are refused by name",
    arguments: ["task", "components", "data", "optimiser", "batch", "steps", "seed", "averaging_decay", "optimiser.warmup", "data.set"])
  func missingKeys(_ key: String) throws {
    let error = #expect(throws: FormatError.self) { try plan([key: nil]) }
    #expect(try #require(error).description.contains("'\(key)'"))
  }

  @Test(
    "values out of range are refused by name",
    arguments: [
      ("batch", JSONValue.integer(0)), ("batch", .integer(1 << 20)), ("steps", .integer(0)), ("steps", .integer(-1)),
      ("averaging_decay", .integer(1)),
      ("averaging_decay", .number(-0.1)), ("condition_dropout", .number(1.01)), ("optimiser.learning_rate", .integer(0)),
      ("optimiser.learning_rate", .number(-1)), ("optimiser.final_learning_rate", .number(0.5)), ("optimiser.beta1", .integer(1)),
      ("optimiser.beta2", .number(-0.5)), ("optimiser.epsilon", .integer(0)), ("optimiser.weight_decay", .number(-1)),
      ("optimiser.clip", .number(-1)), ("optimiser.warmup", .integer(-1)), ("batch", .string("five")), ("seed", .integer(-1)),
      ("steps", .number(2.5)),
    ])
  func outOfRange(_ key: String, _ value: JSONValue) throws {
    let error = #expect(throws: FormatError.self) { try plan([key: value]) }
    let message = try #require(error).description
    let name = String(key.split(separator: ".").last ?? "")
    #expect(message.contains(name), "\(message)")
  }

  @Test func objectivesAreChecked() {
    func objective(_ schedule: String, _ prediction: String, _ weighting: String, _ maximum: Double) throws {
      _ = try DenoisingObjective(ObjectivePlan(schedule: schedule, prediction: prediction, weighting: weighting, maximum: maximum))
    }
    #expect(throws: (any Error).self) { try objective("linnear", "sample", "uniform", 5) }
    #expect(throws: (any Error).self) { try objective("linear", "noise", "uniform", 5) }
    #expect(throws: PlanError.self) { try objective("linear", "sample", "max-snr", 5) }
    for maximum in [0, -1, .infinity, .nan] { #expect(throws: PlanError.self) { try objective("linear", "sample", "min-snr", maximum) } }
    // ε does not determine x̂0 where there is no signal left.
    #expect(throws: (any Error).self) { try objective("flow", "epsilon", "uniform", 5) }
  }
}
