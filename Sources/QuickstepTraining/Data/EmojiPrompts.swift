import Foundation
import QuickstepFormats
import QuickstepModels
import QuickstepNN
import QuickstepTensor
import QuickstepTokenizers

/// Pictures of `emoji64` with what a model is told of them: shared by the tasks that learn from prompts.
struct EmojiPrompts {
  let data: EmojiTrainingData
  let tokenizer: WordTokenizer
  private let dropout: Double

  /// A vocabulary from the names and keywords of the selection; or, for an encoder that is trained already, the one beside it.
  init(_ plan: TrainingPlan, note: (String) -> Void) throws {
    dropout = plan.conditionDropout
    data = try EmojiTrainingData(plan.data, note: note)
    guard let length = plan.components["text_encoder"]?["max_position_embeddings"]?.json.integer else {
      throw PlanError("the plan's 'text_encoder' needs 'max_position_embeddings'")
    }
    if let folder = plan.startFrom?["text_encoder"] {
      let path = (folder as NSString).deletingLastPathComponent + "/tokenizer/vocab.json"
      tokenizer = try WordTokenizer(path: path, length: length)
    } else {
      tokenizer = try WordTokenizer(counting: data.vocabularyTexts, styles: data.styles, length: length)
    }
  }

  /// What only the vocabulary knows of the text encoder's configuration.
  var encoderSettings: [String: JSONValue] { ["vocab_size": .integer(tokenizer.vocabularySize)] }

  /// The pictures of these samples as numbers in −1…1, `[B, 3, 64, 64]`.
  func pictures(_ indices: [Int], device: Device) -> Tensor {
    data.pixels.indexSelect(0, index: Tensor(indices)).to(device).to(.float32) / 127.5 - 1
  }

  /// One prompt for each of these samples: ids and mask, `[B, L]`.
  func prompts(_ indices: [Int], choices: inout SplitMix64, device: Device) -> (ids: Tensor, mask: Tensor) {
    let encodings = indices.map { encode(data.rows[$0], &choices) }
    let shape = [indices.count, encodings[0].ids.count]
    return (Tensor(encodings.flatMap(\.ids), shape: shape).to(device), Tensor(encodings.flatMap(\.mask), shape: shape).to(device))
  }

  /// What the model is told of a picture: mostly its name, sometimes with or instead of keywords; now and then no words, or nothing at all.
  private func encode(_ row: EmojiRow, _ choices: inout SplitMix64) -> Encoding {
    let draw = Double.random(in: 0..<1, using: &choices)
    if draw < dropout { return tokenizer.encode("", style: draw < dropout / 2 ? nil : row.style) }
    let style = Double.random(in: 0..<1, using: &choices) < 0.05 ? nil : row.style
    let kind = Double.random(in: 0..<1, using: &choices)
    guard kind < 0.2, !row.keywords.isEmpty else { return tokenizer.encode(row.name, style: style) }
    let words = row.keywords.shuffled(using: &choices).prefix(3).joined(separator: " ")
    return tokenizer.encode(kind < 0.05 ? words : row.name + " " + words, style: style)
  }

  /// Writes the vocabulary where a model folder has it.
  func writeTokenizer(to folder: String) throws {
    try FileManager.default.createDirectory(atPath: folder + "/tokenizer", withIntermediateDirectories: true)
    try tokenizer.save(to: folder + "/tokenizer/vocab.json")
  }
}
