import QuickstepModels
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

/// Keeps the output of chosen sites and hands it out at every other evaluation.
private final class ReusePolicy: SitePolicy {
  let kind: Site.Kind
  let interval: Int
  private(set) var hits = 0
  private(set) var computed = 0
  private var kept: [String: [Tensor]] = [:]

  init(_ kind: Site.Kind, interval: Int) {
    self.kind = kind
    self.interval = interval
  }

  func evaluate(_ site: Site, input: [Tensor], context: StepContext, compute: ([Tensor]) throws -> [Tensor]) throws -> [Tensor] {
    guard site.kind == kind else { return try compute(input) }
    if context.evaluation % interval != 0, let output = kept[site.path] {
      hits += 1
      return output
    }
    computed += 1
    let output = try compute(input)
    kept[site.path] = output
    return output
  }
}

/// Breaks the laws: its state belongs to the process.
private final class LeakingPolicy: SitePolicy {
  nonisolated(unsafe) static var kept: [String: [Tensor]] = [:]
  nonisolated(unsafe) static var hits = 0
  let threshold: Int

  init(threshold: Int) { self.threshold = threshold }

  func evaluate(_ site: Site, input: [Tensor], context: StepContext, compute: ([Tensor]) throws -> [Tensor]) throws -> [Tensor] {
    if context.evaluation % 2 == 1, let output = Self.kept[site.path] {
      Self.hits += 1
      return output
    }
    let output = try compute(input)
    Self.kept[site.path] = output
    return output
  }
}

/// Leaves out a range of blocks of every list.
private final class SkipPolicy: SitePolicy {
  let skipped: Range<Int>
  init(_ skipped: Range<Int>) { self.skipped = skipped }

  func evaluate(_ site: Site, input: [Tensor], context: StepContext, compute: ([Tensor]) throws -> [Tensor]) throws -> [Tensor] {
    try compute(input)
  }

  func sequence(
    _ blocks: [Site], input: [Tensor], context: StepContext, modulated: (([Tensor]) throws -> Tensor)?,
    block: (Int, [Tensor]) throws -> [Tensor]
  ) throws -> [Tensor] {
    try blocks.indices.filter { !skipped.contains($0) }.reduce(input) { try block($1, $0) }
  }
}

@Suite struct SiteTests {
  /// A tiny backbone as a model of one state, with fixed conditioning.
  private func model(_ tiny: TinyModel) throws -> (model: SitePolicyLaws.Model, initials: (Tensor, Tensor)) {
    let backbone = try #require(try tiny.load().component as? any Backbone)
    let inputs = try tiny.inputs()
    var conditioning = Conditioning(
      sequence: inputs["encoder_hidden_states"], mask: inputs["encoder_attention_mask"], pooled: inputs["pooled_projections"],
      classes: inputs["class_labels"])
    conditioning.guidanceScale = inputs["guidance"]
    (conditioning.resolution, conditioning.aspectRatio) = (inputs["resolution"], inputs["aspect_ratio"])
    let state = try tiny.stateShape.map { try TinyModel.random([2] + $0, 8) }
    let sample = try #require(state ?? inputs["sample"] ?? inputs["hidden_states"])
    let evaluate: SitePolicyLaws.Model = { [conditioning] state, evaluation in
      let time = Tensor.full([state.size(0)], fillValue: .real(evaluation.context.level.timestep), dtype: .float32)
      return try backbone(state, timestep: time, conditioning: conditioning, evaluation: evaluation)
    }
    return (evaluate, (sample, try TinyModel.random(sample.shape, 9)))
  }

  private func record(_ tiny: TinyModel) throws -> RecordingPolicy {
    let (model, initials) = try model(tiny)
    let policy = RecordingPolicy()
    _ = try SitePolicyLaws.Request(model, policy: policy, initial: initials.0, steps: 1).finish()
    return policy
  }

  @Test func theTransformerShowsEveryBlockAndWhatIsInIt() throws {
    let expected = (0..<3).flatMap { index in
      [
        Site("blocks.\(index)", .block, depth: index), Site("blocks.\(index).attn1", .attention, depth: index),
        Site("blocks.\(index).attn2", .crossAttention, depth: index), Site("blocks.\(index).ff", .feedForward, depth: index),
      ]
    }
    let policy = try record(.transformer)
    #expect(policy.sites == expected)
    #expect(policy.visits.allSatisfy { $0.inputShapes == [[2, 4, 16]] && $0.outputShapes == [[2, 4, 16]] })
  }

