internal import Foundation
internal import QuickstepDiffusion
internal import QuickstepFormats
internal import QuickstepNN
internal import QuickstepTensor

/// Moments of clean data in a safetensors file: `mean` `[K, C, H, W]`, `basis` `[K, r, C·H·W]`, `variances` `[K, r]`, `rest` `[K]`, `shares` `[K]`;
/// in its metadata where they come from, and whether the K parts are classes.
struct GaussianDataFile: Sendable {
  /// `[C, H, W]`.
  let sampleShape: [Int]
  /// Of the model whose samples they are; `nil` when they are those of pictures.
  let fingerprint: String?
  /// Whether part k is class k.
  let areClasses: Bool
  private let mixture: GaussianMixtureData

  static let kind = "quickstep-gaussian-data"

  init(_ mixture: GaussianMixtureData, sampleShape: [Int], fingerprint: String?, areClasses: Bool) {
    (self.mixture, self.sampleShape, self.fingerprint, self.areClasses) = (mixture, sampleShape, fingerprint, areClasses)
  }

  init(path: String) throws {
    let file = try SafetensorsFile(path: path)
    guard file.metadata["kind"] == Self.kind else {
      throw FormatError(path, "holds no moments of data; 'quickstep calibrate gaussian' writes such files")
    }
    let mean = try Self.tensor(file, "mean", rank: 4, path)
    let parts = mean.size(0)
    let size = mean.count / max(parts, 1)
    let basis = try Self.tensor(file, "basis", rank: 3, path)
    let variances = try Self.tensor(file, "variances", rank: 2, path)
    guard parts > 0, basis.size(0) == parts, basis.size(2) == size, variances.shape == [parts, basis.size(1)] else {
      throw FormatError(path, "'mean' \(mean.shape), 'basis' \(basis.shape) and 'variances' \(variances.shape) do not belong together")
    }
    let rests: [Double] = try Self.tensor(file, "rest", rank: 1, path).scalars()
    let shares: [Double] = try Self.tensor(file, "shares", rank: 1, path).scalars()
    guard rests.count == parts, shares.count == parts else {
      throw FormatError(path, "'rest' has \(rests.count) and 'shares' \(shares.count) values for \(parts) parts")
    }
    let spreads: [Double] = try variances.scalars()
    let rank = basis.size(1)
    do {
      mixture = try GaussianMixtureData(
        parts: (0..<parts).map { part in
          try GaussianData(
            mean: withTensorErrors { mean.select(0, index: part).reshape([-1]) }, basis: withTensorErrors { basis.select(0, index: part) },
            variances: Array(spreads[part * rank..<(part + 1) * rank]), rest: rests[part])
        }, shares: shares)
    } catch let error as SamplingError {
      throw FormatError(path, error.description)
    }
    sampleShape = Array(mean.shape.dropFirst())
    fingerprint = file.metadata["fingerprint"]
    areClasses = file.metadata["parts"] == "classes"
  }

  /// What a picture of this prompt is a sample of: its class where the parts are classes, otherwise the whole.
  func parts(for prompt: String) throws -> GaussianMixtureData {
    guard areClasses else { return mixture }
    guard let index = Int(prompt), mixture.parts.indices.contains(index) else {
      throw GenerationError("the moments are those of \(mixture.parts.count) classes; '\(prompt)' is none of them")
    }
    return try GaussianMixtureData(parts: [mixture.parts[index]], shares: [1])
  }

  func write(to path: String, note: [String: String]) throws {
    // One rank for all parts: missing directions are empty ones.
    let rank = mixture.parts.map(\.variances.count).max() ?? 0
    let tensors = try withTensorErrors {
      let means = Tensor.stack(mixture.parts.map { $0.mean.reshape(sampleShape) })
      let bases = Tensor.stack(
        mixture.parts.map { part in
          part.variances.count == rank ? part.basis : .cat([part.basis, .zeros([rank - part.variances.count, part.size])])
        })
      let spreads = mixture.parts.flatMap { part in part.variances + Array(repeating: part.rest, count: rank - part.variances.count) }
      return [
        (name: "basis", tensor: bases.contiguous()), (name: "mean", tensor: means.contiguous()),
        (name: "rest", tensor: Tensor(mixture.parts.map(\.rest))), (name: "shares", tensor: Tensor(mixture.shares)),
        (name: "variances", tensor: Tensor(spreads, shape: [mixture.parts.count, rank])),
      ]
    }
    var metadata = note.merging(["kind": Self.kind, "parts": areClasses ? "classes" : "mixture"]) { _, own in own }
    metadata["fingerprint"] = fingerprint
    try SafetensorsWriter.write(tensors, metadata: metadata, to: path, makeFolder: true)
  }

  private static func tensor(_ file: SafetensorsFile, _ name: String, rank: Int, _ path: String) throws -> Tensor {
    guard let info = file.info(name) else { throw FormatError(path, "lacks '\(name)'") }
    guard info.shape.count == rank, info.dtype.isFloatingPoint else {
      throw FormatError(path, "'\(name)' is \(info.dtype) \(info.shape); floating point of \(rank) dimensions is needed")
    }
    return try file.tensor(name)
  }
}
