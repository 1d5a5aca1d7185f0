import Foundation
import QuickstepFormats
import QuickstepTensor
import QuickstepTesting
import Testing

/// LoRAs, replaced parts and single files through the program.
@Suite struct AlterationTests {
  private let place: Workplace
  private static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("QuickstepPipelinesTests/Fixtures").path
  private static let model = fixtures + "/sd"
  private static let layer = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"

  init() throws { place = try Workplace() }

  private func forward(_ options: String...) throws -> (result: CommandResult, output: Tensor?) {
    try place.write(
      ["sample": .ones([1, 4, 8, 8]), "timestep": .full([1], fillValue: 10), "encoder_hidden_states": .ones([1, 3, 12])], "in.safetensors")
    let common = ["forward", Self.model, "--component", "unet", "--inputs", "in.safetensors", "--output", "out.safetensors"]
    let result = try place.run(common + options)
    return (result, result.status == 0 ? try SafetensorsFile(path: place.path + "/out.safetensors").tensor("sample") : nil)
  }

  @Test func loRAsFusedAndLive() throws {
    try place.write(["\(Self.layer).lora_A.weight": .ones([2, 8]), "\(Self.layer).lora_B.weight": .ones([8, 2])], "l.safetensors")
    let plain = try #require(try forward().output)
    let fused = try #require(try forward("--lora", "l.safetensors:0.5").output)
    let live = try #require(try forward("--lora", "l.safetensors:0.25", "--lora", "l.safetensors:0.25", "--lora-mode", "live").output)
    #expect(try withTensorErrors { (fused - plain).abs().max() }.item() > 1e-3)
    #expect(try withTensorErrors { (fused - live).abs().max() }.item() < 1e-4)
    let none = try forward("--lora", "l.safetensors:0")
    #expect(none.result.errors.contains("has a scale of 0 and changes nothing"))
  }

  @Test func whatDoesNotFitIsRefusedBeforeTheRun() throws {
    try place.write(["unet.x.to_q.lora_A.weight": .ones([2, 8]), "unet.x.to_q.lora_B.weight": .ones([8, 2])], "other.safetensors")
    let other = try forward("--lora", "other.safetensors").result
    #expect(other.status == 1 && other.errors.contains("is a LoRA for another model") && other.errors.contains("unet.x.to_q"))
    #expect(try !FileManager.default.contentsOfDirectory(atPath: place.path).contains("out.safetensors"))
    let generate = try place.run("generate", "a", "--model", Self.model, "--lora", "other.safetensors", "-o", "p.png")
    #expect(generate.status == 1 && generate.errors.contains("is a LoRA for another model"))
    #expect(try !FileManager.default.contentsOfDirectory(atPath: place.path).contains("p.png"))
    let twice = try forward("--replace", "unet=a", "--replace", "unet=b").result
    #expect(twice.status == 64 && twice.errors.contains("twice"))
    #expect(try forward("--replace", "unet").result.status == 64)
    #expect(try forward("--lora-mode", "live").result.errors.contains("--lora-mode has no effect without --lora"))
    #expect(try forward("--lora", "l", "--lora-mode", "melted").result.status == 64)
    #expect(try forward("--prediction", "x0").result.status == 64)
    let vae = try forward("--replace", "transformer=x").result
    #expect(vae.status == 1 && vae.errors.contains("has no part 'transformer' to replace; it has text_encoder, unet, vae"))
  }

  @Test func optionsThatWouldChangeARepeatedPictureAreRefused() throws {
    let result = try place.run("generate", "--from-image", "p.png", "--lora", "l.safetensors")
    #expect(result.status == 64 && result.errors.contains("--lora would change the picture"))
  }

  @Test func aPictureMadeWithALoRAIsRepeated() throws {
    try place.write(["\(Self.layer).lora_A.weight": .ones([2, 8]), "\(Self.layer).lora_B.weight": .ones([8, 2])], "l.safetensors")
    let made = try place.run(
      "generate", "mars", "--model", Self.model, "--lora", "l.safetensors:0.5", "--steps", "2", "--seed", "5", "-o", "a.png")
    #expect(made.status == 0, "\(made.errors)")
    let again = try place.run("generate", "--from-image", "a.png", "--model", Self.model, "-o", "b.png")
    #expect(again.status == 0 && !again.errors.contains("have changed"), "\(again.errors)")
    #expect(try PNG.read(place.path + "/a.png").image == PNG.read(place.path + "/b.png").image)
  }

  @Test func picklesAsModelsAreRefusedWithTheWayOut() throws {
    try place.write([0x80, 0x02, 0x7D, 0x71, 0x00, 0x2E], "old.ckpt")
    for arguments in [
      ["generate", "a", "--model", "old.ckpt"], ["forward", "old.ckpt", "--component", "unet", "--inputs", "x", "--output", "y"],
    ] {
      let result = try place.run(arguments)
      #expect(
        result.status == 1 && result.errors.contains("is a Python pickle") && result.errors.contains("weights_only=True"),
        "\(result.errors)")
    }
    let lora = try forward("--lora", "old.ckpt").result
    #expect(lora.status == 1 && lora.errors.contains("is a Python pickle"))
  }
}
