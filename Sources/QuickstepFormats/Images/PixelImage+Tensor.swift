public import QuickstepTensor

extension PixelImage {
  /// The picture as numbers: shape [channels, height, width], float32, 0…255 mapped to −1…1.
  /// - Throws: `TensorError` when memory is exhausted.
  public func tensor() throws -> Tensor {
    try withTensorErrors {
      Tensor(pixels, shape: [height, width, channels]).permute([2, 0, 1]).to(.float32) / 127.5 - 1
    }
  }

  /// Pictures of one size as a batch: shape [count, channels, height, width], float32 in −1…1.
  /// - Throws: `FormatError` when there are none or their sizes differ.
  public static func batch(_ images: [PixelImage]) throws -> Tensor {
    guard let first = images.first else { throw FormatError("images", "there are no pictures") }
    for image in images where (image.width, image.height, image.channels) != (first.width, first.height, first.channels) {
      throw FormatError(
        "images",
        "a picture of \(image.width)x\(image.height)x\(image.channels) among those of \(first.width)x\(first.height)x\(first.channels)")
    }
    return try withTensorErrors { Tensor.stack(try images.map { try $0.tensor() }) }
  }

  /// A picture from numbers in −1…1 of shape [1, 3 or 4, height, width], also with a leading 1; one channel becomes grey. Values outside are cut off, the rest is
  /// rounded half to even, as `((x / 2 + 0.5).clamp(0, 1) * 255).round()` does. NaN is an error: it would become an arbitrary pixel.
  /// - Throws: `FormatError` for other shapes and for NaN.
  public init(tensor: Tensor) throws {
    let images = try Self.images(from: tensor)
    guard images.count == 1 else {
      throw FormatError("image", "shape \(tensor.shape) is a batch of \(images.count) pictures, expected one")
    }
    self = images[0]
  }

  /// Pictures from numbers in −1…1 of shape [count, 1, 3 or 4, height, width] or the same without count; see `init(tensor:)`.
  public static func images(from tensor: Tensor) throws -> [PixelImage] {
    let batched = tensor.rank == 3 ? tensor.unsqueeze(0) : tensor
    let given = batched.shape
    guard given.count == 4, [1, 3, 4].contains(given[1]), given[2] > 0, given[3] > 0, tensor.dtype.isFloatingPoint else {
      throw FormatError(
        "image", "a \(tensor.dtype) tensor of shape \(tensor.shape) is not a picture; expected [1, 3 or 4, height, width] of floats")
    }
    let shape = [given[0], max(3, given[1]), given[2], given[3]]
    let numbers = try withTensorErrors { batched.detach().to(.cpu).to(.float32).expand(shape) }
    let hasNaN = try withTensorErrors { numbers.isNaN().any() }.item() != 0
    guard !hasNaN else { throw FormatError("image", "the tensor of shape \(tensor.shape) holds values that are not numbers (NaN)") }
    let bytes = try withTensorErrors {
      ((numbers / 2 + 0.5).clamp(min: 0, max: 1) * 255).round().to(.uint8).permute([0, 2, 3, 1]).contiguous()
    }.scalars(UInt8.self)
    let size = shape[1] * shape[2] * shape[3]
    return (0..<shape[0]).map { index in
      PixelImage(
        uncheckedWidth: shape[3], height: shape[2], channels: shape[1], pixels: Array(bytes[(index * size)..<((index + 1) * size)]))
    }
  }
}
