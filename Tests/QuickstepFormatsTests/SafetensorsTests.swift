import Foundation
import QuickstepFormats
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

@Suite struct SafetensorsTests {
  private let types: [(String, DType)] = [
    ("F64", .float64), ("F32", .float32), ("F16", .float16), ("BF16", .bfloat16), ("I64", .int64), ("I32", .int32), ("I16", .int16),
    ("I8", .int8), ("U8", .uint8), ("U16", .uint16), ("U32", .uint32), ("U64", .uint64), ("F8_E4M3", .float8e4m3fn),
    ("F8_E5M2", .float8e5m2), ("C64", .complex64), ("BOOL", .bool),
  ]

  @Test func readsEveryTypeThatPythonWrites() throws {
    let file = try SafetensorsFile(path: fixtures + "/all_types.safetensors")
    #expect(file.metadata == ["format": "pt", "note": "línea"])
    #expect(file.names.count == types.count + 3)
    for (name, dtype) in types {
      let tensor = try file.tensor(name)
      #expect(tensor.dtype == dtype && tensor.shape == [2, 3])
      #expect(file.info(name) == TensorInfo(name: name, dtype: dtype, shape: [2, 3]))
      guard dtype != .complex64 else { continue }
      let expected: [Double] = dtype == .bool ? [0, 1, 0, 1, 0, 1] : [0, 1, 2, 3, 4, 5]
      #expect(try withTensorErrors { tensor.to(.float64) }.scalars(Double.self) == expected, "\(name)")
    }
    #expect(try file.tensor("scalar").item() == 2.5)
    #expect(try file.tensor("empty").shape == [0, 4])
    #expect(try file.tensor("odd \"name\"\n狐").scalars(Float.self) == [1])
    #expect(throws: FormatError.self) { try file.tensor("missing") }
    #expect(file.info("missing") == nil && file.byteCount == 6 * 57 + 8)
  }

  @Test func tensorsOutliveTheFileObject() throws {
    var file: SafetensorsFile? = try SafetensorsFile(path: fixtures + "/all_types.safetensors")
    let tensor = try file?.tensor("F32")
    file = nil
    #expect(try tensor?.scalars(Float.self) == [0, 1, 2, 3, 4, 5])
  }

  @Test(arguments: [SafetensorsWriter.Order.aligned, .sortedByName, .asGiven])
  func writesWhatItReads(order: SafetensorsWriter.Order) throws {
    let folder = try TemporaryFolder()
    let source = try SafetensorsFile(path: fixtures + "/all_types.safetensors")
    let tensors = try source.names.map { (name: $0, tensor: try source.tensor($0)) }
    let path = folder.path + "/copy.safetensors"
    try SafetensorsWriter.write(tensors, metadata: source.metadata, to: path, order: order)
    let copy = try SafetensorsFile(path: path)
    #expect(copy.names == source.names && copy.metadata == source.metadata)
    for name in source.names {
      #expect(copy.info(name) == source.info(name))
      #expect([UInt8](try copy.bytes(name)) == [UInt8](try source.bytes(name)))
      // Also through tensors, which are copied where a file leaves them unaligned.
      #expect(try copy.tensor(name).withUnsafeBytes { [UInt8]($0) } == [UInt8](try source.bytes(name)))
    }
    let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    #expect(bytes[bytes.startIndex] % 8 == 0)
    try SafetensorsWriter.write(tensors, metadata: source.metadata, to: path, order: order)
    #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == bytes)
  }

  @Test func viewsAreWrittenInRowOrder() throws {
    let folder = try TemporaryFolder()
    let view = Tensor([Float](arrayLiteral: 0, 1, 2, 3, 4, 5), shape: [2, 3]).permute([1, 0])
    try SafetensorsWriter.write([("v", view)], to: folder.path + "/v.safetensors")
    #expect(try SafetensorsFile(path: folder.path + "/v.safetensors").tensor("v").scalars(Float.self) == [0, 3, 1, 4, 2, 5])
  }

