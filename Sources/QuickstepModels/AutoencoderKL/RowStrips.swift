import QuickstepNN
import QuickstepTensor

/// Layers computed in strips of rows, with the neighbouring rows that they look at and with the normalisations' statistics of the whole.
///
/// Blending overlapping tiles, as is usual, gives another picture: every tile is normalised by itself. Here the strips of one layer are put together
/// before the next layer is done, so the result is that of the whole picture up to rounding. What this saves are the intermediate tensors of a
/// layer, most of all those around a residual block: only the block's input and output are held, in two buffers that take turns.
struct RowStrips {
  /// Aim for the bytes of a strip of a layer's widest tensor. A few of them are held at a time.
  static let bytes = 16 << 20
  /// Below this the neighbouring rows cost more than they are worth.
  static let fewestRows = 8

  /// Rows of a strip; `nil` chooses them by their bytes.
  let rows: Int?
  private let buffers: TwoBuffers

  /// - Parameters:
  ///   - rows: of a strip; `nil` chooses them by their bytes.
  ///   - elements: of the results of all layers to come, in order.
  ///   - input: of their type and on their device.
  init(rows: Int?, elements: [Int], like input: Tensor) {
    self.rows = rows
    buffers = TwoBuffers(elements, like: input)
  }

  private func ranges(height: Int, rowBytes: Int) -> [Range<Int>] {
    let rows = max(1, rows ?? max(Self.fewestRows, Self.bytes / max(1, rowBytes)))
    return stride(from: 0, to: height, by: rows).map { $0..<min(height, $0 + rows) }
  }

  private func rowBytes(_ tensor: Tensor, channels: Int, scale: Int = 1) -> Int {
    tensor.size(0) * channels * tensor.size(3) * scale * tensor.dtype.byteCount
  }

  private func part(_ tensor: Tensor, _ range: Range<Int>) -> Tensor {
    tensor.narrow(2, start: range.lowerBound, length: range.count)
  }

  /// The range with one row more on either side where there is one.
  private func widened(_ range: Range<Int>, height: Int) -> Range<Int> { max(0, range.lowerBound - 1)..<min(height, range.upperBound + 1) }

  /// What a layer made of a widened strip, without the rows that belong to its neighbours (there are `scale` for each).
  private func trimmed(_ output: Tensor, _ range: Range<Int>, height: Int, scale: Int = 1) -> Tensor {
    part(output, (range.lowerBound > 0 ? scale : 0)..<((range.lowerBound > 0 ? scale : 0) + range.count * scale))
  }

  private func write(_ strip: Tensor, to whole: Tensor, at row: Int) {
    _ = whole.narrow(2, start: row, length: strip.size(2)).copyInPlace(strip)
  }

  /// A 3×3 convolution of stride 1, after a normalisation with SiLU where one is given. `[B, in, H, W] → [B, out, H, W]`.
  func convolution(_ convolution: Convolution, output channels: Int, after norm: GroupNorm? = nil, _ input: Tensor) -> Tensor {
    let height = input.size(2)
    let statistics = norm.map { $0.statistics(of: input) }
    let result = buffers.next([input.size(0), channels, height, input.size(3)])
    for range in ranges(height: height, rowBytes: rowBytes(input, channels: max(channels, input.size(1)))) {
      var strip = part(input, widened(range, height: height)).contiguous()
      if let norm, let statistics { strip = norm(strip, with: statistics).silu() }
      write(trimmed(convolution(strip), range, height: height), to: result, at: range.lowerBound)
    }
    return result
  }

  /// A residual block without a time. Its result takes the place of its inner tensor, strip by strip.
  func residual(_ block: ResidualBlock2D, output channels: Int, _ input: Tensor) -> Tensor {
    let height = input.size(2)
    let inner = convolution(block.convolution1, output: channels, after: block.norm1, input)
    let statistics = block.norm2.statistics(of: inner)
    // The last row of the strip before, as it was: the strip's first row needs it.
    var above: Tensor?
    for range in ranges(height: height, rowBytes: rowBytes(input, channels: max(channels, input.size(1)))) {
      let below = part(inner, range.lowerBound..<min(height, range.upperBound + 1))
      let strip = above.map { Tensor.cat([$0, below], dim: 2) } ?? below.contiguous()
      above = part(inner, (range.upperBound - 1)..<range.upperBound).clone()
      let hidden = trimmed(block.convolution2(block.norm2(strip, with: statistics).silu()), range, height: height)
      let own = part(input, range)
      let sum = (block.shortcut.map { $0(own.contiguous()) } ?? own) + hidden
      _ = part(inner, range).copyInPlace(block.outputScale == 1 ? sum : sum / block.outputScale)
    }
    return inner
  }

  /// Twice the side. `[B, C, H, W] → [B, C, 2H, 2W]`.
  func upsample(_ upsample: Upsample2D, _ input: Tensor) -> Tensor {
    let height = input.size(2)
    let result = buffers.next([input.size(0), input.size(1), 2 * height, 2 * input.size(3)])
    for range in ranges(height: height, rowBytes: rowBytes(input, channels: input.size(1), scale: 4)) {
      let strip = part(input, widened(range, height: height)).contiguous()
      write(trimmed(upsample(strip), range, height: height, scale: 2), to: result, at: 2 * range.lowerBound)
    }
    return result
  }

  /// Half the side, with zeros right and below. `[B, C, H, W] → [B, C, H/2, W/2]`; sides are even.
  func downsample(_ downsample: Downsample2D, _ input: Tensor) -> Tensor {
    let height = input.size(2)
    let result = buffers.next([input.size(0), input.size(1), height / 2, input.size(3) / 2])
    for range in ranges(height: height / 2, rowBytes: 2 * rowBytes(input, channels: input.size(1))) {
      // One row below; the zeros that the layer adds after it are not looked at.
      let strip = part(input, (2 * range.lowerBound)..<min(height, 2 * range.upperBound + 1)).contiguous()
      write(part(downsample(strip), 0..<range.count), to: result, at: range.lowerBound)
    }
    return result
  }
}

/// Memory for the results of layers, of which two are needed at a time: a layer's input and its result. Allocated once, so that nothing smaller takes a
/// place between them.
final class TwoBuffers {
  private let tensors: [Tensor]
  private var count = 0

  /// - Parameter elements: of all results, in the order in which they will be asked for.
  init(_ elements: [Int], like input: Tensor) {
    tensors = Self.sizes(elements).map { .empty([$0], dtype: input.dtype, device: input.device) }
  }

  /// The elements of both.
  static func sizes(_ elements: [Int]) -> [Int] {
    (0..<2).map { turn in elements.indices.filter { $0 % 2 == turn }.map { elements[$0] }.max() ?? 0 }
  }

  /// Room for the next result. What was in it is the result before the last one.
  func next(_ shape: [Int]) -> Tensor {
    let tensor = tensors[count % 2]
    count += 1
    return tensor.narrow(0, start: 0, length: shape.reduce(1, *)).view(shape)
  }
}
