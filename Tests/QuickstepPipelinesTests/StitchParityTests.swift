import Foundation
import QuickstepAcceleration
import QuickstepFormats
import QuickstepNN
import QuickstepPipelines
import QuickstepTensor
import QuickstepTesting
import Testing

/// Runs that models share against the programs of T-Stitch's authors (`Parity/stitch_authors.py`): who does which step, and what comes out.
@Suite struct StitchParityTests {
  private static let root = Goldens.root + "/stitch"

  /// One run of theirs.
  private struct Case {
    let name: String
    /// Of the models but the last.
    let shares: [Double]
    /// Who did each step.
    let models: [String]
    let timesteps: [Double]

    init(_ value: JSONValue) throws {
      name = try #require(value["name"]?.string)
      shares = try #require(value["shares"]?.array?.compactMap { $0.double })
      models = try #require(value["models"]?.array?.compactMap { $0.string })
      timesteps = try #require(value["timesteps"]?.array?.compactMap { $0.double })
      #expect(!shares.isEmpty && models.count == timesteps.count)
    }

    /// The steps of each model as reports write them.
    var actions: [String: String] {
      Dictionary(grouping: models.indices) { models[$0] }.mapValues {
        String(repeating: "-", count: $0[0]) + String(repeating: "C", count: $0.count)
      }
    }
  }

  private func value(_ key: String, _ file: SafetensorsFile) throws -> JSONValue {
    let text = try #require(file.metadata[key])
    return try JSONValue(parsing: text)
  }

  private func cases(_ file: SafetensorsFile) throws -> [Case] {
    let values = try #require(try value("cases", file).array)
    return try values.map { try Case($0) }
  }

  /// A copy of a model's folder with another network.
  private func folder(_ base: String, to path: String, _ part: String, from network: String) throws -> String {
    try FileManager.default.copyItem(atPath: base, toPath: path)
    try FileManager.default.removeItem(atPath: "\(path)/\(part)")
    try FileManager.default.copyItem(atPath: network, toPath: "\(path)/\(part)")
    return path
  }

  private func request(_ file: SafetensorsFile, prompts: [String]) throws -> GenerationRequest {
    var request = GenerationRequest(prompts: prompts, seeds: prompts.indices.map { UInt64($0) })
    request.given.latents = try file.tensor("in.latents")
    request.guidanceScale = try value("scale", file).double
    (request.batch, request.recordsTrajectory) = (prompts.count, true)
    return request
  }

