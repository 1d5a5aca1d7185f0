import Foundation
import QuickstepFormats
import QuickstepTesting
import Testing

@Suite struct DatasetTests {
  private func line(_ changes: [String: String] = [:]) -> String {
    var members = [
      "shard": "\"noto.tar\"", "file": "\"1f98a.png\"", "offset": "512", "size": "0", "style": "\"noto\"", "style_id": "0",
      "concept_id": "3",
      "emoji": "\"🦊\"", "name": "\"fox\"", "keywords": "[\"face\"]", "group": "\"Animals\"", "group_id": "2", "split": "\"train\"",
    ]
    members.merge(changes) { $1 }
    return "{" + members.map { "\"\($0.key)\": \($0.value)" }.joined(separator: ", ") + "}\n"
  }

  /// A tar of one file. The checksum is right.
  private func tar(_ name: String, _ data: [UInt8]) -> [UInt8] {
    var header = [UInt8](repeating: 0, count: 512)
    func put(_ text: String, _ position: Int) { header.replaceSubrange(position..<(position + text.utf8.count), with: text.utf8) }
    func octal(_ value: Int, _ digits: Int) -> String {
      let text = String(value, radix: 8)
      return String(repeating: "0", count: digits - text.count) + text
    }
    put(name, 0)
    put(octal(data.count, 11), 124)
    put("ustar\u{0}00", 257)
    put("        ", 148)
    header[156] = 0x30
    put(octal(header.reduce(0) { $0 + Int($1) }, 6) + "\0 ", 148)
    return header + data + [UInt8](repeating: 0, count: (512 - data.count % 512) % 512 + 1024)
  }

  @Test func readsRowsAndPictures() throws {
    let folder = try TemporaryFolder()
    let image = PixelImage(width: 4, height: 4, fill: RGBColor(255, 140, 0)).withAlpha()
    let bytes = try PNG.encode(image)
    try folder.write(tar("1f98a.png", bytes), to: "noto.tar")
    let good = line(["size": String(bytes.count)])
    try folder.write(good, to: "index.jsonl")
    let data = try EmojiDataset(path: folder.path)
    #expect(data.styles == ["noto"] && data.rows.count == 1 && data.rows(split: "heldout").isEmpty)
    #expect(data.rows[0].name == "fox" && data.rows[0].keywords == ["face"] && data.rows[0].conceptID == 3)
    #expect(try data.image(data.rows[0]) == image)

    for changes in [
      ["offset": "513"], ["size": "1"], ["size": "-1"], ["offset": "9223372036854775807"], ["file": "\"x.png\""],
      ["shard": "\"../noto.tar\""],
      ["shard": "\"no.tar\""], ["name": "1"], ["style_id": "\"0\""], ["split": "null"], ["style": "\"other\""], ["keywords": "\"face\""],
      ["keywords": "[1]"],
    ] {
      try folder.write(good + line(["size": String(bytes.count)].merging(changes) { $1 }), to: "index.jsonl")
      #expect(throws: FormatError.self, "\(changes)") { try EmojiDataset(path: folder.path) }
    }
  }

  @Test func bytesThatAreNoPictureAreRefusedWhenAskedFor() throws {
    let folder = try TemporaryFolder()
    try folder.write(tar("1f98a.png", [1, 2, 3]), to: "noto.tar")
    try folder.write(line(["size": "3"]), to: "index.jsonl")
    let data = try EmojiDataset(path: folder.path)
    let error = #expect(throws: FormatError.self) { try data.image(data.rows[0]) }
    #expect(error?.description.contains("noto.tar/1f98a.png: PNG:") == true)
  }

  @Test func damagedIndicesAreReadOrRefused() throws {
    let folder = try TemporaryFolder()
    let bytes = try PNG.encode(PixelImage(width: 4, height: 4, fill: .white))
    try folder.write(tar("1f98a.png", bytes), to: "noto.tar")
    try survive(Array(line(["size": String(bytes.count)]).utf8), cases: 600) { sample in
      try folder.write(sample, to: "index.jsonl")
      let data = try EmojiDataset(path: folder.path)
      for row in data.rows { _ = try data.image(row) }
    }
  }

  @Test func locationsAreListedInTheMessage() throws {
    let folder = try TemporaryFolder()
    try folder.write("x", to: "set")
    #expect(try DataLocation.find("set", environment: ["QUICKSTEP_DATA": folder.path]) == folder.path + "/set")
    let error = #expect(throws: FormatError.self) { try DataLocation.find("no-such-set", environment: ["QUICKSTEP_DATA": folder.path]) }
    let text = error?.description ?? ""
    #expect(text.contains(folder.path + "/no-such-set") && text.contains("data/no-such-set") && text.contains("Set QUICKSTEP_DATA"))
  }

  /// Only where the full set is at hand.
  @Test(.enabled(if: (try? DataLocation.find("emoji64/index.jsonl")) != nil))
  func readsTheWholeSet() throws {
    let data = try EmojiDataset(path: try DataLocation.find("emoji64"))
    #expect(data.rows.count == 11_150 && data.styles.count == 7 && data.rows(split: "heldout").count == 422)
    for row in stride(from: 0, to: data.rows.count, by: 97).map({ data.rows[$0] }) {
      let image = try data.image(row)
      #expect(image.width == 64 && image.height == 64 && image.channels == 4)
    }
  }

  @Test(.enabled(if: (try? DataLocation.find("mnist/t10k-images-idx3-ubyte.gz")) != nil))
  func readsDigits() throws {
    let images = try IDXFile(path: try DataLocation.find("mnist/t10k-images-idx3-ubyte.gz"))
    let labels = try IDXFile(path: try DataLocation.find("mnist/t10k-labels-idx1-ubyte.gz"))
    #expect(images.shape == [10_000, 28, 28] && labels.shape == [10_000] && labels.bytes.prefix(4) == [7, 2, 1, 0])
  }
}
