import Foundation
public import QuickstepNN
public import QuickstepTensor

/// Configuration of ``NoiseLevelClassifier``, as in its `config.json`.
public struct NoiseLevelClassifierConfiguration: Codable, Sendable, Hashable {
  /// Channels of a sample: 1…4096, in JSON `in_channels`.
  public var inChannels: Int
  /// Channels after each convolution; every convolution is followed by pooling to half the side. In JSON `block_out_channels`.
  public var channels: [Int]
  /// Width of the hidden layer: 1…65536, in JSON `hidden_size`.
  public var hiddenSize: Int
  /// Number K of noise levels that are told apart: 2…1,000,000, in JSON `num_classes`.
  public var classCount: Int
  /// Where the levels end, exclusively: level K would be this. In JSON `sigma_min`, above 0.
  public var sigmaMin: Double
  /// The first level. In JSON `sigma_max`.
  public var sigmaMax: Double

  enum CodingKeys: String, CodingKey {
    case inChannels = "in_channels"
    case channels = "block_out_channels"
    case hiddenSize = "hidden_size"
    case classCount = "num_classes"
    case sigmaMin = "sigma_min"
    case sigmaMax = "sigma_max"
  }

  /// σ of every class: σ_min·(σ_max/σ_min)^u with u evenly spaced from 1 to 1/K, most noise first (Kim & Ye 2022, their program).
  public var sigmas: [Double] {
    (0..<classCount).map { index in
      let u = 1 - Double(index) / Double(classCount)
      return sigmaMin * pow(sigmaMax / sigmaMin, u)
    }
  }

  /// What is wrong with the numbers, if anything.
  var problem: String? {
    let numbers =
      [
        ("in_channels", inChannels, 1...4096), ("hidden_size", hiddenSize, 1...65536), ("num_classes", classCount, 2...1_000_000),
        ("levels", channels.count, 1...12),
      ] + channels.map { ("block_out_channels", $0, 1...65536) }
    if let problem = ConfigurationCheck.problem(numbers) { return problem }
    guard sigmaMin > 0, sigmaMax > sigmaMin, sigmaMax.isFinite else {
      return "'sigma_min' is \(sigmaMin) and 'sigma_max' \(sigmaMax); allowed: 0 < sigma_min < sigma_max, finite"
    }
    return nil
  }
}

/// Tells how much noise a sample holds: y = x0 + σ·z to the probabilities of a grid of σ.
///
/// A few convolutions with average pooling, as in Kim & Ye 2022 (arXiv 2209.14593). Two things differ from their network. The levels span
/// four decades, so what the convolutions see is scaled to unit mean square, and their pooled answers and that scale enter the last layers as
/// logarithms. And a sample of d elements tells σ to about σ/√(2d), so that probabilities are far narrower than what free logits of many classes
/// learn soon: the logits are those of a normal distribution of log σ, whose centre and width the network gives.
public struct NoiseLevelClassifier: Component {
  /// `pixel_values`, `[B, C, H, W]`: clean data and noise added up, with data as the denoising network knows them.
  public static let inputs = ["pixel_values"]
  /// As given to the initialiser.
  public let configuration: NoiseLevelClassifierConfiguration
  let convolutions: [Convolution]
  let hidden: Linear
  let head: Linear
  /// The last feature map is pooled to this side.
  static let pooledSide = 2
  /// Of log σ: no answer is surer than this.
  static let leastWidth = 0.003

  /// - Throws: `ComponentError` when the configuration's numbers make no network.
  public init(_ configuration: NoiseLevelClassifierConfiguration, weights: Weights) throws {
    if let problem = configuration.problem { throw ComponentError("NoiseLevelClassifier: \(problem)") }
    self.configuration = configuration
    let sizes = [configuration.inChannels] + configuration.channels
    convolutions = configuration.channels.indices.map { Convolution(weights["convs", $0], sizes[$0], sizes[$0 + 1], kernel: 3) }
    let features = (sizes.last ?? 1) * Self.pooledSide * Self.pooledSide + 1
    hidden = Linear(weights["hidden"], features, configuration.hiddenSize)
    head = Linear(weights["head"], configuration.hiddenSize, 2)
  }

  /// - Parameter samples: `[B, C, H, W]`, sides of at least 2 to the number of convolutions.
  /// - Returns: logits of ``NoiseLevelClassifierConfiguration/sigmas``, `[B, K]`.
  public func callAsFunction(_ samples: Tensor) -> Tensor {
    let power = samples.square().mean([1, 2, 3], keepdim: true) + 1e-4
    var features = samples * power.rsqrt()
    for convolution in convolutions { features = convolution(features).relu().avgPool2d([2, 2]) }
    let pooled = (features.adaptiveAvgPool2d([Self.pooledSide, Self.pooledSide]).flatten(startDim: 1) + 1e-3).log()
    // The logarithm of the root mean square: that of σ, where there is little but noise.
    let scale = power.log().flatten(startDim: 1) * 0.5
    let answer = head(hidden(.cat([pooled, scale], dim: 1)).relu())
    let centre = scale + answer.narrow(1, start: 0, length: 1)
    let width = answer.narrow(1, start: 1, length: 1).softplus() + Self.leastWidth
    let grid = Tensor(configuration.sigmas.map { Float(log($0)) }).to(samples.dtype, samples.device)
    return ((grid - centre) / width).square() * -0.5
  }

  /// - Returns: `logits` `[B, K]`.
  /// - Throws: ``ComponentError`` for missing and unknown names, and for samples that are too small; `TensorError`.
  public func forward(_ inputs: [String: Tensor]) throws -> [String: Tensor] {
    try checkNames(inputs)
    let samples = try required("pixel_values", of: inputs)
    let least = 1 << convolutions.count
    guard samples.rank == 4, samples.size(2) >= least, samples.size(3) >= least else {
      throw ComponentError("'pixel_values' is \(samples.shape); \(convolutions.count) poolings need [B, C, H, W] with sides from \(least)")
    }
    return try withTensorErrors { ["logits": self(samples)] }
  }
}
