public import QuickstepNN
public import QuickstepTensor

/// Laws that every network obeys, whoever wrote it. Each checker throws ``LawViolation``.
///
/// A model is given as a function of named tensors, so that anything can be checked: a registered component, a layer, a whole stage of a
/// pipeline.
public enum ModelLaws {
  /// Named inputs to named outputs.
  public typealias Forward = ([String: Tensor]) throws -> [String: Tensor]

  /// Adds normal noise to every parameter, in place. Layers that begin at zero would otherwise hide what lies behind them.
  /// - Parameters:
  ///   - parameters: changed; nobody else may use them meanwhile.
  ///   - deviation: of the noise.
  public static func disturb(_ parameters: ParameterTree, seed: UInt64 = 1, deviation: Double = 0.1) throws {
    let generator = try Generator(seed: seed)
    try withTensorErrors {
      withoutGradients {
        for (_, tensor) in parameters.all where tensor.dtype.isFloatingPoint {
          let noise = Tensor.randn(tensor.shape, generator: generator) * deviation
          tensor.detach().addInPlace(noise.to(tensor.dtype, tensor.device))
        }
      }
    }
  }

  /// The same inputs give the same bits.
  public static func checkDeterminism(_ name: String, inputs: [String: Tensor], _ forward: Forward) throws {
    let first = try outputs(name, inputs, forward)
    let second = try outputs(name, inputs, forward)
    guard Set(first.keys) == Set(second.keys) else { throw LawViolation("\(name): the second call gave other outputs") }
    for (key, tensor) in first where try !tensor.hasBits(of: second[key] ?? .undefined) {
      throw LawViolation("\(name): the same inputs gave other bits in '\(key)'")
    }
  }

  /// Every sample of a batch comes out as if it were alone, up to rounding, and the samples do differ.
  /// - Parameters:
  ///   - inputs: all with the batch as their first dimension, of 2 samples at least, the samples different.
  ///   - tolerance: largest difference in root mean squares of the output.
  public static func checkBatch(_ name: String, inputs: [String: Tensor], tolerance: Double = 1e-4, _ forward: Forward) throws {
    let sizes = Set(inputs.values.map { $0.rank > 0 ? $0.size(0) : 0 })
    guard let batch = sizes.first, sizes.count == 1, batch >= 2 else {
      throw LawViolation("\(name): all inputs of the batch law need the same first dimension, 2 or more; they have \(sizes.sorted())")
    }
    let whole = try outputs(name, inputs, forward)
    var rows: [String: [Tensor]] = [:]
    for index in 0..<batch {
      let alone = try outputs(name, inputs.mapValues { $0.narrow(0, start: index, length: 1) }, forward)
      for (key, tensor) in alone {
        let row = try withTensorErrors { (whole[key] ?? .undefined).narrow(0, start: index, length: 1) }
        let difference = try tensor.largestDifference(from: row)
        guard difference <= tolerance else {
          throw LawViolation("\(name): sample \(index) of '\(key)' differs by \(difference) when it is alone; allowed: \(tolerance)")
        }
        rows[key, default: []].append(row)
      }
    }
    for (key, samples) in rows where try samples.dropFirst().allSatisfy({ try $0.hasBits(of: samples[0]) }) {
      throw LawViolation("\(name): '\(key)' is the same for every sample: it does not depend on the inputs")
    }
  }

  /// Every parameter has an effect: the gradient of a random projection of the outputs is there, finite and not all zero.
  ///
  /// Disturb the parameters first (``disturb(_:seed:deviation:)``). Their gradients are cleared afterwards.
  /// - Parameters:
  ///   - outputs: which outputs count; all of floating point when empty.
  ///   - idle: parameters that checkpoints of this architecture hold although nothing depends on them. The law holds them to that.
  public static func checkGradients(
    _ name: String, parameters: ParameterTree, inputs: [String: Tensor], outputs chosen: [String] = [], idle: Set<String> = [],
    _ forward: Forward
  ) throws {
    let trainable = parameters.all.filter { $0.tensor.dtype.isFloatingPoint }
    for (_, tensor) in trainable { tensor.setRequiresGradient(true) }
    defer {
      for (_, tensor) in trainable {
        tensor.setGradient(nil)
        tensor.setRequiresGradient(false)
      }
    }
    let generator = try Generator(seed: 2)
    try withTensorErrors {
      let results = try forward(inputs).filter { chosen.isEmpty ? $0.value.dtype.isFloatingPoint : chosen.contains($0.key) }
      let terms = results.sorted { $0.key < $1.key }.map { ($0.value * Tensor.randn($0.value.shape, generator: generator)).sum() }
      Tensor.stack(terms).sum().backward()
    }
    var problems = idle.subtracting(parameters.names).sorted().map { "there is no parameter '\($0)'" }
    for (key, tensor) in trainable {
      guard let gradient = tensor.gradient else {
        if !idle.contains(key) { problems.append("'\(key)' has no effect") }
        continue
      }
      if idle.contains(key) { problems.append("'\(key)' has an effect, though it is said to be idle") }
      let largest = try withTensorErrors { gradient.to(.float32).abs().max() }.item()
      if !largest.isFinite { problems.append("the gradient of '\(key)' is not finite") }
      if largest == 0 { problems.append("the gradient of '\(key)' is zero") }
    }
    guard problems.isEmpty else { throw LawViolation("\(name): " + problems.joined(separator: "; ")) }
  }

  private static func outputs(_ name: String, _ inputs: [String: Tensor], _ forward: Forward) throws -> [String: Tensor] {
    let results = try withTensorErrors { try forward(inputs) }
    guard !results.isEmpty else { throw LawViolation("\(name) has no outputs") }
    for (key, tensor) in results where tensor.dtype.isFloatingPoint {
      guard try withTensorErrors({ tensor.isFinite().all() }).item() == 1 else { throw LawViolation("\(name): '\(key)' is not finite") }
    }
    return results
  }
}
