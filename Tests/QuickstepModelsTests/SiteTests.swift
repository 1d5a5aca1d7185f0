import QuickstepModels
import QuickstepNN
import QuickstepTensor
import Testing

/// Runs everything and keeps what passed by.
private final class Recorder: SitePolicy {
  private(set) var sites: [Site] = []
  private(set) var outputs: [String: [Tensor]] = [:]
  private(set) var shapes: [String: ([Int], [Int])] = [:]

  func evaluate(_ site: Site, input: [Tensor], context: StepContext, compute: ([Tensor]) throws -> [Tensor]) throws -> [Tensor] {
    sites.append(site)
    let output = try compute(input)
    outputs[site.path] = output
    shapes[site.path] = (input[0].shape, output[0].shape)
    return output
  }
}

/// Answers some sites from memory and computes the others.
private final class Replayer: SitePolicy {
  let answers: [String: [Tensor]]
  private(set) var answered: [String] = []
  private(set) var computed: [String] = []

  init(_ answers: [String: [Tensor]]) { self.answers = answers }

  func evaluate(_ site: Site, input: [Tensor], context: StepContext, compute: ([Tensor]) throws -> [Tensor]) throws -> [Tensor] {
    if let answer = answers[site.path] {
      answered.append(site.path)
      return answer
    }
    computed.append(site.path)
    return try compute(input)
  }
}

/// Runs blocks `skipped` not at all.
private final class Skipper: SitePolicy {
  let skipped: Range<Int>
  private(set) var lists: [String] = []

  init(_ skipped: Range<Int>) { self.skipped = skipped }

  func evaluate(_ site: Site, input: [Tensor], context: StepContext, compute: ([Tensor]) throws -> [Tensor]) throws -> [Tensor] {
    try compute(input)
  }

  func sequence(
    _ blocks: [Site], input: [Tensor], context: StepContext, modulated: (([Tensor]) throws -> Tensor)?,
    block: (Int, [Tensor]) throws -> [Tensor]
  ) throws -> [Tensor] {
    lists.append("\(blocks.first?.path ?? "") \(blocks.count)")
    return try blocks.indices.filter { !skipped.contains($0) }.reduce(input) { try block($1, $0) }
  }
}

@Suite struct SiteTests {
  private static let transformer = "transformer-patch2-wide-sample"
  private static let unet = "unet-text-patch2"

  @Test("watching changes nothing", arguments: ModelFixture.backbones)
  func recordingIsFree(_ fixture: ModelFixture) throws {
    let model = try BackboneFixture(fixture.name)
    let recorder = Recorder()
    #expect(try bits(model(recorder)) == bits(model()))
    #expect(!recorder.sites.isEmpty)
    #expect(Set(recorder.sites.map(\.path)).count == recorder.sites.count, "a path appears twice")
  }

