import Foundation
import QuickstepFormats
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

/// Every source of tensors obeys the same laws, and the checker notices those that do not.
@Suite struct TensorSourceTests {
  private static let tensors: [(name: String, tensor: Tensor)] = [
    ("b.weight", Tensor([1, 2, 3, 4, 5, 6] as [Float], shape: [2, 3])), ("a", Tensor([1, 2])), ("empty", .zeros([0, 4])),
    ("half", Tensor([1.5, -2, .nan]).to(.float16)), ("scalar", Tensor(scalar: true)), ("bytes", Tensor([1, 2, 255] as [UInt8])),
  ]

  @Test func dictionary() throws {
    try TensorSourceLaws.check(
      TensorDictionary(Dictionary(uniqueKeysWithValues: Self.tensors.map { ($0.name, $0.tensor) }), origin: "memory"))
    try TensorSourceLaws.check(TensorDictionary([:]))
  }

  @Test func safetensorsFile() throws {
    let folder = try TemporaryFolder()
    try SafetensorsWriter.write(Self.tensors, metadata: ["format": "pt"], to: folder.path + "/x.safetensors")
    let source = try TensorFiles.open(folder.path + "/x.safetensors")
    try TensorSourceLaws.check(source)
    #expect(source.names == ["a", "b.weight", "bytes", "empty", "half", "scalar"])
    #expect(source.metadata["format"] == "pt")
    for (name, tensor) in Self.tensors { #expect(try source.tensor(name).hasBits(of: tensor), "\(name)") }
  }

  @Test func shardedCheckpoint() throws {
    let folder = try TemporaryFolder()
    try SafetensorsWriter.write(Array(Self.tensors.prefix(3)), to: folder.path + "/one.safetensors")
    try SafetensorsWriter.write(Array(Self.tensors.suffix(3)), to: folder.path + "/two.safetensors")
    let map = Self.tensors.enumerated().map { "\"\($0.element.name)\": \"\($0.offset < 3 ? "one" : "two").safetensors\"" }
    try folder.write("{\"metadata\": {}, \"weight_map\": {\(map.joined(separator: ", "))}}", to: "x.safetensors.index.json")
    let source = try TensorFiles.open(folder.path + "/x.safetensors.index.json")
    try TensorSourceLaws.check(source)
    for (name, tensor) in Self.tensors { #expect(try source.tensor(name).hasBits(of: tensor), "\(name)") }
  }

  /// A dictionary with one fault.
  private struct Faulty: TensorSource {
    enum Fault: CaseIterable { case unsorted, wrongShape, noInfo, wrongName, changing, quietMessage, anything }
    let fault: Fault
    let good = TensorDictionary(["a": .zeros([2]), "b": .zeros([3])])
    var names: [String] { fault == .unsorted ? ["b", "a"] : good.names }
    var metadata: [String: String] { [:] }
    var origin: String { "faulty" }

    func info(_ name: String) -> TensorInfo? {
      guard var info = good.info(name), fault != .noInfo else { return nil }
      if fault == .wrongShape { info.shape = [2] }
      if fault == .wrongName { info.name = "c" }
      return info
    }

    func tensor(_ name: String) throws -> Tensor {
      if fault == .changing, name == "a" { return .rand([2], generator: nil) }
      guard let tensor = good.tensors[name] else {
        if fault == .anything { return .zeros([1]) }
        throw WeightsError(fault == .quietMessage ? "failed" : "faulty: there is no '\(name)'")
      }
      return tensor
    }
  }

  @Test("the checker notices a fault", arguments: Faulty.Fault.allCases)
  private func faults(_ fault: Faulty.Fault) {
    #expect(throws: LawViolation.self) { try TensorSourceLaws.check(Faulty(fault: fault)) }
  }
}
