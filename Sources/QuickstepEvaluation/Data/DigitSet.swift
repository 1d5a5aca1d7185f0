internal import QuickstepFormats
public import QuickstepTensor

/// MNIST's test or training pictures with their labels.
public struct DigitSet: Sendable {
  /// `[N, 1, 28, 28]` in −1…1, float32.
  public let images: Tensor
  /// N classes in 0…9.
  public let labels: [Int]

  /// Which files are read.
  public enum Part: String, Sendable {
    /// 10,000 digits that no model of ours was trained on.
    case test = "t10k"
    /// 60,000 digits.
    case train
  }

  /// Reads the IDX files of a folder.
  /// - Parameters:
  ///   - folder: by default `mnist` in the data location.
  ///   - limit: only as many of the first digits.
  /// - Throws: `FormatError` when the files are missing or do not fit each other.
  public init(_ part: Part, folder: String? = nil, limit: Int? = nil) throws {
    let folder = try folder ?? DataLocation.find("mnist")
    let pixels = try IDXFile(path: "\(folder)/\(part.rawValue)-images-idx3-ubyte.gz")
    let classes = try IDXFile(path: "\(folder)/\(part.rawValue)-labels-idx1-ubyte.gz")
    guard pixels.shape.count == 3, pixels.shape[1...] == [28, 28], classes.shape == [pixels.shape[0]], pixels.dtype == .uint8 else {
      throw FormatError(folder, "pictures are \(pixels.shape) and labels \(classes.shape); expected [N, 28, 28] and [N]")
    }
    let count = min(pixels.shape[0], max(0, limit ?? pixels.shape[0]))
    let bytes = try pixels.tensor()
    images = try withTensorErrors { bytes.narrow(0, start: 0, length: count).unsqueeze(1).to(.float32) / 127.5 - 1 }
    labels = classes.bytes.prefix(count).map(Int.init)
  }
}
