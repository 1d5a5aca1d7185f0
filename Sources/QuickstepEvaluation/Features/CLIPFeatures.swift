internal import Foundation
internal import QuickstepFormats
internal import QuickstepModels
internal import QuickstepNN
public import QuickstepTensor
internal import QuickstepTokenizers

/// CLIP from a user's folder: features of pictures, and how well a picture fits a text.
///
/// The folder is transformers' `CLIPModel` (`config.json`, `model.safetensors`, the tokenizer's files, `preprocessor_config.json`); one of
/// `CLIPVisionModelWithProjection` gives features only.
public struct CLIPFeatures: FeatureNet, TextPictureNet {
  /// `clip-` with width, blocks and patch of the vision tower: `clip-768x12-p32`. Checkpoints of one size share it, so that the folder is named beside figures.
  public let name: String
  /// 3: red, green, blue.
  public let channels = 3
  /// As the checkpoint has it: `[224, 224]`.
  public let inputSize: [Int]
  /// In words.
  public let preprocessing: String
  /// Channels of the space both towers project into.
  public let featureCount: Int
  /// Where the weights are.
  public let device: Device
  private let vision: CLIPVisionEncoder
  private let text: CLIPTextEncoder?
  private let tokenizer: CLIPTokenizer?
  private let preprocessor: CLIPPreprocessor

  /// - Parameter folder: see the type.
  /// - Throws: `FormatError`, `WeightsError`, `TokenizerError` for missing and unfitting files; ``EvaluationError`` for other components.
  public init(folder: String, device: Device = .cpu) throws {
    let component = try Architectures.load(folder: folder, device: device).component
    if let both = component as? CLIPModel {
      (vision, text) = (both.vision, both.text)
      let tokenizer = try CLIPTokenizer(folder: folder)
      guard tokenizer.vocabularySize <= both.text.configuration.vocabularySize else {
        throw EvaluationError(
          "\(folder): the tokenizer has \(tokenizer.vocabularySize) tokens and the network \(both.text.configuration.vocabularySize)")
      }
      self.tokenizer = tokenizer
    } else if let alone = component as? CLIPVisionEncoder {
      (vision, text, tokenizer) = (alone, nil, nil)
    } else {
      throw EvaluationError("\(folder) holds a \(type(of: component)); expected a CLIPModel or a CLIPVisionModelWithProjection")
    }
    let configuration = vision.configuration
    guard configuration.channels == 3 else {
      throw EvaluationError("\(folder) takes pictures of \(configuration.channels) channels, not 3")
    }
    preprocessor = try CLIPPreprocessor(folder: folder, imageSize: configuration.imageSize)
    inputSize = [configuration.imageSize, configuration.imageSize]
    featureCount = configuration.projectionSize
    name = "clip-\(configuration.hiddenSize)x\(configuration.layers)-p\(configuration.patchSize)"
    preprocessing = "bicubic, the shorter side to \(preprocessor.side), the middle \(preprocessor.crop)×\(preprocessor.crop)"
    self.device = device
  }

  /// How it is loaded by name.
  public static let loader = EvaluationNetLoader(
    "clip", "CLIP from a folder of transformers: features, and with its text tower CLIP scores.", provides: [.features, .texts],
    parameters: [.path("folder", "the folder with config.json, weights and tokenizer")]
  ) { values, device in
    guard let folder = values.text("folder") else { throw EvaluationError("clip: name its folder, as in clip:FOLDER") }
    return try CLIPFeatures(folder: folder, device: device)
  }

  /// Every size is taken; what lies beyond the middle square is not seen.
  public func check(_ shape: [Int]) throws {}
  /// `[B, 3, H, W]` in −1…1 to the network's normalised square.
  public func preprocess(_ images: Tensor) -> Tensor { preprocessor(images) }
  /// The projected summary, `[B, P]`, not scaled to length 1.
  public func evaluate(_ input: Tensor) throws -> Tensor { vision(input).projected }

  /// Embeddings of texts, `[N, P]` float32 on the CPU, not scaled to length 1. Texts longer than the network takes are cut.
  /// - Throws: ``EvaluationError`` when the folder holds no text tower, or there are no texts; `TensorError`.
  public func embeddings(of texts: [String]) throws -> Tensor {
    guard let text, let tokenizer else { throw EvaluationError("\(name) has no text tower; give a folder of a whole CLIPModel") }
    guard !texts.isEmpty else { throw EvaluationError("there are no texts") }
    let longest = text.configuration.length
    let ids = texts.map { words in
      var row = Array(tokenizer.encode(words).ids.prefix(longest))
      // Cut after the tokenizer's own cutting only where the network takes fewer tokens; the end stays.
      if !row.contains(tokenizer.endID) { row[row.count - 1] = tokenizer.endID }
      return row
    }
    let length = ids.map(\.count).max() ?? 0
    return try withInference {
      try withTensorErrors { text(Tensor(ids.flatMap { $0 }, shape: [ids.count, length]).to(device)).projected ?? .undefined }.to(
        .float32, .cpu)
    }
  }

  public func cut(_ texts: [String]) -> [String] {
    guard let text, let tokenizer else { return [] }
    return texts.filter { words in
      let encoding = tokenizer.encode(words)
      return !encoding.truncatedWords.isEmpty || encoding.mask.count { $0 } > text.configuration.length
    }
  }

  public func cosines(_ pictures: Tensor, texts: [String]) throws -> [Double] {
    guard pictures.rank == 4, pictures.size(0) == texts.count else {
      throw EvaluationError("pictures of shape \(pictures.shape) and \(texts.count) texts")
    }
    let (seen, read) = (try features(pictures), try embeddings(of: texts))
    return try withTensorErrors {
      func unit(_ values: Tensor) -> Tensor { values.to(.float64) / values.to(.float64).vectorNorm(dim: [1], keepdim: true) }
      return (unit(seen) * unit(read)).sum([1])
    }.scalars(Double.self)
  }
}
