import Foundation
import QuickstepFormats
import QuickstepModels
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

/// A codec in strips gives what it gives at once, whatever its configuration.
@Suite struct CodecStripTests {
  /// A configuration drawn from a seed, wide enough that its strips are several.
  private func drawn(_ seed: UInt64, channels choices: [Int] = [8, 16, 24]) throws -> (
    codec: AutoencoderKL, parameters: ParameterTree, side: (width: Int, height: Int)
  ) {
    var numbers = SplitMix(state: seed)
    let levels = 2 + numbers.next(below: 2)
    let groups = [2, 4][numbers.next(below: 2)]
    let channels = (0..<levels).map { _ in choices[numbers.next(below: 3)] }
    let names = { (name: String) in JSONValue.array(Array(repeating: .string(name), count: levels)) }
    let members: [String: JSONValue] = [
      "_class_name": .string("AutoencoderKL"), "block_out_channels": .array(channels.map { .integer($0) }),
      "norm_num_groups": .integer(groups),
      "down_block_types": names("DownEncoderBlock2D"), "up_block_types": names("UpDecoderBlock2D"),
      "layers_per_block": .integer(1 + numbers.next(below: 2)), "mid_block_add_attention": .bool(numbers.next(below: 2) == 0),
      "latent_channels": .integer(4), "use_quant_conv": .bool(numbers.next(below: 2) == 0), "shift_factor": .number(0.1),
    ]
    let loaded = try Architectures.fresh(ConfigurationFile(path: "drawn", members: members), generator: Generator(seed: seed))
    try ModelLaws.disturb(loaded.parameters, seed: seed &+ 1)
    let factor = 1 << (levels - 1)
    let width = factor * (5 + numbers.next(below: 4)), height = factor * (11 + numbers.next(below: 9))
    return (try #require(loaded.component as? AutoencoderKL), loaded.parameters, (width, height))
  }

  private struct SplitMix {
    var state: UInt64
    mutating func next(below bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int((state >> 33) % UInt64(bound))
    }
  }

  @Test("strips of any number of rows give the whole", arguments: 1...8)
  func equalToTheWhole(_ seed: UInt64) throws {
    let (codec, _, side) = try drawn(seed)
    let latents = Tensor.randn([2, 4, side.height / codec.factor, side.width / codec.factor], generator: try Generator(seed: seed))
    try withInference {
      let whole = try withTensorErrors { codec.picture(latents) }
      #expect(whole.shape == [2, 3, side.height, side.width])
      for rows in [1, 2, 3, 8, 1000] {
        let strips = try withTensorErrors { codec.pictureInStrips(latents, rows: rows) }
        #expect(try relativeDifference(strips, whole) <= 1e-5, "\(rows) rows")
      }
      let picture = try withTensorErrors { whole.tanh() }
      let encoded = try withTensorErrors { codec.latents(picture) }
      for rows in [1, 2, 3, 8, 1000] {
        let strips = try withTensorErrors { codec.latentsInStrips(picture, rows: rows) }
        #expect(try relativeDifference(strips, encoded) <= 1e-5, "\(rows) rows")
      }
    }
  }

  /// Wide enough for Winograd's convolutions. Their tiles begin at the first row of a strip, so strips round differently.
  @Test(
    "prepared layers give the whole in strips", .enabled(if: LayerPreparation.isAvailable), arguments: 1...4, ConvolutionMethod.allCases)
  func prepared(_ seed: UInt64, _ method: ConvolutionMethod) throws {
    let (plain, parameters, side) = try drawn(seed, channels: [32, 48, 64])
    let source = TensorDictionary(Dictionary(uniqueKeysWithValues: parameters.all.map { ($0.name, $0.tensor) }))
    let codec = try Weights.load(from: source, preparation: LayerPreparation(convolution: method)) {
      AutoencoderKL(plain.configuration, weights: $0)
    }.model
    let latents = Tensor.randn([2, 4, side.height / codec.factor, side.width / codec.factor], generator: try Generator(seed: seed))
    let bound = method == .direct || method == .winograd2 ? 1e-5 : 3e-5
    try withInference {
      let whole = try withTensorErrors { codec.picture(latents) }
      #expect(try relativeDifference(whole, withTensorErrors { plain.picture(latents) }) <= 2e-4)
      let encoded = try withTensorErrors { codec.latents(whole.tanh()) }
      for rows in [1, 3, 8] {
        #expect(try relativeDifference(withTensorErrors { codec.pictureInStrips(latents, rows: rows) }, whole) <= bound, "\(rows) rows")
        let strips = try withTensorErrors { codec.latentsInStrips(whole.tanh(), rows: rows) }
        #expect(try relativeDifference(strips, encoded) <= bound, "\(rows) rows")
      }
    }
  }

  @Test func halfTypesAreAsCloseAsTheyCanBe() throws {
    let (codec, parameters, side) = try drawn(3)
    let latents = Tensor.randn([1, 4, side.height / codec.factor, side.width / codec.factor], generator: try Generator(seed: 4))
    let exact = try withInference { try withTensorErrors { codec.picture(latents) } }
    let source = TensorDictionary(Dictionary(uniqueKeysWithValues: parameters.all.map { ($0.name, $0.tensor) }))
    let half = try Weights.load(from: source, dtype: .bfloat16) { AutoencoderKL(codec.configuration, weights: $0) }.model
    try withInference {
      let whole = try withTensorErrors { half.picture(latents.to(.bfloat16)).to(.float32) }
      let strips = try withTensorErrors { half.pictureInStrips(latents.to(.bfloat16), rows: 3).to(.float32) }
      #expect(strips.shape == whole.shape)
      // Both are bfloat16's rounding away from the exact picture; strips are not to be worse.
      #expect(try relativeDifference(strips, exact) <= 1.5 * relativeDifference(whole, exact))
    }
  }

  @Test("codecs without strips say so, and give the same")
  func tiny() throws {
    let tiny = try AutoencoderTinyConfiguration(
      ConfigurationFile(
        path: "tiny",
        members: [
          "encoder_block_out_channels": .array([.integer(8), .integer(8)]),
          "decoder_block_out_channels": .array([.integer(8), .integer(8)]),
          "num_encoder_blocks": .array([.integer(1), .integer(1)]), "num_decoder_blocks": .array([.integer(1), .integer(1)]),
        ]))
    let codec = try Weights.initialise(generator: Generator(seed: 1), device: .cpu) { AutoencoderTiny(tiny, weights: $0) }.model
    let latents = Tensor.randn([1, 4, 4, 4], generator: try Generator(seed: 2))
    #expect(!codec.worksInStrips)
    #expect(try bits(codec.pictureInStrips(latents)) == bits(codec.picture(latents)))
  }

  @Test func theEstimateOfStripsIsSmallerWhereItMatters() throws {
    let levels = [128, 256, 512, 512]
    let names = { (name: String) in JSONValue.array(Array(repeating: .string(name), count: levels.count)) }
    let members: [String: JSONValue] = [
      "_class_name": .string("AutoencoderKL"), "block_out_channels": .array(levels.map { .integer($0) }),
      "down_block_types": names("DownEncoderBlock2D"), "up_block_types": names("UpDecoderBlock2D"), "layers_per_block": .integer(2),
    ]
    let configuration = ConfigurationFile(path: "Stable Diffusion's codec", members: members)
    let loaded = try Architectures.fresh(configuration, generator: Generator(seed: 1), device: .meta)
    let codec = try #require(loaded.component as? AutoencoderKL)
    for side in [512, 1024, 2048] {
      let whole = codec.workingBytes(pictureSide: (side, side), elementBytes: 4, inStrips: false)
      let strips = codec.workingBytes(pictureSide: (side, side), elementBytes: 4, inStrips: true)
      // A block's input and output, 256 and 128 channels, are held at the least.
      #expect(strips > 384 * side * side * 4 && strips < whole / 2, "\(strips) of \(whole)")
      #expect(codec.workingBytes(pictureSide: (side, side), elementBytes: 2, inStrips: false) == whole / 2)
    }
  }
}
