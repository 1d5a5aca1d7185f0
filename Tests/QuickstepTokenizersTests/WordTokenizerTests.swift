import Foundation
import QuickstepTokenizers
import QuickstepTesting
import Testing

@Suite struct WordTokenizerTests {
  private let captions = ["a red fox", "a t-rex", "red berry, red leaf", "a glass of wine", "the fox face", "ice cream", "café"]

  private func tokenizer(length: Int = 8) throws -> WordTokenizer {
    try WordTokenizer(counting: captions, styles: ["noto", "blob"], length: length)
  }

  private func words(_ encoding: Encoding, _ tokenizer: WordTokenizer) -> [String] {
    zip(encoding.ids, encoding.mask).filter(\.1).map { tokenizer.words[$0.0] }
  }

  @Test func vocabularyIsOrderedByFrequencyThenName() throws {
    let words = try tokenizer().words
    #expect(words.prefix(9) == ["<pad>", "<unk>", "<start>", "<style:noto>", "<style:blob>", "a", "red", "fox", "berry"])
    #expect(words.count == 19)
    #expect(try WordTokenizer(counting: captions.reversed(), styles: ["noto", "blob"], length: 8).words == words)
    #expect(try tokenizer().styles == ["noto", "blob"])
    #expect(try WordTokenizer(counting: captions, minimumCount: 2, length: 8).words.count == 6)
    #expect(try WordTokenizer(counting: captions, limit: 4, length: 8).words == ["<pad>", "<unk>", "<start>", "a"])
  }

  @Test func encodesWithStyleAndPadding() throws {
    let tokenizer = try tokenizer()
    let encoding = tokenizer.encode("A RED Fox!", style: "noto")
    #expect(encoding == Encoding(ids: [2, 3, 5, 6, 7, 0, 0, 0], mask: [true, true, true, true, true, false, false, false]))
    #expect(tokenizer.decode(encoding.ids) == "a red fox")
    #expect(tokenizer.encode("", style: nil).ids == [2, 0, 0, 0, 0, 0, 0, 0])
    #expect(encoding.count == 5 && tokenizer.length == 8 && tokenizer.vocabularySize == 19)
  }

  @Test func reportsWhatItDoesNotKnow() throws {
    let tokenizer = try tokenizer()
    #expect(tokenizer.encode("a purple fox", style: "oil").unknownWords == ["<style:oil>", "purple"])
    #expect(tokenizer.encode("a purple fox").ids == [2, 5, 1, 7, 0, 0, 0, 0])
    let long = tokenizer.encode("a red fox a red fox a red wine glass")
    #expect(long.truncatedWords == ["red", "wine", "glass"] && long.ids.count == 8 && !long.mask.contains(false))
  }

  @Test func pluralsHyphensAndApostrophes() throws {
    let tokenizer = try tokenizer()
    func known(_ text: String) -> [String] {
      let encoding = tokenizer.encode(text)
      return encoding.unknownWords.isEmpty ? Array(words(encoding, tokenizer).dropFirst()) : ["?"]
    }
    #expect(known("foxes") == ["fox"])
    #expect(known("berries") == ["berry"])
    #expect(known("leaves") == ["leaf"])
    #expect(known("glasses glass") == ["glass", "glass"])
    #expect(known("fox's face") == ["fox", "face"])
    #expect(known("fox’s faces") == ["fox", "face"])
    #expect(known("T-Rex t-rexes t\u{2011}rex") == ["t-rex", "t-rex", "t-rex"])
    #expect(known("ice-cream") == ["ice", "cream"])
    #expect(known("- red - 'fox' --") == ["red", "fox"])
    #expect(known("CAFE\u{301}") == ["café"])
    #expect(tokenizer.encode("fox-bear").unknownWords == ["bear"])
    #expect(tokenizer.encode("big-bear").unknownWords == ["big-bear"])
  }

  @Test func specialTokensCannotBeTyped() throws {
    let encoding = try tokenizer().encode("<pad> <start> <style:noto>")
    #expect(encoding.ids.prefix(6) == [2, 1, 1, 1, 1, 0] && encoding.unknownWords == ["pad", "start", "style", "noto"])
  }

  @Test func otherScriptsAndEmoji() throws {
    let tokenizer = try WordTokenizer(counting: ["狐", "лиса ёж", "हिन्दी"], length: 6)
    #expect(tokenizer.encode("ЛИСА 🦊❤️ ЁЖ 狐 हिन्दी").unknownWords.isEmpty)
    #expect(tokenizer.encode("🦊 ❤️ ☀️").ids == [2, 0, 0, 0, 0, 0])
  }

  @Test func filesRoundTrip() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/vocab.json"
    let tokenizer = try tokenizer()
    try tokenizer.save(to: path)
    #expect(try WordTokenizer(path: path, length: 8).words == tokenizer.words)
    try Data("{\"<pad>\": 0, \"a\": 7}".utf8).write(to: URL(fileURLWithPath: path))
    let error = #expect(throws: TokenizerError.self) { try WordTokenizer(path: path, length: 8) }
    #expect(error?.description.contains(path) == true)
    #expect(throws: TokenizerError.self) { try WordTokenizer(path: path + "x", length: 8) }
  }

  @Test func refusesBadVocabularies() {
    let special = ["<pad>": 0, "<unk>": 1, "<start>": 2]
    let bad: [[String: Int]] = [
      [:], ["a": 0], special.merging(["a": 4]) { $1 }, special.merging(["a": 2]) { $1 }, special.merging(["a": -1]) { $1 },
    ]
    for vocabulary in bad { #expect(throws: TokenizerError.self) { try WordTokenizer(vocabulary: vocabulary, length: 8) } }
    #expect(throws: TokenizerError.self) { try WordTokenizer(vocabulary: special, length: 1) }
    #expect(throws: TokenizerError.self) { try WordTokenizer(counting: [], styles: ["x", "x"], length: 8) }
  }

  @Test func anyTextIsEncoded() throws {
    let tokenizer = try tokenizer()
    let pieces = [
      "fox", "-", "'", "’", "s", " ", "\u{301}", "\u{200D}", "🦊", "ies", "\0", "\u{FE0F}", "İ", "ß", "ﬁ", "\r\n", "1", "½", "es",
    ]
    var state: UInt64 = 9
    for _ in 0..<5000 {
      var text = ""
      for _ in 0..<12 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        text += pieces[Int(state >> 33) % pieces.count]
      }
      let encoding = tokenizer.encode(text, style: "noto")
      #expect(encoding.ids.count == 8 && encoding.mask.count == 8 && encoding.ids.allSatisfy { 0..<19 ~= $0 })
    }
  }
}
