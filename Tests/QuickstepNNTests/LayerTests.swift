import Foundation
import QuickstepNN
import QuickstepTensor
import QuickstepTesting
import Testing

/// Layers against plain Double arithmetic.
@Suite struct LayerTests {
  private func random(_ shape: [Int], _ seed: UInt64) throws -> Tensor { .randn(shape, generator: try Generator(seed: seed)) }

  @Test("timestep features are cosines, then sines, of falling frequencies", arguments: [0.0, 1, 17.25, 999])
  func timestepFeatures(_ time: Double) throws {
    let found = try TimestepFeatures.make(Tensor([Float(time), 3]), size: 8).scalars(Float.self)
    #expect(found.count == 16)
    for index in 0..<4 {
      // 10000^(−i/4): 1, 1/10, 1/100, 1/1000.
      let angle = time / pow(10, Double(index))
      #expect(abs(Double(found[index]) - cos(angle)) < 1e-4, "cosine \(index)")
      #expect(abs(Double(found[4 + index]) - sin(angle)) < 1e-4, "sine \(index)")
    }
    let long = try TimestepFeatures.make(Tensor([Float(time)]), size: 4, longestPeriod: 100).scalars(Float.self)
    #expect(abs(Double(long[1]) - cos(time / 10)) < 1e-4)
  }

