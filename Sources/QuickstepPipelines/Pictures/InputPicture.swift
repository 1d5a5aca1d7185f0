internal import Foundation
public import QuickstepFormats
public import QuickstepTensor

/// A picture that a request begins with or is steered by.
public struct InputPicture: Sendable {
  /// What messages call it: the path of its file, usually.
  public let name: String
  /// `[C, H, W]`, float32, 0…255 mapped to −1…1. Four channels mean that the last one is transparency.
  public let pixels: Tensor

  /// Reads a PNG.
  /// - Throws: `FormatError` naming the file and, for other formats, what it is.
  public init(path: String) throws {
    let file = try MappedFile(path: path)
    let image = try withExtendedLifetime(file) {
      guard PNG.hasSignature(file.bytes) else {
        throw FormatError(path, "is \(Self.kind(file.bytes)), and pictures are read from PNG files only; convert it first")
      }
      return try PNG.decode(file.bytes, name: path).image
    }
    try self.init(image, name: path)
  }

  /// A picture in memory.
  /// - Throws: `TensorError` when memory is exhausted.
  public init(_ image: PixelImage, name: String = "the picture") throws { try self.init(image.tensor(), name: name) }

  /// Numbers of shape `[C, H, W]` in −1…1 with 1, 3 or 4 channels.
  /// - Throws: ``GenerationError`` for other shapes and for values outside, NaN among them.
  public init(_ pixels: Tensor, name: String = "the picture") throws {
    guard pixels.rank == 3, [1, 3, 4].contains(pixels.size(0)), pixels.size(1) > 0, pixels.size(2) > 0, pixels.dtype.isFloatingPoint else {
      throw GenerationError(
        "\(name) is a \(pixels.dtype) tensor of shape \(pixels.shape); allowed: [1, 3 or 4, H, W without a batch] of floats")
    }
    self.name = name
    self.pixels = try withTensorErrors { pixels.to(.float32, .cpu) }
    let largest = try withTensorErrors { self.pixels.abs().max() }.item()
    guard largest <= 1.001 else { throw GenerationError("\(name) holds values up to \(largest); allowed: −1…1") }
  }

  /// In pixels.
  public var width: Int { pixels.size(2) }
  /// In pixels.
  public var height: Int { pixels.size(1) }

  /// `[3, H, W]`; what is transparent shows `background`, −1 being black and 1 white.
  func opaque(over background: Double) -> Tensor {
    guard pixels.size(0) == 4 else { return pixels.expand([3, height, width]) }
    let alpha = (pixels.narrow(0, start: 3, length: 1) + 1) / 2
    return pixels.narrow(0, start: 0, length: 3) * alpha + (1 - alpha) * background
  }

  /// `[1, H, W]`: the luma of Rec. 601, as Pillow's mode L.
  func grey(over background: Double) -> Tensor {
    guard pixels.size(0) != 1 else { return pixels }
    let weights = Tensor([0.299, 0.587, 0.114] as [Float], shape: [3, 1, 1])
    return (opaque(over: background) * weights).sum([0], keepdim: true)
  }

  /// FNV-1a over shape and pixels, to tell one picture from another in stored settings.
  func fingerprint() throws -> String {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    func mix(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    for side in pixels.shape { withUnsafeBytes(of: Int64(side)) { $0.forEach(mix) } }
    for byte in try withTensorErrors({ ((pixels + 1) * 127.5).round().to(.uint8) }).scalars(UInt8.self) { mix(byte) }
    return String(hash, radix: 16)
  }

  /// What a file begins like, in words.
  private static func kind(_ bytes: UnsafeRawBufferPointer) -> String {
    let start = Array(bytes.prefix(12))
    let signatures: [(String, [UInt8])] = [
      ("a JPEG", [0xFF, 0xD8, 0xFF]), ("a GIF", Array("GIF8".utf8)), ("a BMP", Array("BM".utf8)), ("a TIFF", [0x49, 0x49, 0x2A, 0]),
      ("a TIFF", [0x4D, 0x4D, 0, 0x2A]),
    ]
    if start.count == 12, start[0..<4].elementsEqual("RIFF".utf8), start[8..<12].elementsEqual("WEBP".utf8) { return "a WebP" }
    if start.count == 12, start[4..<8].elementsEqual("ftyp".utf8) { return "a HEIF or AVIF" }
    return signatures.first { start.starts(with: $0.1) }?.0 ?? (start.isEmpty ? "empty" : "no picture of a known format")
  }
}

/// What happens to a picture whose size is not that of the request.
public enum PictureFit: String, Sendable, Codable, CaseIterable {
  /// It is refused.
  case exact
  /// Both sides are resized on their own.
  case stretch
  /// It is resized until it covers the size, and its middle is taken.
  case crop
}

extension InputPicture {
  /// The picture at another size, as a request with this fit sees it.
  /// - Throws: ``GenerationError`` naming both sizes where they have to agree.
  public func resized(width: Int, height: Int, _ fit: PictureFit) throws -> InputPicture {
    try InputPicture(fitted(pixels, width: width, height: height, fit), name: name)
  }

  /// Numbers `[C, H, W]` of this picture at another size, by Lanczos' filter.
  /// - Throws: ``GenerationError`` naming both sizes where they have to agree.
  func fitted(_ pixels: Tensor, width: Int, height: Int, _ fit: PictureFit) throws -> Tensor {
    if (self.width, self.height) == (width, height) { return pixels }
    switch fit {
    case .exact:
      throw GenerationError(
        "\(name) is \(self.width)x\(self.height) and the request \(width)x\(height); give the picture that size, or say how to fit it "
          + "(--resize stretch or crop)")
    case .stretch: return try Lanczos.resized(pixels, width: width, height: height)
    case .crop:
      let scale = max(Double(width) / Double(self.width), Double(height) / Double(self.height))
      let (wide, high) = (
        max(width, Int((Double(self.width) * scale).rounded())), max(height, Int((Double(self.height) * scale).rounded()))
      )
      let (left, top) = ((wide - width) / 2, (high - height) / 2)
      return try Lanczos.resized(pixels, width: wide, height: high, columns: left..<(left + width), rows: top..<(top + height))
    }
  }
}
