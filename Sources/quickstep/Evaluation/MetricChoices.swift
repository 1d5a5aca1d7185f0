import ArgumentParser
import QuickstepEvaluation
import QuickstepNN
import QuickstepPipelines
import QuickstepTensor

/// Which metrics are measured: those the user named, or all that can be.
struct MetricChoices {
  /// Made, with their networks.
  private(set) var metrics: [any Metric] = []
  /// What could not be measured, and why, where the user named nothing.
  private(set) var leftOut: [String] = []
  private let nets: [any EvaluationNet]

  init(_ names: [String], nets: [any EvaluationNet], pictures: any PictureSource, reference: (any PictureSource)?) throws {
    self.nets = nets
    for name in names {
      let choice = try MethodChoice(parsing: name)
      metrics += try AllMetrics.make(choice.name, choice.parameters, nets: nets)
    }
    let figures = metrics.map(\.figure)
    if let twice = figures.first(where: { figure in figures.count { $0 == figure } > 1 }) {
      throw ValidationError("'\(twice)' would be measured twice.")
    }
    guard names.isEmpty else { return }
    for type in AllMetrics.all where type.declaration.isStandard {
      // Metrics whose network is not there are not missed.
      guard let made = try? AllMetrics.make(type.declaration.name, nets: nets), let first = made.first else { continue }
      if let problem = PictureEvaluation.obstacle(first.demands, pictures: pictures, reference: reference) {
        leftOut.append(problem)
      } else {
        metrics += made
      }
    }
    guard metrics.isEmpty else { return }
    throw ValidationError("Nothing can be measured: " + leftOut.joined(separator: "; ") + ".")
  }

  /// Networks, as the user wrote them, that no metric uses.
  func unused(_ texts: [String]) -> [String] {
    zip(texts, nets).filter { _, net in !metrics.contains { $0.figure.hasSuffix(net.name) || uses($0, net) } }.map(\.0)
  }

  private func uses(_ metric: any Metric, _ net: any EvaluationNet) -> Bool {
    if let set = metric as? any SetMetric { return set.net.name == net.name }
    return (net as? any PictureDistance)?.metric == metric.figure
  }

  /// Loads networks from `NAME`, `NAME:PATH` or `NAME:parameter=value,…`.
  static func load(_ texts: [String], device: Device) throws -> [any EvaluationNet] {
    let nets = try texts.map { text in
      let name = text.split(separator: ":", maxSplits: 1).first.map(String.init) ?? text
      let loader = try AllEvaluationNets.named(name)
      var given = try parameters(text, loader)
      if let builtIn = loader.builtIn, let first = loader.parameters.first?.name {
        given[first] = try ClassifierFolder.find(given[first] ?? builtIn)
      }
      return try loader.make(given, device: device)
    }
    let names = nets.map(\.name)
    if let twice = names.first(where: { name in names.count { $0 == name } > 1 }) {
      throw ValidationError("The network '\(twice)' is given twice; figures would carry one name.")
    }
    return nets
  }

  private static func parameters(_ text: String, _ loader: EvaluationNetLoader) throws -> [String: String] {
    let rest = text.split(separator: ":", maxSplits: 1).dropFirst().first.map(String.init) ?? ""
    guard !rest.isEmpty else { return [:] }
    let isNamed = loader.parameters.contains { rest.hasPrefix($0.name + "=") }
    if isNamed { return try MethodChoice(parsing: text).parameters }
    guard let first = loader.parameters.first else { throw ValidationError("The network '\(loader.name)' takes no path.") }
    return [first.name: rest]
  }
}
