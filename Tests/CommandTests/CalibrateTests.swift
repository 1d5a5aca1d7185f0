import Foundation
import QuickstepFormats
import Testing

@Suite struct CalibrateTests {
  private static let models = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Models").path

  /// Sixteen pictures of the digit model's size.
  private func place() throws -> Workplace {
    let place = try Workplace()
    for number in 0..<16 {
      let pixels = (0..<(28 * 28 * 3)).map { index in UInt8(truncatingIfNeeded: ((index / 3 + number * 8191) &* 2_654_435_761) >> 12) }
      let image = try PixelImage(width: 28, height: 28, channels: 3, pixels: pixels)
      try place.write(try PNG.encode(image), "pictures/\(number).png")
    }
    return place
  }

  private func gaussian(_ place: Workplace, _ more: [String]) throws -> CommandResult {
    try place.run(
      ["calibrate", "gaussian", "--model", "digits", "--pictures", "pictures", "--rank", "2"] + more,
      environment: ["QUICKSTEP_MODELS": Self.models])
  }

  @Test("pictures take the place of runs, and options about runs have no effect beside them")
  func pictures() throws {
    let place = try place()
    for idle in [["7"], ["--prompts", "words.txt"], ["--samples", "9"], ["-n", "3"], ["-g", "2"], ["--seed", "1"], ["--batch", "2"]] {
      let result = try gaussian(place, ["-o", "out.safetensors"] + idle)
      #expect(result.status != 0 && result.errors.contains("has no effect with --pictures"), "\(idle): \(result.errors)")
    }
    #expect(!FileManager.default.fileExists(atPath: place.path + "/out.safetensors"))
    let alone = try gaussian(place, ["-o", "out/deep.safetensors"])
    #expect(alone.status == 0 && alone.output.contains("16 samples"), "\(alone.errors)")
    #expect(FileManager.default.fileExists(atPath: place.path + "/out/deep.safetensors"))
  }

  @Test func aPathThatCannotBeWrittenIsToldBeforehand() throws {
    let place = try place()
    try place.write("what somebody wrote", "notes")
    // The model is not looked for any more.
    let result = try place.run("calibrate", "olss", "7", "--model", "nowhere", "-o", "notes/plan.json")
    #expect(result.status != 0 && result.errors.contains("--output 'notes/plan.json' cannot be written"), "\(result.errors)")
  }
}
