import QuickstepEvaluation
import QuickstepFormats
import QuickstepTensor
import QuickstepTesting
import Testing

/// Knows three shades of grey by the mean of a picture: "dark" below −1/3, "light" above 1/3.
struct ShadeNet: RecognisingNet {
  let name = "shades"
  let channels = 3
  let inputSize = [8, 8]
  let featureCount = 3
  let device = Device.cpu
  let classNames = ["dark", "grey", "light"]
  let realStatistics: [String: GaussianStatistics] = [:]
  func evaluate(_ input: Tensor) throws -> Tensor { input.mean([2, 3]) }
  func logits(_ input: Tensor) throws -> Tensor {
    let mean = input.mean([1, 2, 3]).unsqueeze(1)
    return (mean - Tensor([-0.8, 0, 0.8] as [Float])).square() * -1
  }
}

@Suite("Recognition") struct RecognitionTests {
  private func pictures(_ shades: [Double]) throws -> Tensor {
    try withTensorErrors { .cat(shades.map { .full([1, 3, 8, 8], fillValue: .real($0), dtype: .float32) }) }
  }

  @Test func ranksAndShares() throws {
    let shown = try pictures([-0.9, 0.1, 0.7, 0.7])
    #expect(try ShadeNet().ranks(shown, prompts: ["dark", " Grey ", "light", "dark"]) == [1, 1, 1, 3])
    let metric = try #require(AllMetrics.make("recognition", nets: [ShadeNet()]).first as? any PromptMetric)
    #expect(metric.figure == "recognition-shades")
    #expect(try metric.values(shown, prompts: ["dark", "light", "light", "dark"]) == [1, 0, 1, 0])
    let second = try #require(AllMetrics.make("recognition", ["first": "2"], nets: [ShadeNet()]).first as? any PromptMetric)
    #expect(second.figure == "recognition-top-2-shades")
    #expect(try second.values(shown, prompts: ["dark", "light", "light", "dark"]) == [1, 1, 1, 0])
  }

  @Test("equal scores count as missed") func ties() throws {
    let between = try pictures([0.4])
    #expect(try ShadeNet().ranks(between, prompts: ["light"]) == [2])
  }

  @Test func promptsItDoesNotKnowAreRefused() throws {
    let shown = try pictures([0])
    #expect(problem { _ = try ShadeNet().ranks(shown, prompts: ["fox"]) }?.contains("'fox'") == true)
    #expect(problem { _ = try ShadeNet().ranks(shown, prompts: []) }?.contains("0 prompts") == true)
    #expect(problem { _ = try AllMetrics.make("recognition") }?.contains("emoji-classifier") == true)
  }

  @Test func statisticsAreWrittenAndReadAgain() throws {
    let folder = try TemporaryFolder()
    #expect(try FeatureStatisticsFile.read(folder: folder.path, featureCount: 4).isEmpty)
    let own = try GaussianStatistics(features: normal([30, 4], seed: 1))
    try FeatureStatisticsFile.write(["all": own, "noto": own], folder: folder.path)
    let again = try FeatureStatisticsFile.read(folder: folder.path, featureCount: 4)
    #expect(Set(again.keys) == ["all", "noto"])
    #expect(try FrechetDistance.squared(own, #require(again["noto"])) < 1e-6)
    #expect(throws: FormatError.self) { try FeatureStatisticsFile.read(folder: folder.path, featureCount: 5) }
  }
}
