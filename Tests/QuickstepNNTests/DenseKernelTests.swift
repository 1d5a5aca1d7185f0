import CKernels
import QuickstepNN
import Testing

/// Every kernel of prepared layers against its scalar twin, on shapes drawn anew from fixed seeds.
@Suite(.enabled(if: LayerPreparation.isAvailable, "needs AVX2 and FMA"))
struct DenseKernelTests {
  /// Largest difference in units of the expected values' root mean square.
  private func difference(_ actual: [Float], _ expected: [Float]) -> Double {
    let scale = (expected.reduce(0) { $0 + Double($1) * Double($1) } / Double(expected.count)).squareRoot()
    return zip(actual, expected).reduce(0) { max($0, abs(Double($1.0) - Double($1.1))) } / max(scale, 1e-30)
  }

  /// Rounding of float32 sums of up to 1,000 terms; of weights with 8 and with 11 bits.
  private func bound(_ storage: Int32) -> Double { storage == QS_F32 ? 1e-5 : storage == QS_BF16 ? 3e-2 : 4e-3 }

  /// The last ones have more panels than a task takes.
  @Test(arguments: 0..<44)
  func matrices(seed: UInt64) {
    var random = Drawing(seed: seed)
    let isWide = seed >= 40
    let activation = Int32(random.of([QS_NONE, QS_SILU, QS_GELU, QS_GELU_TANH, QS_GEGLU]))
    let storage = Int32(random.of([QS_F32, QS_BF16, QS_F16]))
    let (rows, inputs, outputs) =
      isWide
      ? (random.of(1900...2100), random.of(1...40), 2 * random.of(200...250))
      : (random.of(1...210), random.of(1...900), 2 * random.of(1...60))
    let width = activation == QS_GEGLU ? outputs / 2 : outputs
    let (input, weight) = (random.normal(rows * inputs), random.normal(outputs * inputs, 1 / Double(inputs).squareRoot()))
    let (bias, residual) = (random.normal(outputs), random.normal(rows * width))
    let packed = Bytes(4 * Int(qs_matrix_packed_count(Int64(outputs), Int64(inputs))))
    let scratch = Bytes(Int(qs_matrix_scratch(Int64(inputs))))
    qs_matrix_pack(weight, Int64(outputs), Int64(inputs), activation == QS_GEGLU, storage, packed.address)
    var (actual, expected) = ([Float](repeating: .nan, count: rows * width), [Float](repeating: 0, count: rows * width))
    let (hasBias, hasResidual) = (random.of([true, false]), random.of([true, false]))
    bias.withUnsafeBufferPointer { bias in
      residual.withUnsafeBufferPointer { residual in
        var epilogue = qs_epilogue(
          bias: hasBias ? bias.baseAddress : nil, bias_stride: 0, residual: hasResidual ? residual.baseAddress : nil, activation: activation
        )
        qs_matrix_multiply(
          input, Int64(rows), Int64(inputs), packed.address, storage, Int64(outputs), &epilogue, &actual, scratch.address)
        qs_matrix_multiply_scalar(input, Int64(rows), Int64(inputs), weight, Int64(outputs), &epilogue, &expected)
      }
    }
    #expect(difference(actual, expected) < bound(storage), "\(rows)×\(inputs) by \(outputs), activation \(activation), storage \(storage)")
  }

  @Test(arguments: 0..<40)
  func convolutions(seed: UInt64) {
    var random = Drawing(seed: 1000 + seed)
    let (kernel, stride, padding) = (random.of([1, 3, 3, 3, 4]), random.of([1, 1, 2]), random.of(0...1))
    let inputs = random.of([3, 8, 16, 40, 56, 96, 300])
    let (batch, height, width, outputs) = (random.of(1...2), random.of(4...18), random.of(4...18), random.of(1...70))
    var shape = qs_convolution(
      batch: Int64(batch), height: Int64(height), width: Int64(width), inputs: Int64(inputs), outputs: Int64(outputs),
      kernel: Int64(kernel),
      stride: Int64(stride), pad_top: Int64(padding), pad_left: Int64(padding), pad_bottom: 1, pad_right: 1)
    let storage = Int32(random.of([QS_F32, QS_F32, QS_BF16, QS_F16]))
    let activation = Int32(random.of([QS_NONE, QS_SILU]))
    let fan = inputs * kernel * kernel
    let (input, weight) = (random.normal(batch * height * width * inputs), random.normal(outputs * fan, 1 / Double(fan).squareRoot()))
    let count = batch * Int(qs_convolution_out_height(&shape) * qs_convolution_out_width(&shape)) * outputs
    let (bias, residual, isPerSample) = (random.normal(batch * outputs), random.normal(count), random.of([true, false]))
    let packed = Bytes(4 * Int(qs_convolution_packed_count(&shape)))
    qs_convolution_pack(weight, &shape, storage, packed.address)
    var expected = [Float](repeating: 0, count: count)
    var results: [(name: String, values: [Float])] = []
    bias.withUnsafeBufferPointer { bias in
      residual.withUnsafeBufferPointer { residual in
        var epilogue = qs_epilogue(
          bias: bias.baseAddress, bias_stride: isPerSample ? Int64(outputs) : 0, residual: residual.baseAddress, activation: activation)
        qs_convolution_scalar(input, &shape, weight, &epilogue, &expected)
        var actual = [Float](repeating: .nan, count: count)
        let scratch = Bytes(Int(qs_convolution_scratch(&shape)))
        qs_convolution_direct(input, &shape, packed.address, storage, &epilogue, &actual, scratch.address)
        results.append(("direct", actual))
        for tile: Int32 in [2, 4] where qs_winograd_applies(&shape) {
          actual = [Float](repeating: .nan, count: count)
          let scratch = Bytes(Int(qs_winograd_scratch(&shape, tile)))
          qs_convolution_winograd(input, &shape, tile, packed.address, storage, &epilogue, &actual, scratch.address)
          results.append(("F(\(tile),3)", actual))
        }
      }
    }
    for (name, values) in results {
      // The transforms of F(4,3) multiply rounding errors; 2e-5 is what its documentation promises.
      let allowed = name == "F(4,3)" ? max(2e-5, bound(storage)) : bound(storage)
      #expect(difference(values, expected) < allowed, "\(name) \(shape), storage \(storage)")
    }
  }