  @Test func writerRefuses() throws {
    let folder = try TemporaryFolder()
    let one = Tensor([Float(1)])
    let path = folder.path + "/x.safetensors"
    #expect(throws: FormatError.self) { try SafetensorsWriter.write([("a", one), ("a", one)], to: path) }
    #expect(throws: FormatError.self) { try SafetensorsWriter.write([("__metadata__", one)], to: path) }
    #expect(throws: FormatError.self) { try SafetensorsWriter.write([("a", .undefined)], to: path) }
    #expect(throws: FormatError.self) { try SafetensorsWriter.write([("a", one)], to: folder.path + "/no/x.safetensors") }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
  }

  /// Headers over 8 bytes of data, and what the message must speak of.
  @Test(arguments: [
    ("{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", "needs 12 bytes, data_offsets give 8"),
    ("{\"a\":{\"dtype\":\"F99\",\"shape\":[2],\"data_offsets\":[0,8]}}", "unsupported dtype \"F99\""),
    ("{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", "the shape holds -2"),
    ("{\"a\":{\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]}}", "the shape holds"),
    ("{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,8]}}", "too large"),
    ("{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4,0],\"data_offsets\":[0,0]}}", "too large"),
    ("{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}", "do not lie inside the 8 bytes"),
    ("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", "do not lie inside"),
    ("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", "leaves a hole"),
    ("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", "the tensors end at byte 4"),
    (
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
      "overlaps"
    ),
    (
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
      "appears twice"
    ),
    ("{\"__metadata__\":{\"k\":1},\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", "not a string"),
    ("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"x\":1}}", "unknown member"),
    (" {\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", "does not start with"),
    ("[]", "does not start with"), ("{}", "the tensors end at byte 0"),
  ])
  func refusesBadHeaders(header: String, reason: String) throws {
    let folder = try TemporaryFolder()
    let path = try folder.write(Self.file(header, data: [UInt8](repeating: 0, count: 8)), to: "bad.safetensors")
    let error = #expect(throws: FormatError.self) { try SafetensorsFile(path: path) }
    #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
    #expect(error?.description.hasPrefix(path) == true)
  }

  @Test func acceptsPaddingAndEmptiness() throws {
    let folder = try TemporaryFolder()
    #expect(try SafetensorsFile(path: try folder.write(Self.file("{}      ", data: []), to: "e.safetensors")).names.isEmpty)
    for bytes in [[], [1, 2, 3], [255, 255, 255, 255, 255, 255, 255, 255], [9, 0, 0, 0, 0, 0, 0, 0, 0x7B, 0x7D]] as [[UInt8]] {
      let path = try folder.write(bytes, to: "bad.safetensors")
      #expect(throws: FormatError.self) { try SafetensorsFile(path: path) }
    }
  }

  @Test func damagedFilesAreReadOrRefused() throws {
    let folder = try TemporaryFolder()
    let refused = try survive(try fixture("all_types.safetensors"), cases: 3000) { bytes in
      let file = try SafetensorsFile(path: try folder.write(bytes, to: "damaged.safetensors"))
      for name in file.names { _ = try file.tensor(name).withUnsafeBytes { $0.count } }
    }
    #expect(refused > 1000)
  }

  @Test func shards() throws {
    let source = try TensorFiles.open(fixtures + "/model.safetensors.index.json")
    #expect(source.names == ["a.weight", "b.weight", "c.weight"])
    #expect(try source.tensor("b.weight").scalars(Float.self) == [2, 2, 2])
    #expect(source.info("c.weight")?.shape == [1, 2] && source.metadata["total_size"] == "28" && source.byteCount == 28)
    #expect(throws: FormatError.self) { try source.tensor("d.weight") }
  }

