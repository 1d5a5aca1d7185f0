internal import Foundation
public import QuickstepTensor

/// A feature net that was trained to tell things apart, and so can say whether pictures show what they were asked for.
///
/// It serves in place of the data set it learned from: ``realStatistics`` are all that Fréchet distances to real pictures need.
public protocol RecognisingNet: FeatureNet {
  /// The things it tells apart, as prompts name them.
  var classNames: [String] { get }
  /// Mean and covariance of real pictures' features by style, `all` for those of all styles; empty where its folder holds none.
  var realStatistics: [String: GaussianStatistics] { get }
  /// Scores of the things, `[B, classes]`, of a preprocessed batch.
  func logits(_ input: Tensor) throws -> Tensor
}

extension RecognisingNet {
  /// `none`: such a net was trained on pictures in −1…1 of one size.
  public var preprocessing: String { "none" }
  /// The pictures as they are.
  public func preprocess(_ images: Tensor) -> Tensor { images }
  /// Nothing is scaled here.
  /// - Throws: ``EvaluationError`` for sizes it was not trained on.
  public func check(_ shape: [Int]) throws {
    guard shape.count == 4, Array(shape.suffix(2)) == inputSize else {
      throw EvaluationError("\(name) takes pictures [B, \(channels), \(inputSize[0]), \(inputSize[1])], not \(shape)")
    }
  }

  /// The class that a prompt names; `nil` for prompts it knows nothing of. Case and outer spaces do not matter.
  public func classIndex(_ prompt: String) -> Int? {
    let wanted = prompt.trimmingCharacters(in: .whitespaces).lowercased()
    return classNames.firstIndex { $0.lowercased() == wanted }
  }

  /// For each picture the place of what it was asked for when things are sorted by score, from 1. Things of equal score count as better.
  /// - Parameters:
  ///   - pictures: `[N, C, H, W]` in −1…1.
  ///   - prompts: N names of things.
  /// - Throws: ``EvaluationError`` for prompts that name none of ``classNames`` and for counts that do not fit; as
  ///   ``FeatureNet/features(_:batch:progress:)``.
  public func ranks(_ pictures: Tensor, prompts: [String], batch: Int = 64) throws -> [Int] {
    guard pictures.rank == 4, pictures.size(0) == prompts.count else {
      throw EvaluationError("pictures of shape \(pictures.shape) for \(prompts.count) prompts")
    }
    let wanted = try prompts.map { prompt in
      guard let index = classIndex(prompt) else {
        throw EvaluationError(
          "\(name) knows no '\(prompt)'; it tells \(classNames.count) things apart, such as '\(classNames.first ?? "")'")
      }
      return index
    }
    let scores = try inBatches(pictures, batch: batch) { try logits($0) }
    let chosen = try withTensorErrors { scores.gather(1, index: Tensor(wanted).unsqueeze(1)) }
    return try withTensorErrors { scores.less(chosen).logicalNot().to(.int64).sum([1]) }.scalars(Int.self)
  }
}