  @Test(arguments: 0..<20)
  func groupNorms(seed: UInt64) {
    var random = Drawing(seed: 2000 + seed)
    let (batch, pixels, groups) = (random.of(1...2), random.of(1...600), random.of(1...4))
    let channels = groups * random.of(1...20)
    // A mean thirty times the spread: the variance has to survive it.
    let offset = Float(random.of([0, 30]))
    let input = random.normal(batch * pixels * channels).map { $0 + offset }
    let (scale, shift, activation) = (random.normal(channels), random.normal(channels), Int32(random.of([QS_NONE, QS_SILU])))
    var (actual, expected) = ([Float](repeating: .nan, count: input.count), input)
    let scratch = Bytes(Int(qs_group_norm_scratch(Int64(batch), Int64(pixels), Int64(channels))))
    qs_group_norm(
      input, Int64(batch), Int64(pixels), Int64(channels), Int64(groups), scale, shift, 1e-5, activation, &actual, scratch.address)
    qs_group_norm_scalar(
      input, Int64(batch), Int64(pixels), Int64(channels), Int64(groups), scale, shift, 1e-5, activation, &expected)
    #expect(difference(actual, expected) < 3e-5, "[\(batch), \(pixels), \(channels)] in \(groups) groups around \(offset)")
  }

  @Test(arguments: 0..<24)
  func attentions(seed: UInt64) {
    var random = Drawing(seed: 3000 + seed)
    let (batch, heads, size) = (random.of(1...2), random.of(1...3), random.of([1, 8, 15, 40, 64, 80, 160]))
    let (queries, keys, width) = (random.of(1...230), random.of(1...700), heads * size)
    let (query, key, value) = (
      random.normal(batch * queries * width, 2), random.normal(batch * keys * width, 2), random.normal(batch * keys * width)
    )
    // Some keys hidden, and in some draws a whole leading block of them.
    let leading = min(keys - 1, random.of([0, 0, 300]))
    let mask = (0..<batch * keys).map { index in
      index % keys == keys - 1 ? Float(0) : index % keys < leading || random.of(1...3) == 1 ? -Float.infinity : Float(random.of(0...2))
    }
    let isMasked = random.of([true, false])
    var (actual, expected) = ([Float](repeating: .nan, count: query.count), [Float](repeating: 0, count: query.count))
    mask.withUnsafeBufferPointer { mask in
      let (row, other) = (Int64(queries * width), Int64(keys * width))
      var shape = qs_attention_shape(
        batch: Int64(batch), heads: Int64(heads), size: Int64(size), queries: Int64(queries), keys: Int64(keys), query_stride: Int64(width),
        key_stride: Int64(width), value_stride: Int64(width), out_stride: Int64(width), query_batch: row, key_batch: other,
        value_batch: other, out_batch: row, scale: 1 / Float(size).squareRoot(), mask: isMasked ? mask.baseAddress : nil)
      let scratch = Bytes(Int(qs_attention_scratch(&shape)))
      qs_attention(&shape, query, key, value, &actual, scratch.address)
      qs_attention_scalar(&shape, query, key, value, &expected)
    }
    #expect(difference(actual, expected) < 3e-5, "\(heads) heads of \(size), \(queries) × \(keys), masked \(isMasked)")
  }
}

/// Memory aligned for kernels.
private final class Bytes {
  let address: UnsafeMutableRawPointer
  init(_ count: Int) { address = .allocate(byteCount: max(64, count), alignment: 64) }
  deinit { address.deallocate() }
}

/// Draws of a test: SplitMix64.
private struct Drawing: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
  mutating func of(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }
  mutating func of<Item>(_ items: [Item]) -> Item { items[of(0...(items.count - 1))] }
  /// About normal: the sum of four uniform numbers.
  mutating func normal(_ count: Int, _ deviation: Double = 1) -> [Float] {
    (0..<count).map { _ in
      let sum = (0..<4).reduce(0.0) { total, _ in total + Double.random(in: -1...1, using: &self) }
      return Float(sum * (0.75).squareRoot() * deviation)
    }
  }
}
