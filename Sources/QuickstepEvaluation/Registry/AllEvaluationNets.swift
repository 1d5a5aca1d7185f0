internal import QuickstepDiffusion
public import QuickstepNN
public import QuickstepTensor

/// How a network for metrics is loaded from files.
public struct EvaluationNetLoader: Sendable {
  /// Name on the command line.
  public let name: String
  /// One sentence.
  public let summary: String
  /// What metrics can use it for.
  public let provides: [MetricNeed]
  /// The first one may be given without its name.
  public let parameters: [ParameterDeclaration]
  /// Id of the built-in model that holds it, where one does; the first parameter is its folder then.
  public let builtIn: String?
  private let load: @Sendable (ParameterValues, Device) throws -> any EvaluationNet

  init(
    _ name: String, _ summary: String, provides: [MetricNeed], parameters: [ParameterDeclaration], builtIn: String? = nil,
    _ load: @escaping @Sendable (ParameterValues, Device) throws -> any EvaluationNet
  ) {
    (self.name, self.summary, self.provides, self.parameters) = (name, summary, provides, parameters)
    (self.builtIn, self.load) = (builtIn, load)
  }

  /// A classifier of this project, from its folder.
  static func classifier(
    _ name: String, _ summary: String, _ load: @escaping @Sendable (String, Device) throws -> any RecognisingNet
  ) -> EvaluationNetLoader {
    EvaluationNetLoader(
      name, summary, provides: [.features, .recognition], parameters: [.path("folder", "the folder of the classifier")], builtIn: name
    ) { values, device in
      guard let folder = values.text("folder") else { throw EvaluationError("\(name): name its folder, as in \(name):FOLDER") }
      return try load(folder, device)
    }
  }

  /// Loads it.
  /// - Throws: `ParameterError`; `FormatError` or `WeightsError` for files that are missing or hold something else; ``EvaluationError``.
  public func make(_ given: [String: String], device: Device = .cpu) throws -> any EvaluationNet {
    try load(ParameterValues(given, of: parameters, owner: "network '\(name)'"), device)
  }
}

/// Every network that metrics can use, sorted by name. A new one is its file and a line here.
public enum AllEvaluationNets {
  /// The registered networks.
  public static let all: [EvaluationNetLoader] = [
    CLIPFeatures.loader,
    DigitFeatures.loader,
    EmojiFeatures.loader,
    EmojiLookup.loader,
    InceptionFeatures.loader,
    LPIPS.Backbone.alex.loader,
    LPIPS.Backbone.squeeze.loader,
    LPIPS.Backbone.vgg.loader,
    SqueezeNetFeatures.loader,
  ]

  /// The network of this name; case and separators do not matter.
  /// - Throws: `UnknownMethodError` with the nearest name.
  public static func named(_ name: String) throws -> EvaluationNetLoader {
    let wanted = canonicalName(name)
    if let found = all.first(where: { canonicalName($0.name) == wanted }) { return found }
    throw UnknownMethodError(name, family: Family("network"), known: all.map(\.name), near: all.map(\.name))
  }
}

extension ParameterDeclaration {
  /// A path that has to be given, or may be left to the data location.
  static func path(_ name: String, _ summary: String) -> ParameterDeclaration {
    ParameterDeclaration(name: name, summary: summary, domain: .text("path"), standard: .text(""))
  }
}
