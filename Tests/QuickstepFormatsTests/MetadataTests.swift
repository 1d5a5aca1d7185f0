import QuickstepFormats
import Testing

@Suite struct MetadataTests {
  private let usual = [
    GenerationParameters.Field("Steps", "20"), .init("Sampler", "Euler a"), .init("Schedule type", "Karras"), .init("CFG scale", "7"),
    .init("Seed", "42"), .init("Size", "512x768"),
  ]

  @Test func writesTheUsualForm() throws {
    var parameters = GenerationParameters(prompt: "a fox,\nin snow", negativePrompt: "blurry")
    parameters.steps = 20
    parameters.sampler = "Euler a"
    parameters.guidanceScale = 7
    parameters.seed = .max
    parameters.size = (512, 768)
    parameters.model = "tiny, v1"
    let expected = """
      a fox,
      in snow
      Negative prompt: blurry
      Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 18446744073709551615, Size: 512x768, Model: "tiny, v1"
      """
    #expect(try parameters.text() == expected)
    let read = GenerationParameters(parsing: expected)
    #expect(read == parameters)
    #expect(read.size?.width == 512 && read.size?.height == 768 && read.guidanceScale == 7)
  }

  @Test func readsWhatOtherProgramsWrite() {
    let text = """
      <lora:snow:0.8> fox (red:1.2)
      Negative prompt: worst quality,
      extra fingers
      Steps: 28, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 6.5, Seed: 1234, Size: 832x1216, Model hash: abcdef1234, \
      Model: my_model, Lora hashes: "snow: 0123abcd, other: \\"q\\"", ADetailer prompt: "a, b: c\\n狐", Version: v1.10.1
      """
    let read = GenerationParameters(parsing: text)
    #expect(read.prompt == "<lora:snow:0.8> fox (red:1.2)")
    #expect(read.negativePrompt == "worst quality,\nextra fingers")
    #expect(read["Lora hashes"] == "snow: 0123abcd, other: \"q\"")
    #expect(read["ADetailer prompt"] == "a, b: c\n狐")
    #expect(read["Version"] == "v1.10.1" && read.steps == 28 && read.modelHash == "abcdef1234" && read.guidanceScale == 6.5)
  }

  @Test func textWithoutParametersIsAPrompt() {
    #expect(GenerationParameters(parsing: "just a fox: red, quick").prompt == "just a fox: red, quick")
    #expect(GenerationParameters(parsing: "").prompt == "")
    #expect(GenerationParameters(parsing: "\n\n").fields.isEmpty)
  }

  @Test func refusesWhatReadersWouldMisunderstand() {
    #expect(throws: FormatError.self) { try GenerationParameters(prompt: "fox", fields: Array(usual.prefix(2))).text() }
    for name in ["", "a", "a:b", "a,b", " ab", "ab ", "a\nb", "Quickstep prompt"] {
      #expect(throws: FormatError.self) { try GenerationParameters(prompt: "fox", fields: usual + [.init(name, "1")]).text() }
    }
  }

  @Test func subscriptKeepsOrderAndRemoves() {
    var parameters = GenerationParameters(prompt: "", fields: usual)
    parameters["Sampler"] = "DDIM"
    parameters["New"] = "x"
    parameters.seed = nil
    #expect(parameters.fields.map(\.name) == ["Steps", "Sampler", "Schedule type", "CFG scale", "Size", "New"])
    #expect(parameters.sampler == "DDIM" && parameters.seed == nil)
  }

  /// Prompts glued from the pieces most likely to confuse a reader.
  @Test func anyPromptAndValueComeBackExactly() throws {
    let pieces = [
      "a fox", "\n", "\r\n", "\n\n", " ", "\t", ",", ":", "\"", "\\", "Negative prompt:", "Negative prompt: x", "\nNegative prompt: y\n",
      "Steps: 20, Sampler: Euler, CFG scale: 7, Seed: 1", "\nSteps: 1, Sampler: x, Size: 1x1", "狐🦊", "e\u{301}", "\u{E9}", "\u{2028}",
      "\u{85}",
      "\u{0}", "\u{1}", "(red:1.2)", "Steps:", "\\n", "\"a, b\"", "\u{A0}", "Quickstep prompt: \"x\"", "'", "{}", "½",
    ]
    var generator = SeededGenerator(state: 5)
    func glued() -> String {
      (0..<Int.random(in: 0...6, using: &generator)).map { _ in pieces.randomElement(using: &generator) ?? "" }.joined()
    }
    for _ in 0..<3000 {
      let extra = [GenerationParameters.Field("Extra field/1-2", glued()), .init("Template", glued())]
      let parameters = GenerationParameters(prompt: glued(), negativePrompt: glued(), fields: usual + extra)
      let text = try parameters.text()
      let read = GenerationParameters(parsing: text)
      #expect(read == parameters, "\(JSONValue.quoted(text))")
      #expect(try read.text() == text)
    }
  }

  @Test func anyTextIsReadAsSomething() throws {
    let text = try GenerationParameters(prompt: "a\nb", negativePrompt: "c", fields: usual + [.init("Note", "x, \"y\"\n")]).text()
    try survive(Array(text.utf8), cases: 3000) { _ = GenerationParameters(parsing: String(decoding: $0, as: UTF8.self)) }
  }
}
