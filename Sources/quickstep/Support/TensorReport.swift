import Foundation
import QuickstepFormats
import QuickstepModels
import QuickstepNN
import QuickstepTensor

/// What `inspect` says of a set of tensors.
struct TensorReport {
  struct Total {
    var tensors = 0
    var elements = 0
    var bytes = 0
  }
  let source: any TensorSource
  /// Those that the filter lets through.
  let tensors: [TensorInfo]
  /// By name of the element type.
  private(set) var totals: [String: Total] = [:]

  /// - Parameter filter: a shell pattern for names; nil takes all.
  init(_ source: any TensorSource, filter: String? = nil) {
    self.source = source
    tensors = source.names.compactMap { name in
      // fnmatch without flags: `*` crosses dots and slashes, as one wants for names of tensors.
      filter.map { fnmatch($0, name, 0) == 0 } ?? true ? source.info(name) : nil
    }
    for tensor in tensors {
      let (type, bytes) = stored(tensor)
      var total = totals[type] ?? Total()
      total.tensors += 1
      total.elements += tensor.shape.reduce(1, *)
      total.bytes += bytes
      totals[type] = total
    }
  }

  /// Type and bytes in the file, which may be others than those that are handed out.
  private func stored(_ tensor: TensorInfo) -> (type: String, bytes: Int) {
    let types = source as? any StoredTypes
    return (types?.storedType(tensor.name) ?? tensor.dtype.description, types?.storedBytes(tensor.name) ?? tensor.byteCount)
  }

  var elements: Int { totals.values.reduce(0) { $0 + $1.elements } }
  var bytes: Int { totals.values.reduce(0) { $0 + $1.bytes } }
  var dtypes: String { totals.sorted { $0.value.bytes > $1.value.bytes }.map(\.key).joined(separator: ", ") }

  /// `210 tensors · 3,210,123 parameters · 12.3 MB · float16`.
  var headline: String {
    [
      Quantity.counted(tensors.count, "tensor"), Quantity.counted(elements, "parameter"), Quantity.bytes(bytes), dtypes,
    ].filter { !$0.isEmpty }.joined(separator: " · ")
  }

  /// What the names of the tensors tell about a file that has no configuration.
  var kind: (name: String, isSupported: Bool)? {
    if let family = OriginalFamily(source) { return (family.rawValue + ", a whole model in original names", true) }
    if let architecture = Architectures.guess(source) { return (architecture.className, true) }
    if (try? LoRAFile(path: source.origin)) != nil { return ("LoRA, for --lora", true) }
    return ForeignCheckpoints.name(source).map { ($0, false) }
  }

  var kindText: String {
    guard let kind else { return "not known" }
    return kind.name + (kind.isSupported ? " (told from its tensors)" : ", which is not supported yet (told from its tensors)")
  }

  /// Totals by element type (when there are several) and the first `limit` tensors.
  func lines(limit: Int) -> [String] {
    var lines: [String] = []
    if totals.count > 1 {
      var table = TextTable([
        .init(title: "element type"), .init(title: "tensors", alignsRight: true), .init(title: "parameters", alignsRight: true),
        .init(title: "bytes", alignsRight: true),
      ])
      for (name, total) in totals.sorted(by: { $0.value.bytes > $1.value.bytes }) {
        table.add([name, Quantity.grouped(total.tensors), Quantity.grouped(total.elements), Quantity.bytes(total.bytes)])
      }
      lines += [""] + table.lines()
    }
    guard limit > 0, !tensors.isEmpty else { return lines }
    var table = TextTable([
      .init(title: "tensor", fit: Screen.isTerminal ? .shortened : .natural), .init(title: "type", style: Screen.faint),
      .init(title: "shape"), .init(title: "bytes", alignsRight: true, style: Screen.faint),
    ])
    for tensor in tensors.prefix(limit) {
      let shape = tensor.shape.isEmpty ? "scalar" : tensor.shape.map(String.init).joined(separator: " × ")
      let (type, bytes) = stored(tensor)
      table.add([tensor.name, type, shape, Quantity.bytes(bytes)])
    }
    lines += [""] + table.lines()
    if tensors.count > limit {
      lines.append(Screen.faint("  … and \(Quantity.grouped(tensors.count - limit)) more: --limit 0 shows all, --filter '*.bias' some"))
    }
    return lines
  }

  func json(limit: Int) -> [String: JSONValue] {
    [
      "tensor_count": .integer(tensors.count), "parameters": .integer(elements), "bytes": .integer(bytes),
      "metadata": .object(source.metadata.mapValues { .string($0) }),
      "kind_guess": kind.map { .object(["name": .string($0.name), "supported": .bool($0.isSupported)]) } ?? .null,
      "dtypes": .object(
        totals.mapValues { total in
          .object(["tensors": .integer(total.tensors), "parameters": .integer(total.elements), "bytes": .integer(total.bytes)])
        }),
      "tensors": .array(
        tensors.prefix(limit).map { tensor in
          let (type, bytes) = stored(tensor)
          return .object([
            "name": .string(tensor.name), "dtype": .string(type), "shape": .integers(tensor.shape), "bytes": .integer(bytes),
          ])
        }),
    ]
  }
}