  @Test func gridPositionsAreSinesAndCosinesOfRowThenColumn() throws {
    let (rows, columns, size) = (3, 2, 8)
    let table = GridPositions.make(rows: rows, columns: columns, size: size)
    #expect(table.shape == [1, 6, 8])
    let found = try table.scalars(Float.self)
    for row in 0..<rows {
      for column in 0..<columns {
        // Frequencies 1 and 1/100 for a quarter of two channels.
        let expected = [
          sin(Double(row)), sin(Double(row) / 100), cos(Double(row)), cos(Double(row) / 100), sin(Double(column)),
          sin(Double(column) / 100),
          cos(Double(column)), cos(Double(column) / 100),
        ]
        let start = (row * columns + column) * size
        for index in expected.indices { #expect(abs(Double(found[start + index]) - expected[index]) < 1e-6, "\(row), \(column), \(index)") }
      }
    }
  }

  @Test func positionsThatCannotBeSplitAreAnError() {
    #expect(throws: TensorError.self) { try withTensorErrors { GridPositions.make(rows: 2, columns: 2, size: 6) } }
  }

  @Test func attentionEqualsItsDefinition() throws {
    let (size, heads, batch, queries, keys) = (6, 2, 2, 3, 4)
    let (layer, parameters) = try Weights.initialise(generator: Generator(seed: 1)) {
      Attention($0, size: size, contextSize: 5, heads: heads, bias: false)
    }
    try ModelLaws.disturb(parameters, deviation: 0.5)
    let (input, context) = (try random([batch, queries, size], 2), try random([batch, keys, 5], 3))
    let mask = Tensor([true, true, false, true, true, false, true, true], shape: [batch, 1, 1, keys])
    let found = try withTensorErrors { layer(input, context: context, mask: mask) }.scalars(Float.self)
    func matrix(_ name: String) throws -> [Double] { try #require(parameters[name]).to(.float64).scalars(Double.self) }
    let (wq, wk, wv, wo, bo) = (
      try matrix("to_q.weight"), try matrix("to_k.weight"), try matrix("to_v.weight"), try matrix("to_out.0.weight"),
      try matrix("to_out.0.bias")
    )
    func project(_ weight: [Double], _ vector: ArraySlice<Double>) -> [Double] {
      let vector = Array(vector)
      return (0..<size).map { row in vector.indices.reduce(0) { $0 + weight[row * vector.count + $1] * vector[$1] } }
    }
    let (x, c) = (try input.to(.float64).scalars(Double.self), try context.to(.float64).scalars(Double.self))
    let visible = try mask.scalars(Bool.self)
    for b in 0..<batch {
      let k = (0..<keys).map { project(wk, c[(b * keys + $0) * 5..<(b * keys + $0 + 1) * 5]) }
      let v = (0..<keys).map { project(wv, c[(b * keys + $0) * 5..<(b * keys + $0 + 1) * 5]) }
      for n in 0..<queries {
        let q = project(wq, x[(b * queries + n) * size..<(b * queries + n + 1) * size])
        var mixed = [Double](repeating: 0, count: size)
        for head in 0..<heads {
          let channels = head * 3..<head * 3 + 3
          let scores = (0..<keys).map { m in visible[b * keys + m] ? exp(channels.reduce(0) { $0 + q[$1] * k[m][$1] } / 3.squareRoot()) : 0
          }
          let total = scores.reduce(0, +)
          for channel in channels { mixed[channel] = (0..<keys).reduce(0) { $0 + scores[$1] / total * v[$1][channel] } }
        }
        let expected = zip(project(wo, mixed[...]), bo).map { $0 + $1 }
        for channel in 0..<size { #expect(abs(Double(found[(b * queries + n) * size + channel]) - expected[channel]) < 1e-5) }
      }
    }
  }

  @Test func normalisationsEqualTheirDefinitions() throws {
    let input = try random([2, 8, 3], 4)
    let (layers, parameters) = try Weights.initialise(generator: Generator(seed: 1)) {
      (
        LayerNorm($0["layer"], 3), RMSNorm($0["rms"], 3), GroupNorm($0["group"], groups: 2, channels: 8),
        LayerNorm($0["bare"], 3, affine: false)
      )
    }
    #expect(parameters.names == ["layer.weight", "layer.bias", "rms.weight", "group.weight", "group.bias"])
    try ModelLaws.disturb(parameters, deviation: 0.3)
    func values(_ tensor: Tensor) throws -> [Double] { try tensor.to(.float64).scalars(Double.self) }
    func parameter(_ name: String) throws -> [Double] { try values(#require(parameters[name])) }
    let (x, outputs) = (try values(input), try withTensorErrors { [layers.0(input), layers.1(input), layers.2(input), layers.3(input)] })
    let found = try outputs.map(values)
    let (lw, lb, rw, gw, gb) = (
      try parameter("layer.weight"), try parameter("layer.bias"), try parameter("rms.weight"), try parameter("group.weight"),
      try parameter("group.bias")
    )
    func moments(_ values: [Double]) -> (mean: Double, variance: Double) {
      let mean = values.reduce(0, +) / Double(values.count)
      return (mean, values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count))
    }
    for index in x.indices {
      let (column, channel) = (index % 3, index / 3 % 8)
      let row = Array(x[index - column..<index - column + 3])
      let (mean, variance) = moments(row)
      let normal = (x[index] - mean) / (variance + 1e-6).squareRoot()
      #expect(abs(found[0][index] - (normal * lw[column] + lb[column])) < 1e-5)
      #expect(abs(found[3][index] - normal) < 1e-5)
      let square = row.reduce(0) { $0 + $1 * $1 } / 3
      #expect(abs(found[1][index] - x[index] / (square + 1e-6).squareRoot() * rw[column]) < 1e-5)
      let start = index / 12 * 12
      let group = moments(Array(x[start..<start + 12]))
      #expect(abs(found[2][index] - ((x[index] - group.mean) / (group.variance + 1e-5).squareRoot() * gw[channel] + gb[channel])) < 1e-5)
    }
  }

  @Test func embeddingsAreRows() throws {
    let table = Tensor([0, 1, 10, 11, 20, 21] as [Float], shape: [3, 2])
    let layer = try Weights.load(from: TensorDictionary(["weight": table])) { Embedding($0, count: 3, size: 2) }.model
    #expect(try layer(Tensor([2, 0])).scalars(Float.self) == [20, 21, 0, 1])
    for index in [3, -1] { #expect(throws: TensorError.self) { try withTensorErrors { layer(Tensor([index])) } } }
  }
}
