import QuickstepFormats
import QuickstepModels
import QuickstepNN
import QuickstepTensor
import Testing

/// What is special to the codecs of Sana and of early latent diffusion. Equality with the reference is in `PublishedCheckpointTests`.
@Suite struct CodecTests {
  typealias Case = PublishedCheckpointTests.Case

  private static let names = (0..<4).flatMap { ["dc-\($0)", "vq-\($0)"] }

  private func codec(_ name: String) throws -> any PictureCodec {
    try #require(try Architectures.load(folder: Case(name: name).folder).component as? any PictureCodec)
  }

  private func noise(_ shape: [Int], _ seed: UInt64 = 1) throws -> Tensor { .randn(shape, generator: try Generator(seed: seed)) }

  private func pictureChannels(_ name: String) throws -> Int {
    try #require(try ConfigurationFile(path: Case(name: name).folder + "/config.json").members["in_channels"]?.integer)
  }

  @Test("latents of unit variance are the encoder's, scaled, and come back as the same picture", arguments: names)
  func scale(_ name: String) throws {
    let codec = try codec(name)
    let picture = try noise([2, pictureChannels(name), 3 * codec.factor, 2 * codec.factor])
    let outputs = try codec.forward(["sample": picture])
    let (latents, back) = try withTensorErrors {
      let latents = try codec.latents(picture)
      return (latents, try codec.picture(latents))
    }
    #expect(Array(latents.shape.dropFirst(2)) == [3, 2])
    let scale = (codec as? AutoencoderDC)?.configuration.scale ?? (codec as? VQModel)?.configuration.scale
    let raw = try #require(outputs["latent"] ?? outputs["latents"])
    #expect(try relativeDifference(latents, raw * #require(scale)) <= 1e-6)
    #expect(try relativeDifference(back, #require(outputs["sample"])) <= 1e-4)
  }

  @Test("sides that cannot be halved as often, or other channels, are errors that say so", arguments: names)
  func sizes(_ name: String) throws {
    let codec = try codec(name)
    let channels = try pictureChannels(name)
    var shapes = [[1, channels + 1, codec.factor, codec.factor], [channels, codec.factor, codec.factor]]
    if codec.factor > 1 { shapes.append([1, channels, codec.factor, codec.factor + 1]) }
    for shape in shapes {
      let error = #expect(throws: ComponentError.self) { try codec.forward(["sample": .zeros(shape)]) }
      #expect("\(try #require(error))".contains("\(shape)"))
    }
    #expect(throws: ComponentError.self) { try codec.forward([:]) }
    #expect(throws: ComponentError.self) { try codec.forward(["sample": .zeros([1]), "z": .zeros([1])]) }
  }

  @Test("a latent is decoded as the nearest entry of the codebook")
  func nearestEntries() throws {
    let codec = try #require(try codec("vq-0") as? VQModel)
    let parameters = try Architectures.load(folder: Case(name: "vq-0").folder).parameters
    let codebook = try #require(parameters["quantize.embedding.weight"])
    let (count, size) = (codec.configuration.codeCount, codec.configuration.codeSize)
    let numbers = (0..<12).map { ($0 * 5) % count }
    let indices = Tensor(numbers, shape: [1, 3, 4])
    let exact = codebook.embedding(indices).permute([0, 3, 1, 2])
    #expect(exact.shape == [1, size, 3, 4])
    let near = try exact + noise(exact.shape, 3) * 1e-3
    #expect(try codec.indices(near).scalars(Int.self) == numbers)
    // By definition: no entry is nearer.
    let far = try noise([1, size, 2, 2], 4)
    let chosen = try codec.indices(far).scalars(Int.self)
    let pixels = try far.permute([0, 2, 3, 1]).reshape([4, size]).scalars(Float.self)
    let entries = try codebook.scalars(Float.self)
    for (pixel, entry) in chosen.enumerated() {
      func distance(_ entry: Int) -> Float {
        (0..<size).reduce(0) { sum, channel in
          let gap = pixels[pixel * size + channel] - entries[entry * size + channel]
          return sum + gap * gap
        }
      }
      #expect((0..<count).allSatisfy { distance(entry) <= distance($0) + 1e-5 })
    }
    let expected = try codec.forward(["indices": indices])
    #expect(try bits(#require(expected["sample"])) == bits(#require(codec.forward(["z": near])["sample"])))
    for wrong in [
      Tensor([count], shape: [1, 1, 1]), Tensor([-1], shape: [1, 1, 1]), Tensor([0], shape: [1, 1]), Tensor.zeros([1, 1, 1]),
    ] {
      #expect(throws: (any Error).self) { try codec.forward(["indices": wrong]) }
    }
  }

  @Test("stored statistics normalise, and their counters are left alone")
  func batchStatistics() throws {
    let names = try (0..<4).map { "dc-\($0)" }.filter {
      try SafetensorsFile(path: Case(name: $0).folder + "/diffusion_pytorch_model.safetensors").names.contains {
        $0.hasSuffix(".num_batches_tracked")
      }
    }
    #expect(!names.isEmpty, "no golden has batch normalisation")
  }

  @Test(
    "numbers that make no network are errors that name the key",
    arguments: [
      ("dc-0", "decoder_layers_per_block", JSONValue.array([.integer(1)])), ("dc-2", "latent_channels", .integer(3)),
      ("dc-0", "encoder_block_types", .string("ConvBlock")), ("dc-0", "decoder_norm_types", .string("layer_norm")),
      ("dc-2", "encoder_block_out_channels", .array([.integer(3), .integer(8), .integer(8), .integer(8)])),
      ("dc-0", "encoder_qkv_multiscales", .array([.integer(5)])), ("dc-0", "upsample_block_type", .string("bilinear")),
      ("dc-0", "scaling_factor", .integer(0)), ("dc-0", "decoder_act_fns", .array([.string("silu")])),
      ("vq-0", "norm_type", .string("spatial")), ("vq-0", "num_vq_embeddings", .integer(0)), ("vq-0", "vq_embed_dim", .integer(-1)),
      ("vq-0", "norm_num_groups", .integer(5)), ("vq-0", "scaling_factor", .integer(0)), ("vq-0", "block_out_channels", .integer(8)),
    ])
  func numbers(_ name: String, _ key: String, _ value: JSONValue) throws {
    let file = try ConfigurationFile(path: Case(name: name).folder + "/config.json")
    let changed = ConfigurationFile(path: "config.json", members: file.members.merging([key: value]) { $1 })
    let error = #expect(throws: FormatError.self) { try Architectures.fresh(changed, generator: Generator(seed: 1)) }
    #expect("\(try #require(error))".contains("\(key)"))
  }
}
