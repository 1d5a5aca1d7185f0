import ArgumentParser
import Foundation
import QuickstepEvaluation
import QuickstepFormats
import QuickstepPipelines
import QuickstepTensor
import QuickstepTraining

/// The pictures a built-in model was trained to be like, as far as the data sets are at hand.
enum RealPictures {
  /// What they are, for the table's title, and their features' mean and covariance.
  struct Statistics {
    let title: String
    let statistics: GaussianStatistics
  }

  /// MNIST's test digits for digit models; for emoji models what the training plan names, in the style that pictures have without `--style`.
  /// - Throws: `FormatError` when a data set is missing; `ValidationError` for models whose data are not known.
  static func statistics(of model: LoadedModel, net: any FeatureNet) throws -> Statistics {
    if model.classCount == 10 {
      let test = try DigitSet(.test)
      return Statistics(
        title: "\(test.labels.count) test digits", statistics: try GaussianStatistics(features: net.features(test.images, batch: 250)))
    }
    let path = model.folder + "/training.json"
    guard FileManager.default.fileExists(atPath: path) else {
      throw ValidationError("'\(model.name)' does not say what it was trained on (no training.json); leave --data out.")
    }
    let data = try TrainingPlan.read(path).data
    let dataset = try EmojiDataset(path: try DataLocation.find(data.set))
    let styles = model.defaults.style.map { [$0] } ?? data.styles
    let rows = try EmojiSelection(groups: data.groups, styles: styles).rows(of: dataset)
    let features = try net.features(EmojiRetrieval.pictures(of: rows, in: dataset))
    return Statistics(
      title: "\(rows.count) pictures of \(data.set) (\(styles.joined(separator: ", ")))",
      statistics: try GaussianStatistics(features: features))
  }
}
