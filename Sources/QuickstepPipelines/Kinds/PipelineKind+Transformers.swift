import QuickstepFormats
import QuickstepModels
import QuickstepTokenizers

extension PipelineKind {
  /// Of published models on transformers, sorted by class name.
  static let ofTransformers = [
    PipelineKind(className: "DiTPipeline", hasCodec: true, guidanceScale: 4, steps: 50) { loader, backbone, index in
      let count = try loader.network(backbone, as: DiT.self).configuration.classCount
      return ClassConditioner(
        model: loader.name, count: count, device: loader.device, labels: try classNames(index, count: count))
    },
    // The pipeline chooses the times itself: evenly from 1 down to 1/n.
    PipelineKind(
      className: "FluxPipeline", hasCodec: true, guidanceScale: 3.5, steps: 28, flowSpacing: "trailing", roundsStepsUp: true
    ) { loader, backbone, _ in
      let network = try loader.network(backbone, as: FluxTransformer.self)
      let clip = try loader.clipStage("")
      return FluxConditioner(
        model: loader.name, clip: clip, t5: try loader.t5Stage("_2", length: 512), embedsGuidance: network.configuration.embedsGuidance,
        device: loader.device)
    },
    pixArt("PixArtAlphaPipeline", length: 120, binSides: [32: 256, 64: 512, 128: 1024]),
    pixArt("PixArtSigmaPipeline", length: 300, binSides: [32: 256, 64: 512, 128: 1024, 256: 2048]),
    PipelineKind(
      className: "SanaPipeline", hasCodec: true, guidanceScale: 4.5, steps: 20, binSides: [16: 512, 32: 1024, 64: 2048, 128: 4096]
    ) { loader, backbone, index in
      let network = try loader.network(backbone, as: SanaTransformer.self).configuration
      let hasEncoder = index.members["text_encoder"]?.array?.last?.string != nil
      return try SanaConditioner(
        model: loader.name, stage: hasEncoder ? try loader.gemmaStage() : nil, network: network, device: loader.device)
    },
    PipelineKind(
      className: "StableDiffusion3Pipeline", hasCodec: true, guidanceScale: 7, steps: 28, roundsStepsUp: true
    ) { loader, backbone, index in
      let network = try loader.network(backbone, as: SD3Transformer.self).configuration
      let stages = [try loader.clipStage(""), try loader.clipStage("_2")]
      let hasT5 = index.members["text_encoder_3"]?.array?.last?.string != nil
      return StableDiffusion3Conditioner(
        model: loader.name, stages: stages, t5: hasT5 ? try loader.t5Stage("_3", length: 256) : nil, channels: network.promptSize,
        length: 256, device: loader.device)
    },
  ]

  private static func pixArt(_ className: String, length: Int, binSides: [Int: Int]) -> PipelineKind {
    PipelineKind(className: className, hasCodec: true, guidanceScale: 4.5, steps: 20, binSides: binSides) { loader, backbone, _ in
      let network = try loader.network(backbone, as: PixArtTransformer.self).configuration
      return PixArtConditioner(
        model: loader.name, stage: try loader.t5Stage("", length: length), hasSizes: network.hasSizes, device: loader.device)
    }
  }

  /// `id2label`: number → names, separated by commas. Of names that several classes have, the last class counts, as in the reference.
  private static func classNames(_ index: ConfigurationFile, count: Int) throws -> [String: Int] {
    guard let member = index.members["id2label"], member != .null else { return [:] }
    guard let entries = member.object else { throw FormatError(index.path, "'id2label' is no object of numbers and names") }
    var result: [String: Int] = [:]
    let numbered = try entries.map { key, value -> (Int, String) in
      guard let number = Int(key), (0..<count).contains(number), let names = value.string else {
        throw FormatError(index.path, "'id2label' holds '\(key.prefix(40))', which is no class of 0…\(count - 1) with a name")
      }
      return (number, names)
    }
    for (number, names) in numbered.sorted(by: { $0.0 < $1.0 }) {
      for name in names.split(separator: ",") { result[String(name).trimmingSpaces] = number }
    }
    return result
  }
}

extension ComponentLoader {
  /// The backbone as the network that a pipeline of this kind needs.
  /// - Throws: `FormatError` naming both.
  func network<Network: Backbone>(_ backbone: any Backbone, as type: Network.Type) throws -> Network {
    guard let network = backbone as? Network else {
      throw FormatError(folder, "its network is a \(Swift.type(of: backbone)); this pipeline needs a \(type)")
    }
    return network
  }

  /// The tokenizer and T5 encoder whose folders end in `suffix`.
  mutating func t5Stage(_ suffix: String, length: Int) throws -> T5Stage {
    let tokenizer = try SubwordTokenizer(folder: files.tokenizer("tokenizer" + suffix).folder)
    let encoder = try component("text_encoder" + suffix, as: T5Encoder.self)
    return try T5Stage(tokenizer: tokenizer, encoder: encoder, length: length, model: name)
  }

  /// The tokenizer and Gemma 2 encoder of a folder.
  mutating func gemmaStage() throws -> GemmaStage {
    let tokenizer = try SubwordTokenizer(folder: files.tokenizer("tokenizer").folder)
    let encoder = try component("text_encoder", as: Gemma2Encoder.self)
    return try GemmaStage(tokenizer: tokenizer, encoder: encoder, model: name)
  }
}
