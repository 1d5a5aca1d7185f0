import Foundation
import QuickstepTesting
import QuickstepTokenizers
import Testing

/// Against transformers' `CLIPTokenizer` (`Parity/tokenizers_clip.py`).
@Suite struct CLIPTokenizerTests {
  /// A small vocabulary with 500 texts; and the folder that `QUICKSTEP_CLIP_CASES` names, with 12,000 (`Parity/run.sh`).
  static let folders =
    [URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures/clip").path]
    + [ProcessInfo.processInfo.environment["QUICKSTEP_CLIP_CASES"]].compactMap { $0 }.filter { !$0.isEmpty }

  @Test(arguments: folders) func numbersAreThoseOfTheReference(_ folder: String) throws {
    let tokenizer = try CLIPTokenizer(folder: folder)
    let data = try Data(contentsOf: URL(fileURLWithPath: folder + "/texts.json"))
    let rows = try #require(try JSONSerialization.jsonObject(with: data) as? [[Any]])
    let isBig = folder != Self.folders[0]
    #expect(rows.count >= (isBig ? 10_000 : 500))
    var wrong: [String] = []
    for row in rows {
      let (text, ids) = (try #require(row[0] as? String), try #require(row[1] as? [Int]))
      let encoding = tokenizer.encode(text)
      if Array(encoding.ids.prefix(encoding.count)) != ids {
        wrong.append("\(text.unicodeScalars.map { String($0.value, radix: 16) }): \(encoding.ids.prefix(encoding.count)), expected \(ids)")
      }
      #expect(encoding.ids.count == 77 && encoding.mask.count == 77 && encoding.count == ids.count)
    }
    #expect(wrong.isEmpty, "\(wrong.count) of \(rows.count), such as \(wrong.prefix(3))")
    // The script that made the texts counts these lines.
    if isBig { print("\(URL(fileURLWithPath: folder).lastPathComponent): \(rows.count) texts, \(wrong.count) different") }
  }

  private func tokenizer() throws -> CLIPTokenizer { try CLIPTokenizer(folder: Self.folders[0]) }

  @Test func whatDoesNotFitIsReported() throws {
    let tokenizer = try tokenizer()
    let long = Array(repeating: "astronaut", count: 90).joined(separator: " ") + " mars"
    let encoding = tokenizer.encode(long)
    #expect(encoding.count == 77 && encoding.ids.last == tokenizer.encode("").ids[1])
    #expect(encoding.truncatedWords.last == "mars" && encoding.truncatedWords.count >= 15)
    #expect(tokenizer.encode("a photo").truncatedWords.isEmpty)
  }

  @Test func decodingGivesTheTextBack() throws {
    let tokenizer = try tokenizer()
    for text in ["a photo of the astronaut", "naïve café 🦊", "8 k"] { #expect(tokenizer.decode(tokenizer.encode(text).ids) == text) }
    #expect(tokenizer.decode([-1, 1 << 40]) == "")
  }

  @Test("time grows with the length of a word, not with its square")
  func longWords() throws {
    // A quadratic search would take hours for this.
    let encoding = try tokenizer().encode(String(repeating: "photo", count: 20_000))
    #expect(encoding.count == 77 && encoding.truncatedWords.count == 1)
  }

  @Test func paddingIsThatOfTheFolder() throws {
    let folder = try TemporaryFolder()
    for name in ["vocab.json", "merges.txt"] {
      try folder.write(Data(contentsOf: URL(fileURLWithPath: Self.folders[0] + "/" + name)), to: name)
    }
    try folder.write(#"{"pad_token": "!", "model_max_length": 12}"#, to: "tokenizer_config.json")
    let tokenizer = try CLIPTokenizer(folder: folder.path)
    let encoding = tokenizer.encode("a")
    #expect(encoding.ids.count == 12 && encoding.ids.last == tokenizer.encode("!").ids.last)
    #expect(encoding.ids.suffix(9).allSatisfy { tokenizer.tokens[$0] == "!" })
    let other = try CLIPTokenizer(folder: folder.path, padding: "<|endoftext|>")
    #expect(other.encode("a").ids.suffix(9).allSatisfy { $0 == other.endID })
    #expect(throws: TokenizerError.self) { try CLIPTokenizer(folder: folder.path, padding: "<none>") }
  }

  @Test(
    "damaged folders are errors that name them",
    arguments: [
      ["vocab.json": "[]", "merges.txt": ""], ["vocab.json": "{\"a\": 0}", "merges.txt": ""],
      ["vocab.json": "{\"a\": \"b\"}", "merges.txt": ""],
      ["tokenizer.json": "{}"], ["tokenizer.json": "{\"model\": {\"vocab\": {}, \"merges\": [[1]]}}"], ["tokenizer.json": "not JSON"], [:],
      ["vocab.json": "{\"<|startoftext|>\": 5}", "merges.txt": "a"],
    ])
  func damage(_ files: [String: String]) throws {
    let folder = try TemporaryFolder()
    for (name, text) in files { try folder.write(text, to: name) }
    let error = #expect(throws: TokenizerError.self) { try CLIPTokenizer(folder: folder.path) }
    #expect("\(try #require(error))".contains(folder.path))
  }

  @Test func oneFileServesAsWell() throws {
    let source = Self.folders[0]
    let vocabulary = try String(contentsOfFile: source + "/vocab.json", encoding: .utf8)
    let merges = try String(contentsOfFile: source + "/merges.txt", encoding: .utf8).split(separator: "\n").dropFirst().map { line in
      line.split(separator: " ").map(String.init)
    }
    for pairs in [
      try JSONSerialization.data(withJSONObject: merges),
      try JSONSerialization.data(withJSONObject: merges.map { $0.joined(separator: " ") }),
    ] {
      let folder = try TemporaryFolder()
      try folder.write(
        "{\"model\": {\"type\": \"BPE\", \"vocab\": \(vocabulary), \"merges\": \(String(decoding: pairs, as: UTF8.self))}}",
        to: "tokenizer.json")
      #expect(try CLIPTokenizer(folder: folder.path).encode("a photo of mars").ids == tokenizer().encode("a photo of mars").ids)
    }
  }
}
