internal import Foundation
internal import QuickstepFormats
internal import QuickstepTensor

/// What is done to a picture before CLIP sees it, from a folder's `preprocessor_config.json`; OpenAI's values where there is none.
struct CLIPPreprocessor: Sendable {
  /// Of the shorter side after resizing, and of the square that is cut out of the middle.
  let side: Int, crop: Int
  private let mean: [Float]
  private let deviation: [Float]

  init(folder: String, imageSize: Int) throws {
    let path = folder + "/preprocessor_config.json"
    var members: [String: JSONValue] = [:]
    if FileManager.default.fileExists(atPath: path) {
      guard let read = try JSONValue(path: path).object else { throw FormatError(path, "is not a JSON object") }
      members = read
    }
    func check(_ key: String, _ supported: JSONValue) throws {
      guard let value = members[key], value != .null, value != supported else { return }
      throw FormatError(path, "'\(key)' is \(value.text.prefix(60)); only \(supported.text) is supported")
    }
    for key in ["do_resize", "do_center_crop", "do_rescale", "do_normalize"] { try check(key, .bool(true)) }
    // Pillow's number of bicubic.
    try check("resample", .integer(3))
    func side(_ key: String, _ names: [String]) throws -> Int {
      guard let value = members[key], value != .null else { return imageSize }
      let numbers = value.integer.map { [$0] } ?? names.compactMap { value[$0]?.integer }
      guard let number = numbers.first, Set(numbers).count == 1, (1...4096).contains(number) else {
        throw FormatError(path, "'\(key)' is \(value.text.prefix(60)); expected one side in 1…4096 pixels")
      }
      return number
    }
    (self.side, crop) = (try side("size", ["shortest_edge"]), try side("crop_size", ["height", "width"]))
    guard crop == imageSize, self.side >= crop else {
      throw FormatError(path, "cuts \(crop) out of \(self.side) pixels; the network takes \(imageSize)")
    }
    func numbers(_ key: String, _ standard: [Float]) throws -> [Float] {
      guard let value = members[key], value != .null else { return standard }
      let found = value.array?.compactMap { $0.double.map { Float($0) } } ?? []
      guard found.count == 3, found.allSatisfy(\.isFinite) else {
        throw FormatError(path, "'\(key)' is \(value.text.prefix(60)); expected three numbers")
      }
      return found
    }
    mean = try numbers("image_mean", [0.48145466, 0.4578275, 0.40821073])
    deviation = try numbers("image_std", [0.26862954, 0.26130258, 0.27577711])
    guard deviation.allSatisfy({ $0 > 0 }) else { throw FormatError(path, "'image_std' holds numbers that are not positive") }
  }

  /// `[B, 3, H, W]` in −1…1 to `[B, 3, crop, crop]`, normalised. Resized pictures are rounded to 8 bits, as the reference's are.
  func callAsFunction(_ images: Tensor) -> Tensor {
    let (height, width) = (images.size(2), images.size(3))
    var bytes = (images + 1) * 127.5
    if min(height, width) != side {
      let short = min(height, width)
      func scaled(_ length: Int) -> Int { length == short ? side : side * length / short }
      bytes = Resampling.bicubic.resized(bytes, width: scaled(width), height: scaled(height)).clamp(min: 0, max: 255).round()
    }
    let cut = bytes.narrow(2, start: (bytes.size(2) - crop) / 2, length: crop).narrow(3, start: (bytes.size(3) - crop) / 2, length: crop)
    let (offset, scale) = (
      Tensor(mean, shape: [1, 3, 1, 1]).to(images.device), Tensor(deviation, shape: [1, 3, 1, 1]).to(images.device)
    )
    return (cut / 255 - offset) / scale
  }
}