  @Test func sitesOfTheTransformer() throws {
    let recorder = Recorder()
    _ = try BackboneFixture(Self.transformer)(recorder)
    #expect(
      recorder.sites.map(\.description)
        == (0..<3).flatMap {
          [
            "blocks.\($0) (block)", "blocks.\($0).attn1 (attention)", "blocks.\($0).attn2 (crossAttention)",
            "blocks.\($0).ff (feedForward)",
          ]
        })
    #expect(recorder.sites.map(\.depth) == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2])
  }

  @Test func sitesOfTheUNet() throws {
    let recorder = Recorder()
    _ = try BackboneFixture(Self.unet)(recorder)
    func layer(_ path: String, attends: Bool) -> [String] {
      [path + ".resnet (residual)"] + (attends ? [path + ".attention.attn1 (attention)", path + ".attention.attn2 (crossAttention)"] : [])
    }
    func step(_ index: Int, _ down: [String]) -> [String] { ["down.\(index) (down)"] + down + ["inner.\(index) (inner)"] }
    let down =
      step(0, []) + step(1, layer("down_blocks.0.0", attends: false)) + step(2, []) + step(3, layer("down_blocks.1.0", attends: true))
    let up =
      ["up.3 (up)"] + layer("up_blocks.1.0", attends: true) + ["up.2 (up)"] + layer("up_blocks.1.1", attends: true)
      + ["up.1 (up)"] + layer("up_blocks.0.0", attends: false) + ["up.0 (up)"] + layer("up_blocks.0.1", attends: false)
    #expect(recorder.sites.map(\.description) == down + ["middle (middle)"] + layer("mid_block", attends: true) + up)
    #expect(recorder.sites.first { $0.path == "inner.3" }?.depth == 3)
  }

  @Test("a network names its sites beforehand", arguments: ModelFixture.backbones)
  func declaredSites(_ fixture: ModelFixture) throws {
    let model = try BackboneFixture(fixture.name)
    let recorder = Recorder()
    _ = try model(recorder)
    #expect(model.backbone.sites == recorder.sites)
  }

  @Test("apart from residual blocks and steps of a U-Net, sites keep the shape", arguments: ModelFixture.backbones)
  func shapes(_ fixture: ModelFixture) throws {
    let recorder = Recorder()
    _ = try BackboneFixture(fixture.name)(recorder)
    for site in recorder.sites where ![.residual, .down, .up, .inner].contains(site.kind) {
      let (input, output) = try #require(recorder.shapes[site.path])
      #expect(input == output, "\(site)")
    }
  }

  @Test("answers from memory are taken", arguments: ModelFixture.backbones)
  func replay(_ fixture: ModelFixture) throws {
    let model = try BackboneFixture(fixture.name)
    let recorder = Recorder()
    let expected = try bits(model(recorder))
    for site in recorder.sites {
      let output = try #require(recorder.outputs[site.path])
      let same = Replayer([site.path: output])
      #expect(try bits(model(same)) == expected, "\(site)")
      #expect(same.answered == [site.path])
      let other = Replayer([site.path: output.map { $0 + 1 }])
      #expect(try bits(model(other)) != expected, "\(site)")
    }
  }

  @Test("nothing inside an answered site runs")
  func innerSitesAreSkipped() throws {
    var model = try BackboneFixture(Self.unet)
    let recorder = Recorder()
    let first = try model(recorder)
    let inner = try #require(recorder.outputs["inner.1"])
    let replayer = Replayer(["inner.1": inner])
    model.sample = model.sample + 0.25
    let reused = try model(replayer)
    #expect(
      replayer.computed
        == [
          "down.0", "inner.0", "down.1", "down_blocks.0.0.resnet", "up.1", "up_blocks.0.0.resnet", "up.0", "up_blocks.0.1.resnet",
        ])
    // The outer level saw the new sample, so this is neither the old output nor the full new one.
    #expect(try bits(reused) != bits(first))
    #expect(try bits(reused) != bits(model()))
  }

  @Test("a policy decides which blocks of a list run")
  func skippedBlocks() throws {
    let model = try BackboneFixture(Self.transformer)
    let nothing = Skipper(0..<0)
    #expect(try bits(model(nothing)) == bits(model()))
    #expect(nothing.lists == ["blocks.0 3"])
    let skipped = try model(Skipper(1..<2))
    #expect(try bits(skipped) != bits(model()))
    // Skipping a block is the same as answering its site with its input.
    let recorder = Recorder()
    _ = try model(recorder)
    let replayer = Replayer(["blocks.1": try #require(recorder.outputs["blocks.0"])])
    #expect(try bits(model(replayer)) == bits(skipped))
  }

  @Test func errorsOfAPolicyArrive() throws {
    struct Refusal: Error {}
    final class Refuser: SitePolicy {
      func evaluate(_ site: Site, input: [Tensor], context: StepContext, compute: ([Tensor]) throws -> [Tensor]) throws -> [Tensor] {
        throw Refusal()
      }
    }
    for name in [Self.transformer, Self.unet] {
      let model = try BackboneFixture(name)
      #expect(throws: Refusal.self) { try model(Refuser()) }
    }
  }
}
