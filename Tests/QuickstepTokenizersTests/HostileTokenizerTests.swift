import Foundation
import QuickstepTesting
import QuickstepTokenizers
import Testing

/// Files that are not what they should be.
@Suite struct HostileTokenizerTests {
  private func refused(_ files: [String: Data]) throws -> String {
    let folder = try TemporaryFolder()
    for (name, content) in files { try folder.write(content, to: name) }
    let error = #expect(throws: TokenizerError.self, "\(files.mapValues { String(decoding: $0.prefix(200), as: UTF8.self) })") {
      try SubwordTokenizer(folder: folder.path)
    }
    let message = "\(try #require(error))"
    #expect(message.contains(folder.path))
    return message
  }

  @Test(
    "files of JSON that make no tokenizer are errors that name file and member",
    arguments: [
      ("[]", "tokenizer.json"), ("{", "tokenizer.json"), ("{}", "model"), (#"{"model": {}}"#, "model"),
      (#"{"model": {"type": "WordPiece", "vocab": {}}}"#, "WordPiece"), (#"{"model": {"type": "BPE", "vocab": {"a": 0}}}"#, "merges"),
      (#"{"model": {"type": "BPE", "vocab": {"a": -1}, "merges": []}}"#, "-1"),
      (#"{"model": {"type": "BPE", "vocab": {"a": 1.5}, "merges": []}}"#, "whole number"),
      (#"{"model": {"type": "BPE", "vocab": {"a": 99999999999}, "merges": []}}"#, "99999999999"),
      (#"{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a b"]}}"#, "'b'"),
      (#"{"model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": ["a b"]}}"#, "'ab'"),
      (#"{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a"]}}"#, "merge 0"),
      (#"{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [["a"]]}}"#, "merge 0"),
      (#"{"model": {"type": "BPE", "vocab": {"a": 0, "": 1}, "merges": [["", "a"]]}}"#, "empty"),
      (#"{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [], "unk_token": "<unk>"}}"#, "<unk>"),
      (#"{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [], "continuing_subword_prefix": "xx"}}"#, "continuing_subword_prefix"),
      (#"{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [], "fuse_unk": "yes"}}"#, "fuse_unk"),
      (#"{"model": {"type": "Unigram", "vocab": []}}"#, "vocab"),
      (#"{"model": {"type": "Unigram", "vocab": [["a"]], "unk_id": 0}}"#, "entry 0"),
      (#"{"model": {"type": "Unigram", "vocab": [["a", 0.0]], "unk_id": 1}}"#, "1"),
      (#"{"model": {"type": "Unigram", "vocab": [["a", 1e999]], "unk_id": 0}}"#, "tokenizer.json"),
      (#"{"model": {"vocab": {"a": 0}, "merges": []}, "normalizer": {"type": "Nmt"}}"#, "Nmt"),
      (
        #"{"model": {"vocab": {"a": 0}, "merges": []}, "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "X"}]}}"#,
        "pretokenizers.0"
      ),
      (#"{"model": {"vocab": {"a": 0}, "merges": []}, "decoder": {"type": "CTC"}}"#, "CTC"),
      (
        #"{"model": {"vocab": {"a": 0}, "merges": []}, "post_processor": {"type": "TemplateProcessing", "single": [{"X": 1}]}}"#, "single.0"
      ),
      (
        #"{"model": {"vocab": {"a": 0}, "merges": []}, "post_processor": {"type": "RobertaProcessing", "cls": ["a", 7], "sep": ["a", 0]}}"#,
        "7"
      ),
      (#"{"model": {"vocab": {"a": 0}, "merges": []}, "added_tokens": [{"content": "a", "id": 3}]}"#, "'a'"),
      (#"{"model": {"vocab": {"a": 0}, "merges": []}, "added_tokens": [{"content": "", "id": 3}]}"#, "content"),
      (#"{"model": {"vocab": {"a\ud800": 0}, "merges": []}}"#, "half a character"),
    ])
  func damagedJSON(_ content: String, _ named: String) throws {
    let message = try refused(["tokenizer.json": Data(content.utf8)])
    #expect(message.contains(named), "\(message)")
  }

  @Test(
    "patterns that cannot be matched in good time, or are not known, are errors",
    arguments: [
      "(a+)+", "(a*)*b", "(?<name>a)", "a(", "a)", "[", "[]", "[z-a]", "\\p{Han}", "\\p{", "\\k", "a{2", "a{3,1}", "a{99999}", "a+?", "^a",
      "a$",
      "(?:a|b){2}", "(?!a)*", "[[a]b]", String(repeating: "(", count: 40), String(repeating: "a", count: 5000),
    ])
  func damagedPatterns(_ pattern: String) throws {
    let quoted = String(decoding: try JSONEncoder().encode(pattern), as: UTF8.self)
    let split = "{\"type\": \"Split\", \"pattern\": {\"Regex\": \(quoted)}, \"behavior\": \"Isolated\"}"
    let message = try refused([
      "tokenizer.json": Data("{\"model\": {\"vocab\": {\"a\": 0}, \"merges\": []}, \"pre_tokenizer\": \(split)}".utf8)
    ])
    #expect(message.contains("pattern"), "\(message)")
  }

  @Test func nestedTooDeep() throws {
    let deep = String(repeating: "[", count: 100_000)
    #expect(try refused(["tokenizer.json": Data(deep.utf8)]).contains("nested"))
  }

  @Test func otherFoldersAreRefused() throws {
    #expect(try refused([:]).contains("neither"))
    #expect(try refused(["vocab.json": Data("{}".utf8)]).contains("neither"))
    #expect(try refused(["vocab.json": Data("{\"a\": 0}".utf8), "merges.txt": Data("a".utf8)]).contains("merges.txt"))
    #expect(try refused(["vocab.json": Data("[]".utf8), "merges.txt": Data("".utf8)]).contains("vocab.json"))
  }

  /// Pieces of a message: a field with bytes, a field with a number.
  private func field(_ number: UInt8, _ bytes: [UInt8]) -> [UInt8] { [number << 3 | 2, UInt8(bytes.count)] + bytes }
  private func piece(_ text: String, _ kind: UInt8 = 1, score: Float = -1) -> [UInt8] {
    let bits = score.bitPattern
    let number = [0x15] + (0..<4).map { UInt8(truncatingIfNeeded: bits >> (8 * UInt32($0))) }
    return field(1, field(1, Array(text.utf8)) + number + [0x18, kind])
  }

  @Test func messagesThatAreNoModel() throws {
    let (unknown, end) = (piece("<unk>", 2), piece("</s>", 3))
    let good = unknown + end + piece("▁a")
    let folder = try TemporaryFolder()
    try folder.write(Data(good), to: "spiece.model")
    #expect(try SubwordTokenizer(folder: folder.path).tokens(of: "a") == [2])
    let bad: [(String, [UInt8], String)] = [
      ("empty", [], "no pieces"), ("no unknown piece", end, "0 pieces"), ("two of them", unknown + unknown + end, "2 pieces"),
      ("no end token", unknown, "</s>"), ("length beyond the end", [0x0A, 0x7F, 0x0A], "announced"),
      ("length of 2⁶³", [0x0A] + Array(repeating: 0xFF, count: 8) + [0x7F], "announced"),
      ("endless number", [0x0A] + Array(repeating: 0xFF, count: 11), "more than 64 bits"), ("field 0", [0x02, 0x00], "number 0"),
      ("group", [0x0B], "kind 3"), ("cut number", [0x0D, 1, 2], "ends within"), ("kind 9", good + piece("x", 9), "kind 9"),
      ("no number", good + piece("x", score: .nan), "score"), ("infinite", good + piece("x", score: -.infinity), "score"),
      ("empty piece", good + piece(""), "no text"), ("no UTF-8", good + field(1, field(1, [0xFF])), "UTF-8"),
      ("text as number", good + field(1, [0x08, 0x01]), "wrong kind"), ("byte pairs", good + field(2, [0x18, 2]), "bpe"),
      ("bytes missing", good + field(2, [0x98, 0x02, 1]), "bytes"), ("short map", good + field(3, field(2, [1, 2])), "character map"),
      ("map beyond its end", good + field(3, field(2, [0xFF, 0xFF, 0xFF, 0x7F, 0])), "character map"),
      ("map of odd size", good + field(3, field(2, [3, 0, 0, 0, 0, 0, 0, 0])), "character map"),
    ]
    for (name, bytes, words) in bad {
      let message = try refused(["spiece.model": Data(bytes)])
      #expect(message.contains("spiece.model") && message.contains(words), "\(name): \(message)")
    }
  }

  @Test func damagedModelsNeverEndTheProgram() throws {
    let path = SubwordTokenizerTests.root + "/t5-pieces/spiece.model"
    let whole = try Data(contentsOf: URL(fileURLWithPath: path))
    let folder = try TemporaryFolder()
    var state: UInt64 = 3
    func random(_ below: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % below
    }
    var readable = 0
    for round in 0..<300 {
      var bytes = round % 3 == 0 ? whole.prefix(random(whole.count)) : whole
      for _ in 0..<(round % 3 == 0 ? 0 : 1 + random(20)) { bytes[random(bytes.count)] = UInt8(random(256)) }
      try folder.write(bytes, to: "spiece.model")
      // Numbers inside the character map's trie are followed only while they lead into it.
      guard let tokenizer = try? SubwordTokenizer(folder: folder.path) else { continue }
      readable += 1
      for text in ["a photo of mars", "ﬁ ½ é e\u{301} \u{3000}x", "\0\u{1F}🦊"] { _ = tokenizer.encode(text) }
    }
    #expect(readable > 20)
  }
}
