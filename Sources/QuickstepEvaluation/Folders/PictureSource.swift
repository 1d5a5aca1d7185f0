public import QuickstepTensor

/// Pictures of one size that can be had part by part.
public protocol PictureSource: Sendable {
  /// What messages and reports call it.
  var origin: String { get }
  /// What each picture is called; pairs are pictures of one name.
  var names: [String] { get }
  /// What each was asked for by; empty when that is not known of all of them.
  var prompts: [String] { get }
  /// Of every picture, in pixels.
  var width: Int { get }
  /// Of every picture, in pixels.
  var height: Int { get }
  /// Some of the pictures, `[count, 3, H, W]` float32 in −1…1.
  /// - Throws: `FormatError` that names the picture; `TensorError`.
  func pictures(_ range: Range<Int>) throws -> Tensor
}

extension PictureSource {
  /// How many there are.
  public var count: Int { names.count }
}

/// Pictures in memory, such as those of a run that was just made.
public struct HeldPictures: PictureSource {
  public let origin: String
  public let names: [String]
  public let prompts: [String]
  public let width: Int
  public let height: Int
  private let pixels: Tensor

  /// - Parameters:
  ///   - pixels: `[N, 1 or 3, H, W]` in −1…1; grey becomes three equal channels. Values outside are cut off and the rest is rounded to 8 bits, as it
  ///     is when a picture is stored.
  ///   - prompts: what each was asked for by; N of them or none.
  ///   - origin: what reports call them.
  /// - Throws: ``EvaluationError`` for other shapes, another number of prompts and values that are not finite; `TensorError`.
  public init(_ pixels: Tensor, prompts: [String] = [], origin: String = "pictures") throws {
    guard pixels.rank == 4, [1, 3].contains(pixels.size(1)) else {
      throw EvaluationError("\(origin) have shape \(pixels.shape); expected [N, 1 or 3, height, width]")
    }
    try Checks.finite(pixels, origin)
    guard prompts.isEmpty || prompts.count == pixels.size(0) else {
      throw EvaluationError("\(pixels.size(0)) pictures and \(prompts.count) prompts")
    }
    self.pixels = try withTensorErrors {
      let bytes = ((pixels.detach().to(.float32, .cpu) + 1) * 127.5).clamp(min: 0, max: 255).round()
      return (bytes / 127.5 - 1).expand([pixels.size(0), 3, pixels.size(2), pixels.size(3)])
    }
    self.origin = origin
    self.prompts = prompts
    names = (0..<pixels.size(0)).map(String.init)
    (height, width) = (pixels.size(2), pixels.size(3))
  }

  public func pictures(_ range: Range<Int>) throws -> Tensor {
    try withTensorErrors { pixels.narrow(0, start: range.lowerBound, length: range.count).contiguous() }
  }
}
