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
    _ path: String, count: Int, input: [Tensor], context: StepContext, block: (Int, [Tensor]) throws -> [Tensor]
  ) throws -> [Tensor] {
    lists.append("\(path) \(count)")
    return try (0..<count).filter { !skipped.contains($0) }.reduce(input) { try block($1, $0) }
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
    let expected =
      layer("down_blocks.0.0", attends: false) + ["levels.0.inner (inner)"] + layer("down_blocks.1.0", attends: true)
      + ["levels.1.inner (inner)"] + layer("mid_block", attends: true) + layer("up_blocks.1.0", attends: true)
      + layer("up_blocks.1.1", attends: true) + layer("up_blocks.0.0", attends: false) + layer("up_blocks.0.1", attends: false)
    #expect(recorder.sites.map(\.description) == expected)
    #expect(recorder.sites.first { $0.path == "levels.1.inner" }?.depth == 1)
  }

  @Test("apart from residual blocks, sites keep the shape", arguments: ModelFixture.backbones)
  func shapes(_ fixture: ModelFixture) throws {
    let recorder = Recorder()
    _ = try BackboneFixture(fixture.name)(recorder)
    for site in recorder.sites where site.kind != .residual {
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
    let inner = try #require(recorder.outputs["levels.0.inner"])
    let replayer = Replayer(["levels.0.inner": inner])
    model.sample = model.sample + 0.25
    let reused = try model(replayer)
    #expect(replayer.computed == ["down_blocks.0.0.resnet", "up_blocks.0.0.resnet", "up_blocks.0.1.resnet"])
    // The outer level saw the new sample, so this is neither the old output nor the full new one.
    #expect(try bits(reused) != bits(first))
    #expect(try bits(reused) != bits(model()))
  }

  @Test("a policy decides which blocks of a list run")
  func skippedBlocks() throws {
    let model = try BackboneFixture(Self.transformer)
    let nothing = Skipper(0..<0)
    #expect(try bits(model(nothing)) == bits(model()))
    #expect(nothing.lists == ["blocks 3"])
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