  @Test func theUNetShowsItsLevelsOneInsideTheOther() throws {
    func layer(_ path: String, level: Int, attends: Bool) -> [Site] {
      [Site("\(path).resnet", .residual, depth: level)]
        + (attends
          ? Site.modules("\(path).attention", depth: level, [("attn1", .attention), ("attn2", .crossAttention)]) : [])
    }
    func step(_ index: Int, _ inside: [Site] = []) -> [Site] {
      [Site("down.\(index)", .down, depth: index)] + inside + [Site("inner.\(index)", .inner, depth: index)]
    }
    func up(_ index: Int, _ inside: [Site]) -> [Site] { [Site("up.\(index)", .up, depth: index)] + inside }
    var expected = step(0) + step(1, layer("down_blocks.0.0", level: 0, attends: false))
    expected += step(2) + step(3, layer("down_blocks.1.0", level: 1, attends: true))
    expected += [Site("middle", .middle, depth: 4)] + layer("mid_block", level: 1, attends: true)
    expected += up(3, layer("up_blocks.1.0", level: 1, attends: true)) + up(2, layer("up_blocks.1.1", level: 1, attends: true))
    expected += up(1, layer("up_blocks.0.0", level: 0, attends: false)) + up(0, layer("up_blocks.0.1", level: 0, attends: false))
    let policy = try record(.unet)
    #expect(policy.sites == expected)
    // Everything deeper than a skip connection takes and, within a level, gives its level's maps (patches of 2 on a side of 8).
    let inner = try #require(policy.visits.first { $0.site.path == "inner.0" })
    #expect(inner.inputShapes == [[2, 16, 4, 4]] && inner.outputShapes == [[2, 16, 4, 4]])
  }

