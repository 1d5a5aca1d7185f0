internal import Foundation
internal import QuickstepFormats
internal import QuickstepModels
internal import QuickstepNN
public import QuickstepTensor

/// SqueezeNet 1.0 trained on ImageNet, by the authors' compressed weights: 512 features per picture.
///
/// The weights are not part of this project; they are read from `weights/squeezenet` of the data location. The features are the mean over
/// positions of the last fire module. They are not those of the Inception network that the literature's FID uses, nor of LPIPS, so
/// figures made with them carry names of their own.
public struct SqueezeNetFeatures: FeatureNet {
  /// Where `DataLocation` looks for the weights.
  public static let dataSet = "weights/squeezenet"
  /// How it is loaded by name.
  public static let loader = EvaluationNetLoader(
    "squeezenet", "SqueezeNet 1.0 with its authors' weights: features, and a perceptual distance of its own name.",
    provides: [.features, .distance],
    parameters: [.path("path", "the weight file or its folder; without it the data location")]
  ) { values, device in try SqueezeNetFeatures(path: values.text("path"), device: device) }
  static let fileName = "squeezenet1_0_caffe_fp16.safetensors"
  /// Means of the blue, green and red channel that the network was trained with, in 0…255.
  static let means: [Float] = [104, 117, 123]

  /// `squeezenet`.
  public let name = "squeezenet"
  /// 3: red, green, blue.
  public let channels = 3
  /// `[224, 224]`.
  public let inputSize = [224, 224]
  /// Caffe's conventions, which the weights come from.
  public let preprocessing = "bilinear to 224×224, blue-green-red in 0…255 minus (104, 117, 123)"
  /// 512, the channels of the last fire module.
  public let featureCount = 512
  /// Where the weights are.
  public let device: Device
  let network: SqueezeNet
  private let offset: Tensor
  private let blueGreenRed: Tensor

  /// Loads the weights.
  /// - Parameter path: the weight file, or the folder that holds `squeezenet1_0_caffe_fp16.safetensors`; by default ``dataSet`` in the data
  ///   location.
  /// - Throws: `FormatError` when they are not there, `WeightsError` when they are not SqueezeNet 1.0.
  public init(path: String? = nil, device: Device = .cpu) throws {
    let place = try path ?? DataLocation.find(Self.dataSet)
    let file = place.hasSuffix(".safetensors") ? place : place + "/" + Self.fileName
    network = try Weights.load(from: try SafetensorsFile(path: file), device: device) { SqueezeNet($0) }.model
    self.device = device
    (offset, blueGreenRed) = try withTensorErrors {
      (Tensor(Self.means, shape: [1, 3, 1, 1]).to(device), Tensor([2, 1, 0]).to(device))
    }
  }

  /// Pictures are only ever enlarged here, where antialiasing makes no difference; reducing a larger one without it would change what
  /// is seen, so that is refused.
  public func check(_ shape: [Int]) throws {
    guard shape.count == 4, (1...224).contains(shape[2]), shape[2] == shape[3] else {
      throw EvaluationError("\(name) takes square pictures [B, 3, H, W] of at most 224×224 pixels, not \(shape); scale them down first")
    }
  }

  /// `[B, 3, H, W]` in −1…1 to `[B, 3, 224, 224]`, blue first, means taken off.
  public func preprocess(_ images: Tensor) -> Tensor {
    let pixels = (images + 1) * 127.5
    let sized = images.size(-1) == 224 ? pixels : pixels.upsampleBilinear2d(inputSize, alignCorners: false)
    return sized.indexSelect(1, index: blueGreenRed) - offset
  }

  /// `[B, 3, 224, 224]` to `[B, 512]`.
  public func evaluate(_ input: Tensor) throws -> Tensor { network.maps(input).mean([2, 3]) }

  /// ImageNet scores, averaged over positions after the last ReLU.
  /// - Parameter images: `[B, 3, H, W]` in −1…1.
  /// - Returns: `[B, 1000]`.
  /// - Throws: ``EvaluationError`` for other shapes, `TensorError`.
  public func logits(_ images: Tensor) throws -> Tensor {
    try inBatches(images, batch: 16) { network.logits(network.maps($0)) }
  }
}
