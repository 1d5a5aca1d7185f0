import Foundation
import QuickstepFormats
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

@Suite struct PNGTests {
  @Test(arguments: ["grey8", "grey1", "grey_alpha", "rgb", "rgb_transparent", "palette", "rgba_texts", "rgb16", "interlaced"])
  func decodesAsPillowDoes(name: String) throws {
    let expected = try SafetensorsFile(path: fixtures + "/png_expected.safetensors")
    let image = try PNG.read("\(fixtures)/\(name).png").image.withAlpha()
    #expect([image.height, image.width, 4] == expected.info(name)?.shape)
    #expect(image.pixels == [UInt8](try expected.bytes(name)))
  }

  @Test func readsAllKindsOfText() throws {
    let file = try PNG.read(fixtures + "/rgba_texts.png")
    #expect(file.text("parameters")?.hasPrefix("a café\nNegative prompt: blurry\nSteps: 20") == true)
    #expect(file.text("wide") == "狐 🦊 fox")
    #expect(file.text("long") == String(repeating: "quick step ", count: 300))
    #expect(file.text("compressed") == String(repeating: "ночь ", count: 200))
  }

  @Test func roundTrip() throws {
    var generator = SeededGenerator(state: 3)
    for (width, height, channels) in [(1, 1, 3), (7, 3, 4), (64, 65, 3)] {
      let pixels = (0..<(width * height * channels)).map { _ in UInt8.random(in: 0...255, using: &generator) }
      let image = try PixelImage(width: width, height: height, channels: channels, pixels: pixels)
      let text = [PNGText("parameters", "line\nSteps: é"), PNGText("quickstep", "{\"狐\": 1}"), PNGText("empty", "")]
      let file = try PNG.decode(try PNG.encode(image, text: text), name: "test")
      #expect(file.image == image)
      #expect(file.text == text)
    }
  }

  @Test func latin1TextIsPlainAndOtherTextIsInternational() throws {
    let image = PixelImage(width: 1, height: 1, fill: .black)
    let plain = try PNG.encode(image, text: [PNGText("parameters", "café")])
    #expect(plain.contains("tEXtparameters\0caf".utf8) && !plain.contains("iTXt".utf8))
    #expect(try PNG.encode(image, text: [PNGText("parameters", "狐")]).contains("iTXtparameters\0\0\0\0\0狐".utf8))
  }

  @Test func refusesBadTextKeysAndValues() {
    let image = PixelImage(width: 1, height: 1, fill: .white)
    for key in ["", " a", "a ", "a  b", "狐", "a\nb", String(repeating: "k", count: 80)] {
      #expect(throws: FormatError.self) { try PNG.encode(image, text: [PNGText(key, "v")]) }
    }
    #expect(throws: FormatError.self) { try PNG.encode(image, text: [PNGText("k", "a\0b")]) }
  }

  @Test func refusesPicturesBeyondTheLimits() throws {
    let bytes = try PNG.encode(PixelImage(width: 40, height: 30, fill: .white))
    var limits = PNG.Limits()
    limits.pixels = 1199
    let error = #expect(throws: FormatError.self) { try PNG.decode(bytes, name: "big", limits: limits) }
    #expect(error?.description.contains("40 x 30") == true)
    limits.pixels = 1200
    #expect(try PNG.decode(bytes, name: "big", limits: limits).image.width == 40)
    limits.width = 39
    #expect(throws: FormatError.self) { try PNG.decode(bytes, name: "big", limits: limits) }
  }

  @Test func everyShorterFileIsRefused() throws {
    let bytes = try fixture("rgba_texts.png")
    for count in 0..<bytes.count {
      #expect(throws: FormatError.self) { try PNG.decode(Array(bytes[..<count]), name: "cut") }
    }
  }

  @Test(arguments: ["grey1", "palette", "rgb_transparent", "rgba_texts", "rgb16", "interlaced"])
  func damagedFilesAreReadOrRefused(name: String) throws {
    try survive(try fixture(name + ".png"), cases: 1000, repair: withRightChecksums) { bytes in
      var limits = PNG.Limits()
      limits.pixels = 1 << 20
      _ = try PNG.decode(bytes, name: name, limits: limits)
    }
  }

  @Test func writesFilesWholeOrNotAtAll() throws {
    let folder = try TemporaryFolder()
    let image = PixelImage(width: 2, height: 2, fill: RGBColor(1, 2, 3))
    #expect(throws: FormatError.self) { try PNG.write(image, to: folder.path + "/new/a.png") }
    try PNG.write(image, to: folder.path + "/new/a.png", makeFolder: true)
    try PNG.write(image, to: folder.path + "/new/a.png")
    #expect(try PNG.read(folder.path + "/new/a.png").image == image)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path + "/new") == ["a.png"])
  }
}

/// Recomputes the checksum of every chunk whose length still makes sense.
private func withRightChecksums(_ bytes: [UInt8]) -> [UInt8] {
  var result = bytes
  var position = 8
  while position + 12 <= result.count {
    let length = result[position..<(position + 4)].reduce(0) { $0 << 8 | Int($1) }
    guard length <= result.count - position - 12 else { break }
    let end = position + 8 + length
    var crc: UInt32 = .max
    for byte in result[(position + 4)..<end] {
      crc ^= UInt32(byte)
      for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
    }
    crc = ~crc
    for index in 0..<4 { result[end + index] = UInt8(truncatingIfNeeded: crc >> UInt32(24 - 8 * index)) }
    position = end + 4
  }
  return result
}
