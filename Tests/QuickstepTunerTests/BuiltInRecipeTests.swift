import Foundation
import QuickstepPipelines
import QuickstepTuner
import Testing

/// The recipes in `Models/`: what `generate` takes where nobody says how to sample.
@Suite struct BuiltInRecipeTests {
  private static let models = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Models").path

  /// Folders that have one.
  static let folders = ((try? FileManager.default.contentsOfDirectory(atPath: models)) ?? []).sorted().map { "\(models)/\($0)" }
    .filter { FileManager.default.fileExists(atPath: $0 + "/" + Recipe.standardName) }

  @Test("it belongs to the weights beside it, can be carried out, and says what was measured", arguments: folders)
  func fits(_ folder: String) throws {
    let recipe = try #require(try Recipe.standard(of: folder))
    let findings = recipe.findings(model: try LoadedModel.outline(folder: folder), machine: recipe.machine)
    #expect(findings.isEmpty, "\(findings)")
    let measured = try #require(recipe.measured)
    #expect(measured.speedUp.median > 1 && measured.pictures >= 10)
    #expect(measured.quality.contains { $0.metric == "ssim" && $0.lower >= 0.9 })
  }

  @Test func thereAreSome() { #expect(!Self.folders.isEmpty) }
}
