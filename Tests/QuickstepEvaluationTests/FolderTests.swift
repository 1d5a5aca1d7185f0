import Foundation
import QuickstepEvaluation
import QuickstepFormats
import QuickstepTensor
import QuickstepTesting
import Testing

/// The message of the `FormatError` that `body` throws.
private func formatProblem(_ body: () throws -> Void) -> String? {
  do { try body() } catch let error as FormatError { return error.description } catch {}
  return nil
}

/// A picture whose pixels tell its number.
private func png(_ number: UInt8, width: Int = 12, height: Int = 16) throws -> [UInt8] {
  let pixels = (0..<(width * height * 3)).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ Int(number) &* 40) }
  return try PNG.encode(try PixelImage(width: width, height: height, channels: 3, pixels: pixels))
}

@Suite("Folders of pictures") struct FolderTests {
  @Test("Pictures alone, in the order of their names") func plain() throws {
    let folder = try TemporaryFolder()
    for number in [2, 0, 1] { try folder.write(png(UInt8(number)), to: String(format: "%05d.png", number)) }
    let pictures = try PictureFolder(path: folder.path)
    #expect(pictures.names == ["00000.png", "00001.png", "00002.png"])
    #expect((pictures.width, pictures.height) == (12, 16))
    #expect(pictures.prompts.isEmpty && pictures.promptGroups == nil)
    let part = try pictures.pictures(1..<3)
    #expect(part.shape == [2, 3, 16, 12])
    let expected = try PNG.decode(png(2), name: "").image.tensor()
    #expect(try withTensorErrors { (part.select(0, index: 1) - expected).abs().max() }.item() == 0)
  }

  @Test("Lines that name pictures, and lines that do not") func metadata() throws {
    let folder = try TemporaryFolder()
    for number in 0..<3 { try folder.write(png(UInt8(number)), to: "\(number).png") }
    try folder.write(
      """
      {"file_name": "2.png", "prompt": "a fox", "seed": 7, "class": 3, "tag": "x"}
      {"file_name": "0.png", "text": "an owl"}
      {"file_name": "1.png", "caption": "a fox"}
      """, to: "metadata.jsonl")
    let pictures = try PictureFolder(path: folder.path)
    #expect(pictures.names == ["2.png", "0.png", "1.png"])
    #expect(pictures.prompts == ["a fox", "an owl", "a fox"])
    #expect(pictures.promptGroups == [0, 1, 0])
    #expect(pictures.entries[0].seed == 7 && pictures.entries[0].label == "3")
    #expect(pictures.entries[0].further["tag"] == .string("x"))
    try folder.write("{\"prompt\": \"one\"}\n{\"prompt\": \"two\"}\n{\"prompt\": \"three\"}\n", to: "metadata.jsonl")
    #expect(try PictureFolder(path: folder.path).prompts == ["one", "two", "three"])
  }

  @Test("GenEval's folders of prompts, and folders of classes") func nested() throws {
    let prompts = try TemporaryFolder()
    for (index, prompt) in ["a bench", "two cows"].enumerated() {
      try prompts.write("{\"tag\": \"single\", \"prompt\": \"\(prompt)\"}", to: "0000\(index)/metadata.jsonl")
      for sample in 0..<2 { try prompts.write(png(UInt8(sample)), to: "0000\(index)/samples/0000\(sample).png") }
    }
    let pictures = try PictureFolder(path: prompts.path)
    #expect(pictures.names == ["00000/samples/00000.png", "00000/samples/00001.png", "00001/samples/00000.png", "00001/samples/00001.png"])
    #expect(pictures.prompts == ["a bench", "a bench", "two cows", "two cows"])
    let classes = try TemporaryFolder()
    for name in ["7", "3"] { try classes.write(png(1), to: "\(name)/a.png") }
    #expect(try PictureFolder(path: classes.path).entries.map(\.label) == ["3", "7"])
  }

  @Test("What does not fit is refused, naming the file") func badInput() throws {
    let folder = try TemporaryFolder()
    func message(_ files: [String: [UInt8]], _ lines: String? = nil) throws -> String {
      let folder = try TemporaryFolder()
      for (name, bytes) in files { try folder.write(bytes, to: name) }
      if let lines { try folder.write(lines, to: "metadata.jsonl") }
      return formatProblem { _ = try PictureFolder(path: folder.path) } ?? "accepted"
    }
    let (a, b) = (try png(0), try png(1))
    #expect(formatProblem { _ = try PictureFolder(path: folder.path + "/none") }?.contains("no folder") == true)
    #expect(try message([:]).contains("no PNG pictures"))
    let size = try message(["a.png": a, "b.png": png(1, width: 10)])
    #expect(size.contains("b.png") && size.contains("10×16") && size.contains("a.png has 12×16"))
    #expect(try message(["a.png": a, "b.png": [1, 2, 3]]).contains("b.png: is no PNG"))
    #expect(try message(["a.png": a, "c.jpg": [1]]).contains("c.jpg: only PNG"))
    #expect(try message(["a.png": a], "{\"file_name\": \"b.png\"}").contains("names 'b.png', which is not there"))
    #expect(try message(["a.png": a, "b.png": b], "{\"file_name\": \"a.png\"}").contains("b.png: is in no line"))
    #expect(try message(["a.png": a], "{\"file_name\": \"a.png\"}\n{\"file_name\": \"a.png\"}").contains("twice"))
    #expect(try message(["a.png": a], "{\"prompt\": \"x\"}\n{\"prompt\": \"y\"}").contains("2 lines"))
    #expect(try message(["a.png": a], "{\"file_name\": \"../a.png\"}").contains("outside"))
    #expect(try message(["a.png": a], "{\"prompt\": 1.5}").contains("expected text"))
    #expect(try message(["a.png": a], "{\"prompt\": \"x\", \"text\": \"y\"}").contains("both 'prompt' and 'text'"))
    #expect(try message(["a.png": a], "{\"seed\": -1}").contains("'seed'"))
    #expect(try message(["a.png": a], "[1]").contains("no JSON object"))
  }

