internal import QuickstepFormats
internal import QuickstepModels
public import QuickstepNN
public import QuickstepTensor

/// The 2,048 features of Inception v3 that the literature's FID and KID are taken in, from the user's weights in pytorch-fid's layout.
///
/// With `pt_inception-2015-12-05` converted to safetensors, the Fréchet distance in these features is the FID of pytorch-fid; whether a file holds
/// those weights is not known here, so figures are called `frechet-inception` and `kernel-inception`.
public struct InceptionFeatures: FeatureNet {
  /// How pictures are brought to 299×299.
  public enum Resizing: String, Sendable, CaseIterable {
    /// pytorch-fid: bilinear between pixels' centres, without smoothing when a picture shrinks.
    case pytorch = "pytorch-fid"
    /// The TensorFlow 1 graph of the first published figures: bilinear between pixels' upper left corners.
    case tensorflow
  }

  /// `inception`, or `inception-tensorflow` with the other way to resize.
  public let name: String
  /// 3: red, green, blue.
  public let channels = 3
  /// `[299, 299]`.
  public let inputSize = [299, 299]
  /// In words, with how pictures are resized.
  public var preprocessing: String { "bilinear to 299×299 as \(resizing.rawValue), −1…1" }
  /// 2,048.
  public let featureCount = InceptionV3.featureCount
  /// Where the weights are.
  public let device: Device
  private let network: InceptionV3
  private let resizing: Resizing

  /// - Parameters:
  ///   - weights: pytorch-fid's `pt_inception-2015-12-05` as safetensors; the scores' layer may be missing.
  ///   - resizing: how pictures are brought to 299×299.
  /// - Throws: `WeightsError` for weights of another network.
  public init(_ weights: any TensorSource, resizing: Resizing = .pytorch, device: Device = .cpu) throws {
    let isUnused = { (name: String) in name.hasPrefix("fc.") || name.hasPrefix("AuxLogits.") || name.hasSuffix(".num_batches_tracked") }
    network = try Weights.load(from: weights, device: device, ignoring: isUnused) { InceptionV3($0) }.model
    self.device = device
    self.resizing = resizing
    name = resizing == .pytorch ? "inception" : "inception-\(resizing.rawValue)"
  }

  /// How it is loaded by name.
  public static let loader = EvaluationNetLoader(
    "inception", "Inception v3 in pytorch-fid's layout; with its weights the Fréchet distance is FID.", provides: [.features],
    parameters: [
      .path("path", "pt_inception-2015-12-05 as safetensors"),
      ParameterDeclaration(
        name: "resize", summary: "how pictures are brought to 299×299", domain: .choice(Resizing.allCases.map(\.rawValue)),
        standard: .choice(Resizing.pytorch.rawValue)),
    ]
  ) { values, device in
    guard let path = values.text("path") else { throw EvaluationError("inception: name its weight file, as in inception:FILE") }
    return try InceptionFeatures(
      SafetensorsFile(path: path), resizing: values.choice("resize").flatMap(Resizing.init) ?? .pytorch, device: device)
  }

  /// Every size is taken, as the reference does.
  public func check(_ shape: [Int]) throws {}

  /// `[B, 3, H, W]` to `[B, 3, 299, 299]`, both in −1…1.
  public func preprocess(_ images: Tensor) -> Tensor {
    guard Array(images.shape.suffix(2)) != inputSize else { return images }
    switch resizing {
    case .pytorch: return images.upsampleBilinear2d(inputSize, alignCorners: false)
    case .tensorflow:
      let rows = Self.cornerMatrix(from: images.size(2), to: inputSize[0]).to(images.device)
      let columns = Self.cornerMatrix(from: images.size(3), to: inputSize[1]).to(images.device)
      return rows.matmul(images.linear(columns))
    }
  }

  /// `[B, 3, 299, 299]` to `[B, 2048]`.
  public func evaluate(_ input: Tensor) throws -> Tensor { network.features(input) }

  /// `[to, from]`: place i of the result lies at i·from/to, between that pixel and the next.
  private static func cornerMatrix(from count: Int, to size: Int) -> Tensor {
    var weights = [Float](repeating: 0, count: size * count)
    for row in 0..<size {
      let place = Float(row) * (Float(count) / Float(size))
      let first = min(count - 1, Int(place))
      let fraction = place - Float(first)
      weights[row * count + first] += 1 - fraction
      weights[row * count + min(count - 1, first + 1)] += fraction
    }
    return Tensor(weights, shape: [size, count])
  }
}
