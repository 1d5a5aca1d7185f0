public import QuickstepTensor

/// Writer of safetensors files. Equal input gives equal bytes.
public enum SafetensorsWriter {
  /// How tensors follow each other in the file.
  public enum Order: Sendable, Hashable {
    /// Larger element types first, then by name: every tensor is aligned to its element. The reference implementation's order.
    case aligned
    /// By name.
    case sortedByName
    /// As in the argument.
    case asGiven
  }

  /// Writes `tensors` to `path`, complete or not at all. Values are streamed: no second copy of CPU tensors is made.
  /// - Parameter makeFolder: also make the folder it lies in.
  /// - Throws: `FormatError` for repeated names, undefined tensors and types the format lacks, or when writing fails.
  public static func write(
    _ tensors: [(name: String, tensor: Tensor)], metadata: [String: String] = [:], to path: String, order: Order = .aligned,
    makeFolder: Bool = false
  ) throws {
    let sorted = sorted(tensors, order)
    let file = try AtomicFile(replacing: path, makeFolder: makeFolder)
    let header = try header(sorted, metadata, path)
    try file.write((0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) })
    try file.write(header)
    for (name, tensor) in sorted {
      do {
        // The count is fixed by the header already, so a mismatch here would damage all tensors that follow.
        let expected = SafetensorsHeader.byteCount(tensor.shape, tensor.dtype)
        let written = try tensor.withUnsafeBytes { bytes in
          if bytes.count == expected { try file.write(bytes) }
          return bytes.count
        }
        guard written == expected else { throw FormatError(path, "tensor \"\(name)\" gave \(written) bytes") }
      } catch let error as TensorError {
        throw FormatError(path, "tensor \"\(name)\": \(error)")
      }
    }
    try file.commit()
  }

  private static func sorted(_ tensors: [(name: String, tensor: Tensor)], _ order: Order) -> [(name: String, tensor: Tensor)] {
    let byName = { (left: String, right: String) in left.utf8.lexicographicallyPrecedes(right.utf8) }
    switch order {
    case .asGiven: return tensors
    case .sortedByName: return tensors.sorted { byName($0.name, $1.name) }
    case .aligned:
      return tensors.sorted { left, right in
        let (a, b) = (left.tensor.dtype.byteCount, right.tensor.dtype.byteCount)
        return a == b ? byName(left.name, right.name) : a > b
      }
    }
  }

  private static func header(_ tensors: [(name: String, tensor: Tensor)], _ metadata: [String: String], _ path: String) throws -> [UInt8] {
    var names: Set<String> = ["__metadata__"]
    var members: [String] = []
    if !metadata.isEmpty { members.append("\"__metadata__\":" + JSONValue.object(metadata.mapValues { .string($0) }).text) }
    var position = 0
    for (name, tensor) in tensors {
      guard names.insert(name).inserted else { throw FormatError(path, "the tensor name \"\(name)\" appears twice or is reserved") }
      guard tensor.isDefined else { throw FormatError(path, "tensor \"\(name)\" is undefined") }
      guard let typeName = tensor.dtype.safetensorsName else {
        throw FormatError(path, "tensor \"\(name)\": the format has no \(tensor.dtype)")
      }
      let end = SafetensorsHeader.byteCount(tensor.shape, tensor.dtype).map { position.addingReportingOverflow($0) }
      guard let end, !end.overflow else { throw FormatError(path, "tensor \"\(name)\" is too large") }
      let shape = tensor.shape.map(String.init).joined(separator: ",")
      members.append(
        "\(JSONValue.quoted(name)):{\"dtype\":\"\(typeName)\",\"shape\":[\(shape)],\"data_offsets\":[\(position),\(end.partialValue)]}")
      position = end.partialValue
    }
    let text = Array("{\(members.joined(separator: ","))}".utf8)
    // Data that starts at a multiple of 8 can be used in place.
    let header = text + [UInt8](repeating: 0x20, count: (8 - text.count % 8) % 8)
    guard header.count <= SafetensorsFile.headerLimit else { throw FormatError(path, "the header would have \(header.count) bytes") }
    return header
  }
}
