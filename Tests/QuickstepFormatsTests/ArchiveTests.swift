import Foundation
import QuickstepFormats
import QuickstepTensor
import QuickstepTesting
import Testing

@Suite struct ArchiveTests {
  @Test(arguments: ["ustar", "pax", "gnu"])
  func readsArchivesOfPython(name: String) throws {
    let tar = try TarArchive(path: "\(fixtures)/\(name).tar")
    let long = (0..<15).map { "folder" + ($0 < 10 ? "0" : "") + String($0) }.joined(separator: "/") + "/file.txt"
    let names = ["folder", "a.txt", long, String(repeating: "x", count: 300) + ".txt", "狐.txt"]
    #expect(tar.entries.map(\.name) == Array(names.prefix(tar.entries.count)))
    #expect(tar.entries.count == ["ustar": 3, "pax": 5, "gnu": 4][name])
    #expect(tar.entries[0].kind == .directory)
    for (index, entry) in tar.entries.dropFirst().enumerated() {
      #expect(entry.kind == .file)
      let expected = String(repeating: "bytes of \(index)", count: 100 * index + 1)
      #expect(String(decoding: try tar.bytes(of: entry), as: UTF8.self) == expected)
      #expect(try tar.withBytes(of: entry) { $0.count } == expected.utf8.count)
    }
    #expect(tar.entry(named: long)?.size == 1010 && tar.entry(named: "no") == nil)
  }

  @Test func cutArchivesAreRefused() throws {
    let folder = try TemporaryFolder()
    let bytes = try fixture("pax.tar")
    // The end-of-archive blocks begin after the last member; any file cut before them is incomplete.
    let tar = try TarArchive(path: fixtures + "/pax.tar")
    let end = tar.entries.last.map { ($0.offset + $0.size + 511) / 512 * 512 } ?? 0
    for count in stride(from: 0, to: end + 512, by: 256) {
      let path = try folder.write(Array(bytes[..<count]), to: "cut.tar")
      #expect(throws: FormatError.self) { try TarArchive(path: path) }
    }
    #expect(try TarArchive(path: try folder.write(Array(bytes[..<(end + 512)]), to: "one.tar")).entries.count == 5)
  }

  @Test(arguments: ["ustar", "pax", "gnu"])
  func damagedArchivesAreReadOrRefused(name: String) throws {
    let folder = try TemporaryFolder()
    let whole = try fixture("\(name).tar")
    // Damage goes to the first members, most of which are headers.
    try survive(Array(whole.prefix(4096)), cases: 400, repair: withRightSums) { head in
      let tar = try TarArchive(path: try folder.write(head + whole.dropFirst(4096), to: "damaged.tar"))
      for entry in tar.entries { _ = try tar.bytes(of: entry) }
    }
  }

  @Test func jsonLinesNameTheLine() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write("{\"a\": 1}\n\n[2]\r\n{\"a\": }\n", to: "bad.jsonl")
    let error = #expect(throws: FormatError.self) { try JSONLines.read(path) }
    #expect(error?.description.contains("bad.jsonl: line 4 of the file") == true)
    #expect(
      try JSONLines.read(try folder.write("{\"a\": 1}\n\n[2]", to: "good.jsonl")) == [.object(["a": .integer(1)]), .array([.integer(2)])])
    #expect(try JSONLines.read(try folder.write("", to: "empty.jsonl")).isEmpty)
  }

  @Test func mappedFiles() throws {
    let folder = try TemporaryFolder()
    let file = try MappedFile(path: try folder.write([1, 2, 3], to: "three"))
    #expect(try file.copy(1..<3) == [2, 3])
    #expect(try file.copy(3..<3) == [])
    for range in [-1..<2, 0..<4, 4..<4, 0..<Int.max] { #expect(throws: FormatError.self) { try file.bytes(in: range) } }
    #expect(try MappedFile(path: try folder.write("", to: "empty")).copy(0..<0) == [])
    let missing = #expect(throws: FormatError.self) { try MappedFile(path: folder.path + "/missing") }
    #expect(missing?.description == "\(folder.path)/missing: cannot be opened: No such file or directory")
    #expect(throws: FormatError.self) { try MappedFile(path: folder.path) }
  }

  @Test func gzipLimitsAndDamage() throws {
    let bytes = try fixture("pictures.idx3-ubyte.gz")
    let whole = try bytes.withUnsafeBytes { try Gzip.decompress($0, name: "test") }
    #expect(whole.count == 40)
    #expect(try bytes.withUnsafeBytes { try Gzip.decompress($0, name: "test", limit: 40) } == whole)
    #expect(throws: FormatError.self) { try bytes.withUnsafeBytes { try Gzip.decompress($0, name: "test", limit: 39) } }
    #expect(try (bytes + bytes).withUnsafeBytes { try Gzip.decompress($0, name: "test") } == whole + whole)
    for count in 0..<bytes.count {
      #expect(throws: FormatError.self) { try bytes[..<count].withUnsafeBytes { try Gzip.decompress($0, name: "cut") } }
    }
    try survive(bytes, cases: 3000) { sample in
      _ = try IDXFile(parsing: try sample.withUnsafeBytes { try Gzip.decompress($0, name: "x", limit: 1 << 20) }, name: "x")
    }
  }

  @Test func readsArrays() throws {
    let pictures = try IDXFile(path: fixtures + "/pictures.idx3-ubyte.gz")
    #expect(pictures.shape == [2, 3, 4] && pictures.dtype == .uint8 && pictures.bytes == Array(0..<24))
    #expect(try pictures.tensor().scalars(UInt8.self) == Array(0..<24))
    #expect(try IDXFile(path: fixtures + "/floats.idx").tensor().scalars(Float.self) == [0.5, -2, 1e9, 3.25])
    try survive(try fixture("floats.idx"), cases: 3000) { _ = try IDXFile(parsing: $0, name: "x").tensor() }
  }
}

/// Recomputes the checksum of every block, header or not.
private func withRightSums(_ bytes: [UInt8]) -> [UInt8] {
  var result = bytes
  for start in stride(from: 0, to: result.count - 511, by: 512) where result[start..<(start + 512)].contains(where: { $0 != 0 }) {
    let sum = (start..<(start + 512)).reduce(0) { $0 + ((start + 148)..<(start + 156) ~= $1 ? 32 : Int(result[$1])) }
    let digits = String(sum, radix: 8)
    let field = String(repeating: "0", count: 6 - digits.count) + digits + "\0 "
    result.replaceSubrange((start + 148)..<(start + 156), with: field.utf8)
  }
  return result
}
