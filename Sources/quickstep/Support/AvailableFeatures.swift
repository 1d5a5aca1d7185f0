import QuickstepEvaluation
import QuickstepFormats
import QuickstepTensor

extension SqueezeNetFeatures {
  /// The network, or `nil` with a note where its weights are not on this machine, and where it cannot see pictures of a size.
  /// - Parameters:
  ///   - pictures: width and height in pixels of what is judged.
  ///   - consequence: what is done without it, for the note.
  /// - Throws: where the weights are there and cannot be used.
  static func whereAvailable(
    _ device: Device, pictures: (width: Int, height: Int), otherwise consequence: String
  ) throws -> SqueezeNetFeatures? {
    let folder: String
    do {
      folder = try DataLocation.find(dataSet)
    } catch {
      note("warning: \(consequence): \(error)")
      return nil
    }
    let net = try SqueezeNetFeatures(path: folder, device: device)
    do {
      try net.check([1, 3, pictures.height, pictures.width])
    } catch {
      note("warning: \(consequence): \(error)")
      return nil
    }
    return net
  }
}
