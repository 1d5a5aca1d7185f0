import QuickstepTensor
import Testing

@Suite struct OperatorTests {
  @Test("every generated operator has the schema this libtorch declares", arguments: OperatorSchemas.all.map(\.name))
  func schemaMatches(name: String) throws {
    let expected = try #require(OperatorSchemas.all.first { $0.name == name }).schema
    let parts = name.split(separator: ".", maxSplits: 1).map(String.init)
    let found = try #require(TorchOperator(parts[0], parts.count > 1 ? parts[1] : "").schema)
    // libtorch prints defaults and symbolic integers in its own way; names and argument order are what the calls depend on.
    func arguments(_ schema: String) -> [String] {
      schema.split(separator: "(", maxSplits: 1)[1].components(of: ", ")
    }
    // `Tensor(a!) self`, `SymInt[] size`, `*`, `float eps=1e-05`: what stands before `=` ends in the name.
    func names(_ schema: String) -> [String] {
      arguments(schema).filter { !$0.isEmpty }.compactMap { $0.split(separator: "=")[0].split(separator: " ").last.map(String.init) }
    }
    #expect(names(found) == names(expected), "\(found) against \(expected)")
    #expect(names(found).count >= 1)
  }

  @Test func arithmeticBroadcasts() throws {
    let a = Tensor([1, 2, 3, 4] as [Float], shape: [2, 2])
    let b = Tensor([10, 20] as [Float])
    #expect(try (a + b).scalars(Float.self) == [11, 22, 13, 24])
    #expect(try (a * 2 - 1).scalars(Float.self) == [1, 3, 5, 7])
    #expect(try (1 - a).scalars(Float.self) == [0, -1, -2, -3])
    #expect(try a.matmul(a).scalars(Float.self) == [7, 10, 15, 22])
  }

  @Test func failureNamesOperatorAndShapes() throws {
    let a = Tensor.zeros([2, 3])
    let error = #expect(throws: TensorError.self) { try withTensorErrors { a.mm(a).relu().sum() } }
    #expect(try #require(error).description.contains("aten::mm"))
    #expect(try #require(error).description.contains("2x3"))
    // The thread is usable afterwards and the scope is clean.
    #expect(try withTensorErrors { a.sum() }.item() == 0)
  }

  @Test func impossibleAllocationIsAnError() {
    #expect(throws: TensorError.self) { try withTensorErrors { Tensor.zeros([1 << 40, 1 << 20]) } }
    #expect(throws: TensorError.self) { try withTensorErrors { Tensor.empty([1 << 45]) } }
  }

  @Test func nestedScopesKeepTheirOwnFailures() throws {
    try withTensorErrors {
      #expect(throws: TensorError.self) { try withTensorErrors { Tensor.zeros([2]).view([3]) } }
    }
  }

  @Test func autogradAgreesWithTheDerivative() throws {
    let x = Tensor([0.5, -1.0] as [Double])
    x.setRequiresGradient(true)
    try withTensorErrors { (x * x * x).sum().backward() }
    #expect(try #require(x.gradient).scalars(Double.self) == [0.75, 3.0])
    let g = try Tensor.gradients(of: [x.exp().sum()], withRespectTo: [x])
    #expect(try g[0].scalars(Double.self)[0] == exp1(0.5))
  }

  private func exp1(_ x: Double) throws -> Double { try Tensor(scalar: x).exp().item() }
}

extension Substring {
  fileprivate func components(of separator: String) -> [String] {
    var depth = 0
    var parts = [""]
    for character in self {
      if character == "(" || character == "[" { depth += 1 }
      if character == ")" || character == "]" { depth -= 1 }
      if depth < 0 { break }
      if character == ",", depth == 0 { parts.append("") } else { parts[parts.count - 1].append(character) }
    }
    return parts
  }
}
