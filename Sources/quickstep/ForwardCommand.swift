import ArgumentParser
import Foundation
import QuickstepFormats
import QuickstepModels
import QuickstepNN
import QuickstepPipelines
import QuickstepTensor

struct ForwardCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "forward",
    abstract: "Run one component of a model on given tensors.",
    discussion: """
      For comparing a network with another program's, number by number, and for timing it. Inputs are a safetensors file whose names \
      are the arguments of the component (as in the reference class); outputs are written under the names it returns. Floating-point \
      inputs are converted to the type the component runs in, except numbers and lists of numbers (times): those keep their digits.

      Examples:
        quickstep forward emoji --component transformer --inputs in.safetensors --output o.safetensors
        quickstep forward Models/emoji-unet/unet --inputs in.safetensors --output o.safetensors
        quickstep forward Models/emoji-unet/unet --inputs in.safetensors --output o.safetensors --repeat 9
      """)

  @Argument(help: "A model's id, a model folder, a single file or a component folder.", completion: .file())
  var path: String
  @Option(help: "Which component of the model: the name of its folder.")
  var component: String?
  @Option(help: "Safetensors file with the arguments.", completion: .file(extensions: ["safetensors"]))
  var inputs: String
  @Option(help: "Safetensors file to write.", completion: .file(extensions: ["safetensors"]))
  var output: String
  @OptionGroup(title: "Changing the model") var alterations: AlterationOptions
  @Option(help: "Type of weights and computation: float32, float16, bfloat16, float64.")
  var dtype = "float32"
  @Option(help: "cpu, cuda, cuda:N or auto.")
  var device = "auto"
  @Option(help: ArgumentHelp(KernelOption.help))
  var kernels: String?
  @Option(help: "Threads per operator (default: one per physical core).")
  var threads: Int?
  @Option(name: .customLong("repeat"), help: "Run this many times, for timing.")
  var repetitions = 1
  @Flag(help: "Print one JSON object.")
  var json = false

  func validate() throws {
    guard let type = DType(name: dtype), type.isFloatingPoint, type.byteCount > 1 else {
      throw ValidationError("--dtype is '\(dtype)'; allowed: float32, float16, bfloat16, float64.")
    }
    if let kernels { try KernelOption.check(kernels) }
    guard (1...1_000_000).contains(repetitions) else { throw ValidationError("--repeat is \(repetitions); allowed: 1…1000000.") }
    if let threads, !(1...1024).contains(threads) { throw ValidationError("--threads is \(threads); allowed: 1…1024.") }
  }

  func run() throws {
    let part = try ComponentLocator(path: path, component: component, options: alterations.options()).part()
    let architecture = try Architectures.of(part.configuration)
    let source = try TensorFiles.open(inputs)
    // Before the weights are loaded, which may take long.
    try check(source.names, architecture)
    if let threads { Machine.threads = threads }
    Machine.setFlushDenormals(true)
    let device = try Device(named: device)
    let type = DType(name: dtype) ?? .float32
    let preparation = try KernelOption.choice(kernels, dtype: type, device: device).preparation(dtype: type, device: device)
    let loaded = try Architectures.load(
      part.configuration, from: part.weights, dtype: type, device: device, preparation: preparation)
    let arguments = try self.arguments(source, preparation == nil ? type : .float32, device)
    let (outputs, seconds) = try measured(loaded.component, arguments, device)
    try SafetensorsWriter.write(outputs.sorted { $0.key < $1.key }.map { (name: $0.key, tensor: $0.value) }, to: output, makeFolder: true)
    report(architecture, outputs, seconds, type, device, KernelChoice(preparation))
  }

  private func check(_ names: [String], _ architecture: Architecture) throws {
    let required = architecture.inputs.filter { !$0.hasSuffix("?") }
    let missing = required.filter { !names.contains($0) }
    let unknown = names.filter { !architecture.takes($0) }
    guard missing.isEmpty, unknown.isEmpty else {
      let problems = [("lacks", missing), ("has the unknown", unknown)].filter { !$0.1.isEmpty }
        .map { "\($0.0) \($0.1.joined(separator: ", "))" }
      let takes = architecture.inputs.map { $0.hasSuffix("?") ? "\($0.dropLast()) (optional)" : $0 }.joined(separator: ", ")
      throw FormatError(inputs, "\(problems.joined(separator: " and ")); \(architecture.className) takes \(takes)")
    }
  }

  private func arguments(_ source: any TensorSource, _ type: DType, _ device: Device) throws -> [String: Tensor] {
    try Dictionary(
      uniqueKeysWithValues: source.names.map { name in
        let tensor = try source.tensor(name)
        // Times up to 1000 have no exact bfloat16; networks embed them in float32 whatever they compute in.
        let isData = tensor.dtype.isFloatingPoint && tensor.rank >= 2
        return (name, try withTensorErrors { isData ? tensor.to(type, device) : tensor.to(device) })
      })
  }

  private func measured(
    _ component: any Component, _ arguments: [String: Tensor], _ device: Device
  ) throws -> (outputs: [String: Tensor], seconds: [Double]) {
    var seconds: [Double] = []
    var outputs: [String: Tensor] = [:]
    for _ in 0..<repetitions {
      let start = ContinuousClock.now
      outputs = try withTensorErrors { try withInference { try component.forward(arguments) } }
      try Machine.synchronize(device)
      seconds.append(start.duration(to: .now) / .seconds(1))
    }
    return (outputs, seconds)
  }

  private func report(
    _ architecture: Architecture, _ outputs: [String: Tensor], _ seconds: [Double], _ type: DType, _ device: Device,
    _ kernels: KernelChoice
  ) {
    let sorted = outputs.sorted { $0.key < $1.key }
    // The first run pays for choosing kernels and touching memory.
    let warm = seconds.count > 1 ? seconds.dropFirst().sorted() : []
    let median = warm.isEmpty ? nil : warm[warm.count / 2]
    if json {
      printJSON(
        .object([
          "architecture": .string(architecture.className), "device": .string(device.description), "dtype": .string(type.description),
          "kernels": .string(kernels.description), "threads": .integer(Machine.threads), "output": .string(output),
          "seconds": .array(seconds.map { .number($0) }),
          "median_warm_seconds": median.map { .number($0) } ?? .null,
          "outputs": .array(
            sorted.map {
              .object(["name": .string($0.key), "shape": .integers($0.value.shape), "dtype": .string($0.value.dtype.description)])
            }),
        ]))
      return
    }
    print(
      Screen.bold(architecture.className) + "  \(type) on \(device), \(kernels) kernels, \(Quantity.counted(Machine.threads, "thread"))")
    var table = TextTable([.init(title: "output", style: Screen.cyan), .init(title: "type"), .init(title: "shape")])
    for (name, tensor) in sorted { table.add([name, tensor.dtype.description, tensor.shape.map(String.init).joined(separator: " × ")]) }
    print(table.lines().joined(separator: "\n"))
    var times = [("first run", Quantity.seconds(seconds[0]))]
    if let median, let least = warm.first {
      let counted = Quantity.counted(warm.count, "run")
      times.append(("later runs", "median \(Quantity.seconds(median)), least \(Quantity.seconds(least)), \(counted)"))
    }
    print(([""] + factLines(times + [("written to", output)])).joined(separator: "\n"))
  }
}

