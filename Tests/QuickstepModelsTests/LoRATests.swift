import Foundation
import QuickstepFormats
import QuickstepModels
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

/// LoRAs in weights and beside them, on a network of one linear layer and one convolution.
@Suite struct LoRATests {
  private let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  /// Numbers of about unit size that differ from seed to seed.
  private func random(_ shape: [Int], _ seed: Int) -> Tensor {
    let count = shape.reduce(1, *)
    return ((Tensor.arange(0, end: Scalar(count), dtype: .float32) * 1.7 + Double(seed) * 0.61).sin() * 1.3).reshape(shape)
  }

  private var weights: TensorDictionary {
    TensorDictionary([
      "down_blocks.0.attn.to_q.weight": random([6, 4], 1), "down_blocks.0.attn.to_q.bias": random([6], 2),
      "down_blocks.0.conv.weight": random([5, 4, 3, 3], 3), "down_blocks.0.conv.bias": random([5], 4),
    ])
  }

  private struct Net: Sendable {
    let linear: Linear
    let convolution: Convolution
    init(_ weights: Weights) {
      let scope = weights["down_blocks", 0]
      linear = Linear(scope["attn", "to_q"], 4, 6)
      convolution = Convolution(scope["conv"], 4, 5, kernel: 3, stride: 2)
    }
  }

  private func write(_ tensors: [String: Tensor], _ name: String) throws -> String {
    let path = "\(folder.path)/\(name).safetensors"
    try SafetensorsWriter.write(tensors.map { (name: $0.key, tensor: $0.value) }, to: path)
    return path
  }

  /// A linear layer and a convolution, the latter decomposed where `mid` says so.
  private func lora(_ seed: Int, rank: Int, alpha: Double, mid: Bool = false) throws -> String {
    var tensors = [
      "lora_unet_down_blocks_0_attn_to_q.lora_down.weight": random([rank, 4], seed),
      "lora_unet_down_blocks_0_attn_to_q.alpha": .full([], fillValue: .real(alpha)),
      "lora_unet_down_blocks_0_attn_to_q.lora_up.weight": random([6, rank], seed + 1),
      "lora_unet_down_blocks_0_conv.alpha": .full([], fillValue: .real(alpha)),
      "lora_unet_down_blocks_0_conv.lora_down.weight": random(mid ? [rank, 4, 1, 1] : [rank, 4, 3, 3], seed + 2),
      "lora_unet_down_blocks_0_conv.lora_up.weight": random([5, rank, 1, 1], seed + 3),
    ]
    if mid { tensors["lora_unet_down_blocks_0_conv.lora_mid.weight"] = random([rank, rank, 3, 3], seed + 4) }
    return try write(tensors, "lora-\(seed)")
  }

  private func plan(_ choices: [LoRAChoice], _ mode: LoRAMode = .fused, partial: Bool = false) throws -> LoRAPlan {
    try LoRAPlan(choices, parts: ["unet": weights], mode: mode, allowsPartial: partial)
  }

  private func outputs(_ plan: LoRAPlan?) throws -> (Tensor, Tensor, Net) {
    let source = plan?.adapted("unet", weights) ?? weights
    let net = try Weights.load(from: source) { Net($0) }.model
    return try withTensorErrors { (net.linear(random([3, 4], 90)), net.convolution(random([1, 4, 7, 7], 91)), net) }
  }

  private func gap(_ left: Tensor, _ right: Tensor) throws -> Double { try withTensorErrors { (left - right).abs().max() }.item() }

