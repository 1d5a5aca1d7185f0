import Foundation
import QuickstepFormats
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

/// GGUF files; `Fixtures/gguf` is made by `Parity/gguf_files.py` with the package of the format's makers.
@Suite struct GGUFTests {
  private static let path = fixtures + "/gguf/types.gguf"

  @Test func everyTypeIsReadToTheBit() throws {
    let file = try GGUFFile(path: Self.path)
    let expected = try SafetensorsFile(path: fixtures + "/gguf/types.safetensors")
    #expect(file.names == expected.names && file.version == 3)
    for name in expected.names {
      let (tensor, reference) = (try file.tensor(name), try expected.tensor(name))
      #expect(tensor.shape == reference.shape && tensor.dtype == reference.dtype, "\(name)")
      #expect(try tensor.hasBits(of: reference), "\(name)")
    }
    try TensorSourceLaws.check(file)
  }

  @Test func whatTheFileSays() throws {
    let file = try GGUFFile(path: Self.path)
    #expect(file.values["general.architecture"] == .string("sd1") && file.values["test.uint32"] == .integer(4_000_000_000))
    #expect(file.values["test.uint64"] == .unsigned(.max) && file.values["test.int8"] == .integer(-5))
    #expect(file.values["test.float32"] == .number(0.25) && file.values["test.bool"] == .bool(true))
    #expect(file.values["test.texts"] == .array([.string("a"), .string("ä")]))
    #expect(file.metadata["test.texts"] == "[a, ä]" && file.metadata.keys.allSatisfy { !$0.hasPrefix("comfy.gguf.orig_shape.") })
    #expect(file.storedType("q4_k.weight") == "Q4_K" && file.storedBytes("q4_k.weight") == 3 * 144)
    #expect(file.info("q4_k.weight") == TensorInfo(name: "q4_k.weight", dtype: .float32, shape: [3, 256]))
    #expect(file.info("flat.weight")?.shape == [4, 16, 2, 2] && file.storedType("none") == nil)
    #expect(try TensorFiles.open(Self.path) is GGUFFile)
  }

  /// Types that exist have an unpacking with the sizes that ggml gives them.
  @Test func blocksFillTheirTypes() {
    for type in GGUFType.all {
      #expect(type.blockSize > 0 && type.blockBytes > 0, "\(type.name)")
      #expect(type.blockSize > 1 || type.blockBytes == type.dtype.byteCount, "\(type.name)")
    }
    #expect(Set(GGUFType.all.map(\.id)).count == GGUFType.all.count)
  }

  /// A file of one tensor of 64 bytes, put together by hand.
  private struct Draft {
    var version: UInt32 = 3
    var tensorCount: UInt64 = 1
    var values: [[UInt8]] = []
    var valueCount: UInt64?
    var name = "w"
    var sizes: [UInt64] = [16]
    var type: UInt32 = 0
    var offset: UInt64 = 0
    var data = [UInt8](repeating: 0, count: 64)
    /// Entries beside the first one.
    var more: [[UInt8]] = []

    static func bytes<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] { withUnsafeBytes(of: number.littleEndian) { Array($0) } }
    static func text(_ text: String) -> [UInt8] { bytes(UInt64(text.utf8.count)) + Array(text.utf8) }
    static func entry(_ name: String, _ sizes: [UInt64], _ type: UInt32, _ offset: UInt64) -> [UInt8] {
      text(name) + bytes(UInt32(sizes.count)) + sizes.flatMap { bytes($0) } + bytes(type) + bytes(offset)
    }
    static func value(_ key: String, _ type: UInt32, _ content: [UInt8]) -> [UInt8] { text(key) + bytes(type) + content }

