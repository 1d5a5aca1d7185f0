import ArgumentParser
import Foundation
import QuickstepFormats
import QuickstepModels
import QuickstepNN
import QuickstepPipelines

struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "What is in a weight file, a model folder or a picture.",
    discussion: """
      Reads headers only, so that files of any size are quick, and checks them: a damaged file is refused with the tensor and the \
      numbers that disagree. Knows safetensors, GGUF, indices of shards, component and model folders, ids of 'quickstep models', and PNG \
      (the prompt and settings in it). Pickles (.ckpt, .bin, .pt, .pth) are never opened; you are told how to convert them.

      Examples:
        quickstep inspect emoji
        quickstep inspect Models/emoji/transformer
        quickstep inspect model.safetensors --filter '*attn*.weight' --limit 0
        quickstep inspect model.gguf
        quickstep inspect picture.png
        quickstep inspect model.safetensors --json
      """)

  @Argument(help: "A file, a folder or a model's id.", completion: .file())
  var path: String
  @Option(help: "Only tensors whose name matches this shell pattern.")
  var filter: String?
  @Option(help: "At most this many tensors; 0 for all (default: 40, all with --json).")
  var limit: Int?
  @Flag(help: "Print one JSON object.")
  var json = false

  func validate() throws {
    if let limit, limit < 0 { throw ValidationError("--limit is \(limit); allowed: 0 and above.") }
  }

  func run() throws {
    let path = try located()
    switch try FileNature(path) {
    case .png:
      guard filter == nil else { throw ValidationError("--filter is for tensors, and \(self.path) is a picture.") }
      let report = PictureReport(path: path, picture: try PNG.read(path))
      json ? printJSON(report.json) : print(report.lines().joined(separator: "\n"))
    case .tensorFile, .index, .tensorFolder: try show(tensorsAt: path)
    case .componentFolder: try show(component: path)
    case .modelFolder: try show(model: path)
    }
  }

  /// The path, or the folder of the model with that id.
  private func located() throws -> String {
    if FileManager.default.fileExists(atPath: path) {
      // The JSON files of a folder stand for the folder.
      let url = URL(fileURLWithPath: path)
      let names = ["model_index.json", "config.json"]
      return names.contains(url.lastPathComponent) ? url.deletingLastPathComponent().path : path
    }
    // What looks like a path is reported as a missing file, not as a missing model.
    if path.hasPrefix(".") || path.hasPrefix("/") || !URL(fileURLWithPath: path).pathExtension.isEmpty { return path }
    return try ModelLibrary.find(path)
  }

  private var shownTensors: Int {
    let limit = limit ?? (json ? 0 : 40)
    return limit == 0 ? Int.max : limit
  }

  private func report(_ source: any TensorSource) throws -> TensorReport {
    let report = TensorReport(source, filter: filter)
    if let filter, report.tensors.isEmpty { throw FormatError(path, "no tensor has a name that matches '\(filter)'") }
    return report
  }

  private func show(tensorsAt path: String) throws {
    let report = try report(try TensorFiles.open(path))
    // A whole model in one file has parts.
    let entry = ModelLibrary.isSingleFile(path) ? ModelEntry(id: path, path: path) : nil
    if json {
      var members = report.json(limit: shownTensors).merging(["kind": .string("tensors"), "path": .string(path)]) { $1 }
      if let entry { members["model"] = entry.json }
      printJSON(.object(members))
      return
    }
    var lines = [Screen.bold(Screen.printable(path)), "  " + report.headline, ""]
    let parts = entry.map { $0.parts.map { Screen.printable($0.text) }.joined(separator: ", ") } ?? ""
    lines += factLines([("holds", report.kindText), ("parts", parts)] + Self.facts(report.source.metadata))
    lines += entry?.problems.map { "  " + Screen.red(Screen.printable($0)) } ?? []
    print((lines + report.lines(limit: shownTensors)).joined(separator: "\n"))
  }

  private func show(component path: String) throws {
    let configuration = try ConfigurationFile(path: path + "/config.json")
    let architecture = try? Architectures.of(configuration)
    let report = try ComponentFolder.weights(path).map { try self.report($0) }
    if json {
      var members = report?.json(limit: shownTensors) ?? [:]
      members["kind"] = .string("component")
      members["path"] = .string(path)
      members["configuration"] = .object(configuration.members)
      members["class"] = .optional(configuration.className)
      members["supported"] = .bool(architecture != nil)
      members["inputs"] = architecture.map { .strings($0.inputs) } ?? .null
      printJSON(.object(members))
      return
    }
    var lines = [Screen.bold(Screen.printable(path)), "  " + (report?.headline ?? "no weights"), ""]
    let className = Screen.printable(configuration.className ?? "no class")
    lines += factLines([
      ("class", className + (architecture.map { " (\($0.summary))" } ?? ", which is not supported yet")),
      ("takes", architecture?.inputs.joined(separator: ", ") ?? ""),
    ])
    lines +=
      [""]
      + factLines(
        configuration.members.filter { !$0.key.hasPrefix("_") }.sorted { $0.key < $1.key }.map {
          (Screen.printable($0.key), Screen.printable($0.value.plainText))
        })
    lines += report?.lines(limit: shownTensors) ?? []
    print(lines.joined(separator: "\n"))
  }

  /// A whole model: its parts; their tensors only when a filter or a limit asks for them.
  private func show(model path: String) throws {
    let isPath = FileManager.default.fileExists(atPath: self.path)
    let entry = ModelEntry(id: isPath ? URL(fileURLWithPath: path).standardizedFileURL.lastPathComponent : self.path, path: path)
    let reports = entry.parts.compactMap { part -> (name: String, report: TensorReport)? in
      let source = try? ComponentFolder.weights("\(path)/\(part.name)")
      return source.map { (part.name, TensorReport($0, filter: filter)) }
    }
    if let filter, reports.allSatisfy({ $0.report.tensors.isEmpty }) {
      throw FormatError(self.path, "no tensor has a name that matches '\(filter)'")
    }
    if json {
      var members = entry.json.object ?? [:]
      members["kind"] = .string("model")
      let weights = reports.map { ($0.name, JSONValue.object($0.report.json(limit: shownTensors))) }
      members["weights"] = .object(Dictionary(uniqueKeysWithValues: weights))
      printJSON(.object(members))
      return
    }
    var lines = entry.lines
    let limit = filter == nil && limit == nil ? 0 : shownTensors
    for (name, report) in reports where !report.tensors.isEmpty {
      lines += ["", "  " + Screen.bold(Screen.printable(name)) + "  " + report.headline]
      lines += report.lines(limit: limit)
    }
    print(lines.joined(separator: "\n"))
  }

  private static func facts(_ metadata: [String: String]) -> [(String, String)] {
    metadata.sorted { $0.key < $1.key }.map { (Screen.printable($0.key), Screen.printable(String($0.value.prefix(400)))) }
  }
}
