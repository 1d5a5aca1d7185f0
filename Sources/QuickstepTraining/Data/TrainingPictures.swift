import Foundation
import QuickstepFormats
import QuickstepTensor

/// Training pictures alone, whatever the data set tells besides, held in memory as `[N, C, H, W]` uint8.
struct TrainingPictures {
  private let pixels: Tensor

  /// MNIST's form where the folder holds it, otherwise that of `emoji64`.
  init(_ selection: DataSelection, note: (String) -> Void) throws {
    let folder = try DataLocation.find(selection.set)
    let isDigits = FileManager.default.fileExists(atPath: folder + "/train-images-idx3-ubyte.gz")
    if isDigits, !selection.groups.isEmpty || !selection.styles.isEmpty {
      throw PlanError("data: '\(selection.set)' has neither groups nor styles; leave them empty")
    }
    pixels = try isDigits ? DigitData(selection).images : EmojiTrainingData(selection, note: note).pixels
  }

  var count: Int { pixels.size(0) }
  var channels: Int { pixels.size(1) }

  /// A batch as numbers in −1…1.
  func batch(_ indices: [Int], device: Device) -> Tensor {
    pixels.indexSelect(0, index: Tensor(indices)).to(device).to(.float32) / 127.5 - 1
  }
}
