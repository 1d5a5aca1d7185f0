import Foundation
import QuickstepAcceleration
import QuickstepModels
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

@Suite struct CacheDistancesTests {
  private static let steps = (0..<20).map { 951.0 - 50 * Double($0) }

  /// Features that move evenly with the timestep: any two lie |t₁ − t₂|·mean |v| apart.
  private func even(_ timesteps: [Double]) throws -> (distances: CacheDistances, speed: Double) {
    let direction = try Tensor.randn([2, 3, 4, 4], generator: Generator(seed: 1))
    let values = try timesteps.map { time in try withTensorErrors { direction * time } }
    var distances = try CacheDistances(point: .inner(0), timesteps: timesteps)
    try distances.add(values, share: 0.25)
    try distances.add(values, share: 0.75)
    return (distances, try withTensorErrors { direction.abs().mean() }.item())
  }

  @Test("distances are mean differences, and linear between what was recorded")
  func values() throws {
    let (distances, speed) = try even([900, 700, 400, 300, 0])
    for (first, second) in [(900.0, 700.0), (400, 300), (0, 900), (800, 350), (650, 150), (10, 5), (700, 700)] {
      #expect(abs(distances.distance(first, second) - abs(first - second) * speed) < 1e-3 * speed, "\(first), \(second)")
    }
    #expect(distances.distance(950, -3) == distances.distance(900, 0), "beyond what was recorded nothing changes")
  }

  @Test("the schedule of the recorded evaluations is the one of the statistics, of others one that follows the distances")
  func starts() throws {
    // Fast at first, then slow: full evaluations have to stand close together at the beginning.
    let direction = try Tensor.randn([1, 4, 5, 5], generator: Generator(seed: 2))
    let values = try Self.steps.map { time in try withTensorErrors { direction * exp(time / 150) } }
    var (distances, statistics) = (try CacheDistances(point: .inner(0), timesteps: Self.steps), CacheStatistics(evaluations: 20, reach: 8))
    try distances.add(values, share: 1)
    try statistics.add(values)
    let own = try distances.starts(timesteps: Self.steps, interval: 4)
    #expect(own == (try CacheSchedule.starts(count: 20, interval: 4) { statistics.distance(from: $0, to: $1) }))
    let other = (0..<30).map { 940 - 31 * Double($0) }
    let starts = try distances.starts(timesteps: other, interval: 5)
    #expect(starts.count == 6 && starts[0] == 0)
    #expect(starts[2] < 10 && starts[5] > 20 - 1, "close together where features move: \(starts)")
  }

  @Test("what weighs nothing is not refreshed for")
  func weights() throws {
    let (distances, _) = try even(Self.steps)
    let half = (0..<20).map { $0 < 10 ? 1.0 : 0 }
    let starts = try distances.starts(timesteps: Self.steps, interval: 4, weights: half)
    #expect(starts.count == 5 && starts.count { $0 < 10 } == 4, "groups hold 8 evaluations at most: \(starts)")
    #expect(throws: AccelerationError.self) { try distances.starts(timesteps: Self.steps, interval: 4, weights: [1]) }
  }

  @Test("what cannot be recorded is refused")
  func refused() throws {
    #expect(throws: AccelerationError.self) { try CacheDistances(point: .blocks, timesteps: [1]) }
    #expect(throws: AccelerationError.self) { try CacheDistances(point: .blocks, timesteps: [1, 1]) }
    var distances = try CacheDistances(point: .blocks, timesteps: [3, 1])
    let one = Tensor([Float](repeating: 1, count: 4), shape: [1, 4])
    #expect(throws: AccelerationError.self) { try distances.add([one], share: 1) }
    #expect(throws: AccelerationError.self) { try distances.add([one, Tensor([Float](repeating: 1, count: 8), shape: [2, 4])], share: 1) }
    #expect(throws: AccelerationError.self) {
      try distances.add([one, Tensor([Float](repeating: .nan, count: 4), shape: [1, 4])], share: 1)
    }
  }

  @Test("a schedule of equal groups is DeepCache, bit for bit; others act as they say")
  func given() throws {
    let fixture = try UNetFixture("deepcache")
    let even = try fixture.run(["cachequant:starts=0/5/10/15"], timesteps: Self.steps)
    let deepcache = try fixture.run(["deepcache:interval=5"], timesteps: Self.steps)
    #expect(try even.state.hasBits(of: deepcache.state))
    let uneven = try fixture.run(["cachequant:starts=0/1/4/12,point=inner.1,order=1"], timesteps: Self.steps)
    #expect(uneven.session.reports[0].actions == ["inner.1": "CC11C1111111C1111111"])
    let every = (0..<20).map(String.init).joined(separator: "/")
    let full = try fixture.run([String](), timesteps: Self.steps)
    let neutral = try fixture.run(["cachequant:starts=\(every)"], timesteps: Self.steps)
    #expect(try neutral.state.hasBits(of: full.state))
  }

  @Test(
    "schedules that cannot be are refused",
    arguments: [
      "cachequant:starts=1/5", "cachequant:starts=0/5/5", "cachequant:starts=0/7/3", "cachequant:starts=0/4,point=middle",
      "cachequant:starts=0/4,file=a.safetensors", "cachequant:starts=0/20", "cachequant:starts=0/4,point=inner.9",
      "cachequant:starts=0/4,point=blocks", "cachequant:starts=0/2.5/4", "cachequant:starts=0/4,correct=false",
    ])
  func impossible(_ text: String) throws {
    let fixture = try UNetFixture("deepcache")
    #expect(throws: AccelerationError.self) { try fixture.run([text], timesteps: Self.steps) }
  }

  @Test("distances are kept as text")
  func text() throws {
    let (distances, _) = try even([900, 700, 400])
    let data = try JSONEncoder().encode(distances)
    #expect(try JSONDecoder().decode(CacheDistances.self, from: data) == distances)
    let wrong = String(decoding: data, as: UTF8.self).replacing("inner.0", with: "middle")
    #expect(throws: (any Error).self) { try JSONDecoder().decode(CacheDistances.self, from: Data(wrong.utf8)) }
  }
}
