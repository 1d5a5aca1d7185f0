import QuickstepAcceleration
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

/// Feature Slicer and Operator Grouping on a small spatio-temporal U-Net.
@Suite struct SliceTests {
  private static let frames = 7

  private func video(_ side: Int, batch: Int = 2, frames: Int = SliceTests.frames) throws -> Tensor {
    .randn([batch * frames, 3, side, side], generator: try Generator(seed: 11))
  }

  @Test("sliced is unsliced, over space and time, up to rounding", arguments: [(1, 1), (2, 3), (7, 7), (4, 2), (14, 8), (100, 100)])
  func exactness(_ counts: (frames: Int, space: Int)) throws {
    let network = try VideoUNet.random(frames: Self.frames, seed: 5)
    let input = try video(8)
    let (whole, sliced) = try withInference {
      try withTensorErrors {
        (
          try network(input, time: 400),
          try network(input, time: 400, slicing: VideoSlicing(frames: counts.frames, space: counts.space))
        )
      }
    }
    #expect(try gap(sliced, whole) <= 5e-6)
  }

  @Test("norms with the statistics of each slice are another network, as in the authors' program; with one slice they are not")
  func approximateNorms() throws {
    let network = try VideoUNet.random(frames: Self.frames, seed: 5)
    let input = try video(8)
    try withInference {
      let whole = try network(input, time: 400)
      let apart = try gap(network(input, time: 400, slicing: VideoSlicing(frames: 1, space: 4, isExact: false)), whole)
      #expect(apart > 1e-3, "\(apart)")
      #expect(try gap(network(input, time: 400, slicing: VideoSlicing(frames: 3, space: 1, isExact: false)), whole) <= 5e-6)
    }
  }

  @Test("frames matter to each other, so that slicing along the mixed axis would have shown")
  func framesAreMixed() throws {
    let network = try VideoUNet.random(frames: Self.frames, seed: 5)
    let input = try video(8)
    try withInference {
      let whole = try network(input, time: 400)
      let first = try network(input.narrow(0, start: 0, length: Self.frames), time: 400)
      #expect(try gap(first, whole.narrow(0, start: 0, length: Self.frames)) <= 5e-6)
      let short = try VideoUNet.random(frames: 1, seed: 5)
      #expect(try gap(short(input, time: 400), whole) > 1e-2)
    }
  }

  @Test("the peak of a group is output and the slice's share of what is inside, as the formula says", arguments: [2, 4, 7])
  func peak(_ count: Int) throws {
    let network = try VideoUNet.random(frames: 14, seed: 5)
    let input = try video(24, batch: 1, frames: 14)
    func bytes(_ slicing: VideoSlicing?) throws -> (peak: Int, output: Int) {
      try withInference {
        let (result, bytes) = try AllocationCount.measure { try withTensorErrors { try network.firstGroup(input, slicing: slicing) } }
        return (bytes.peak, result.byteCount)
      }
    }
    _ = try bytes(nil)
    let whole = try bytes(nil)
    let measured = try bytes(VideoSlicing(frames: count, space: 1))
    let expected = try Slices(count).peakBytes(output: whole.output, inside: whole.peak, size: 14)
    #expect(whole.peak > 3 * whole.output)
    let share = Double(measured.peak) / Double(expected)
    // Short slices make libtorch choose kernels that take more memory per frame: three tenths more were seen at one frame.
    #expect(share > 0.85 && share < 1.25, "\(measured.peak) bytes, expected \(expected), whole \(whole.peak)")
  }

  @Test("the peak of a whole evaluation falls")
  func wholePeak() throws {
    let network = try VideoUNet.random(frames: 14, seed: 5)
    let input = try video(24, batch: 1, frames: 14)
    func peak(_ slicing: VideoSlicing?) throws -> Int {
      try withInference { try AllocationCount.measure { try network(input, time: 10, slicing: slicing) } }.bytes.peak
    }
    _ = try peak(nil)
    let (whole, cut) = (try peak(nil), try peak(VideoSlicing(frames: 7, space: 7)))
    #expect(Double(cut) < 0.75 * Double(whole), "\(cut) of \(whole)")
  }

  @Test("ranges cover an axis, ⌈size/n⌉ each")
  func ranges() throws {
    #expect(try Slices(3).ranges(of: 7) == [0..<3, 3..<6, 6..<7])
    #expect(try Slices(4).ranges(of: 6) == [0..<2, 2..<4, 4..<6])
    #expect(try Slices(1).ranges(of: 5) == [0..<5])
    #expect(try Slices(9).ranges(of: 2) == [0..<1, 1..<2])
    #expect(try Slices(2).ranges(of: 0) == [])
    #expect(throws: AccelerationError.self) { try Slices(0) }
  }

  @Test("axes may move, and a group that mixes its axis is refused")
  func axes() throws {
    let input = Tensor((0..<24).map(Float.init), shape: [2, 3, 4])
    let moved = try Slices(2).run(input, along: SliceAxis(input: 2, output: 0)) { slice, range in
      #expect(slice.size(2) == range.count)
      return slice.permute([2, 0, 1]) * 2
    }
    #expect(try moved.hasBits(of: withTensorErrors { (input.permute([2, 0, 1]) * 2).contiguous() }))
    #expect(throws: AccelerationError.self) {
      try Slices(2).run(input, along: SliceAxis(1)) { slice, _ in slice.sum([1], keepdim: true).expand([2, 3, 4]) }
    }
  }

  @Test("two passes give the norm of the whole, for large means as well")
  func norm() throws {
    let generator = try Generator(seed: 3)
    for mean in [0.0, 100] {
      let input = try withTensorErrors { Tensor.randn([2, 8, 3, 4, 5], generator: generator) + mean }
      let (weight, bias) = (Tensor.randn([8], generator: generator), Tensor.randn([8], generator: generator))
      let norm = SlicedGroupNorm(groups: 4, epsilon: 1e-5, weight: weight, bias: bias)
      var statistics = SlicedGroupNorm.Statistics()
      #expect(throws: AccelerationError.self) { try norm.apply(input, statistics) }
      for range in try Slices(3).ranges(of: 5) {
        try norm.add(input.narrow(4, start: range.lowerBound, length: range.count), to: &statistics)
      }
      let sliced = try Slices(3).run(input, along: SliceAxis(4)) { slice, _ in try norm.apply(slice, statistics) }
      // The reference computes in float32, which for means of 100 keeps five digits of what is left.
      #expect(try gap(sliced, input.groupNorm(4, weight: weight, bias: bias, eps: 1e-5)) <= (mean == 0 ? 2e-6 : 2e-4))
    }
  }

  @Test("bytes are counted while they are held")
  func counting() throws {
    let (result, bytes) = try AllocationCount.measure {
      let large = Tensor.zeros([1000, 1000])
      return (large + 1).sum()
    }
    #expect(bytes.peak >= 8_000_000 && bytes.peak < 8_100_000)
    #expect(bytes.left < 1000 && result.shape == [])
    let nothing = try AllocationCount.measure { 1 }.bytes
    #expect(nothing.peak == 0 && nothing.left == 0)
  }
}
