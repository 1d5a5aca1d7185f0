import Foundation
import QuickstepTokenizers
import Testing

/// The grammar of weighted prompts, against the web interface's own function (`Parity/prompt_weights.py`).
@Suite struct WeightedPromptTests {
  /// The golden of the test suite; and the file that `QUICKSTEP_WEIGHTED_PROMPTS` names.
  static let files =
    [URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures/prompt_weights.json").path]
    + [ProcessInfo.processInfo.environment["QUICKSTEP_WEIGHTED_PROMPTS"]].compactMap { $0 }.filter { !$0.isEmpty }

  @Test("texts and weights are those of the reference, to the last bit", arguments: files) func parity(_ file: String) throws {
    let data = try Data(contentsOf: URL(fileURLWithPath: file))
    let rows = try #require(try JSONSerialization.jsonObject(with: data) as? [[Any]])
    #expect(rows.count > 300)
    var wrong: [String] = []
    for row in rows {
      let (prompt, expected) = (try #require(row[0] as? String), try #require(row[1] as? [[Any]]))
      let parts = WeightedPrompt(prompt).parts
      let fits =
        parts.count == expected.count
        && zip(parts, expected).allSatisfy { part, pair in
          Array(part.text.utf8) == Array((pair[0] as? String ?? "?").utf8) && part.weight == (pair[1] as? String).flatMap { Double($0) }
        }
      if !fits {
        wrong.append("\(prompt.debugDescription): \(parts.map { "\($0.text.debugDescription) \($0.weight)" }), expected \(expected)")
      }
    }
    #expect(wrong.isEmpty, "\(wrong.count) of \(rows.count), such as \(wrong.prefix(4))")
  }

  @Test func weightsThatAreNoNumbersAreText() {
    #expect(WeightedPrompt("(x:1.2.3)").parts.map(\.text).joined() == "x:1.2.3")
    #expect(WeightedPrompt("(x:.)").parts.map(\.text).joined() == "x:.")
    #expect(WeightedPrompt("(x:\(String(repeating: "9", count: 400)))").parts.allSatisfy { $0.weight.isFinite })
  }

  @Test func whatIsNoWeight() {
    #expect(!WeightedPrompt("a plain prompt, BREAK and more").hasWeights)
    #expect(WeightedPrompt("a (weighted) prompt").hasWeights)
    #expect(WeightedPrompt("a BREAK b").parts.map(\.isBreak) == [false, true, false])
    #expect(WeightedPrompt("(a BREAK b)").parts.allSatisfy { !$0.isBreak })
    // No part of this grammar.
    #expect(WeightedPrompt("a AND b [x:y:0.5]").parts.map(\.text) == ["a AND b ", "x:y:0.5"])
  }

  @Test("weights that are too large to compute with are found")
  func excessiveWeights() throws {
    func nested(_ count: Int) -> WeightedPrompt { WeightedPrompt(String(repeating: "(", count: count) + "x") }
    // 1.1⁷² is 955, 1.1⁷³ is 1051.
    #expect(nested(72).excessiveWeight == nil)
    let weight = try #require(nested(73).excessiveWeight)
    #expect(weight > 1000 && weight < 1100)
    #expect(nested(10_000).excessiveWeight == .infinity)
    #expect(WeightedPrompt("a (b:1000) (c:-1000) [d] BREAK e").excessiveWeight == nil)
    #expect(WeightedPrompt("a ((b:100):-11)").excessiveWeight == -1100)
    let (open, closed) = (String(repeating: "(", count: 10_000), String(repeating: ")", count: 10_000))
    #expect(try #require(WeightedPrompt("(\(open)x\(closed):0)").excessiveWeight).isNaN)
  }

  @Test("time grows with the length of a prompt")
  func longPrompts() {
    for text in [
      String(repeating: "(", count: 2000) + "x", String(repeating: "BREAK ", count: 5000), String(repeating: "\\", count: 60_000),
    ] {
      #expect(!WeightedPrompt(text).parts.isEmpty)
    }
  }
}
