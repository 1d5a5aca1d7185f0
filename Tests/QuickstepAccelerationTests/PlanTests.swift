import QuickstepAcceleration
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
  }
}