  @Test func theTransformersOfPublishedModelsShowWhatIsInTheirBlocks() throws {
    func names(_ tiny: TinyModel) throws -> [String] { try record(tiny).sites.map(\.description) }
    func block(_ path: String, _ parts: String...) -> [String] { ["\(path) (block)"] + parts.map { "\(path).\($0)" } }
    let crossing = (0..<2).flatMap {
      block("transformer_blocks.\($0)", "attn1 (attention)", "attn2 (crossAttention)", "ff (feedForward)")
    }
    #expect(try names(.pixArt) == crossing)
    #expect(try names(.sana) == crossing)
    let joint = block("transformer_blocks.1", "attn (attention)", "ff (feedForward)")
    #expect(
      try names(.sd3) == block("transformer_blocks.0", "attn (attention)", "attn2 (attention)", "ff (feedForward)") + joint)
    let single = (0..<2).flatMap {
      block("single_transformer_blocks.\($0)", "both (parallel)", "attn (attention)", "ff (feedForward)")
    }
    #expect(try names(.flux) == block("transformer_blocks.0", "attn (attention)", "ff (feedForward)") + joint + single)
  }

  @Test("two streams pass through a site as two tensors")
  func streams() throws {
    // Six tokens of the picture (patches of 2 on 4×6) and three of the prompt, 16 channels.
    let policy = try record(.flux)
    for visit in policy.visits where visit.site.path.hasPrefix("transformer_blocks") || visit.site.kind == .block {
      #expect(visit.inputShapes == [[2, 6, 16], [2, 3, 16]] && visit.outputShapes == visit.inputShapes, "\(visit.site)")
    }
    // Blocks of one stream work on both at once, and their feed-forward layers are four times as wide.
    for visit in policy.visits where visit.site.path.hasPrefix("single") && visit.site.kind != .block {
      #expect(visit.inputShapes == [[2, 9, 16]], "\(visit.site)")
      #expect(visit.outputShapes == [[2, 9, visit.site.kind == .feedForward ? 64 : 16]], "\(visit.site)")
    }
    // The last block of SD3 has nothing to say about the prompt.
    let last = try #require(try record(.sd3).visits.first { $0.site.path == "transformer_blocks.1.ff" })
    #expect(last.inputShapes.count == 2 && last.outputShapes == [[2, 6, 8]])
  }

  @Test("every block of a list counts", arguments: TinyModel.denoisers)
  func blocksOfPublishedModels(_ tiny: TinyModel) throws {
    let (model, initials) = try model(tiny)
    func run(_ policy: (any SitePolicy)?) throws -> Tensor {
      try SitePolicyLaws.Request(model, policy: policy, initial: initials.0, steps: 1).finish()[0]
    }
    let all = try run(nil)
    // Lists of at most four blocks.
    #expect(try run(SkipPolicy(4..<9)).hasBits(of: all))
    for skipped in [0..<1, 1..<2, 0..<2] { #expect(try !run(SkipPolicy(skipped)).hasBits(of: all), "\(skipped)") }
  }

  @Test("watching changes no bit", arguments: [TinyModel.transformer, .unet] + TinyModel.denoisers)
  func passThrough(_ tiny: TinyModel) throws {
    let (model, initials) = try model(tiny)
    try SitePolicyLaws.checkNeutral("recording", model: model, initial: initials.0, steps: 3) { RecordingPolicy() }
    try SitePolicyLaws.checkNeutral("reuse of nothing", model: model, initial: initials.0, steps: 3) {
      ReusePolicy(.attention, interval: 1)
    }
    try SitePolicyLaws.checkNeutral("skipping nothing", model: model, initial: initials.0, steps: 3) { SkipPolicy(0..<0) }
  }

  @Test("a policy with state keeps it to its request", arguments: [TinyModel.transformer, .unet] + TinyModel.denoisers)
  func isolation(_ tiny: TinyModel) throws {
    let (model, initials) = try model(tiny)
    let kind: Site.Kind = tiny.className == "PromptUNet2D" ? .inner : .block
    try SitePolicyLaws.checkIsolation("reuse", model: model, initials: initials, steps: 5) { ReusePolicy(kind, interval: 2) }
    try SitePolicyLaws.checkCounters("reuse", model: model, initial: initials.0, steps: 3, make: { ReusePolicy(kind, interval: 2) }) {
      ["hits": $0.hits, "computed": $0.computed]
    }
    #expect(throws: LawViolation.self) {
      try SitePolicyLaws.checkNeutral("reuse", model: model, initial: initials.0, steps: 3) { ReusePolicy(kind, interval: 2) }
    }
  }

  @Test func blocksThatAreLeftOutDoNotRun() throws {
    let (model, initials) = try model(.transformer)
    func run(_ policy: (any SitePolicy)?) throws -> Tensor {
      try SitePolicyLaws.Request(model, policy: policy, initial: initials.0, steps: 1).finish()[0]
    }
    let all = try run(nil)
    #expect(try run(SkipPolicy(3..<9)).hasBits(of: all))
    for skipped in [0..<1, 1..<2, 1..<3, 0..<3] { #expect(try !run(SkipPolicy(skipped)).hasBits(of: all), "\(skipped)") }
  }

  @Test func aPolicyMayAnswerInsteadOfComputing() throws {
    final class Silence: SitePolicy {
      func evaluate(_ site: Site, input: [Tensor], context: StepContext, compute: ([Tensor]) throws -> [Tensor]) throws -> [Tensor] {
        site.kind == .block ? input : try compute(input)
      }
    }
    let network = try ToyNetwork.random(seed: 1)
    func run(_ policy: (any SitePolicy)?) throws -> Tensor {
      try SitePolicyLaws.Request(network.callAsFunction, policy: policy, initial: try network.sample(seed: 3), steps: 1).finish()[0]
    }
    #expect(try run(Silence()).hasBits(of: run(SkipPolicy(0..<4))))
  }

  @Test func theContextOfTheRunArrivesAtEverySite() throws {
    let network = try ToyNetwork.random(blocks: 2, seed: 1)
    let policy = RecordingPolicy()
    _ = try SitePolicyLaws.Request(network.callAsFunction, policy: policy, initial: try network.sample(seed: 2), steps: 3).finish()
    let perEvaluation = [
      "blocks.0", "blocks.0.attn", "blocks.0.ff", "blocks.1", "blocks.1.attn", "blocks.1.ff", "down.0", "inner.0", "down.1", "inner.1",
      "middle", "up.1", "up.0",
    ]
    #expect(network.sites.map(\.path) == perEvaluation)
    #expect(policy.sites.map(\.path) == perEvaluation + perEvaluation + perEvaluation)
    #expect(policy.visits.map(\.evaluation) == (0..<39).map { $0 / 13 })
  }

  @Test func theLawsNoticeSharedState() throws {
    let network = try ToyNetwork.random(seed: 1)
    let initials = (try network.sample(seed: 2), try network.sample(seed: 3))
    #expect(throws: LawViolation.self) {
      try SitePolicyLaws.checkIsolation("leak", model: network.callAsFunction, initials: initials) { LeakingPolicy(threshold: 0) }
    }
    #expect(throws: LawViolation.self) {
      try SitePolicyLaws.checkCounters("leak", model: network.callAsFunction, initial: initials.0, make: { LeakingPolicy(threshold: 0) }) {
        _ in
        ["hits": LeakingPolicy.hits]
      }
    }
    let still = { ReusePolicy(.attention, interval: 1) }
    #expect(throws: LawViolation.self) {
      try SitePolicyLaws.checkCounters("idle", model: network.callAsFunction, initial: initials.0, make: still) { ["hits": $0.hits] }
    }
    #expect(throws: LawViolation.self) {
      try SitePolicyLaws.checkCounters("silent", model: network.callAsFunction, initial: initials.0, make: still) { _ in [:] }
    }
  }

  @Test func theToyNetworkObeysTheModelLaws() throws {
    let (network, parameters) = try Weights.initialise(generator: Generator(seed: 4)) { ToyNetwork(weights: $0) }
    try ModelLaws.disturb(parameters)
    let forward: ModelLaws.Forward = { ["y": try network($0["x"] ?? .undefined, evaluation: .plain)] }
    let inputs = ["x": try network.sample(seed: 1)]
    try ModelLaws.checkDeterminism("toy", inputs: inputs, forward)
    try ModelLaws.checkBatch("toy", inputs: inputs, forward)
    try ModelLaws.checkGradients("toy", parameters: parameters, inputs: inputs, forward)
  }
}