  @Test("several LoRAs, fused and live, against the formula", arguments: [false, true])
  func sums(mid: Bool) throws {
    let paths = [try lora(10, rank: 2, alpha: 1, mid: mid), try lora(20, rank: 3, alpha: 6)]
    let choices = [LoRAChoice(path: paths[0], scale: 0.7), LoRAChoice(path: paths[1], scale: -0.4)]
    let (fused, live) = (try outputs(plan(choices)), try outputs(plan(choices, .live)))
    // W + 0.7·(1/2)·B₁A₁ − 0.4·(6/3)·B₂A₂
    let expected = try withTensorErrors {
      let change = random([6, 2], 11).matmul(random([2, 4], 10)) * 0.35 + random([6, 3], 21).matmul(random([3, 4], 20)) * -0.8
      return try random([3, 4], 90).linear(
        weights.tensor("down_blocks.0.attn.to_q.weight") + change, bias: weights.tensor("down_blocks.0.attn.to_q.bias"))
    }
    #expect(try gap(fused.0, expected) < 1e-5 && gap(live.0, expected) < 1e-5)
    // The branch of a convolution, applied as a chain of convolutions.
    let sum = try withTensorErrors {
      let input = random([1, 4, 7, 7], 91)
      var first = input.conv2d(
        random(mid ? [2, 4, 1, 1] : [2, 4, 3, 3], 12), stride: mid ? [1, 1] : [2, 2], padding: mid ? [0, 0] : [1, 1])
      if mid { first = first.conv2d(random([2, 2, 3, 3], 14), stride: [2, 2], padding: [1, 1]) }
      let second = input.conv2d(random([3, 4, 3, 3], 22), stride: [2, 2], padding: [1, 1])
      return try input.conv2d(
        weights.tensor("down_blocks.0.conv.weight"), bias: weights.tensor("down_blocks.0.conv.bias"), stride: [2, 2], padding: [1, 1])
        + first.conv2d(random([5, 2, 1, 1], 13)) * 0.35 + second.conv2d(random([5, 3, 1, 1], 23)) * -0.8
    }
    #expect(try gap(fused.1, sum) < 1e-4 && gap(live.1, sum) < 1e-4)
    #expect(live.2.linear.form is LowRankLinear && live.2.convolution.form is LowRankConvolution)
    #expect(fused.2.linear.form is PlainLinear && fused.2.convolution.form is PlainConvolution)
    for mode in LoRAMode.allCases { try TensorSourceLaws.check(plan(choices, mode).adapted("unet", weights)) }
  }

  @Test func aScaleOfZeroChangesNothingAndWarns() throws {
    let none = try plan([LoRAChoice(path: try lora(10, rank: 2, alpha: 1), scale: 0)])
    #expect(none.notes.first?.contains("has a scale of 0 and changes nothing") == true && none.layerCount == 0)
    #expect(try outputs(none).0.hasBits(of: outputs(nil).0))
  }

  @Test func weightsWithoutAChangeStayInTheFile() throws {
    let path = try write(
      ["unet.down_blocks.0.attn.to_q.lora_A.weight": random([2, 4], 1), "unet.down_blocks.0.attn.to_q.lora_B.weight": random([6, 2], 2)],
      "one")
    let source = try plan([LoRAChoice(path: path)]).adapted("unet", weights)
    let name = "down_blocks.0.conv.weight"
    let stored = TensorDictionary(["down_blocks.0.attn.to_q.weight": random([6, 4], 1).to(.float16)])
    #expect(source.info(name) == weights.info(name))
    let half = try LoRAPlan([LoRAChoice(path: path)], parts: ["unet": stored]).adapted("unet", stored)
    // Sums in half precision would lose what small LoRAs change.
    #expect(half.info("down_blocks.0.attn.to_q.weight")?.dtype == .float32)
    #expect(try half.tensor("down_blocks.0.attn.to_q.weight").dtype == .float32)
  }

