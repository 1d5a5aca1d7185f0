import Foundation
import QuickstepFormats
import QuickstepTensor
import QuickstepTesting
import Testing

/// What a run of the program left.
struct CommandResult {
  var status: Int32
  var output: String
  var errors: String

  /// The one JSON object on standard output, strictly read.
  func json() throws -> JSONValue {
    let value = try JSONValue(parsing: output, name: "standard output")
    #expect(value.object != nil, "not an object")
    // Members of the outer object are the lines indented by two spaces.
    let keys = output.split(separator: "\n").filter { $0.hasPrefix("  \"") }
    #expect(keys == keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }, "keys are not sorted")
    return value
  }
}

/// The program as it lies beside the test bundle.
let executable: String = {
  let bundle = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
  return URL(fileURLWithPath: bundle).deletingLastPathComponent().appendingPathComponent("quickstep").path
}()

/// A folder to run the program in, away from the user's own models and caches.
final class Workplace {
  private let folder: TemporaryFolder
  var path: String { folder.path }

  init() throws { folder = try TemporaryFolder() }

  @discardableResult
  func write(_ bytes: [UInt8], _ name: String) throws -> String { try folder.write(bytes, to: name) }

  @discardableResult
  func write(_ text: String, _ name: String) throws -> String { try folder.write(text, to: name) }

  @discardableResult
  func write(_ tensors: [String: Tensor], _ name: String, metadata: [String: String] = [:]) throws -> String {
    let file = path + "/" + name
    try SafetensorsWriter.write(tensors.map { (name: $0.key, tensor: $0.value) }, metadata: metadata, to: file, makeFolder: true)
    return file
  }

  /// Runs the program in this folder.
  func run(_ arguments: String..., environment: [String: String] = [:], program: String = executable) throws -> CommandResult {
    try run(arguments, environment: environment, program: program)
  }

  /// The same, with a list.
  func run(_ arguments: [String], environment: [String: String] = [:], program: String = executable) throws -> CommandResult {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    process.currentDirectoryURL = URL(fileURLWithPath: path)
    // An empty value counts as not set; the caches of whoever runs the tests must not be looked into.
    let isolated = ["QUICKSTEP_MODELS": "", "QUICKSTEP_DATA": "", "HF_HUB_CACHE": path + "/hub", "HF_HOME": "", "NO_COLOR": ""]
    process.environment = ProcessInfo.processInfo.environment.merging(isolated) { $1 }.merging(environment) { $1 }
    // Files and not pipes: nothing has to be read while the program runs.
    let files = ["out", "err"].map { "\(path)/.\($0)-\(UUID().uuidString)" }
    let handles = try files.map { file in
      try #require(FileManager.default.createFile(atPath: file, contents: nil))
      return try #require(FileHandle(forWritingAtPath: file))
    }
    process.standardOutput = handles[0]
    process.standardError = handles[1]
    process.standardInput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    let texts = try files.map { try String(contentsOfFile: $0, encoding: .utf8) }
    return CommandResult(status: process.terminationStatus, output: texts[0], errors: texts[1])
  }
}

extension Workplace {
  /// A model whose only network is a very small classifier: enough for everything that does not generate.
  /// - Returns: its folder.
  @discardableResult
  func writeModel(_ folder: String) throws -> String {
    try write(
      """
      {"_class_name": "ClassToImagePipeline", "classifier": ["quickstep", "DigitClassifier"], "scheduler": ["diffusers", "DDIMScheduler"],
       "safety_checker": [null, null], "styles": ["round", "square"], "default_steps": 4}
      """, folder + "/model_index.json")
    try write(#"{"_class_name": "DDIMScheduler", "clip_sample": false}"#, folder + "/scheduler/scheduler_config.json")
    try write("---\nlicense: x\n---\n\n# A very small model\n\nMore.\n", folder + "/README.md")
    try write(
      #"{"_class_name": "DigitClassifier", "in_channels": 1, "block_out_channels": [8], "feature_dim": 4, "num_classes": 2}"#,
      folder + "/classifier/config.json")
    func ramp(_ shape: [Int]) -> Tensor {
      let count = shape.reduce(1, *)
      return Tensor((0..<count).map { Float($0 % 7) * 0.1 - 0.3 }, shape: shape)
    }
    let shapes = [
      "convs.0.weight": [8, 1, 3, 3], "convs.0.bias": [8], "norms.0.weight": [8], "norms.0.bias": [8], "features.weight": [4, 72],
      "features.bias": [4], "head.weight": [2, 4], "head.bias": [2],
    ]
    try write(shapes.mapValues(ramp), folder + "/classifier/model.safetensors")
    return path + "/" + folder
  }
}
