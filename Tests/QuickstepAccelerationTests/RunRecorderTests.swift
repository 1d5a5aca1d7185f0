import QuickstepAcceleration
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Synchronization
import Testing

/// What observers are told, and that nothing changes by it.
@Suite struct RunRecorderTests {
  private static let steps = 6

  /// Keeps what it is told of every site.
  private final class Everything: RunObserver {
    struct Seen {
      var sites: [String: Int] = [:]
      var parts: [String: Int] = [:]
      var lists = 0, modulated = 0, decisions = 0
    }
    private let state = Mutex(Seen())
    var seen: Seen { state.withLock { $0 } }

    func watches(_ site: Site?) -> Bool { true }
    func visited(_ visit: SiteVisit) throws {
      let signal = try visit.modulated()
      state.withLock { seen in
        if let site = visit.site { seen.sites[site.path, default: 0] += 1 } else { seen.lists += 1 }
        if signal != nil { seen.modulated += 1 }
      }
    }
    func computed(_ part: RunPart, seconds: Double) { state.withLock { $0.parts[part.site ?? "", default: 0] += 1 } }
    func decided(seconds: Double) { state.withLock { $0.decisions += 1 } }
  }

  private func run(_ text: String?, _ observers: [any RunObserver]) throws -> [Tensor] {
    let network = try ToyNetwork.random(seed: 1)
    let base = try text.map { try acceleration($0, network, steps: Self.steps).makeSession().sites } ?? nil
    let policy: (any SitePolicy)? = observers.isEmpty ? base : RunRecorder(observers, model: "toy", base: base)
    return try SitePolicyLaws.Request(network.callAsFunction, policy: policy, initial: network.sample(seed: 2), steps: Self.steps).finish()
  }

  @Test("several observers are told of every site, and no bit changes")
  func everySite() throws {
    let (first, second) = (Everything(), RunWatch())
    let plain = try run(nil, [])
    for (own, other) in zip(try run(nil, [first, second]), plain) { #expect(try own.hasBits(of: other)) }
    let sites = try ToyNetwork.random(seed: 1).sites.map(\.path)
    #expect(first.seen.sites == Dictionary(uniqueKeysWithValues: sites.map { ($0, Self.steps) }))
    #expect(first.seen.lists == Self.steps && first.seen.modulated == Self.steps && first.seen.decisions == 0)
    #expect(first.seen.parts == first.seen.sites)
    #expect(second.findings.counts.values.allSatisfy { $0 == Self.steps } && second.findings.counts.count == sites.count)
  }

  @Test("what methods answer is told as what the site gives, and not as computed")
  func besideMethods() throws {
    let observer = Everything()
    let plain = try run("fora:interval=3", [])
    for (own, other) in zip(try run("fora:interval=3", [observer]), plain) { #expect(try own.hasBits(of: other)) }
    #expect(observer.seen.sites["blocks.0.ff"] == Self.steps && observer.seen.parts["blocks.0.ff"] == 2)
    #expect(observer.seen.decisions > 0)
  }

  @Test("blocks of a method's own still run under it")
  func guests() throws {
    final class Guest: SitePolicy {
      var runs = 0
      func evaluate(
        _ site: Site, input: [Tensor], context: StepContext, compute: ([Tensor]) throws -> [Tensor]
      ) throws -> [Tensor] { try compute(input) }
      func sequence(
        _ blocks: [Site], input: [Tensor], context: StepContext, modulated: (([Tensor]) throws -> Tensor)?,
        guest: ((any GuestBlock, [Tensor]) throws -> [Tensor])?, block: (Int, [Tensor]) throws -> [Tensor]
      ) throws -> [Tensor] {
        if guest != nil { runs += 1 }
        return try blocks.indices.reduce(input) { try block($1, $0) }
      }
    }
    let network = try ToyNetwork.random(seed: 1)
    let guest = Guest()
    _ = try SitePolicyLaws.Request(
      network.callAsFunction, policy: RunRecorder([RunWatch()], base: guest), initial: network.sample(seed: 2), steps: 2
    ).finish()
    #expect(guest.runs == 2)
  }
}
