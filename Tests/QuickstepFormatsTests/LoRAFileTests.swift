import QuickstepFormats
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

@Suite struct LoRAFileTests {
  private let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  private func file(_ keys: [String: Tensor], metadata: [String: String] = [:], name: String = "l.safetensors") throws -> LoRAFile {
    let path = folder.path + "/" + name
    try SafetensorsWriter.write(keys.map { (name: $0.key, tensor: $0.value) }, metadata: metadata, to: path)
    return try LoRAFile(path: path)
  }

  private static let down = Tensor.ones([2, 3])
  private static let up = Tensor.ones([4, 2])

  @Test(arguments: [
    ("unet.a.to_q.lora_A.weight", "unet.a.to_q.lora_B.weight", "unet.a.to_q"),
    ("base_model.model.a.to_q.lora_A.weight", "base_model.model.a.to_q.lora_B.weight", "base_model.model.a.to_q"),
    ("unet.a.processor.to_q_lora.down.weight", "unet.a.processor.to_q_lora.up.weight", "unet.a.processor.to_q"),
    ("unet.a.to_q.lora.down.weight", "unet.a.to_q.lora.up.weight", "unet.a.to_q"),
    ("te.q.lora_linear_layer.down.weight", "te.q.lora_linear_layer.up.weight", "te.q"),
    ("lora_unet_a_to_q.lora_down.weight", "lora_unet_a_to_q.lora_up.weight", "lora_unet_a_to_q"),
  ])
  func spellings(_ down: String, _ up: String, _ name: String) throws {
    let file = try file([down: Self.down, up: Self.up])
    let module = try #require(file.modules.first)
    #expect(file.modules.count == 1 && module.name == name && module.form.rank == 2 && module.scaling == 1)
    let form = try #require(module.form as? LowRankForm)
    #expect(form.down == down && form.up == up && file.shape(up) == [4, 2])
    #expect(file.notes.isEmpty == !name.hasPrefix("base_model"))
  }

  @Test func alphas() throws {
    func scaling(_ alpha: Tensor) throws -> Double? {
      try file(["x.lora_down.weight": Self.down, "x.lora_up.weight": Self.up, "x.alpha": alpha]).modules.first?.scaling
    }
    #expect(try scaling(.full([], fillValue: 3)) == 1.5 && scaling(.full([1], fillValue: 1)) == 0.5)
    #expect(try scaling(.full([], fillValue: 0)) == 0)
    let error = #expect(throws: FormatError.self) { try scaling(.ones([2])) }
    #expect(error?.reason.contains("expected one finite number") == true)
    #expect(throws: FormatError.self) { try scaling(.full([], fillValue: .real(.infinity))) }
  }

  @Test func settingsBesideTheFile() throws {
    let keys = ["a.b.lora_A.weight": Self.down, "a.b.lora_B.weight": Self.up, "a.c.lora_A.weight": Self.down, "a.c.lora_B.weight": Self.up]
    try folder.write(#"{"peft_type":"LORA","lora_alpha":8,"r":2,"alpha_pattern":{"c":2},"bias":"none"}"#, to: "adapter_config.json")
    #expect(try file(keys).modules.map(\.scaling) == [4, 1])
    try folder.write(#"{"lora_alpha":8,"use_rslora":true}"#, to: "adapter_config.json")
    #expect(try file(keys).modules.map(\.scaling) == [8 / 2.0.squareRoot(), 8 / 2.0.squareRoot()])
    // As PEFT writes it.
    let common =
      #"{"lora_alpha":8,"init_lora_weights":"gaussian","fan_in_fan_out":false,"use_qalora":false,"use_rslora":null,"qalora_group_size":16}"#
    try folder.write(common, to: "adapter_config.json")
    #expect(try file(keys).modules.map(\.scaling) == [4, 4])
    for (text, reason) in [
      (#"{"peft_type":"OFT"}"#, "'peft_type' is 'OFT'"), (#"{"peft_type":"LOKR","rank_pattern":{"a":2}}"#, "'rank_pattern' of a LOKR"),
      (#"{"bias":"all"}"#, "'bias' is 'all'"),
      (#"{"modules_to_save":["x"]}"#, "'modules_to_save'"), (#"{"alpha_pattern":{"c.*":2}}"#, "alpha_pattern"),
      (#"{"lora_alpha":"8"}"#, "'lora_alpha' is \"8\"; expected a number"),
      (#"{"init_lora_weights":"pissa_niter_16"}"#, "'init_lora_weights' is 'pissa_niter_16'"),
      (#"{"init_lora_weights":"OLoRA"}"#, "'init_lora_weights' is 'olora'"), (#"{"init_lora_weights":"loftq"}"#, "is 'loftq'"),
      (#"{"init_lora_weights":"corda"}"#, "is 'corda'"), (#"{"init_lora_weights":"lora_ga"}"#, "is 'lora_ga'"),
      (#"{"fan_in_fan_out":true}"#, "'fan_in_fan_out' is true"), (#"{"use_qalora":true}"#, "'use_qalora' is true"),
      (#"{"use_rslora":"yes"}"#, "'use_rslora' is \"yes\"; expected true or false"),
      (#"{"alora_invocation_tokens":[3]}"#, "'alora_invocation_tokens' is [3]"),
    ] {
      try folder.write(text, to: "adapter_config.json")
      let error = #expect(throws: FormatError.self) { try file(keys) }
      #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
    }
  }

  @Test func settingsInTheMetadata() throws {
    let keys = ["unet.a.lora_A.weight": Self.down, "unet.a.lora_B.weight": Self.up]
    #expect(try file(keys, metadata: ["lora_adapter_metadata": #"{"unet.lora_alpha":6,"unet.r":2}"#]).modules.first?.scaling == 3)
    let error = #expect(throws: FormatError.self) {
      try file(keys, metadata: ["lora_adapter_metadata": #"{"unet.r":2,"unet.init_lora_weights":"pissa"}"#])
    }
    #expect(error?.description.contains("'unet.init_lora_weights' is 'pissa'") == true, "\(String(describing: error))")
  }

  @Test(arguments: [
    ("x.hada_w1_a", "but not all factors"), ("x.lokr_w1", "but not all factors"), ("x.hada_w3", "LoHa"), ("x.lokr_t1", "LoKr"),
    ("x.oft_blocks", "OFT"), ("x.lora_B.bias", "biases"), ("x.diff", "full differences"),
    ("x.weight", "no factor of a LoRA"), ("x.lora_A.weight", "but not all factors"),
  ])
  func refusesOthersByName(_ key: String, _ reason: String) throws {
    let error = #expect(throws: FormatError.self) { try file([key: Self.down]) }
    #expect(error?.reason.contains(reason) == true, "\(String(describing: error))")
  }

  @Test func refusesWrongTypesAndRepeats() throws {
    let whole = #expect(throws: FormatError.self) {
      try file(["x.lora_A.weight": Tensor.ones([2, 3]).to(.int64), "x.lora_B.weight": Self.up])
    }
    #expect(whole?.reason.contains("is of type int64") == true)
    let twice = #expect(throws: FormatError.self) {
      try file(["x.lora_A.weight": Self.down, "x.lora_down.weight": Self.down, "x.lora_B.weight": Self.up])
    }
    #expect(twice?.reason.contains("twice") == true)
    #expect(throws: FormatError.self) { try file([:]) }
  }
}