  @Test(arguments: [
    ("{\"a.weight\":\"../s.safetensors\"}", "not a file beside"), ("{\"a.weight\":\"/tmp/s.safetensors\"}", "not a file beside"),
    ("{\"a.weight\":\"x/../../s\"}", "not a file beside"), ("{\"a.weight\":\"\"}", "not a file beside"),
    ("{\"a.weight\":1}", "not a string"),
    ("{\"a.weight\":\"no.safetensors\"}", "is missing"), ("{\"a.weight\":\"s\",\"b.weight\":\"s\",\"c\":\"s\"}", "is not in its shard s"),
    ("{\"a.weight\":\"s\"}", "the index does not have it"),
    ("{\"a.weight\":\"s\",\"b.weight\":\"s\",\"b.weight\":\"s\"}", "appears twice"), ("[]", "no object weight_map"),
    // An index that names itself as a shard, and a link that leads to itself.
    ("{\"a.weight\":\"m.safetensors.index.json\"}", "m.safetensors.index.json: the header claims"),
    ("{\"a.weight\":\"loop\"}", "the shard loop is missing"), ("{\"a.weight\":\"cut\"}", "was the file cut short?"),
    ("{\"a.weight\":\"folder\"}", "the shard folder is missing"), ("{\"a.weight\":\"..\\\\s\"}", "not a file beside"),
  ])
  func refusesBadIndices(map: String, reason: String) throws {
    let folder = try TemporaryFolder()
    let shard = try fixture("model-00001-of-00002.safetensors")
    try folder.write(shard, to: "s")
    try folder.write(shard.dropLast(4), to: "cut")
    try folder.write("", to: "folder/x")
    try FileManager.default.createSymbolicLink(atPath: folder.path + "/loop", withDestinationPath: folder.path + "/loop")
    let path = try folder.write("{\"weight_map\":\(map)}", to: "m.safetensors.index.json")
    let error = #expect(throws: FormatError.self) { try ShardedSafetensors(path: path) }
    #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
  }

  /// Hub caches keep the files of a model as links to where they are stored.
  @Test func shardsMayBeLinksThatLeaveTheFolder() throws {
    let (folder, store) = (try TemporaryFolder(), try TemporaryFolder())
    let blob = try store.write(try fixture("model-00001-of-00002.safetensors"), to: "blob")
    try FileManager.default.createSymbolicLink(atPath: folder.path + "/s", withDestinationPath: blob)
    let path = try folder.write("{\"weight_map\":{\"a.weight\":\"s\",\"b.weight\":\"s\"}}", to: "m.safetensors.index.json")
    #expect(try TensorFiles.open(path).names == ["a.weight", "b.weight"])
  }

  @Test func foldersAreOpenedWhenTheyAreClear() throws {
    let folder = try TemporaryFolder()
    #expect(throws: FormatError.self) { try TensorFiles.open(folder.path) }
    #expect(throws: FormatError.self) { try TensorFiles.open(folder.path + "/missing") }
    try folder.write(try fixture("model-00001-of-00002.safetensors"), to: "model-00001-of-00002.safetensors")
    #expect(try TensorFiles.open(folder.path).names == ["a.weight", "b.weight"])
    try folder.write(try fixture("model-00002-of-00002.safetensors"), to: "model-00002-of-00002.safetensors")
    let error = #expect(throws: FormatError.self) { try TensorFiles.open(folder.path) }
    #expect(error?.description.contains("model-00002-of-00002.safetensors") == true)
    try folder.write(try fixture("model.safetensors.index.json"), to: "model.safetensors.index.json")
    #expect(try TensorFiles.open(folder.path).names.count == 3)
  }

  /// diffusers' variants have shards and indices of their own names.
  @Test func indicesOfVariants() throws {
    let folder = try TemporaryFolder()
    for part in ["00001-of-00002", "00002-of-00002"] {
      try folder.write(try fixture("model-\(part).safetensors"), to: "model.fp16-\(part).safetensors")
    }
    let plainIndex = String(decoding: try fixture("model.safetensors.index.json"), as: UTF8.self)
    let index = plainIndex.replacing("model-0000", with: "model.fp16-0000")
    let path = try folder.write(index, to: "model.safetensors.index.fp16.json")
    for place in [folder.path, path] { #expect(try TensorFiles.open(place).names == ["a.weight", "b.weight", "c.weight"]) }
    // A plain index beside it counts.
    for part in ["00001-of-00002", "00002-of-00002"] {
      try folder.write(try fixture("model-\(part).safetensors"), to: "model-\(part).safetensors")
    }
    let plain = try folder.write(try fixture("model.safetensors.index.json"), to: "model.safetensors.index.json")
    #expect(try TensorFiles.open(folder.path).origin == plain)
    withExtendedLifetime(folder) {}
  }

  private static func file(_ header: String, data: [UInt8]) -> [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: header.utf8.count >> (8 * $0)) } + Array(header.utf8) + data
  }
}