/// Finds one component of a model, or the one that a folder is.
struct ComponentLocator {
  var path: String
  var component: String?
  var options = ModelOptions()

  /// - Throws: `FormatError` that lists the components when none or an unknown one is named.
  func part() throws -> ModelPart {
    let isComponent = exists(path + "/config.json") && !exists(path + "/model_index.json")
    if isComponent {
      if let component { throw FormatError(path, "is a component itself; leave out --component \(component)") }
      guard options.isEmpty else {
        throw FormatError(path, "is a component without its model; LoRAs and replaced parts need the model's folder with --component")
      }
      return try ModelSources.component(folder: path)
    }
    let model = exists(path) ? path : try ModelLibrary.find(path)
    let entry = ModelEntry(id: path, path: model)
    let names = entry.parts.filter { $0.parameters != nil || exists("\(model)/\($0.name)/config.json") }.map(\.name)
    guard !names.isEmpty else { throw FormatError(path, entry.problem ?? "is neither a model folder nor a component folder") }
    guard let component else { throw FormatError(path, "name one of its components with --component: \(names.joined(separator: ", "))") }
    guard names.contains(component) else {
      let isOther = entry.parts.contains { $0.name == component }
      throw FormatError(
        path, (isOther ? "'\(component)' is no network" : "has no component '\(component)'") + "; it has \(names.joined(separator: ", "))")
    }
    // Folders of components without an index have no model to change.
    if options.isEmpty, exists("\(model)/\(component)/config.json") { return try ModelSources.component(folder: "\(model)/\(component)") }
    let files = try ModelSources.open(model, options: options)
    for text in files.notes { note("warning: \(text)") }
    return try files.part(component)
  }

  private func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }
}
