import QuickstepFormats
import QuickstepTensor

/// The chosen training pictures of `emoji64`, decoded on white and held in memory as `[N, 3, 64, 64]` uint8.
struct EmojiTrainingData {
  let rows: [EmojiRow]
  let styles: [String]
  let pixels: Tensor

  init(_ selection: DataSelection, split: String = "train", note: (String) -> Void) throws {
    let dataset = try EmojiDataset(path: try DataLocation.find(selection.set))
    func check(_ kind: String, _ wanted: [String], _ known: [String]) throws {
      if let unknown = wanted.first(where: { !known.contains($0) }) {
        throw PlanError("data: there is no \(kind) '\(unknown)' in \(selection.set); there are \(known.joined(separator: ", "))")
      }
    }
    try check("style", selection.styles, dataset.styles)
    try check("group", selection.groups, Array(Set(dataset.rows.map(\.group))).sorted())
    rows = dataset.rows(split: split).filter { row in
      (selection.groups.isEmpty || selection.groups.contains(row.group))
        && (selection.styles.isEmpty || selection.styles.contains(row.style))
    }
    guard !rows.isEmpty else { throw PlanError("data: the selection holds no pictures") }
    styles = selection.styles.isEmpty ? dataset.styles : selection.styles
    note("decoding \(rows.count) pictures")
    let bytes = try rows.flatMap { row in
      let image = try dataset.image(row).composited(over: .white)
      guard image.width == 64, image.height == 64, image.channels == 3 else { throw FormatError(row.file, "is not 64×64") }
      return image.pixels
    }
    let count = rows.count
    pixels = try withTensorErrors { Tensor(bytes, shape: [count, 64, 64, 3]).permute([0, 3, 1, 2]).contiguous() }
  }

  /// Everything the vocabulary is made from.
  var vocabularyTexts: [String] { rows.map(\.name) + rows.flatMap(\.keywords) }
}

/// MNIST held in memory: images `[N, 1, 28, 28]` uint8 and labels `[N]` int64.
struct DigitData {
  let images: Tensor
  let labels: Tensor

  init(_ selection: DataSelection, part: String = "train") throws {
    let folder = try DataLocation.find(selection.set)
    let images = try IDXFile(path: "\(folder)/\(part)-images-idx3-ubyte.gz")
    let labels = try IDXFile(path: "\(folder)/\(part)-labels-idx1-ubyte.gz")
    guard images.shape.count == 3, images.shape[1...] == [28, 28], labels.shape == [images.shape[0]] else {
      throw FormatError(folder, "images are \(images.shape) and labels \(labels.shape); expected [N, 28, 28] and [N]")
    }
    let (pixels, classes) = (try images.tensor(), try labels.tensor())
    self.images = try withTensorErrors { pixels.unsqueeze(1) }
    self.labels = try withTensorErrors { classes.to(.int64) }
  }

  /// A batch as numbers in −1…1, and its labels.
  func batch(_ indices: [Int], device: Device) -> (images: Tensor, labels: Tensor) {
    let index = Tensor(indices)
    return (images.indexSelect(0, index: index).to(device).to(.float32) / 127.5 - 1, labels.indexSelect(0, index: index).to(device))
  }
}