    var file: [UInt8] {
      var result = Array("GGUF".utf8) + Self.bytes(version) + Self.bytes(tensorCount) + Self.bytes(valueCount ?? UInt64(values.count))
      result += values.flatMap { $0 } + Self.entry(name, sizes, type, offset) + more.flatMap { $0 }
      result += [UInt8](repeating: 0, count: (32 - result.count % 32) % 32)
      return result + data
    }
  }

  private func refusal(_ draft: Draft) throws -> String {
    let folder = try TemporaryFolder()
    let path = try folder.write(draft.file, to: "x.gguf")
    let error = #expect(throws: FormatError.self) { try GGUFFile(path: path) }
    #expect(error?.origin == path)
    return error?.reason ?? ""
  }

  @Test func theDraftItselfIsSound() throws {
    let folder = try TemporaryFolder()
    #expect(try GGUFFile(path: try folder.write(Draft().file, to: "x.gguf")).tensor("w").shape == [16])
  }

  @Test func hostileCountsSizesAndOffsets() throws {
    #expect(try refusal(Draft(version: 1)).contains("version 1; supported: 2, 3"))
    #expect(try refusal(Draft(version: UInt32(3).byteSwapped)).contains("big-endian"))
    #expect(try refusal(Draft(tensorCount: .max)).contains("the number of tensors at byte 8"))
    #expect(try refusal(Draft(tensorCount: 100)).contains("was it cut short?"))
    #expect(try refusal(Draft(valueCount: 1 << 40)).contains("the number of metadata values"))
    #expect(try refusal(Draft(sizes: [.max])).contains("it has a dimension of 18446744073709551615"))
    #expect(try refusal(Draft(sizes: [1 << 40, 1 << 40])).contains("too large"))
    #expect(try refusal(Draft(sizes: [1 << 61])).contains("too large"))
    #expect(try refusal(Draft(sizes: Array(repeating: 1, count: 9))).contains("9 dimensions"))
    #expect(try refusal(Draft(sizes: [17])).contains("do not lie inside the 64 bytes"))
    #expect(try refusal(Draft(offset: 16)).contains("no multiple of the alignment 32"))
    #expect(try refusal(Draft(offset: .max - 31)).contains("alignment"))
    #expect(try refusal(Draft(offset: 1 << 62)).contains("do not lie inside"))
    #expect(try refusal(Draft(sizes: [16], type: 2)).contains("multiple of the 32 values of a Q4_0 block"))
    let twice = Draft(tensorCount: 2, more: [Draft.entry("v", [8], 0, 32)])
    #expect(try refusal(twice).contains("inside the tensor before it"))
    #expect(try refusal(Draft(tensorCount: 2, sizes: [4], more: [Draft.entry("w", [4], 0, 32)])).contains("two tensors named \"w\""))
  }

  @Test func typesAreRefusedByName() throws {
    #expect(try refusal(Draft(type: 10)).contains("type Q2_K, which is not supported; supported: F32, F16, Q4_0"))
    #expect(try refusal(Draft(type: 16)).contains("IQ2_XXS"))
    #expect(try refusal(Draft(type: 9999)).contains("number 9999"))
  }

  @Test func hostileMetadata() throws {
    func refusal(_ value: [UInt8]) throws -> String { try self.refusal(Draft(values: [value])) }
    #expect(try refusal(Draft.value("general.alignment", 4, Draft.bytes(UInt32(24)))).contains("power of two"))
    #expect(try refusal(Draft.value("k", 13, [])).contains("type 13"))
    #expect(try refusal(Draft.value("k", 7, [2])).contains("neither true nor false"))
    #expect(try refusal(Draft.value("k", 8, Draft.bytes(UInt64.max))).contains("the length of the value of 'k'"))
    #expect(try refusal(Draft.value("k", 8, Draft.bytes(UInt64(2)) + [0xC3, 0x28])).contains("not UTF-8"))
    #expect(try refusal(Draft.value("k", 9, Draft.bytes(UInt32(4)) + Draft.bytes(UInt64(1) << 60))).contains("the length of 'k'"))
    var nested = Draft.bytes(UInt32(4)) + Draft.bytes(UInt64(0))
    for _ in 0..<6 { nested = Draft.bytes(UInt32(9)) + Draft.bytes(UInt64(1)) + nested }
    #expect(try refusal(Draft.value("k", 9, nested)).contains("more than 4 deep"))
    #expect(
      try refusal(Draft.value("comfy.gguf.orig_shape.w", 9, Draft.bytes(UInt32(5)) + Draft.bytes(UInt64(1)) + Draft.bytes(Int32(15))))
        .contains(
          "does not fit the stored shape [16]"))
    let twice = Draft(values: [Draft.value("k", 0, [1]), Draft.value("k", 0, [1])])
    #expect(try self.refusal(twice).contains("has 'k' twice"))
  }

  @Test func damagedFilesAreReadOrRefused() throws {
    let folder = try TemporaryFolder()
    let refused = try survive(try fixture("gguf/types.gguf"), cases: 1500) { bytes in
      let file = try GGUFFile(path: try folder.write(bytes, to: "damaged.gguf"))
      for name in file.names { _ = try file.tensor(name).withUnsafeBytes { $0.count } }
    }
    #expect(refused > 300)
  }
}
