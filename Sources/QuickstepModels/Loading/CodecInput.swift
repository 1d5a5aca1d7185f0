import QuickstepTensor

/// What a codec's `forward` is given: a picture to be encoded and decoded again, or a latent to be decoded.
enum CodecInput {
  case picture(Tensor)
  case latent(Tensor)

  /// Names that ``PictureCodec/forward(_:)`` takes.
  static let names = ["sample?", "z?"]
}

extension PictureCodec {
  /// The one tensor among `inputs`.
  /// - Throws: ``ComponentError`` unless exactly one of `sample` and `z` is given, as `[B, C, H, W]` with the right number of channels and, for
  ///   pictures, sides that are multiples of ``PictureCodec/factor``.
  func input(_ inputs: [String: Tensor], pictureChannels: Int, latentChannels: Int) throws -> CodecInput {
    try checkNames(inputs)
    guard inputs.count == 1, let (name, input) = inputs.first else {
      throw ComponentError("\(Self.self) takes either 'sample' or 'z'; given: \(inputs.keys.sorted().joined(separator: ", "))")
    }
    let channels = name == "z" ? latentChannels : pictureChannels
    guard input.rank == 4, input.size(1) == channels else {
      throw ComponentError("'\(name)' must be [B, \(channels), H, W], it is \(input.shape)")
    }
    if name == "z" { return .latent(input) }
    guard input.size(2) % factor == 0, input.size(3) % factor == 0 else {
      throw ComponentError("'sample' is \(input.shape); its sides must be multiples of \(factor)")
    }
    return .picture(input)
  }
}
