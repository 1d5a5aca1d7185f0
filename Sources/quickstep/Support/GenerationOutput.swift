import Foundation
import QuickstepAcceleration
import QuickstepFormats
import QuickstepNN
import QuickstepPipelines
import QuickstepTensor

/// Where the pictures of a run go.
struct OutputTargets {
  let paths: [String]

  /// - Parameter output: a `.png` file for a single picture, a folder, or nothing: the current folder. What is missing of either is made.
  /// - Throws: `ValidationError` when nothing can be written there.
  init(_ output: String?, prompts: [String]) throws {
    if let output, output.lowercased().hasSuffix(".png") {
      try OutputPath.check(output, for: "--output")
      paths = [output]
      return
    }
    try OutputPath.checkFolder(output ?? ".", for: output == nil ? "the current folder" : "--output")
    let folder = output.map { $0.hasSuffix("/") ? $0 : $0 + "/" } ?? ""
    var numbers: [String: Int] = [:]
    paths = prompts.map { prompt in
      let name = Self.fileName(prompt)
      var number = numbers[name, default: 0]
      // Pictures of earlier runs are kept.
      while FileManager.default.fileExists(atPath: folder + Self.numbered(name, number)) { number += 1 }
      numbers[name] = number + 1
      return folder + Self.numbered(name, number)
    }
  }

  private static func numbered(_ name: String, _ number: Int) -> String { String(format: "%@-%02d.png", name, number) }

  /// The prompt's words, short enough for a name with a number and an ending.
  private static func fileName(_ prompt: String) -> String {
    let words = prompt.lowercased().split { !($0.isLetter || $0.isNumber) }.joined(separator: "-").prefix(48)
    let name = String(words).beginning(ofBytes: 200)
    return name.isEmpty ? "picture" : String(name)
  }

  func write(_ images: [GenerationResult.Image]) throws -> [String] {
    for (path, image) in zip(paths, images) {
      try PNG.write(try PixelImage(tensor: image.pixels), text: try image.settings.chunks(), to: path, makeFolder: true)
    }
    return paths
  }
}

/// What a run reports about itself.
struct GenerationReport {
  let result: GenerationResult
  let model: LoadedModel
  let paths: [String]
  let loadSeconds: Double
  /// What was expected before the run.
  let estimatedBytes: Int
  let warnings: [String]
  /// The recipe's file, where one was taken.
  let recipe: String?

  func json() throws -> String {
    let images = zip(paths, result.images).map { path, image in
      JSONValue.object([
        "path": .string(path), "prompt": .string(image.settings.prompt), "seed": .unsigned(image.settings.seed),
      ])
    }
    let first = result.images.first?.settings
    var object: [String: JSONValue] = [
      "images": .array(images), "model": .string(model.name), "model_hash": .string(model.fingerprint),
      "seed": .unsigned(first?.seed ?? 0), "solver": .string(first?.solver ?? ""),
      "grid": .string(first?.spacing ?? ""),
      "guidance_scale": .number(first?.guidanceScale ?? 1), "steps": .integer(first?.steps ?? 0),
      "evaluations": .integer(result.evaluations), "replayed_evaluations": .integer(result.replayedEvaluations),
      "seconds": .object([
        "load": .number(loadSeconds), "encode": .number(result.seconds.encode), "denoise": .number(result.seconds.denoise),
        "decode": .number(result.seconds.decode),
      ]),
      "peak_memory_bytes": .integer(ProcessMemory.peakBytes), "estimated_memory_bytes": .integer(estimatedBytes),
      "parameter_bytes": .integer(model.parameterBytes),
      "accelerators": .array(result.accelerations.map(\.json)), "computed_modules": .integer(result.computedModules),
      "exactness": .string(exactness.rawValue),
      "device": .string("\(model.device)"), "threads": .integer(Machine.threads),
      "warnings": .array(warnings.map { .string($0) }), "version": .string(ImagePipeline.version),
    ]
    if let recipe { object["recipe"] = .string(recipe) }
    if let chains = result.chains { object["chains"] = ChainFigures(chains).json }
    return JSONValue.object(object).text
  }

  private var exactness: Exactness {
    if result.accelerations.contains(where: { $0.hasActed }) { return .approximate }
    return result.images.contains { $0.settings.batch > 1 || $0.settings.guidanceBatching != nil } ? .rounding : .bitExact
  }

  var summary: String {
    let seconds = result.seconds
    let count = result.images.count
    let where_ = count == 1 ? paths[0] : "\(count) pictures, \(paths[0]) …"
    let each = seconds.denoise / Double(max(1, count))
    return String(
      format: "%@  (%@, %@, %d steps; load %.2f s, denoise %.2f s%@, peak %.0f MB)", where_, model.name, result.images[0].settings.solver,
      result.images[0].settings.steps, loadSeconds, seconds.denoise, count > 1 ? String(format: " = %.2f s each", each) : "",
      Double(ProcessMemory.peakBytes) / 1e6) + result.accelerations.map { "\n  " + $0.summary }.joined()
      + (result.chains.map { "\n  " + ChainFigures($0).text } ?? "")
  }
}

extension AccelerationReport {
  /// One line for people.
  var summary: String {
    let visits = computed + saved
    return String(
      format: "%@: %d of %d computed (%.0f %% left out)%@%@, %.1f MB held", method, computed, visits,
      100 * Double(saved) / Double(max(1, visits)), additional > 0 ? ", \(additional) more" : "",
      forced > 0 ? ", \(forced) for want of anything to reuse" : "", Double(peakBytes) / 1e6)
  }

  var json: JSONValue {
    var members: [String: JSONValue] = [
      "method": .string(method), "computed": .integer(computed), "saved": .integer(saved), "forced": .integer(forced),
      "additional": .integer(additional),
      "peak_bytes": .integer(peakBytes), "signals": .array(signals.map { .number($0) }),
      "actions": .object(actions.mapValues { .string($0) }),
    ]
    if let share {
      members["model"] = .string(share.model)
      members["first_evaluation"] = .integer(share.evaluations.lowerBound)
    }
    return .object(members)
  }
}

/// Memory of this process.
enum ProcessMemory {
  /// Largest resident size so far, in bytes; 0 where the system does not tell. `getrusage` would count what the parent had before it started
  /// this program.
  static var peakBytes: Int {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") } ?? ""
    return line.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 * 1024 } ?? 0
  }
}
