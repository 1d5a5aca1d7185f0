/// A colour of 8 bits per channel.
public struct RGBColor: Sendable, Hashable {
  /// 0…255, gamma-encoded (sRGB).
  public var red: UInt8
  /// 0…255, gamma-encoded (sRGB).
  public var green: UInt8
  /// 0…255, gamma-encoded (sRGB).
  public var blue: UInt8

  /// Channels in 0…255.
  public init(_ red: UInt8, _ green: UInt8, _ blue: UInt8) {
    self.red = red
    self.green = green
    self.blue = blue
  }

  /// (255, 255, 255).
  public static let white = RGBColor(255, 255, 255)
  /// (0, 0, 0).
  public static let black = RGBColor(0, 0, 0)
}

/// A picture of 8 bits per channel: RGB or, with straight (not premultiplied) alpha, RGBA.
public struct PixelImage: Sendable, Equatable {
  /// Pixels per row; at least 1.
  public let width: Int
  /// Rows; at least 1.
  public let height: Int
  /// 3 (RGB) or 4 (RGBA).
  public let channels: Int
  /// `height * width * channels` values, rows from the top, channels interleaved.
  public private(set) var pixels: [UInt8]

  /// - Throws: `FormatError` when the sizes are not positive, the channels are not 3 or 4, or `pixels` has another count.
  public init(width: Int, height: Int, channels: Int, pixels: [UInt8]) throws {
    guard width > 0, height > 0, channels == 3 || channels == 4 else {
      throw FormatError("image", "\(width)x\(height) pixels of \(channels) channels; expected a positive size and 3 or 4 channels")
    }
    let row = width.multipliedReportingOverflow(by: channels)
    let total = row.partialValue.multipliedReportingOverflow(by: height)
    guard !row.overflow, !total.overflow, total.partialValue == pixels.count else {
      throw FormatError("image", "\(pixels.count) values do not fill \(width)x\(height) pixels of \(channels) channels")
    }
    self.width = width
    self.height = height
    self.channels = channels
    self.pixels = pixels
  }

  /// For callers inside the module that made the pixels themselves.
  init(uncheckedWidth width: Int, height: Int, channels: Int, pixels: [UInt8]) {
    self.width = width
    self.height = height
    self.channels = channels
    self.pixels = pixels
  }

  /// An RGB picture of one colour. Sizes below 1 become 1.
  public init(width: Int, height: Int, fill: RGBColor) {
    self.width = max(1, width)
    self.height = max(1, height)
    channels = 3
    var pixels: [UInt8] = []
    pixels.reserveCapacity(self.width * self.height * 3)
    for _ in 0..<(self.width * self.height) {
      pixels.append(fill.red)
      pixels.append(fill.green)
      pixels.append(fill.blue)
    }
    self.pixels = pixels
  }

  /// Whether some pixel is not fully opaque.
  public var hasTransparency: Bool {
    channels == 4 && stride(from: 3, to: pixels.count, by: 4).contains { pixels[$0] != 255 }
  }

  /// The picture over a plain background: RGB. An RGB picture is returned as it is.
  /// Channels are mixed as stored (gamma-encoded), as browsers and Pillow do, rounded to nearest.
  public func composited(over background: RGBColor) -> PixelImage {
    guard channels == 4 else { return self }
    let behind = [Int(background.red), Int(background.green), Int(background.blue)]
    var result = [UInt8](repeating: 0, count: width * height * 3)
    for index in 0..<(width * height) {
      let alpha = Int(pixels[index * 4 + 3])
      for channel in 0..<3 {
        let mixed = Int(pixels[index * 4 + channel]) * alpha + behind[channel] * (255 - alpha)
        result[index * 3 + channel] = UInt8((mixed + 127) / 255)
      }
    }
    return PixelImage(uncheckedWidth: width, height: height, channels: 3, pixels: result)
  }

  /// The same picture with four channels; an RGB picture becomes fully opaque.
  public func withAlpha() -> PixelImage {
    guard channels == 3 else { return self }
    var result = [UInt8](repeating: 255, count: width * height * 4)
    for index in 0..<(width * height) {
      for channel in 0..<3 { result[index * 4 + channel] = pixels[index * 3 + channel] }
    }
    return PixelImage(uncheckedWidth: width, height: height, channels: 4, pixels: result)
  }

  /// Each pixel repeated `factor` times in both directions; factors below 1 count as 1.
  public func enlarged(by factor: Int) -> PixelImage {
    guard factor > 1 else { return self }
    var result: [UInt8] = []
    result.reserveCapacity(pixels.count * factor * factor)
    for y in 0..<height {
      var row: [UInt8] = []
      row.reserveCapacity(width * factor * channels)
      for x in 0..<width {
        let start = (y * width + x) * channels
        for _ in 0..<factor { row.append(contentsOf: pixels[start..<(start + channels)]) }
      }
      for _ in 0..<factor { result.append(contentsOf: row) }
    }
    return PixelImage(uncheckedWidth: width * factor, height: height * factor, channels: channels, pixels: result)
  }

  /// Writes into an RGB picture: `coverage` 1 replaces the pixel, 0 leaves it. Outside of the picture nothing happens.
  mutating func blend(_ color: RGBColor, atX x: Int, y: Int, coverage: Double = 1) {
    guard x >= 0, y >= 0, x < width, y < height, channels == 3, coverage > 0 else { return }
    let index = (y * width + x) * 3
    guard coverage < 1 else {
      pixels[index] = color.red
      pixels[index + 1] = color.green
      pixels[index + 2] = color.blue
      return
    }
    func mixed(_ old: UInt8, _ new: UInt8) -> UInt8 { UInt8(((1 - coverage) * Double(old) + coverage * Double(new)).rounded()) }
    pixels[index] = mixed(pixels[index], color.red)
    pixels[index + 1] = mixed(pixels[index + 1], color.green)
    pixels[index + 2] = mixed(pixels[index + 2], color.blue)
  }
}
