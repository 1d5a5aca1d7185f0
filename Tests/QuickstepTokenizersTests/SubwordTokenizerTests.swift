import Foundation
import QuickstepTesting
import QuickstepTokenizers
import Testing

/// Against `tokenizers`, `transformers` and `sentencepiece` (`Parity/tokenizers_subword.py`).
@Suite struct SubwordTokenizerTests {
  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures").path

  /// The small vocabularies of the test suite; and every folder in the one that `QUICKSTEP_TOKENIZER_CASES` names, with 12,000 texts each
  /// (`Parity/run.sh`).
  static let folders: [String] = {
    let small = ["t5-pieces", "t5-json", "t5-metaspace", "qwen", "llama", "gemma", "gpt2"].map { root + "/" + $0 }
    guard let big = ProcessInfo.processInfo.environment["QUICKSTEP_TOKENIZER_CASES"], !big.isEmpty else { return small }
    // A folder that cannot be read becomes a case that fails.
    return small + ((try? FileManager.default.contentsOfDirectory(atPath: big)) ?? ["nothing"]).sorted().map { big + "/" + $0 }
  }()

  @Test("numbers are those of the reference", arguments: folders) func parity(_ folder: String) throws {
    let tokenizer = try SubwordTokenizer(folder: folder).padded(to: nil)
    let data = try Data(contentsOf: URL(fileURLWithPath: folder + "/texts.json"))
    let rows = try #require(try JSONSerialization.jsonObject(with: data) as? [[Any]])
    let isBig = !folder.hasPrefix(Self.root + "/")
    #expect(rows.count >= (isBig ? 10_000 : 300))
    var wrong: [String] = []
    for row in rows {
      let (text, ids) = (try #require(row[0] as? String), try #require(row[1] as? [Int]))
      let encoding = tokenizer.encode(text)
      if encoding.ids != ids {
        let place = zip(encoding.ids, ids).enumerated().first { $0.element.0 != $0.element.1 }?.offset ?? min(ids.count, encoding.ids.count)
        wrong.append(
          "\(text.unicodeScalars.prefix(60).map { String($0.value, radix: 16) }) from token \(place): "
            + "\(encoding.ids.dropFirst(place).prefix(8)), expected \(ids.dropFirst(place).prefix(8))")
      }
      #expect(encoding.mask.count == ids.count && !encoding.mask.contains(false))
    }
    #expect(wrong.isEmpty, "\(wrong.count) of \(rows.count), such as \(wrong.prefix(4))")
    // The script that made the texts counts these lines.
    if isBig { print("\(URL(fileURLWithPath: folder).lastPathComponent): \(rows.count) texts, \(wrong.count) different") }
  }

  private func tokenizer(_ name: String) throws -> SubwordTokenizer { try SubwordTokenizer(folder: "\(Self.root)/\(name)") }

  @Test("what does not fit is left out and reported, with the end in its place", arguments: ["t5-pieces", "t5-json"])
  func truncation(_ name: String) throws {
    let tokenizer = try tokenizer(name).padded(to: 5)
    let encoding = tokenizer.encode("a photo of the astronaut riding horse on mars")
    #expect(encoding.ids.count == 5 && encoding.ids.last == 1 && !encoding.mask.contains(false))
    #expect(encoding.truncatedWords.last == "mars" && encoding.truncatedWords.count >= 4, "\(encoding.truncatedWords)")
    let short = tokenizer.encode("a")
    #expect(short.ids.suffix(3) == [0, 0, 0] && short.truncatedWords.isEmpty && short.count == 2 && tokenizer.length == 5)
    #expect(throws: TokenizerError.self) { try tokenizer.padded(to: 0) }
    #expect(throws: TokenizerError.self) { try tokenizer.padded(to: 1 << 40) }
  }

  @Test func paddingIsOnTheSideThatTheFolderNames() throws {
    let folder = try copy("gemma")
    try folder.write(#"{"padding_side": "left", "pad_token": "<pad>", "model_max_length": 12}"#, to: "tokenizer_config.json")
    let encoding = try SubwordTokenizer(folder: folder.path).encode("a")
    #expect(encoding.ids.count == 12 && encoding.ids.first == 0 && encoding.mask.first == false && encoding.mask.last == true)
    // The first token of a text stays in front of it.
    #expect(encoding.ids[try #require(encoding.mask.firstIndex(of: true))] == 2)
    try folder.write(#"{"pad_token": "<none>"}"#, to: "tokenizer_config.json")
    #expect(throws: TokenizerError.self) { try SubwordTokenizer(folder: folder.path) }
  }

  @Test("decoding gives the text back", arguments: ["t5-pieces", "t5-json", "qwen", "llama", "gemma", "gpt2"]) func decoding(_ name: String)
    throws
  {
    let tokenizer = try tokenizer(name)
    for text in ["a photo of the astronaut", "naïve café", "snake_case CamelCase"] {
      let decoded = tokenizer.decode(tokenizer.encode(text).ids)
      #expect(decoded == text, "\(decoded)")
    }
    #expect(tokenizer.decode([-1, 1 << 40]) == "")
  }

  @Test(
    "the longest prompts take no longer than they should",
    arguments: ["t5-pieces", "t5-json", "t5-metaspace", "qwen", "llama", "gemma", "gpt2"])
  func longTexts(_ name: String) throws {
    let tokenizer = try tokenizer(name)
    // 64 KiB each; what grows with the square of the length would take minutes.
    for part in ["a", " ", "photo", "🦊", "\u{301}", "\n ", "'s", "<", "９"] {
      let text = String(repeating: part, count: 65536 / part.utf8.count)
      let start = ContinuousClock.now
      #expect(tokenizer.tokens(of: text).count < 300_000)
      #expect(ContinuousClock.now - start < .seconds(60))
    }
  }

  @Test func mergesInEitherSpellingAreTheSame() throws {
    let (folder, words) = (try TemporaryFolder(), ["a", "b", "c", "ab", "abc"])
    let vocabulary = words.enumerated().map { "\"\($0.element)\": \($0.offset)" }.joined(separator: ",")
    func ids(_ merges: String) throws -> [Int] {
      try folder.write("{\"model\": {\"type\": \"BPE\", \"vocab\": {\(vocabulary)}, \"merges\": \(merges)}}", to: "tokenizer.json")
      return try SubwordTokenizer(folder: folder.path).tokens(of: "abcab")
    }
    #expect(try ids(#"["a b", "ab c"]"#) == [4, 3])
    #expect(try ids(#"[["a", "b"], ["ab", "c"]]"#) == [4, 3])
  }

  @Test func mergesThatGoRoundInCirclesEnd() throws {
    let folder = try TemporaryFolder()
    // Each merge names what another one makes; the last repeats a pair.
    try folder.write(
      #"{"model": {"vocab": {"a": 0, "b": 1, "ab": 2, "ba": 3, "aba": 4, "bab": 5},"#
        + #""merges": ["a b", "b a", "ab a", "a ba", "b ab", "ba b", "a b"]}}"#, to: "tokenizer.json")
    let ids = try SubwordTokenizer(folder: folder.path).tokens(of: String(repeating: "ab", count: 5000))
    #expect(!ids.isEmpty && ids.count <= 10_000)
  }

  func copy(_ name: String) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    for file in try FileManager.default.contentsOfDirectory(atPath: "\(Self.root)/\(name)") where file != "texts.json" {
      try folder.write(Data(contentsOf: URL(fileURLWithPath: "\(Self.root)/\(name)/\(file)")), to: file)
    }
    return folder
  }
}
