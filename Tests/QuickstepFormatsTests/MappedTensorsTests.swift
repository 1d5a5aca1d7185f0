import QuickstepFormats
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

@Suite struct MappedTensorsTests {
  private let source = TensorDictionary(
    [
      "fused": .arange(0, end: 24, dtype: .float32).reshape([6, 4]), "square": .arange(0, end: 6, dtype: .float32).reshape([2, 3]),
      "conv": .arange(0, end: 6, dtype: .float32).reshape([2, 3, 1, 1]), "plain": .ones([2]),
    ], origin: "file")

  private func mapped(_ view: TensorView) throws -> Tensor { try MappedTensors(source, views: ["x": view]).tensor("x") }

  @Test func steps() throws {
    #expect(try mapped(TensorView("fused", [.part(1, of: 3)])).scalars(Float.self) == [8, 9, 10, 11, 12, 13, 14, 15])
    let turned = try mapped(TensorView("square", [.transposed]))
    #expect(try turned.shape == [3, 2] && turned.scalars(Float.self) == [0, 3, 1, 4, 2, 5] && turned.isContiguous)
    #expect(try mapped(TensorView("conv", [.matrix])).shape == [2, 3])
    #expect(try mapped(TensorView("fused", [.part(2, of: 3), .transposed])).scalars(Float.self) == [16, 20, 17, 21, 18, 22, 19, 23])
    let all = try MappedTensors(source, views: ["b": TensorView("plain"), "a": TensorView("conv", [.matrix])], origin: "part of file")
    #expect(all.names == ["a", "b"] && all.storedName("b") == "plain" && all.origin == "part of file")
    try TensorSourceLaws.check(all)
  }

  /// What is not transposed shares the memory of the stored tensor.
  @Test func nothingIsCopied() throws {
    let stored = try source.tensor("fused")
    let seen = try mapped(TensorView("fused", [.part(0, of: 3)]))
    #expect(try seen.withUnsafeBytes { $0.baseAddress } == stored.withUnsafeBytes { $0.baseAddress })
  }

  @Test(arguments: [
    (TensorView("none"), "there is no tensor named \"none\""),
    (TensorView("fused", [.part(0, of: 4)]), "[6, 4], which cannot be seen as \"x\""),
    (TensorView("conv", [.transposed]), "cannot be seen"), (TensorView("plain", [.matrix]), "cannot be seen"),
    (TensorView("fused", [.part(3, of: 3)]), "cannot be seen"),
  ])
  func refuses(_ view: TensorView, _ reason: String) throws {
    let error = #expect(throws: FormatError.self) { try mapped(view) }
    #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
  }
}

/// Files that other programs write and that are never opened.
@Suite struct ForeignFileTests {
  private let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  private static let zip: [UInt8] = [0x50, 0x4B, 0x03, 0x04]

  @Test(arguments: ["model.ckpt", "model.pt", "model.bin", "model.pth", "model.safetensors", "model"])
  func picklesWhateverTheirName(_ name: String) throws {
    for bytes in [[0x80, 0x02, 0x7D, 0x71, 0x00, 0x2E], Self.zip + Array("....archive/data.pkl".utf8)] as [[UInt8]] {
      let path = try folder.write(bytes, to: name)
      let error = #expect(throws: FormatError.self) { try TensorFiles.open(path) }
      let text = error?.description ?? ""
      #expect(text.contains("can run any program") && text.contains("weights_only=True") && text.contains("convert"), "\(text)")
      #expect(throws: FormatError.self) { try LoRAFile(path: path) }
    }
  }

  @Test func foldersOfPicklesSayTheWayOut() throws {
    try folder.write("x", to: "pytorch_model.bin")
    let error = #expect(throws: FormatError.self) { try TensorFiles.open(folder.path) }
    #expect(error?.origin == folder.path + "/pytorch_model.bin" && error?.reason.contains("is a Python pickle") == true)
  }

  @Test(
    arguments: [
      (Array("version https://git-lfs.github.com/spec/v1".utf8), "git lfs pull"), (Self.zip + Array("....readme".utf8), "zip archive"),
      (Array("<!DOCTYPE html>".utf8), "web page"), ([0xFF, 0xD8, 0xFF, 0xE0], "JPEG"), ([0x89] + Array("PNG\r\n".utf8), "PNG"),
    ] as [([UInt8], String)])
  func others(_ bytes: [UInt8], _ what: String) throws {
    let error = #expect(throws: FormatError.self) { try TensorFiles.open(try folder.write(bytes, to: "x.safetensors")) }
    #expect(error?.reason.contains(what) == true, "\(String(describing: error))")
  }
}
