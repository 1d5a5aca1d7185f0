import QuickstepPipelines
import QuickstepTensor
import QuickstepTesting
import Testing

/// Image-to-image on transformers: where the reference has pipelines for it, against these (`Parity/pipelines_image.py`).
@Suite struct TransformerPictureTests {
  @Test("image-to-image is that of the reference, which skips whole steps here", arguments: ["sd3", "flux-dev"])
  func imageToImage(_ base: String) throws {
    let fixture = try PictureFixture(base + "-image")
    var request = try fixture.request()
    (request.width, request.height) = (16, 16)
    request.pictures.start = StartImage(try fixture.picture("image"), strength: fixture.number("strength"))
    let result = try LoadedModel(folder: "\(Goldens.root)/\(base)").generate(request)
    try fixture.expectEqual(result)
    // ⌈0.6·28⌉, where Stable Diffusion runs ⌊0.6·28⌋.
    let warnings = result.warnings.filter { !$0.contains("trained on") }
    #expect(result.evaluations == 17 && request.steps == 28 && warnings.isEmpty, "\(warnings)")
  }

  @Test(
    "how many steps are run",
    arguments: [
      ("sd", 28, 0.6, 16), ("sd3", 28, 0.6, 17), ("flux-schnell", 28, 0.6, 17), ("pixart-sigma", 10, 0.65, 6), ("sana-gemma", 10, 0.65, 6),
      ("dit", 10, 0.65, 6), ("sd", 10, 0.01, 1), ("sd3", 10, 0.01, 1), ("sd", 10, 1.0, 10), ("sd3", 10, 1.0, 10), ("sd3", 10, 0.5, 5),
    ])
  func counts(_ name: String, _ steps: Int, _ strength: Double, _ expected: Int) throws {
    let picture = try PictureFixture("sd-image").picture("image")
    let model = try LoadedModel(folder: "\(Goldens.root)/\(name)")
    func made(_ picture: InputPicture) throws -> Tensor {
      let result = try model.generate(
        request(name == "dit" ? "207" : "mars") {
          ($0.width, $0.height, $0.steps) = (16, 16, steps)
          $0.pictures.start = StartImage(picture, strength: strength)
        })
      #expect(result.evaluations == expected)
      return try #require(result.images.first).pixels
    }
    let pixels = try made(picture)
    #expect(try withTensorErrors { pixels.isFinite().all() }.item() == 1)
    guard strength < 1 else { return }
    // What it begins with counts.
    let negative = try InputPicture(withTensorErrors { picture.pixels * -1 })
    #expect(try PictureFixture.gap(made(negative), pixels) > 1e-3)
  }
}
