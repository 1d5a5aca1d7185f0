import QuickstepTuner
import Testing

@Suite("The line of fewer steps") struct StepLineTests {
  @Test(
    "measured first are the steps beside the share of the time",
    arguments: [(0.4, [4, 5]), (0.5, [6]), (0.01, [1]), (0.99, [11]), (1, []), (1.2, []), (.nan, [])] as [(Double, [Int])])
  func first(_ time: Double, _ steps: [Int]) {
    #expect(StepLine(full: 12).missing(for: time) == steps)
  }

  @Test("rivals are the nearest that take no longer and no less") func rivals() {
    var line = StepLine(full: 12)
    /// Faster, slower; 0 for none.
    func sides(_ time: Double) -> [Int] {
      let found = line.rivals(of: time)
      return [found.faster ?? 0, found.slower ?? 0]
    }
    #expect(sides(0.4) == [0, 12] && sides(1) == [12, 12] && sides(1.2) == [12, 0])
    for (steps, time) in [(3, 0.27), (4, 0.35), (5, 0.42), (6, 0.5)] { line.note(steps: steps, time: time) }
    line.note(steps: 7, time: .nan)
    #expect(sides(0.4) == [4, 5] && sides(0.35) == [4, 4] && sides(0.1) == [0, 3] && sides(0.9) == [6, 12])
    #expect(line.missing(for: 0.4).isEmpty && line.missing(for: 0.35).isEmpty)
    // A slow moment of the machine may turn two of them round: 6 steps take longer than 7 then, and none is between.
    line.note(steps: 6, time: 0.6)
    line.note(steps: 7, time: 0.55)
    #expect(sides(0.57) == [7, 6] && line.missing(for: 0.57).isEmpty)
  }

  @Test("costs beside the steps are found out", arguments: [0, 0.05, 0.3], [12, 50, 999])
  func fixedCosts(_ cost: Double, _ full: Int) throws {
    for time in [0.31, 0.35, 0.5, 0.625, 0.9, 0.999] {
      var line = StepLine(full: full)
      for _ in 0..<3 {
        for steps in line.missing(for: time) { line.note(steps: steps, time: cost + (1 - cost) * Double(steps) / Double(full)) }
      }
      let (faster, slower) = line.rivals(of: time)
      #expect(try #require(slower) - (faster ?? 0) <= 1, "\(time): \(line.times)")
    }
  }

  @Test("a verdict needs the rival that had no advantage in time") func verdicts() {
    func verdict(_ own: [Double], _ faster: [Double]?, _ slower: [Double]?) -> StepLine.Verdict? {
      StepLine.verdict(own, faster: faster, slower: slower)
    }
    let own = [0.90, 0.91, 0.93, 0.92]
    let (near, far) = (own.map { $0 + 0.02 }, own.map { $0 - 0.02 })
    #expect(verdict(own, far, far) == .better && verdict(own, nil, far) == .better)
    #expect(verdict(own, near, near) == .worse && verdict(own, near, nil) == .worse)
    // Nearer than fewer steps that took less time, less near than those that took more.
    #expect(verdict(own, far, near) == .even && verdict(own, far, nil) == .even && verdict(own, nil, near) == .even)
    #expect(verdict(own, near, far) == .even)
    #expect(verdict(own, own, own) == .even && verdict(own, [0.92, 0.89, 0.94, 0.91], [0.92, 0.89, 0.94, 0.91]) == .even)
    #expect(verdict([0.9], [0.8], [0.8]) == nil && verdict(own, nil, nil) == nil)
  }
}
