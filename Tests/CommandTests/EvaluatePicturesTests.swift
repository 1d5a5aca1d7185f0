import Foundation
import QuickstepFormats
import Testing

@Suite struct EvaluatePicturesTests {
  /// Two folders of four pictures and a third one that is worse.
  private static func workplace() throws -> Workplace {
    let place = try Workplace()
    for number in 0..<4 {
      for (folder, noise) in [("exact", 0), ("good", 4), ("bad", 90)] {
        let pixels = (0..<(24 * 20 * 3)).map { index -> UInt8 in
          let noisy = noise == 0 ? 0 : (index &* 2_654_435_761 &+ number &* 97) >> 8 % noise
          return UInt8(clamping: 60 + (index / 3 % 24) * 4 + number * 10 + noisy)
        }
        let image = try PixelImage(width: 24, height: 20, channels: 3, pixels: pixels)
        try place.write(try PNG.encode(image), "\(folder)/\(number).png")
      }
    }
    return place
  }

  @Test func pairsAreMeasuredAndWhatCannotBeIsNamed() throws {
    let result = try Self.workplace().run("evaluate", "pictures", "good", "--reference", "exact", "--json")
    #expect(result.status == 0, "\(result.errors)")
    let figures = try #require(try result.json()["figures"]?.array)
    #expect(figures.compactMap { $0["metric"]?.string } == ["psnr", "ssim"])
    #expect(figures.allSatisfy { $0["count"] == .integer(4) && $0["interval"]?.array?.count == 2 && $0["better"] == .string("higher") })
    #expect(result.errors.contains("left out: metric 'ms-ssim' needs sides of at least 161"))
  }

  @Test func aBaselineTellsLosses() throws {
    let place = try Self.workplace()
    let options = ["--reference", "exact", "--metric", "ssim", "--json"]
    func loss(_ run: [String]) throws -> JSONValue? {
      let result = try place.run(["evaluate", "pictures"] + run + options)
      #expect(result.status == 0, "\(result.errors)")
      return try result.json()["figures"]?.array?.first?["loss"]
    }
    let worse = try loss(["bad", "--baseline", "good"])
    #expect(worse?["verdict"] == .string("loss") && (worse?["value"]?.double ?? 0) > 0)
    #expect(try loss(["good", "--baseline", "bad"])?["verdict"] == .string("no significant loss"))
    #expect(try loss(["bad", "--baseline", "good", "--margin", "2"])?["verdict"] == .string("no significant loss"))
    let table = try place.run("evaluate", "pictures", "bad", "--baseline", "good", "--reference", "exact")
    #expect(table.output.contains("loss against the baseline") && table.output.contains("permutation"))
  }

  @Test func mistakesAreExplained() throws {
    let place = try Self.workplace()
    func errors(_ arguments: String...) throws -> String {
      let result = try place.run(["evaluate", "pictures"] + arguments)
      #expect(result.status != 0)
      return result.errors
    }
    #expect(try errors("good").contains("needs a reference"))
    #expect(try errors("none").contains("none: is no folder"))
    #expect(try errors("good", "--reference", "exact", "--metric", "frechet").contains("needs one of the networks"))
    #expect(try errors("good", "--reference", "exact", "--metric", "sim").contains("did you mean 'ssim'"))
    #expect(try errors("good", "--reference", "exact", "--net", "resnet:x").contains("no network is called 'resnet'"))
    #expect(try errors("good", "--reference", "exact", "--net", "squeezenet:none.safetensors").contains("none.safetensors"))
    #expect(try errors("good", "--reference", "exact", "--metric", "ssim", "--metric", "ssim").contains("twice"))
    #expect(try errors("good", "--reference", "exact", "--margin", "1").contains("no effect without --baseline"))
    try place.write(PNG.encode(PixelImage(width: 9, height: 9, fill: .white)), "good/9.png")
    #expect(try errors("good", "--reference", "exact").contains("good/9.png: has 9×9 pixels"))
  }

  @Test func metricsAndNetworksAreListed() throws {
    let list = try Workplace().run("evaluate", "metrics", "--json").json()
    let names = try #require(list["metrics"]?.array).compactMap { $0["name"]?.string }
    #expect(Set(["psnr", "ms-ssim", "kernel", "precision"]).isSubset(of: names))
    let table = try Workplace().run("evaluate", "metrics")
    #expect(table.status == 0)
    for name in names { #expect(table.output.contains("  \(name) ")) }
  }
}