  @Test func anotherModelsLoRAIsRefusedWithItsKeys() throws {
    let other = try write(
      ["unet.up_blocks.9.to_k.lora_A.weight": random([2, 4], 1), "unet.up_blocks.9.to_k.lora_B.weight": random([6, 2], 2)], "other")
    let error = #expect(throws: FormatError.self) { try plan([LoRAChoice(path: other)]) }
    #expect(
      error?.origin == other && error?.reason.contains("for another model: none of its 1 modules fits unet: unet.up_blocks.9.to_k") == true)
    let shapes = try write(
      ["unet.down_blocks.0.attn.to_q.lora_A.weight": random([2, 5], 1), "unet.down_blocks.0.attn.to_q.lora_B.weight": random([6, 2], 2)],
      "shapes")
    let wrong = #expect(throws: FormatError.self) { try plan([LoRAChoice(path: shapes)]) }
    #expect(wrong?.reason.contains("factors [2, 5], [6, 2] for a weight [6, 4]") == true, "\(String(describing: wrong))")
  }

  @Test(
    "original names of transformers are told apart from other models' layers",
    arguments: ["lora_unet_double_blocks_0_img_attn_proj", "lora_unet_single_blocks_0_linear1", "lora_unet_joint_blocks_0_x_block_mlp_fc1"])
  func originalNamesOfTransformers(_ name: String) throws {
    let path = try write(["\(name).lora_down.weight": random([2, 4], 1), "\(name).lora_up.weight": random([6, 2], 2)], "original")
    let layers = TensorDictionary(["transformer_blocks.0.attn.to_q.weight": random([6, 4], 1)])
    let error = #expect(throws: FormatError.self) { try LoRAPlan([LoRAChoice(path: path)], parts: ["transformer": layers]) }
    let reason = try #require(error).reason
    #expect(reason.contains("'\(name)'") && reason.contains("not read yet") && !reason.contains("another model"), "\(reason)")
    // On a U-Net it is for another model indeed.
    let other = #expect(throws: FormatError.self) { try plan([LoRAChoice(path: path)]) }
    #expect(other?.reason.contains("for another model") == true)
  }

  @Test func partialFitsAreRefusedUnlessAllowed() throws {
    let path = try write(
      [
        "unet.down_blocks.0.attn.to_q.lora_A.weight": random([2, 4], 1), "unet.down_blocks.0.attn.to_q.lora_B.weight": random([6, 2], 2),
        "unet.nowhere.lora_A.weight": random([2, 4], 1), "unet.nowhere.lora_B.weight": random([6, 2], 2),
      ], "partial")
    let error = #expect(throws: FormatError.self) { try plan([LoRAChoice(path: path)]) }
    #expect(error?.reason.contains("1 of its 2 modules do not fit this model") == true && error?.reason.contains("unet.nowhere") == true)
    let allowed = try plan([LoRAChoice(path: path)], partial: true)
    #expect(allowed.notes.first?.contains("were left out: unet.nowhere") == true && allowed.layerCount == 1)
  }

  @Test("LoHa and LoKr, whole, as products and decomposed, are LyCORIS' weights; they are not kept live")
  func lycoris() throws {
    let fixture = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/lycoris").path
    let golden = try SafetensorsFile(path: fixture + "/weights.safetensors")
    let names = golden.names.filter { $0.hasPrefix("before.") }.map { String($0.dropFirst(7)) }
    let source = TensorDictionary(Dictionary(uniqueKeysWithValues: try names.map { ($0, try golden.tensor("before." + $0)) }))
    let choice = LoRAChoice(path: fixture + "/adapter.safetensors", scale: 0.5)
    let plan = try LoRAPlan([choice], parts: ["unet": source])
    #expect(plan.layerCount == names.count && names.count == 10)
    for name in names {
      let (own, before) = (try plan.adapted("unet", source).tensor(name), try source.tensor(name))
      let expected = try withTensorErrors { try (before + golden.tensor("after." + name)) * 0.5 }
      #expect(try own.shape == expected.shape && gap(own, expected) < 2e-6 * expected.abs().max().item(), "\(name)")
    }
    let error = #expect(throws: FormatError.self) { try LoRAPlan([choice], parts: ["unet": source], mode: .live) }
    #expect(error?.reason.contains("can be fused, not kept live") == true)
  }

  @Test("factors of LoHa and LoKr that do not fit are named with their shapes, incomplete and mixed ones with their keys")
  func wrongFactors() throws {
    let layer = "unet.down_blocks.0.attn.to_q"
    func reason(_ tensors: [String: [Int]]) throws -> String {
      let path = try write(tensors.reduce(into: [:]) { $0["\(layer).\($1.key)"] = random($1.value, 3) }, "wrong")
      return "\(try #require(#expect(throws: FormatError.self) { try plan([LoRAChoice(path: path)]) }).reason)"
    }
    let hada = ["hada_w1_a": [6, 2], "hada_w1_b": [2, 4], "hada_w2_a": [6, 2], "hada_w2_b": [2, 5]]
    #expect(try reason(hada).contains("[6, 2], [2, 4], [6, 2], [2, 5] for a weight [6, 4]"))
    #expect(try reason(["lokr_w1": [4, 2], "lokr_w2": [2, 2]]).contains("[4, 2], [2, 2] for a weight [6, 4]"))
    #expect(try reason(["lokr_w1": [2, 2], "lokr_w2": [3, 3]]).contains("for a weight [6, 4]"))
    #expect(try reason(["lokr_w1": [2, 2]]).contains("but not all factors"))
    #expect(
      try reason(["lokr_w1": [2, 2], "lokr_w1_a": [2, 1], "lokr_w1_b": [1, 2], "lokr_w2": [3, 2]]).contains("but not all factors"))
    #expect(try reason(["lokr_w1": [0, 2], "lokr_w2": [3, 2]]).contains("but not all factors"))
    #expect(try reason(["lokr_w1": [2, 2], "lora_A.weight": [2, 4], "lora_B.weight": [6, 2]]).contains("several kinds"))
  }

  @Test("a Kronecker product refuses weights that its side does not divide")
  func indivisible() throws {
    let factors = ["k.lokr_w1": random([2, 2], 1), "k.lokr_w2": random([3, 2], 2)]
    let keys = ["w1": "k.lokr_w1", "w2": "k.lokr_w2"]
    let form = try #require(KroneckerForm(keys: keys) { factors[$0]?.shape ?? [] })
    func change(_ weight: [Int]) throws -> Tensor { try form.change(weight) { try #require(factors[$0]) } }
    #expect(try change([6, 4]).shape == [6, 4])
    let error = #expect(throws: FormatError.self) { try change([7, 4]) }
    #expect(error?.reason.contains("does not divide a weight [7, 4]") == true)
  }

  @Test("DoRA is fused with its norms, and not kept live")
  func dora() throws {
    let path = try write(
      [
        "unet.down_blocks.0.attn.to_q.lora_A.weight": random([2, 4], 1), "unet.down_blocks.0.attn.to_q.lora_B.weight": random([6, 2], 2),
        "unet.down_blocks.0.attn.to_q.lora_magnitude_vector": Tensor.arange(1, end: 7, dtype: .float32),
      ], "dora")
    let weight = try plan([LoRAChoice(path: path)]).adapted("unet", weights).tensor("down_blocks.0.attn.to_q.weight")
    let norms = try withTensorErrors { weight.square().sum([1]).sqrt() }.scalars(Float.self)
    #expect(zip(norms, [1, 2, 3, 4, 5, 6] as [Float]).allSatisfy { abs($0 - $1) < 1e-5 }, "\(norms)")
    let error = #expect(throws: FormatError.self) { try plan([LoRAChoice(path: path)], .live) }
    #expect(error?.reason.contains("can be fused, not kept live") == true)
  }

  /// Layer in the model, name in the file.
  @Test(
    "names of layers in every naming",
    arguments: [
      ("transformer", "single_transformer_blocks.0.attn.to_q", "transformer.single_transformer_blocks.0.attn.to_q"),
      ("transformer", "transformer_blocks.0.attn.add_k_proj", "base_model.model.transformer_blocks.0.attn.add_k_proj"),
      ("transformer", "blocks.0.ff.net.0.proj", "lora_unet_blocks_0_ff_net_0_proj"),
      ("transformer", "blocks.0.ff.net.0.proj", "lora_transformer_blocks_0_ff_net_0_proj"),
      ("unet", "mid.attn1.to_out.0", "unet.mid.attn1.processor.to_out"), ("unet", "mid.attn1.to_k", "base_model.model.unet.mid.attn1.to_k"),
      ("text_encoder", "encoder.layers.0.self_attn.q_proj", "text_encoder.text_model.encoder.layers.0.self_attn.q_proj"),
      ("text_encoder", "text_model.encoder.layers.0.self_attn.q_proj", "text_encoder.encoder.layers.0.self_attn.q_proj"),
      ("text_encoder", "text_model.encoder.layers.0.self_attn.out_proj", "text_encoder.text_model.encoder.layers.0.self_attn.to_out"),
      ("text_encoder", "encoder.layers.0.mlp.fc1", "lora_te_text_model_encoder_layers_0_mlp_fc1"),
      ("text_encoder_2", "text_model.encoder.layers.0.mlp.fc1", "lora_te2_text_model_encoder_layers_0_mlp_fc1"),
    ])
  func namesOfLayers(_ part: String, _ layer: String, _ name: String) throws {
    let ending = name.hasPrefix("lora_") ? ("lora_down", "lora_up") : ("lora_A", "lora_B")
    let path = try write(["\(name).\(ending.0).weight": random([2, 4], 1), "\(name).\(ending.1).weight": random([6, 2], 2)], "named")
    let source = TensorDictionary(["\(layer).weight": random([6, 4], 1)])
    let plan = try LoRAPlan([LoRAChoice(path: path)], parts: [part: source])
    #expect(plan.layerCount == 1 && plan.adapted(part, source).info("\(layer).weight")?.dtype == .float32)
    #expect(try !plan.adapted(part, source).tensor("\(layer).weight").hasBits(of: source.tensor("\(layer).weight")))
    // A part of another name has no such layer.
    #expect(throws: FormatError.self) { try LoRAPlan([LoRAChoice(path: path)], parts: ["vae": source]) }
  }

  @Test func choicesAsTheyAreWritten() throws {
    #expect(try LoRAChoice(parsing: "a.safetensors") == LoRAChoice(path: "a.safetensors", scale: 1))
    #expect(try LoRAChoice(parsing: "a:b.safetensors:-0.5") == LoRAChoice(path: "a:b.safetensors", scale: -0.5))
    #expect(try LoRAChoice(parsing: "c:/x") == LoRAChoice(path: "c:/x", scale: 1))
    #expect(throws: FormatError.self) { try LoRAChoice(parsing: "a:inf") }
  }

  /// PEFT's files of one part do not say which: of two text encoders it is the one whose shapes fit.
  @Test func peftFilesFindTheirEncoder() throws {
    let name = "text_model.encoder.layers.0.self_attn.q_proj"
    let path = try write(
      ["base_model.model.\(name).lora_A.weight": random([2, 6], 1), "base_model.model.\(name).lora_B.weight": random([6, 2], 2)], "peft")
    func encoder(_ width: Int) -> TensorDictionary { TensorDictionary(["\(name).weight": random([width, width], 3)]) }
    let (narrow, wide) = (encoder(4), encoder(6))
    for (first, second) in [(narrow, wide), (wide, narrow)] {
      let plan = try LoRAPlan([LoRAChoice(path: path)], parts: ["text_encoder": first, "text_encoder_2": second])
      #expect(plan.layerCount == 1)
      let changed = [("text_encoder", first), ("text_encoder_2", second)].filter { part, source in
        plan.adapted(part, source) is TensorDictionary == false
      }
      #expect(changed.map(\.0) == [first.info("\(name).weight")?.shape == [6, 6] ? "text_encoder" : "text_encoder_2"])
    }
    #expect(throws: FormatError.self) {
      try LoRAPlan([LoRAChoice(path: path)], parts: ["text_encoder": narrow, "text_encoder_2": encoder(8)])
    }
  }
}
