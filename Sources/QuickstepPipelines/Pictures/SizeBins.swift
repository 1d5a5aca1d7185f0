import Foundation
import QuickstepModels
import QuickstepTensor

/// The sizes that PixArt and Sana were trained on: about side² pixels, at forty ratios of height to width.
///
/// Their reference pipelines work at the size whose ratio is nearest to the one asked for, then scale the picture until it covers what was asked for
/// and cut what hangs over. The names of the ratios in the published tables are the ratios rounded to two digits, and the nearest is found by name.
package struct SizeBins: Sendable, Hashable {
  /// Of the square one, in pixels: 256, 512, 1024, 2048 or 4096.
  package let side: Int

  /// - Parameter side: of the square one, in pixels.
  package init(side: Int) { self.side = side }

  /// Height and width in sixteenths of the side, by rising ratio.
  private static let shapes = [
    (8, 32), (8, 31), (8, 30), (8, 29), (9, 28), (9, 27), (9, 26), (10, 25), (10, 24), (11, 23), (11, 22), (11, 21), (12, 21), (12, 20),
    (13, 19), (13, 18), (14, 18), (14, 17), (15, 17), (15, 16), (16, 16), (16, 15), (17, 15), (17, 14), (18, 14), (18, 13), (19, 13),
    (20, 12), (21, 12), (22, 11), (23, 11), (24, 10), (25, 10), (26, 9), (27, 9), (28, 9), (29, 8), (30, 8), (31, 8), (32, 8),
  ]
  /// Ratios that came with the tables from 2048 on.
  private static let ofLargeOnes: Set = [27, 26, 289, 311, 362, 375, 388]

  /// The one to work at for a picture of this size.
  package func nearest(width: Int, height: Int) -> (width: Int, height: Int) {
    let wanted = Double(height) / Double(width)
    let known = Self.shapes.map { (name: Self.name($0), shape: $0) }.filter { side >= 2048 || !Self.ofLargeOnes.contains($0.name) }
    func distance(_ name: Int) -> Double { abs(Double(name) / 100 - wanted) }
    let shape = known.min { distance($0.name) < distance($1.name) }?.shape ?? (16, 16)
    return (shape.1 * side / 16, shape.0 * side / 16)
  }

  /// The ratio in hundredths.
  private static func name(_ shape: (Int, Int)) -> Int { Int((Double(shape.0) / Double(shape.1) * 100).rounded(.toNearestOrEven)) }

  /// A picture `[C, H, W]` scaled, bilinearly and without smoothing, until it covers the size, and cut about its middle.
  static func fitted(_ picture: Tensor, width: Int, height: Int) throws -> Tensor {
    let (ownHeight, ownWidth) = (picture.size(1), picture.size(2))
    if (ownWidth, ownHeight) == (width, height) { return picture }
    let scale = max(Double(height) / Double(ownHeight), Double(width) / Double(ownWidth))
    let (tall, wide) = (max(height, Int(Double(ownHeight) * scale)), max(width, Int(Double(ownWidth) * scale)))
    return try withTensorErrors {
      picture.unsqueeze(0).upsampleBilinear2d([tall, wide], alignCorners: false).squeeze(0)
        .narrow(1, start: (tall - height) / 2, length: height).narrow(2, start: (wide - width) / 2, length: width).contiguous()
    }
  }
}

/// The size a request is worked at, and the one its pictures have in the end.
struct WorkingSize: Sendable {
  let width: Int, height: Int
  /// Of the pictures.
  let shown: (width: Int, height: Int)
  /// What the user should know about it.
  let warning: String?

  /// - Throws: `GenerationError` for sizes that the model cannot be brought to.
  init(_ request: GenerationRequest, _ model: LoadedModel) throws {
    let shape = model.backbone.sampleShape.map { $0 * model.pixelsPerSample }
    // A picture that is not to be resized says the size.
    let picture = request.pictures.fit == .exact ? request.pictures.start?.picture ?? request.pictures.controls.first?.picture : nil
    shown = (request.width ?? picture?.width ?? shape[2], request.height ?? picture?.height ?? shape[1])
    guard (1...4096).contains(shown.width), (1...4096).contains(shown.height) else {
      throw GenerationError("the size \(shown.width)x\(shown.height) does not suit '\(model.name)': allowed are sides of 1…4096")
    }
    let asked = shown
    let bins = request.usesTrainedSizes && request.pictures.isEmpty ? model.sizeBins : nil
    // Latents that are brought along have a size already.
    let given = request.given.latents.flatMap { $0.rank == 4 ? $0.shape.map { $0 * model.pixelsPerSample } : nil }
    let worked = bins.map { bins in given.map { ($0[3], $0[2]) } ?? bins.nearest(width: asked.width, height: asked.height) }
    (width, height) = worked ?? asked
    let multiple = model.backbone.sizeMultiple * model.pixelsPerSample
    // The longest side of the sizes of Sana's largest models.
    guard width % multiple == 0, height % multiple == 0, (1...8192).contains(width), (1...8192).contains(height) else {
      throw GenerationError(
        "the size \(width)x\(height) does not suit '\(model.name)': both sides must be multiples of \(multiple), at most 4096")
    }
    if let side = model.backbone.largestSide.map({ $0 * model.pixelsPerSample }), max(width, height) > side {
      throw GenerationError("the size \(width)x\(height) does not suit '\(model.name)': its network takes sides of at most \(side)")
    }
    if (width, height) != shown {
      warning = "'\(model.name)' works at \(width)x\(height); pictures are scaled and cut to \(shown.width)x\(shown.height)"
    } else {
      let isTrained = bins != nil || (height, width) == (shape[1], shape[2])
      warning = isTrained ? nil : "'\(model.name)' was trained on \(shape[2])x\(shape[1]); other sizes look worse"
    }
  }

  /// A picture `[C, H, W]` of the size that was worked at, in the size it shall have.
  func shown(_ picture: Tensor) throws -> Tensor { try SizeBins.fitted(picture, width: shown.width, height: shown.height) }
}
