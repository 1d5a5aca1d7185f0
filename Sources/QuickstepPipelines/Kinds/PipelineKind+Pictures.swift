/// Folders that the reference saved with a pipeline for pictures: the components are those of text-to-image, what is done with them depends on
/// the request and on the network's channels.
extension PipelineKind {
  /// Class names of the reference, and of the kind whose components they have.
  private static let relatives: [(className: String, basic: String)] = [
    ("StableDiffusionControlNetImg2ImgPipeline", "StableDiffusionPipeline"),
    ("StableDiffusionControlNetInpaintPipeline", "StableDiffusionPipeline"),
    ("StableDiffusionControlNetPipeline", "StableDiffusionPipeline"),
    ("StableDiffusionImg2ImgPipeline", "StableDiffusionPipeline"),
    ("StableDiffusionInpaintPipeline", "StableDiffusionPipeline"),
    ("StableDiffusionXLControlNetImg2ImgPipeline", "StableDiffusionXLPipeline"),
    ("StableDiffusionXLControlNetInpaintPipeline", "StableDiffusionXLPipeline"),
    ("StableDiffusionXLControlNetPipeline", "StableDiffusionXLPipeline"),
    ("StableDiffusionXLImg2ImgPipeline", "StableDiffusionXLPipeline"),
    ("StableDiffusionXLInpaintPipeline", "StableDiffusionXLPipeline"),
  ]

  static let ofPictures: [PipelineKind] =
    relatives.compactMap { relative in
      var kind = basic.first { $0.className == relative.basic }
      kind?.className = relative.className
      return kind
    } + distilled

  /// Consistency models have the components of Stable Diffusion and settings of their own.
  private static var distilled: [PipelineKind] {
    guard var kind = basic.first(where: { $0.className == "StableDiffusionPipeline" }) else { return [] }
    (kind.className, kind.guidanceScale, kind.steps) = ("LatentConsistencyModelPipeline", 8.5, 4)
    return [kind]
  }
}
