import QuickstepTensor

/// Between pictures and the tokens of a transformer, one per square patch, row by row.
enum Patches {
  /// Rows and columns of patches of a sample.
  /// - Throws: ``ComponentError`` unless it is `[B, channels, H, W]` with sides that are multiples of `patch`.
  static func grid(_ sample: Tensor, channels: Int, patch: Int) throws -> (rows: Int, columns: Int) {
    guard sample.rank == 4, sample.size(1) == channels, sample.size(2) % patch == 0, sample.size(3) % patch == 0,
      sample.size(2) > 0, sample.size(3) > 0
    else {
      throw ComponentError("a sample must be [B, \(channels), H, W] with sides that are multiples of \(patch), it is \(sample.shape)")
    }
    return (sample.size(2) / patch, sample.size(3) / patch)
  }

  /// `[B, rows · columns, p·p·C]`, pixels before channels, to `[B, C, rows·p, columns·p]`.
  static func joined(_ tokens: Tensor, rows: Int, columns: Int, patch: Int) -> Tensor {
    let batch = tokens.size(0)
    return tokens.reshape([batch, rows, columns, patch, patch, -1]).permute([0, 5, 1, 3, 2, 4])
      .reshape([batch, -1, rows * patch, columns * patch])
  }
}
