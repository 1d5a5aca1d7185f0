import QuickstepAcceleration
import QuickstepFormats
import QuickstepNN
import Testing

@Suite struct PlanTests {
  @Test func plansReadWhatTheyWrite() throws {
    let plan = try SitePlan(
      evaluations: 6, actions: ["blocks.0.ff": [.compute, .reuse, .forecast(order: 2), .compute, .identity, .compute]])
    #expect(try SitePlan(source: plan.json()) == plan)
    #expect(try plan.json().contains("\"CR2CIC\""))
  }

  @Test func badPlansAreRefused() throws {
    #expect(throws: AccelerationError.self) { try SitePlan(evaluations: 3, actions: ["a": [.compute]]) }
    #expect(throws: AccelerationError.self) { try SitePlan(evaluations: 2, actions: ["a": [.reuse, .compute]]) }
    #expect(throws: AccelerationError.self) { try SitePlan(source: "{\"evaluations\": 2, \"sites\": {\"a\": \"CX\"}}") }
    #expect(throws: AccelerationError.self) { try SitePlan(source: "/nowhere/at/all.json") }
    #expect(throws: AccelerationError.self) { try SitePlan(source: #"{"evaluations": 0, "sites": {"a": ""}}"#) }
    for keeps in [#"{"a": "residual"}"#, #"{"blocks[0..<2]": "residual"}"#, #"{"call.negative": "residual"}"#] {
      let text = #"{"evaluations": 2, "sites": {"a": "CR", "call.negative": "CR"}, "keeps": \#(keeps)}"#
      #expect(throws: AccelerationError.self, "\(keeps)") { try SitePlan(source: text) }
    }
    let misspelt = #expect(throws: AccelerationError.self) {
      try SitePlan(source: #"{"evaluations": 2, "sites": {"blocks[0..<2]": "CR"}, "keep": {"blocks[0..<2]": "residual"}}"#)
    }
    #expect(misspelt?.description.contains("'keep'") == true && misspelt?.description.contains("keeps") == true)
    #expect(try SitePlan(source: #"{"evaluations": 2, "sites": {"a": "CR"}, "model": "emoji", "first_evaluation": 8}"#).evaluations == 2)
  }

  @Test("pictures leave the evaluations of other models blank") func blocks() throws {
    /// Columns of pixels in which something was computed, above the legend.
    func computed(_ blocks: [PlanPicture.Block]) throws -> Set<Int> {
      let image = PlanPicture(title: "a plan", blocks: blocks).image()
      let blue: [UInt8] = [38, 70, 120]
      var found: Set<Int> = []
      for place in 0..<(image.width * (image.height - 44)) where Array(image.pixels[place * 3..<place * 3 + 3]) == blue {
        found.insert(place % image.width)
      }
      return found
    }
    let rows = [(name: "blocks.0.ff", codes: "CRC")]
    let alone = try computed([.init(heading: nil, rows: [(name: "blocks.0.ff", codes: "CRC  ")])])
    let later = try computed([.init(heading: nil, rows: [(name: "blocks.0.ff", codes: "  CRC")])])
    let first = try #require(alone.min())
    let shift = try #require(later.min()) - first
    #expect(shift > 0 && later == Set(alone.map { $0 + shift }))
    let both = try computed([.init(heading: "small", rows: rows), .init(heading: "large", rows: [(name: "blocks.0.ff", codes: "   CC")])])
    let last = try computed([.init(heading: nil, rows: [(name: "blocks.0.ff", codes: "   CC")])])
    #expect(both == alone.union(last) && !last.isSubset(of: alone))
    // A line for each name.
    let plain = PlanPicture(title: "a plan", rows: rows).image().height
    let named = PlanPicture(title: "a plan", blocks: [.init(heading: "small", rows: rows)]).image().height
    #expect(named > plain)
  }
}
