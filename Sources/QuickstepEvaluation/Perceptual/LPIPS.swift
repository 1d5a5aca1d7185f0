internal import QuickstepFormats
internal import QuickstepModels
public import QuickstepNN
public import QuickstepTensor

/// LPIPS, version 0.1 (Zhang et al. 2018, arXiv 1801.03924, equation 1): how differently two pictures look to a network, weighed by heads that were
/// learned from people's judgements.
///
/// At every layer the features of each position are scaled to length 1; their squared differences are weighed by the layer's head, averaged over
/// the positions, and the layers' values added up. It is the formula of the PyPI package `lpips`, with its figures where backbone and heads are those
/// of the package; both come from the user.
public struct LPIPS: PictureDistance {
  /// Which network lies below.
  public enum Backbone: String, Sendable, CaseIterable {
    case alex, vgg, squeeze
  }

  /// Which network lies below.
  public let backbone: Backbone
  /// `lpips-alex`, `lpips-vgg` or `lpips-squeeze`.
  public var name: String { "lpips-\(backbone.rawValue)" }
  /// The same.
  public var metric: String { name }
  /// Where the weights are.
  public let device: Device
  private let network: any PerceptualBackbone
  /// `[1, C, 1, 1]` each.
  private let heads: [Tensor]
  private let shift: Tensor
  private let scale: Tensor

  /// - Parameters:
  ///   - network: torchvision's weights of `alexnet`, `vgg16` or `squeezenet1_1`; the classifier's are passed over.
  ///   - heads: the package's `lin0.model.1.weight` …, `[1, C, 1, 1]`, one per layer.
  /// - Throws: `WeightsError` for missing and wrongly shaped weights; ``EvaluationError`` for heads with negative weights or other heads' names;
  ///   `TensorError`.
  public init(_ backbone: Backbone, network: any TensorSource, heads: any TensorSource, device: Device = .cpu) throws {
    self.backbone = backbone
    self.device = device
    let isClassifier = { (name: String) in name.hasPrefix("classifier.") }
    self.network = try Weights.load(from: network, device: device, ignoring: isClassifier) { backbone.make($0) }.model
    let channels = backbone.channels
    self.heads = try Weights.load(from: heads, device: device) { weights in
      channels.enumerated().map { index, count in
        // The package's heads have a dropout in front of the weight; saved without it they are numbered 0.
        let scope = weights["lin\(index)", "model"]
        return scope[scope.has("0.weight") ? 0 : 1].parameter("weight", [1, count, 1, 1], initial: .zeros)
      }
    }.model
    for (index, head) in self.heads.enumerated() {
      let least = try withTensorErrors { head.min() }.item()
      guard least >= 0 else {
        throw EvaluationError("\(heads.origin): head \(index) has a weight of \(least); a distance has none below 0")
      }
    }
    (shift, scale) = try withTensorErrors {
      (
        Tensor([Float(-0.030), -0.088, -0.188], shape: [1, 3, 1, 1]).to(device),
        Tensor([Float(0.458), 0.448, 0.450], shape: [1, 3, 1, 1]).to(device)
      )
    }
  }

  public func distances(_ first: Tensor, _ second: Tensor, batch: Int = 8) throws -> [Double] {
    guard first.rank == 4, [1, 3].contains(first.size(1)), first.shape.suffix(2).allSatisfy({ $0 >= backbone.smallestSide }) else {
      throw EvaluationError("\(name) takes pictures [B, 1 or 3, H, W] with sides of at least \(backbone.smallestSide), not \(first.shape)")
    }
    return try LayerDistance.distances(first, second, batch: batch) { images in
      // One grey channel becomes three by broadcasting.
      network.perceptualLayers((images.to(device) - shift) / scale)
    } between: { index, difference in
      (difference * heads[index]).sum([1])
    }
  }
}

/// Networks below LPIPS.
protocol PerceptualBackbone: Sendable {
  /// The maps that are compared.
  func perceptualLayers(_ input: Tensor) -> [Tensor]
}

extension AlexNet: PerceptualBackbone { func perceptualLayers(_ input: Tensor) -> [Tensor] { layers(input) } }
extension VGG16: PerceptualBackbone { func perceptualLayers(_ input: Tensor) -> [Tensor] { layers(input) } }
extension SqueezeNet: PerceptualBackbone {}

extension LPIPS.Backbone {
  func make(_ weights: Weights) -> any PerceptualBackbone {
    switch self {
    case .alex: AlexNet(weights)
    case .vgg: VGG16(weights)
    case .squeeze: SqueezeNet(weights, version: .v1_1, hasClassifier: false)
    }
  }

  /// Of the maps that are compared.
  var channels: [Int] {
    switch self {
    case .alex: AlexNet.channels
    case .vgg: VGG16.channels
    case .squeeze: SqueezeNet.perceptualChannels
    }
  }

  /// Smaller pictures leave nothing at the last layer.
  var smallestSide: Int { self == .alex ? 31 : self == .vgg ? 16 : 17 }

  /// How it is loaded by name.
  var loader: EvaluationNetLoader {
    EvaluationNetLoader(
      "lpips-\(rawValue)", "LPIPS 0.1 on \(self == .alex ? "AlexNet" : self == .vgg ? "VGG-16" : "SqueezeNet 1.1").", provides: [.distance],
      parameters: [
        .path("backbone", "torchvision's weights as safetensors"), .path("heads", "the lpips package's heads as safetensors"),
      ]
    ) { values, device in
      guard let network = values.text("backbone"), let heads = values.text("heads") else {
        throw EvaluationError("lpips-\(rawValue) needs two files, as in lpips-\(rawValue):backbone=FILE,heads=FILE")
      }
      return try LPIPS(self, network: SafetensorsFile(path: network), heads: SafetensorsFile(path: heads), device: device)
    }
  }
}
