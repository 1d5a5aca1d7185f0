internal import Foundation
import QuickstepFormats
public import QuickstepNN
public import QuickstepTensor

/// What ``InnerLoopFeedback`` has learned: the weights of one block and a scale for each block of the inner range.
///
/// On disk it is a folder of `config.json` and `feedback.safetensors`: `block.<parameter>` as in the network's own blocks, and `scale.<index>`,
/// one number per channel, for each block of the range.
public struct FeedbackModule: Sendable {
  /// What it was trained for.
  public struct Configuration: Codable, Sendable, Hashable {
    /// Name of the model, for people.
    public var model: String
    /// Checksum of the model's weights.
    public var fingerprint: String
    /// Blocks of the network.
    public var blocks: Int
    /// First and last block of the inner range, from 0; the last one's output is what is fed back.
    public var first: Int, last: Int
    /// Channels of a token.
    public var hiddenSize: Int
    /// Solver steps of the runs it was trained on, and their solver.
    public var steps: Int, solver: String
    /// Evaluations without feedback at the beginning and at the end of those runs.
    public var begin: Int, end: Int
    /// Guidance scale it was trained at.
    public var guidanceScale: Double

    enum CodingKeys: String, CodingKey {
      case model, fingerprint, blocks, first, last, steps, solver, begin, end
      case hiddenSize = "hidden_size"
      case guidanceScale = "guidance_scale"
    }

    /// Nothing is checked here; reading a file and using the module do.
    public init(
      model: String, fingerprint: String, blocks: Int, first: Int, last: Int, hiddenSize: Int, steps: Int, solver: String, begin: Int,
      end: Int,
      guidanceScale: Double
    ) {
      (self.model, self.fingerprint, self.blocks, self.first, self.last) = (model, fingerprint, blocks, first, last)
      (self.begin, self.end) = (begin, end)
      (self.hiddenSize, self.steps, self.solver, self.guidanceScale) = (hiddenSize, steps, solver, guidanceScale)
    }

    func check(_ origin: String) throws {
      guard begin >= 0, end >= 0, begin < steps, end < steps - begin else {
        throw AccelerationError("\(origin): 'begin' (\(begin)) and 'end' (\(end)) leave none of \(steps) steps with feedback")
      }
      guard first >= 0, first <= last, last < blocks, hiddenSize >= 1 else {
        throw AccelerationError(
          "\(origin): the inner range \(first)…\(last) does not lie in \(blocks) blocks, or 'hidden_size' (\(hiddenSize)) is below 1")
      }
    }

    /// The inner range.
    public var range: ClosedRange<Int> { first...max(first, last) }
  }

  /// Name of the weights' file.
  public static let weightsName = "feedback.safetensors"
  private static let className = "InnerLoopFeedback"
  private static let blockPrefix = "block."

  /// What it was trained for.
  public let configuration: Configuration
  /// The block's weights under the names of a block's scope.
  public let block: TensorDictionary
  /// `[C]` each: what the fed-back output is multiplied with before it is added to a block's input, for each block of the range.
  public let scales: [Tensor]

  /// - Throws: ``AccelerationError`` for numbers that make no range and for scales that do not suit it.
  public init(_ configuration: Configuration, block: [String: Tensor], scales: [Tensor], origin: String = "memory") throws {
    let c = configuration
    try c.check(origin)
    guard scales.count == c.range.count, scales.allSatisfy({ $0.shape == [c.hiddenSize] }) else {
      throw AccelerationError(
        "\(origin): the scales are \(scales.map(\.shape)); the range \(c.first)…\(c.last) needs \(c.range.count) of [\(c.hiddenSize)]")
    }
    self.configuration = configuration
    self.block = TensorDictionary(block, origin: origin)
    self.scales = scales
  }

  /// Reads a module.
  /// - Parameter path: its folder, or the file of its weights with `config.json` beside it.
  /// - Throws: `FormatError` and ``AccelerationError`` naming the file and what of it does not fit.
  public init(path: String) throws {
    let folder = path.hasSuffix(".safetensors") ? (path as NSString).deletingLastPathComponent : path
    let weights = path.hasSuffix(".safetensors") ? path : folder + "/" + Self.weightsName
    let settings = (folder.isEmpty ? "." : folder) + "/config.json"
    for file in [settings, weights] where !FileManager.default.fileExists(atPath: file) {
      throw AccelerationError("'\(path)' holds no feedback module: there is no \(file)")
    }
    guard var members = try JSONValue(path: settings).object else { throw FormatError(settings, "is not a JSON object") }
    guard members.removeValue(forKey: "_class_name")?.string == Self.className else {
      throw FormatError(settings, "is not of class '\(Self.className)'")
    }
    let configuration = try JSONDecoding.decode(Configuration.self, from: .object(members), name: settings)
    try configuration.check(settings)
    let file = try SafetensorsFile(path: weights)
    guard configuration.last - configuration.first < file.names.count else {
      throw FormatError(
        weights, "holds \(file.names.count) tensors; the range \(configuration.first)…\(configuration.last) needs more scales")
    }
    let scaleNames = configuration.range.map { "scale.\($0)" }
    if let extra = file.names.first(where: { !$0.hasPrefix(Self.blockPrefix) && !scaleNames.contains($0) }) {
      throw FormatError(weights, "holds '\(extra)', which the range \(configuration.first)…\(configuration.last) has no use for")
    }
    var block: [String: Tensor] = [:]
    for name in file.names where name.hasPrefix(Self.blockPrefix) {
      block[String(name.dropFirst(Self.blockPrefix.count))] = try file.tensor(name)
    }
    try self.init(configuration, block: block, scales: scaleNames.map { try file.tensor($0) }, origin: weights)
  }

  /// Writes `config.json` and the weights as float16.
  /// - Throws: `FormatError` when writing fails.
  public func write(to folder: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let members = try JSONValue(parsing: String(decoding: encoder.encode(configuration), as: UTF8.self)).object ?? [:]
    let named = JSONValue.object(members.merging(["_class_name": .string(Self.className)]) { first, _ in first })
    let object = try JSONSerialization.jsonObject(with: Data(named.text.utf8))
    let text = try JSONSerialization.data(withJSONObject: object, options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
    try AtomicFile.write(Array(text) + [0x0A], to: folder + "/config.json", makeFolder: true)
    let scales = zip(configuration.range, self.scales).map { ("scale.\($0)", $1) }
    let parameters = block.tensors.sorted { $0.key < $1.key }.map { (Self.blockPrefix + $0.key, $0.value) }
    let halves = try (parameters + scales).map { name, tensor in
      (name, try withTensorErrors { withoutGradients { tensor.detach().to(.cpu).to(.float16) } })
    }
    try SafetensorsWriter.write(halves, metadata: ["format": "pt"], to: folder + "/" + Self.weightsName)
  }
}
