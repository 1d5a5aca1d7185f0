import Foundation
import QuickstepFormats
import QuickstepPipelines
import QuickstepTensor
import Testing

/// Tiny folders of every published pipeline, with what the reference made of them (`Parity/pipelines.py`).
enum Goldens {
  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures").path

  static func file(_ name: String) throws -> SafetensorsFile { try SafetensorsFile(path: "\(root)/\(name)/golden.safetensors") }

  /// The request that the reference answered.
  static func request(_ file: SafetensorsFile) throws -> GenerationRequest {
    let texts = try #require(file.metadata["prompts"])
    let prompts = try #require(try JSONValue(parsing: texts).array?.compactMap(\.string))
    let settings = try #require(file.metadata["arguments"])
    let arguments = try JSONValue(parsing: settings)
    var request = GenerationRequest(prompts: prompts, seeds: prompts.indices.map { UInt64($0) })
    request.given.latents = try file.tensor("latents")
    request.guidanceScale = arguments["guidance_scale"]?.double
    request.negative = arguments["negative_prompt"]?.string ?? arguments["negative_prompt"]?.array?.first?.string ?? ""
    func tensor(_ name: String) throws -> Tensor? { file.info(name) == nil ? nil : try file.tensor(name) }
    (request.given.promptEmbeds, request.given.negativePromptEmbeds) = (try tensor("prompt_embeds"), try tensor("negative_prompt_embeds"))
    request.given.promptMask = try tensor("prompt_attention_mask")
    request.given.negativePromptMask = try tensor("negative_prompt_attention_mask")
    // The codecs of these folders make two pixels of one.
    let shape = try #require(request.given.latents?.shape)
    (request.width, request.height) = (shape[3] * 2, shape[2] * 2)
    request.steps = arguments["num_inference_steps"]?.integer ?? 10
    request.batch = prompts.count
    request.recordsTrajectory = true
    return request
  }
}
