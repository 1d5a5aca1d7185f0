import Foundation
import QuickstepDiffusion
import QuickstepFormats
public import QuickstepNN
import QuickstepTensor

/// A schedule of a cache with a correction of what it gives, fitted to full runs of one model: the file of ``CacheQuant``.
///
/// At evaluation i of a group that begins at s, channel c of the kept value is taken as a_{i,c}·x_s + b_{i,c}.
public struct CacheCorrection: Sendable {
  /// What is kept.
  public enum Point: Hashable, Sendable, Codable, CustomStringConvertible {
    /// Everything of a U-Net deeper than the skip connection with this number.
    case inner(Int)
    /// What a list of blocks adds to its input.
    case blocks

    /// `inner.3`, `blocks`.
    public var description: String {
      switch self {
      case .inner(let depth): "inner.\(depth)"
      case .blocks: "blocks"
      }
    }

    /// The points of a network with these sites, outermost first: the insides of a U-Net, or the blocks of other networks.
    public static func available(in sites: some Sequence<Site>) -> [Point] {
      let inner = sites.filter { $0.kind == .inner }.map(\.depth)
      guard inner.isEmpty else { return Set(inner).sorted().map { .inner($0) } }
      return sites.contains { $0.kind == .block } ? [.blocks] : []
    }

    /// Reads ``description`` back.
    public init?(_ text: String) {
      if text == "blocks" {
        self = .blocks
      } else if text.hasPrefix("inner."), let depth = Int(text.dropFirst(6)), depth >= 0 {
        self = .inner(depth)
      } else {
        return nil
      }
    }

    /// Reads ``description``.
    /// - Throws: `DecodingError` for other words.
    public init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      let text = try container.decode(String.self)
      guard let point = Self(text) else {
        throw DecodingError.dataCorruptedError(
          in: container, debugDescription: "'\(text)' is no point of a network; allowed: inner.N, blocks")
      }
      self = point
    }

