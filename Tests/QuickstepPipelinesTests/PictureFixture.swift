import Foundation
import QuickstepFormats
import QuickstepPipelines
import QuickstepTensor
import QuickstepTesting
import Testing

/// One run of the reference with pictures (`Parity/pipelines_image.py`), and the model it was made with.
struct PictureFixture {
  static let root = Goldens.root + "/pictures"
  let file: SafetensorsFile
  let settings: JSONValue
  let prompts: [String]

  init(_ name: String) throws {
    file = try SafetensorsFile(path: "\(Self.root)/\(name).safetensors")
    let settings = try #require(file.metadata["settings"])
    self.settings = try JSONValue(parsing: settings)
    let prompts = try #require(file.metadata["prompts"])
    let texts = try JSONValue(parsing: prompts)
    self.prompts = texts.array?.compactMap(\.string) ?? []
    #expect(self.prompts.count == 2)
  }

  /// A stored picture.
  func picture(_ name: String) throws -> InputPicture {
    let bytes = try file.tensor(name)
    return try InputPicture(withTensorErrors { bytes.to(.float32) / 127.5 - 1 }, name: name)
  }

  func number(_ key: String, of object: JSONValue? = nil) -> Double? { (object ?? settings)[key]?.double }

  /// The settings of the reference's run, without pictures.
  func request() throws -> GenerationRequest {
    var request = GenerationRequest(prompts: prompts, seeds: prompts.indices.map { UInt64($0) })
    request.given.latents = try file.tensor("latents")
    request.guidanceScale = number("guidance")
    request.negative = settings["negative"]?.string ?? ""
    request.steps = settings["steps"]?.integer
    request.batch = prompts.count
    request.recordsTrajectory = true
    return request
  }

  /// The model's folder, copied from the fixtures of text-to-image with some components replaced.
  static func folder(_ base: String, replacing parts: [String: String] = [:], class className: String? = nil) throws -> TemporaryFolder {
    let copy = try TemporaryFolder()
    let folder = copy.path + "/model"
    try FileManager.default.copyItem(atPath: "\(Goldens.root)/\(base)", toPath: folder)
    for (part, source) in parts {
      if FileManager.default.fileExists(atPath: "\(folder)/\(part)") { try FileManager.default.removeItem(atPath: "\(folder)/\(part)") }
      try FileManager.default.copyItem(atPath: "\(root)/parts/\(source)", toPath: "\(folder)/\(part)")
    }
    if let className {
      let index = try JSONValue(path: folder + "/model_index.json")
      var members = try #require(index.object)
      members["_class_name"] = .string(className)
      try JSONValue.object(members).text.write(toFile: folder + "/model_index.json", atomically: true, encoding: .utf8)
    }
    return copy
  }

  /// The largest difference in standard deviations of `expected`.
  static func gap(_ actual: Tensor, _ expected: Tensor) throws -> Double {
    #expect(actual.shape == expected.shape)
    let spread = try withTensorErrors { (expected - expected.mean()).square().mean().sqrt() }
    return try withTensorErrors { ((actual - expected).abs().max() / spread).to(.float64) }.item()
  }

  /// Compares states, from the step `first` of the reference on.
  func expectEqual(_ result: GenerationResult, first: Int = 0, count: Int? = nil, hasPictures: Bool = true) throws {
    let states = Dictionary(uniqueKeysWithValues: result.trajectory)
    let total = file.names.count { $0.hasPrefix("step_") }
    for step in first..<(first + (count ?? total - first)) {
      let name = String(format: "step_%03d", step)
      let actual = try #require(states[String(format: "step_%03d", step - first)])
      let gap = try Self.gap(actual, file.tensor(name))
      #expect(gap <= 1e-3, "step \(step) differs by \(gap)")
    }
    guard hasPictures else { return }
    #expect(try Self.gap(#require(states["final"]), file.tensor("final")) <= 1e-3)
    for (index, image) in result.images.enumerated() {
      let expected = try withTensorErrors { try file.tensor("picture").select(0, index: index) }
      #expect(try Self.gap(withTensorErrors { image.pixels.clamp(min: -1, max: 1) }, expected) <= 1e-3)
    }
  }
}
