public import QuickstepModels
public import QuickstepTensor
import QuickstepTokenizers

/// How prompts become what a backbone is conditioned on. One implementation per kind of model.
public protocol Conditioner: Sendable {
  /// Channels of an encoded prompt; nil for models that take no words.
  var promptChannels: Int? { get }
  /// Channels of a prompt's summary; nil for models that use none.
  var pooledChannels: Int? { get }
  /// Number of classes of a class-conditional model.
  var classCount: Int? { get }
  /// Whether prompts may have a style.
  var hasStyles: Bool { get }
  /// Whether words of a prompt may have weights.
  var takesWeights: Bool { get }
  /// Whether encoded prompts come with a mask.
  var takesMask: Bool { get }
  /// How a guidance scale acts.
  var guidance: GuidanceKind { get }
  /// Places of an encoded prompt; 0 where its length is of no account for memory.
  var promptLength: Int { get }

  /// Bytes in use at once, beside the weights, while prompts become a condition: an estimate from above.
  /// - Parameters:
  ///   - batch: prompts that are encoded together.
  ///   - elementBytes: of a number that is computed with.
  func workingBytes(batch: Int, elementBytes: Int) -> Int

  /// The condition of a batch.
  /// - Parameters:
  ///   - prompts: one per picture; empty ones stand for no condition.
  ///   - side: whether they are asked for or steered away from.
  ///   - frame: what else a model may be told.
  ///   - warnings: takes what was not understood, in sentences for the user.
  /// - Throws: ``GenerationError`` for prompts that the model cannot serve; `TensorError`.
  func condition(
    _ prompts: [String], side: GuidanceSide, frame: ConditioningFrame, warnings: inout [String]
  ) throws -> Conditioning

  /// The condition of prompts that the caller encoded.
  /// - Parameters:
  ///   - sequence: `[B, L, D]`.
  ///   - pooled: `[B, P]`, if there is any.
  func condition(encoded sequence: Tensor, pooled: Tensor?, frame: ConditioningFrame) throws -> Conditioning
}

/// The two branches of classifier-free guidance.
public enum GuidanceSide: Sendable { case positive, negative }

/// How a model is guided.
public enum GuidanceKind: Sendable, Hashable {
  /// By comparing with a second branch (classifier-free guidance).
  case branches
  /// The network is told the scale and answers as if guided.
  case told
  /// Not at all: the scale has no effect.
  case none
}

/// What a model may be told besides the prompt.
public struct ConditioningFrame: Sendable {
  /// One of the model's styles.
  public var style: String?
  /// Size of the picture in pixels.
  public var width: Int, height: Int
  /// How brackets in prompts are read.
  public var weighting = PromptWeighting.none
  /// For models that are told it.
  public var guidanceScale = 1.0
  /// Whether the condition is asked for or steered away from, for models that are told different things then.
  public var side = GuidanceSide.positive

  /// - Parameters:
  ///   - style: one of the model's styles.
  ///   - width: in pixels.
  ///   - height: in pixels.
  public init(style: String? = nil, width: Int, height: Int) {
    self.style = style
    self.width = width
    self.height = height
  }
}

extension Conditioner {
  public var classCount: Int? { nil }
  public var hasStyles: Bool { false }
  public var takesWeights: Bool { false }
  public var takesMask: Bool { false }
  public var guidance: GuidanceKind { .branches }
  public var promptLength: Int { 0 }
  public func workingBytes(batch: Int, elementBytes: Int) -> Int { 0 }

  /// The positive and negative conditions of a batch, from prompts or from what the caller brought along.
  func conditions(
    prompts: [String], negative: String, given: GivenTensors, needsNegative: Bool, frame: ConditioningFrame, warnings: inout [String]
  ) throws -> [String: Conditioning] {
    guard let embeds = given.promptEmbeds else {
      var result = ["positive": try condition(prompts, side: .positive, frame: frame, warnings: &warnings)]
      if needsNegative {
        let texts = Array(repeating: negative, count: prompts.count)
        result["negative"] = try condition(texts, side: .negative, frame: frame, warnings: &warnings)
      }
      return result
    }
    var result = ["positive": try condition(encoded: embeds, pooled: given.pooledPromptEmbeds, frame: frame)]
    result["positive"]?.mask = given.promptMask?.to(.bool)
    if needsNegative {
      guard let other = given.negativePromptEmbeds else {
        throw GenerationError("guidance needs 'negative_prompt_embeds' beside 'prompt_embeds'; give them or set the guidance scale to 1")
      }
      var frame = frame
      frame.side = .negative
      result["negative"] = try condition(encoded: other, pooled: given.negativePooledPromptEmbeds, frame: frame)
      result["negative"]?.mask = given.negativePromptMask?.to(.bool)
    }
    return result.contains { $0.value.mask != nil } ? result.mapValues(\.masked) : result
  }
}

extension Conditioning {
  /// With a mask of its own, under which all places count where it had none: branches that are evaluated together must not share another's.
  fileprivate var masked: Conditioning {
    guard mask == nil, let sequence else { return self }
    var result = self
    result.mask = .ones([sequence.size(0), sequence.size(1)], dtype: .bool, device: sequence.device)
    return result
  }
}

extension ConditioningFrame {
  /// The error for encoded prompts without the summary that a model needs beside them.
  func missingSummary(_ model: String) -> GenerationError {
    let prefix = side == .negative ? "negative_" : ""
    return GenerationError("'\(model)' needs '\(prefix)pooled_prompt_embeds' beside '\(prefix)prompt_embeds'")
  }
}

/// What tokenizers have to say to the user.
enum TokenizerWarnings {
  static func add(_ encoding: Encoding, prompt: String, model: String, length: Int, to warnings: inout [String]) {
    func warn(_ words: [String], _ what: String) {
      let text =
        "\(what): \(words.prefix(8).map { $0.prefix(40) }.joined(separator: ", "))\(words.count > 8 ? ", …" : "") (prompt '\(prompt.prefix(60))')"
      if !words.isEmpty, !warnings.contains(text) { warnings.append(text) }
    }
    warn(encoding.unknownWords, "words the model '\(model)' does not know")
    warn(encoding.truncatedWords, "the prompt is longer than \(length) tokens, left out")
  }
}

/// A request cannot be carried out.
public struct GenerationError: Error, Sendable, CustomStringConvertible {
  public let description: String
  /// An error with this text, which names the value and what is allowed.
  public init(_ description: String) { self.description = description }
}

extension String {
  var trimmingSpaces: String { String(drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed()) }
}