    public func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      try container.encode(description)
    }
  }

  /// What it is bound to.
  public struct Origin: Hashable, Sendable, Codable {
    /// Model, solver, guidance.
    public var identity: RunIdentity
    /// What the network is told in each evaluation.
    public var timesteps: [Double]
    /// Runs it was fitted to.
    public var samples: Int

    /// What it is bound to.
    public init(identity: RunIdentity, timesteps: [Double], samples: Int) {
      (self.identity, self.timesteps, self.samples) = (identity, timesteps, samples)
    }
  }

  /// `metadata["kind"]` of files.
  static let kind = "quickstep-cache-correction"
  /// What is kept.
  public let point: Point
  /// Evaluations that compute everything, in rising order; the first is 0.
  public let starts: [Int]
  /// a and b, by evaluation and channel.
  public let factors: [[Double]], offsets: [[Double]]
  /// What it is bound to.
  public let origin: Origin

  /// Evaluations of the run.
  public var evaluations: Int { origin.timesteps.count }
  /// Channels of what is kept.
  public var channels: Int { factors.first?.count ?? 0 }

  /// - Throws: ``AccelerationError`` where numbers do not fit together or are not finite.
  public init(point: Point, starts: [Int], factors: [[Double]], offsets: [[Double]], origin: Origin) throws {
    let count = origin.timesteps.count
    guard starts.first == 0, zip(starts, starts.dropFirst()).allSatisfy({ $0 < $1 }), (starts.last ?? 0) < count else {
      throw AccelerationError("full evaluations \(starts) of \(count); they must rise from 0")
    }
    let channels = factors.first?.count ?? 0
    guard factors.count == count, offsets.count == count, channels > 0, (factors + offsets).allSatisfy({ $0.count == channels }) else {
      throw AccelerationError(
        "factors of \(factors.count) and offsets of \(offsets.count) evaluations; \(count) are needed, of equal channels")
    }
    guard (factors + offsets).allSatisfy({ $0.allSatisfy(\.isFinite) }) else {
      throw AccelerationError("factors or offsets are not finite")
    }
    (self.point, self.starts, self.factors, self.offsets, self.origin) = (point, starts, factors, offsets, origin)
  }

  /// Fits the correction to recorded runs.
  public init(_ statistics: CacheStatistics, starts: [Int], point: Point, origin: Origin) throws {
    let fits = (0..<statistics.evaluations).map { evaluation in
      statistics.fit(from: starts.last { $0 <= evaluation } ?? 0, to: evaluation)
    }
    try self.init(point: point, starts: starts, factors: fits.map(\.factors), offsets: fits.map(\.offsets), origin: origin)
  }

  /// - Throws: `FormatError` and ``AccelerationError`` naming the file and what is missing or does not fit.
  public init(path: String) throws {
    let file = try SafetensorsFile(path: path)
    guard file.metadata["kind"] == Self.kind else {
      throw AccelerationError("\(path) holds no correction of a cache; 'quickstep calibrate cache' writes such files")
    }
    guard let text = file.metadata["point"], let point = Point(text) else {
      throw AccelerationError("\(path): 'point' is '\(file.metadata["point"] ?? "")'; allowed: inner.N, blocks")
    }
    guard let origin = file.metadata["origin"].flatMap({ try? JSONDecoder().decode(Origin.self, from: Data($0.utf8)) }) else {
      throw AccelerationError("\(path): 'origin' of its metadata cannot be read")
    }
    func table(_ name: String) throws -> [[Double]] {
      guard let info = file.info(name), info.dtype.isFloatingPoint, info.shape.count == 2 else {
        throw AccelerationError("\(path) lacks '\(name)' [evaluations, channels]")
      }
      let tensor = try file.tensor(name)
      let values = try withTensorErrors { tensor.to(.float64) }.scalars(Double.self)
      return (0..<info.shape[0]).map { Array(values[($0 * info.shape[1])..<(($0 + 1) * info.shape[1])]) }
    }
    guard let info = file.info("starts"), info.shape.count == 1 else { throw AccelerationError("\(path) lacks 'starts'") }
    let tensor = try file.tensor("starts")
    let starts = try withTensorErrors { tensor.to(.int64) }.scalars(Int64.self).map { Int($0) }
    do {
      try self.init(point: point, starts: starts, factors: table("factors"), offsets: table("offsets"), origin: origin)
    } catch let error as AccelerationError {
      throw AccelerationError("\(path): \(error.description)")
    }
  }

  /// Writes the file.
  public func write(to path: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    func tensor(_ table: [[Double]]) -> Tensor { Tensor(table.flatMap { $0.map(Float.init) }, shape: [evaluations, channels]) }
    try SafetensorsWriter.write(
      [
        (name: "factors", tensor: tensor(factors)), (name: "offsets", tensor: tensor(offsets)),
        (name: "starts", tensor: Tensor(starts.map(Int64.init))),
      ],
      metadata: [
        "kind": Self.kind, "point": point.description, "origin": String(decoding: try encoder.encode(origin), as: UTF8.self),
      ], to: path, makeFolder: true)
  }

  /// - Throws: ``AccelerationError`` naming the first thing in which the run is another one.
  func check(_ run: RunOutline) throws {
    func wrong(_ what: String, _ own: Any, _ given: Any) -> AccelerationError {
      AccelerationError(
        "'cachequant': the calibration was made for \(what) \(own); the run has \(given). 'quickstep calibrate cache' makes another")
    }
    guard evaluations == run.evaluations else { throw wrong("a number of evaluations of", evaluations, run.evaluations) }
    if let identity = run.identity {
      let own = origin.identity
      guard own.fingerprint == identity.fingerprint else { throw wrong("a model with checksum", own.fingerprint, identity.fingerprint) }
      guard own.solver == identity.solver else { throw wrong("the solver", own.solver, identity.solver) }
      guard own.guidanceScale == identity.guidanceScale else { throw wrong("guidance scale", own.guidanceScale, identity.guidanceScale) }
    }
    for (index, (own, call)) in zip(origin.timesteps, run.calls).enumerated() where abs(own - call.level.timestep) > 1e-3 {
      throw wrong("evaluation \(index) at timestep", own, call.level.timestep)
    }
  }

  /// a·x + b for the value of an evaluation, channel by channel.
  /// - Throws: ``AccelerationError`` for another number of channels.
  func corrected(_ held: Tensor, evaluation: Int) throws -> Tensor {
    let axis = CacheStatistics.channelAxis(held.rank)
    guard held.size(axis) == channels else {
      throw AccelerationError("'cachequant': \(point) has \(held.size(axis)) channels, the calibration \(channels)")
    }
    var shape = Array(repeating: 1, count: held.rank)
    shape[axis] = channels
    return try withTensorErrors {
      func row(_ values: [Double]) -> Tensor { Tensor(values.map(Float.init), shape: shape).to(held.dtype, held.device) }
      return held * row(factors[evaluation]) + row(offsets[evaluation])
    }
  }
}
