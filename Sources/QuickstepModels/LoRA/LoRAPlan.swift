import QuickstepFormats
public import QuickstepNN

/// A LoRA file and how strongly it acts.
public struct LoRAChoice: Sendable, Hashable, Codable {
  /// A safetensors file, or the folder it was saved in.
  public var path: String
  /// 1 as trained, 0 not at all; negative ones act the other way.
  public var scale: Double

  /// - Parameters:
  ///   - path: a safetensors file, or the folder it was saved in.
  ///   - scale: 1 as trained.
  public init(path: String, scale: Double = 1) {
    self.path = path
    self.scale = scale
  }

  /// Reads `FILE` or `FILE:scale`. A colon that no number follows belongs to the name.
  /// - Throws: `FormatError` for scales that are not finite.
  public init(parsing text: String) throws {
    guard let colon = text.lastIndex(of: ":"), let scale = Double(text[text.index(after: colon)...]), colon > text.startIndex else {
      self.init(path: text)
      return
    }
    guard scale.isFinite else { throw FormatError(text, "the scale must be a finite number") }
    self.init(path: String(text[..<colon]), scale: scale)
  }
}

/// How LoRAs enter a model.
public enum LoRAMode: String, Sendable, Hashable, Codable, CaseIterable {
  /// Added to the weights when they are loaded: no cost while running.
  case fused
  /// Kept beside the weights, which stay as they are in the file: two small products more in each changed layer.
  case live
}

/// Several LoRAs, checked against a model before any of its weights is read.
public struct LoRAPlan: Sendable {
  /// What the user should know: scales of 0, modules that were left out.
  public let notes: [String]
  /// Number of layers that change.
  public var layerCount: Int { branches.values.reduce(0) { $0 + $1.count } }
  private let mode: LoRAMode
  /// By part, then by the name of the weight.
  private let branches: [String: [String: [LoRABranch]]]

  /// - Parameters:
  ///   - parts: the model's components by the names of their folders.
  ///   - allowsPartial: leave out modules that fit no layer, with a note, and do not refuse the file.
  /// - Throws: `FormatError` that lists which keys fit no layer and which shapes no weight.
  public init(
    _ choices: [LoRAChoice], parts: [String: any TensorSource], mode: LoRAMode = .fused, allowsPartial: Bool = false
  ) throws {
    let layers = parts.map { AdaptableLayers(part: $0.key, source: $0.value) }
    var branches: [String: [String: [LoRABranch]]] = [:]
    var notes: [String] = []
    for choice in choices {
      let file = try LoRAFile(path: choice.path)
      notes += file.notes
      if choice.scale == 0 { notes.append("\(choice.path) has a scale of 0 and changes nothing") }
      var fit: [(part: String, weight: String, branch: LoRABranch)] = []
      var problems: [String] = []
      let all = file.modules.map { LoRABranch(file: file, module: $0, scale: choice.scale) }
      let home = LoRANaming.home(of: file.modules.map(\.name), in: layers) { all[$0].problem($1) == nil }
      for (module, branch) in zip(file.modules, all) {
        guard let (part, layer) = LoRANaming.resolve(module.name, in: layers, home: home),
          let shape = layers.first(where: { $0.part == part })?.shapes[layer]
        else {
          problems.append(module.name)
          continue
        }
        if let problem = branch.problem(shape) {
          problems.append("\(module.name): \(problem)")
        } else if mode == .live, module.magnitude != nil {
          throw FormatError(file.origin, "is a DoRA ('\(module.name)'), which changes whole weights: it can be fused, not kept live")
        } else if mode == .live, branch.lowRank == nil {
          throw FormatError(
            file.origin, "is a \(module.kind) ('\(module.name)'), whose change is no low-rank product: it can be fused, not kept live")
        } else {
          fit.append((part, layer + ".weight", branch))
        }
      }
      notes += try Self.judged(file, fit: fit.count, problems, parts.keys.sorted(), allowsPartial: allowsPartial)
      // A scale of 0 is left out as a whole: even DoRA's norms would act otherwise.
      for (part, weight, branch) in fit where choice.scale != 0 { branches[part, default: [:]][weight, default: []].append(branch) }
    }
    self.mode = mode
    self.branches = branches
    self.notes = notes
  }

  /// Notes, or the error that says what does not fit.
  private static func judged(
    _ file: LoRAFile, fit: Int, _ problems: [String], _ parts: [String], allowsPartial: Bool
  ) throws -> [String] {
    guard !problems.isEmpty else { return [] }
    let list = problems.prefix(8).joined(separator: "; ") + (problems.count > 8 ? "; …" : "")
    let count = "\(problems.count) of its \(file.modules.count) modules"
    if let name = problems.first(where: LoRANaming.isOriginalTransformers), parts.contains("transformer") {
      throw FormatError(
        file.origin,
        "\(count) do not fit: it names a transformer's layers as kohya's scripts and the original releases of FLUX and "
          + "Stable Diffusion 3 do ('\(name)'), which is not read yet; convert it to diffusers' names (transformer.….lora_A.weight)")
    }
    if fit == 0 {
      throw FormatError(
        file.origin, "is a LoRA for another model: none of its \(file.modules.count) modules fits \(parts.joined(separator: ", ")): \(list)"
      )
    }
    guard allowsPartial else {
      throw FormatError(
        file.origin, "\(count) do not fit this model, so it may be for another one; --lora-partial leaves them out: \(list)")
    }
    return ["\(file.origin): \(count) do not fit this model and were left out: \(list)"]
  }

  /// The tensors of a part with what changes in them.
  public func adapted(_ part: String, _ source: any TensorSource) -> any TensorSource {
    guard let branches = branches[part], !branches.isEmpty else { return source }
    return mode == .fused ? FusedTensors(base: source, branches: branches) : BranchedTensors(base: source, branches: branches)
  }
}
