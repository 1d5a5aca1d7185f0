import QuickstepEvaluation
import QuickstepFormats
import QuickstepTensor
import Testing

@Suite("Retrieval") struct RetrievalTests {
  /// Classes 7, 3 and 9; class 7 has two pictures, at 0° and 90°, class 3 one at 45°, class 9 one at 180°. Lengths must not matter.
  static func index() throws -> RetrievalIndex {
    try RetrievalIndex(features: Tensor([2.0, 0, 0, 5, 1, 1, -3, 0], shape: [4, 2]), labels: [7, 7, 3, 9])
  }

  @Test("A class scores as its most similar picture") func constructed() throws {
    let index = try Self.index()
    #expect(index.classCount == 3)
    // 80° is nearest to class 7 by its second picture, 50° to class 3, 170° to class 9, then by 90° to 7.
    let queries = Tensor([0.17, 0.98, 0.64, 0.77, -0.98, 0.17], shape: [3, 2])
    #expect(try index.ranks(of: queries, labels: [7, 3, 9]) == [1, 1, 1])
    #expect(try index.ranks(of: queries, labels: [3, 7, 7]) == [2, 2, 2])
    #expect(try index.ranks(of: queries, labels: [9, 9, 3]) == [3, 3, 3])
  }

  @Test("A left-out entry does not count; a class without entries comes last") func excluding() throws {
    let index = try Self.index()
    let query = Tensor([0.17, 0.98], shape: [1, 2])
    #expect(try index.ranks(of: query, labels: [7], excluding: [1]) == [2])
    #expect(try index.ranks(of: query, labels: [7], excluding: [0]) == [1])
    #expect(try index.ranks(of: query, labels: [3], excluding: [2]) == [3])
  }

  @Test("Features that say nothing gain nothing") func ties() throws {
    let index = try RetrievalIndex(features: withTensorErrors { Tensor.ones([4, 3]) }, labels: [0, 1, 2, 3])
    let queries = try withTensorErrors { Tensor.ones([4, 3]) }
    #expect(try index.ranks(of: queries, labels: [0, 1, 2, 3]) == [4, 4, 4, 4])
  }

  @Test("Random features find about k in the number of classes") func chance() throws {
    let index = try RetrievalIndex(features: try normal([100, 8], seed: 12), labels: Array(0..<100))
    let labels = (0..<2000).map { $0 % 100 }
    let ranks = try index.ranks(of: try normal([2000, 8], seed: 13), labels: labels)
    let score = RetrievalScore(ranks: ranks, groups: labels)
    let (top1, top5) = (try score.top(1), try score.top(5))
    #expect(abs(top1.value - 0.01) < 0.01 && abs(top5.value - 0.05) < 0.02)
    #expect(top5.lower < 0.05 && 0.05 < top5.upper)
    #expect(try score.top(100).value == 1)
  }

  @Test("Hits are those among the first k, and pair with another score's picture by picture") func hits() throws {
    let (better, worse) = (
      RetrievalScore(ranks: [1, 3, 5, 6], groups: [0, 1, 2, 3]), RetrievalScore(ranks: [2, 3, 6, 9], groups: [0, 1, 2, 3])
    )
    #expect(better.hits(1) == [1, 0, 0, 0] && better.hits(5) == [1, 1, 1, 0] && worse.hits(1) == [0, 0, 0, 0])
    #expect(try better.top(5).value == 0.75)
    let difference = try PairedDifference(
      candidate: better.hits(5), baseline: worse.hits(5), direction: .higherIsBetter, groups: better.groups)
    #expect(difference.losses == [0, 0, -1, 0])
  }

  @Test("Input that does not fit is refused with the reason") func badInput() throws {
    let index = try Self.index()
    let query = Tensor([1.0, 0], shape: [1, 2])
    #expect(problem { _ = try index.ranks(of: query, labels: [4]) }?.contains("class 4") == true)
    #expect(problem { _ = try index.ranks(of: query, labels: [7, 7]) }?.contains("[2, 2]") == true)
    #expect(problem { _ = try index.ranks(of: query, labels: [7], excluding: [1, 2]) }?.contains("one per query") == true)
    #expect(problem { _ = try index.ranks(of: Tensor([0.0, 0], shape: [1, 2]), labels: [7]) }?.contains("zeros") == true)
    #expect(problem { _ = try index.ranks(of: Tensor([Double.nan, 0], shape: [1, 2]), labels: [7]) }?.contains("NaN") == true)
    #expect(problem { _ = try RetrievalIndex(features: query, labels: []) }?.contains("0 labels") == true)
    #expect(problem { _ = try RetrievalIndex(features: Tensor([Double](), shape: [0, 2]), labels: []) }?.contains("empty") == true)
    #expect(problem { _ = try RetrievalScore(ranks: [], groups: []).top(1) }?.contains("no values") == true)
    #expect(problem { _ = try RetrievalScore(ranks: [1], groups: [1]).top(0) }?.contains("top-0") == true)
  }

  @Test("A figure's JSON has the promised keys") func json() throws {
    let estimate = Estimate(value: 0.5, lower: 0.25, upper: 0.75, count: 8, confidence: 0.95)
    let json = Figure("emoji-retrieval-top1", estimate, procedure: "heldout", seconds: 2).json
    #expect(
      json.text == #"{"count":8,"interval":[0.25,0.75],"metric":"emoji-retrieval-top1","protocol":"heldout","seconds":2.0,"value":0.5}"#)
    #expect(Figure(metric: "x", value: 1, count: 1, procedure: "", seconds: 0).json["interval"] == .null)
  }
}