  /// The same run of ours: the same timesteps, the same models, the same end.
  private func check(
    _ run: Case, _ rule: String, _ model: LoadedModel, with folders: [String], _ base: GenerationRequest, _ file: SafetensorsFile
  ) throws {
    var request = base
    request.steps = run.models.count
    request.accelerations = [
      MethodChoice(
        "stitch",
        parameters: [
          "models": folders.joined(separator: "+"), "fraction": run.shares.map { "\($0)" }.joined(separator: "/"), "rule": rule,
        ])
    ]
    let result = try ImagePipeline(model, companions: ImagePipeline.companions(of: request, like: model)).generate(request)
    let states = Dictionary(uniqueKeysWithValues: result.trajectory)
    #expect(try #require(states["timesteps"]).scalars(Double.self) == run.timesteps, "\(run.name)")
    let report = result.accelerations.first { $0.method == "stitch" }
    // Without a share there is nothing to report.
    let actions = report?.actions ?? [model.name: String(repeating: "C", count: run.models.count)]
    #expect(actions == run.actions && (report != nil || run.shares == [0]), "\(run.name): \(actions)")
    let difference = try PictureFixture.gap(#require(states["final"]), file.tensor("out.\(run.name)"))
    #expect(difference <= 1e-4, "\(run.name): \(difference)")
  }

  @Test("two and three networks of DiT, guided, at shares that are whole steps and others")
  func transformers() throws {
    let file = try SafetensorsFile(path: Self.root + "/dit-authors.safetensors")
    let place = try TemporaryFolder()
    let base = Self.root + "/large"
    let folders = try ["small", "medium"].map {
      try folder(base, to: "\(place.path)/\($0)", "transformer", from: "\(Self.root)/\($0)")
    }
    let model = try LoadedModel(folder: base)
    let labels = try #require(try value("labels", file).array?.compactMap(\.integer))
    var request = try self.request(file, prompts: labels.map { "\($0)" })
    (request.solver, request.spacing, request.spacingParameters) = ("ddim", "linspace", ["round": "true"])
    let runs = try cases(file)
    #expect(runs.contains { $0.shares.count == 1 } && runs.contains { $0.shares.count == 2 })
    for run in runs { try check(run, "time", model, with: Array(folders.prefix(run.shares.count)), request, file) }
    withExtendedLifetime(place) {}
  }

  @Test("two U-Nets of Stable Diffusion, guided")
  func stableDiffusion() throws {
    let file = try SafetensorsFile(path: Self.root + "/sd-authors.safetensors")
    let place = try TemporaryFolder()
    let base = Goldens.root + "/sd"
    let small = try folder(base, to: place.path + "/small", "unet", from: Self.root + "/sd-small")
    let large = try folder(base, to: place.path + "/large", "unet", from: base + "/unet")
    let model = try LoadedModel(folder: large)
    let prompts = try #require(try value("prompts", file).array?.compactMap(\.string))
    var request = try self.request(file, prompts: prompts)
    request.negative = try #require(try value("negative", file).string)
    let runs = try cases(file)
    #expect(!runs.isEmpty)
    for run in runs { try check(run, "whole", model, with: [small], request, file) }
    withExtendedLifetime(place) {}
  }

  @Test("the small model has as many steps as by the authors' rule for DiT, and at whole numbers of steps by every rule")
  func rules() throws {
    let pipeline = try ImagePipeline(LoadedModel(folder: Self.root + "/large"))
    let rows = try #require(try JSONValue(path: Self.root + "/rules-authors.json").array)
    var (whole, others) = (0, 0)
    for (steps, group) in Dictionary(grouping: rows, by: { $0["steps"]?.integer ?? 0 }) {
      var request = GenerationRequest(prompts: ["1"], seeds: [1])
      (request.steps, request.solver, request.spacing, request.spacingParameters) = (steps, "ddim", "linspace", ["round": "true"])
      let outline = try pipeline.outline(of: request)
      #expect(outline.trainedTime == 1000 && outline.stepCount == steps)
      for row in group {
        let (ratio, small) = (try #require(row["ratio"]?.double), try #require(row["small"]?.integer))
        func count(_ rule: String) throws -> Int {
          let stitch = try AllAccelerators.make("stitch", ["models": "small", "fraction": "\(ratio)", "rule": rule])
          return try Acceleration([stitch], run: outline).models?.segments.first { $0.model != nil }?.steps.count ?? 0
        }
        #expect(try count("time") == small, "\(ratio) of \(steps)")
        let product = ratio * Double(steps)
        if abs(product - product.rounded()) < 1e-9 {
          #expect(try count("nearest") == small && count("whole") == small, "\(ratio) of \(steps)")
          whole += 1
        } else if try count("nearest") != small {
          others += 1
        }
      }
    }
    // Otherwise a step apart at times, whatever the rounding.
    #expect(whole > 200 && others > 200, "\(whole), \(others)")
  }

  @Test("parts of the trained time need one")
  func trainedTime() throws {
    let folder = try TinyFolder(.unet)
    let pipeline = try ImagePipeline(folder.load())
    var request = GenerationRequest(prompts: ["red fox"], seeds: [1])
    request.steps = 10
    var outline = try pipeline.outline(of: request)
    #expect(outline.trainedTime == 1000)
    let stitch = try AllAccelerators.make("stitch", ["models": "a+b", "fraction": "0/0.4", "rule": "time"])
    let schedule = try #require(try Acceleration([stitch], run: outline).models)
    // Nothing for a share of nothing, though the run begins where all of the time is left.
    let count = outline.calls.count { $0.level.timestep >= 600 - 1e-6 }
    #expect(schedule.segments.map(\.model) == ["b", nil] && schedule.segments[0].steps == 0..<count)
    #expect((4...9).contains(count))
    outline.trainedTime = nil
    let error = #expect(throws: AccelerationError.self) { try Acceleration([stitch], run: outline) }
    #expect(error?.description.contains("rule=nearest") == true)
    withExtendedLifetime(folder) {}
  }
}