  @Test("A damaged picture is named when it is read") func damaged() throws {
    let folder = try TemporaryFolder()
    try folder.write(png(0), to: "a.png")
    try folder.write(Array(png(1).prefix(60)), to: "b.png")
    let pictures = try PictureFolder(path: folder.path)
    #expect(formatProblem { _ = try pictures.pictures(0..<2) }?.contains("b.png") == true)
  }
}

@Suite("Measuring pictures") struct PictureEvaluationTests {
  private static func pictures(seed: UInt64, noise: Double = 0, count: Int = 10, prompts: [String] = []) throws -> HeldPictures {
    let clean = try normal([count, 3, 20, 24], seed: seed, dtype: .float32)
    let other = try normal([count, 3, 20, 24], seed: seed + 100, dtype: .float32)
    return try HeldPictures(try withTensorErrors { clean * 0.4 + other * noise }, prompts: prompts)
  }

  @Test("The size of a batch changes nothing", arguments: [1, 3, 10]) func batches(batch: Int) throws {
    let names = ["psnr", "ssim", "perceptual", "frechet", "kernel", "precision", "coverage"]
    let metrics = try names.flatMap { try AllMetrics.make($0, nets: [HalvesNet()]) }
    let (own, other) = (try Self.pictures(seed: 1, noise: 0.1), try Self.pictures(seed: 1))
    var shares: [Double] = []
    let results = try PictureEvaluation(metrics: metrics, batch: batch).run(own, reference: other) { shares.append($0) }
    let whole = try PictureEvaluation(metrics: metrics, batch: 100).run(own, reference: other)
    #expect(isClose(results.map(\.figure.value), whole.map(\.figure.value), 1e-6))
    #expect(results.map(\.figure.metric) == metrics.map(\.figure))
    #expect(shares == shares.sorted() && shares.last == 1)
    let direct = try PeakSignalToNoise.values(try own.pictures(0..<10), try other.pictures(0..<10))
    #expect(isClose(results[0].values, direct, 1e-12))
    let features = try HalvesNet().features(try own.pictures(0..<10)), others = try HalvesNet().features(try other.pictures(0..<10))
    #expect(isClose([results[3].figure.value], [try FrechetDistance.squared(features, others)], 1e-6))
  }

  @Test("Pictures of one prompt widen the interval") func groups() throws {
    let metrics = try AllMetrics.make("psnr")
    func interval(_ prompts: [String]) throws -> Double {
      let levels = Tensor((0..<20).map { Float($0 / 5) * 0.1 + 0.05 }, shape: [20, 1, 1, 1])
      let pixels = try withTensorErrors {
        try normal([20, 3, 20, 24], seed: 1, dtype: .float32) * 0.2 + (try normal([20, 3, 20, 24], seed: 5, dtype: .float32)) * levels
      }
      let found = try PictureEvaluation(metrics: metrics).run(
        try HeldPictures(pixels, prompts: prompts),
        reference: try HeldPictures(withTensorErrors { try normal([20, 3, 20, 24], seed: 1, dtype: .float32) * 0.2 }))
      let interval = try #require(found[0].figure.interval)
      return interval.upperBound - interval.lowerBound
    }
    #expect(try interval((0..<20).map { "\($0 / 5)" }) > 1.3 * interval([]))
  }

  @Test("What cannot be measured is refused before any picture is read") func obstacles() throws {
    func message(_ name: String, _ own: HeldPictures, _ other: HeldPictures?, _ parameters: [String: String] = [:]) throws -> String {
      let evaluation = try PictureEvaluation(metrics: try AllMetrics.make(name, parameters, nets: [HalvesNet()]))
      var read = false
      let text = problem { _ = try evaluation.run(own, reference: other) { _ in read = true } }
      #expect(!read)
      return text ?? "accepted"
    }
    let (own, few) = (try Self.pictures(seed: 1), try Self.pictures(seed: 2, count: 3))
    #expect(try message("ssim", own, nil).contains("needs a reference"))
    #expect(try message("ssim", own, few).contains("holds no '3'"))
    #expect(try message("ms-ssim", own, own).contains("161"))
    #expect(try message("ms-ssim", own, own, ["scales": "2"]).contains("at least 21"))
    #expect(try message("precision", few, own).contains("at least 4"))
    #expect(problem { _ = try PictureEvaluation(metrics: []) }?.contains("no metric") == true)
    #expect(problem { _ = try HeldPictures(try normal([2, 2, 4, 4], seed: 1)) }?.contains("[2, 2, 4, 4]") == true)
    #expect(problem { _ = try HeldPictures(try normal([2, 3, 4, 4], seed: 1), prompts: ["x"]) }?.contains("1 prompts") == true)
  }
}
