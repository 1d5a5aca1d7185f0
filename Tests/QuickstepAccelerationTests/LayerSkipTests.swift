import Foundation
import QuickstepAcceleration
import QuickstepModels
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

@Suite struct LayerSkipTests {
  private static let steps: [Double] = [901, 801, 701, 601, 501, 401, 301, 201, 101, 1]
  private static let layers = "resnets+attn1+attn2+ff"

  @Test("a U-Net without any of its layers passes shapes, and only its ends and halvings are left")
  func everythingSkipped() throws {
    let fixture = try UNetFixture("deepcache")
    let outcome = try fixture.run(["layer-skip:layers=\(Self.layers)"], timesteps: Self.steps)
    #expect(outcome.state.shape == [2, 4, 8, 8])
    #expect(try outcome.state.largestDifference(from: outcome.state) == 0)
    let modules = outcome.outline.modules([.residual, .attention, .crossAttention, .feedForward, .parallel])
    #expect(outcome.session.sites?.computedModules == 0)
    #expect(outcome.session.reports[0].saved == modules.count * Self.steps.count && outcome.session.reports[0].computed == 0)
    // The time and the prompt enter through the layers only: without them the output does not depend on them.
    let early = try fixture.run(["layer-skip:layers=\(Self.layers)"], timesteps: [901])
    let plain = try fixture.run([String](), timesteps: [901])
    #expect(try gap(early.state, plain.state) > 1e-3)
  }

  @Test("networks of every shape pass shapes without their layers", arguments: ["checkpoints", "models"])
  func shapes(_ folder: String) throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("QuickstepModelsTests/Fixtures/\(folder)").path
    var count = 0
    for name in try FileManager.default.contentsOfDirectory(atPath: root).sorted() {
      guard let component = try? Architectures.load(folder: "\(root)/\(name)").component, let network = component as? any Backbone,
        network.sites.contains(where: { $0.kind == .inner }), let file = try? fixtureInputs("\(root)/\(name)"),
        let sample = file["sample"], let timestep = file["timestep"]
      else { continue }
      let run = RunOutline(
        network: name, stepCount: 1, calls: [.init(step: 0, level: NoiseLevel(timestep: 500, alpha: 0.5, sigma: 0.8))], sites: network.sites
      )
      let names = (0..<run.modules(LayerSkip.kinds).count).map(String.init).joined(separator: "+")
      let session = try Acceleration([method("layer-skip:layers=\(names)")], run: run).makeSession()
      let context = StepContext(step: 0, stepCount: 1, evaluation: 0, evaluationCount: 1, level: run.calls[0].level)
      let times = try withTensorErrors { timestep.to(.float32).reshape([-1]).expand([sample.size(0)]) }
      var conditioning = Conditioning(
        sequence: file["encoder_hidden_states"], mask: file["encoder_attention_mask"]?.to(.bool),
        pooled: file["pooled_projections"] ?? file["text_embeds"], classes: file["class_labels"])
      (conditioning.timeIDs, conditioning.guidance) = (file["time_ids"], file["timestep_cond"])
      let output = try withTensorErrors {
        try network(sample, timestep: times, conditioning: conditioning, evaluation: Evaluation(context, policy: session.sites))
      }
      #expect(output.shape.count == 4 && output.size(0) == sample.size(0) && Array(output.shape.suffix(2)) == Array(sample.shape.suffix(2)))
      #expect(session.sites?.computedModules == 0, "\(name)")
      count += 1
    }
    #expect(count >= 4, "only \(count) U-Nets were found")
  }

  @Test("a block that is left out keeps its shortcut, an attention adds nothing")
  func meaning() throws {
    let fixture = try UNetFixture("deepcache")
    let plan =
      "{\"evaluations\": 2, \"sites\": {\"mid_block.resnets.0\": \"IC\", \"mid_block.attentions.0.transformer_blocks.0.attn1\": \"CI\"}}"
    let planned = try fixture.run([AllAccelerators.make("plan", ["file": plan])], timesteps: [901, 401])
    let list = "{\"skip\": [[\"mid_block.resnets.0\"], [\"mid_block.attentions.0.transformer_blocks.0.attn1\"]]}"
    let skipped = try fixture.run([AllAccelerators.make("layer-skip", ["file": list])], timesteps: [901, 401])
    #expect(try skipped.state.hasBits(of: planned.state))
    #expect(
      skipped.session.reports[0].actions == [
        "mid_block.resnets.0": "IC", "mid_block.attentions.0.transformer_blocks.0.attn1": "CI",
      ])
    #expect(try gap(skipped.state, fixture.run([String](), timesteps: [901, 401]).state) > 1e-4)
  }

  @Test("lists as the search gives them go by timestep, not by order")
  func timesteps() throws {
    let fixture = try UNetFixture("deepcache")
    let list = "{\"timesteps\": [401, 901], \"skip\": [[], [0, 3]]}"
    let outcome = try fixture.run([AllAccelerators.make("layer-skip", ["file": list])], timesteps: [901, 401])
    #expect(outcome.session.reports[0].actions.values.allSatisfy { $0 == "IC" } && outcome.session.reports[0].actions.count == 2)
    #expect(throws: AccelerationError.self) {
      try fixture.run([AllAccelerators.make("layer-skip", ["file": list])], timesteps: [901, 301])
    }
  }

  @Test("a part of the run")
  func window() throws {
    let fixture = try UNetFixture("deepcache")
    let outcome = try fixture.run(["layer-skip:layers=mid_block,start=0.3,end=0.6"], timesteps: Self.steps)
    #expect(outcome.session.reports[0].actions["mid_block.resnets.0"] == "CCCIIICCCC")
    let idle = try fixture.run(["layer-skip:layers=mid_block,start=0.55,end=0.58"], timesteps: Self.steps)
    #expect(idle.acceleration.warnings.count == 1)
  }

  @Test func refusals() throws {
    let fixture = try UNetFixture("deepcache")
    for text in ["layers=nowhere", "layers=999", "file=/nowhere/at/all.json"] {
      #expect(throws: AccelerationError.self) { try fixture.run(["layer-skip:\(text)"], timesteps: Self.steps) }
    }
    #expect(throws: AccelerationError.self) { try method("layer-skip") }
    #expect(throws: AccelerationError.self) { try method("layer-skip:layers=1,start=0.8,end=0.2") }
    for list in [
      "{}", "{\"skip\": [[1.5]]}", "{\"skip\": [[], []], \"evaluations\": 3}", "{\"skip\": [], \"more\": 1}",
      "{\"skip\": [[]], \"timesteps\": [\"901\"]}", "{\"skip\": [[]], \"evaluations\": \"1\"}",
    ] {
      #expect(throws: AccelerationError.self) { try AllAccelerators.make("layer-skip", ["file": list]) }
    }
    let idle = #expect(throws: AccelerationError.self) {
      try AllAccelerators.make("layer-skip", ["file": "{\"skip\": [[0]]}", "start": "0.5"])
    }
    #expect(try #require(idle).description.contains("no effect"))
    #expect(throws: AccelerationError.self) {
      try fixture.run([AllAccelerators.make("layer-skip", ["file": "{\"skip\": [[0]]}"])], timesteps: Self.steps)
    }
  }
}
