import QuickstepFormats
import QuickstepTensor

extension TinyModel {
  private static let text: [String: JSONValue] = [
    "vocab_size": .integer(12), "hidden_size": .integer(8), "intermediate_size": .integer(12), "num_hidden_layers": .integer(2),
    "num_attention_heads": .integer(2), "max_position_embeddings": .integer(5), "eos_token_id": .integer(11),
    "projection_dim": .integer(6),
  ]
  private static let vision: [String: JSONValue] = [
    "hidden_size": .integer(8), "intermediate_size": .integer(12), "num_hidden_layers": .integer(2), "num_attention_heads": .integer(2),
    "image_size": .integer(8), "patch_size": .integer(4), "projection_dim": .integer(6),
  ]
  private static func words() -> Tensor { Tensor([2, 5, 7, 11, 11, 2, 8, 11, 11, 11], shape: [2, 5]) }
  private static func pixels() throws -> Tensor { try random([2, 3, 8, 8], 1) }

  /// CLIP's towers, each by itself and both together.
  static let towers =
    ["CLIPTextModel", "CLIPTextModelWithProjection"].map { className in
      TinyModel(className: className, variant: "", members: text) { ["input_ids": words()] }
    } + [
      TinyModel(className: "CLIPVisionModelWithProjection", variant: "", members: vision) { ["pixel_values": try pixels()] },
      TinyModel(
        className: "CLIPModel", variant: "",
        members: ["projection_dim": .integer(6), "text_config": .object(text), "vision_config": .object(vision)]
      ) { ["input_ids": words(), "pixel_values": try pixels()] },
    ]
}
