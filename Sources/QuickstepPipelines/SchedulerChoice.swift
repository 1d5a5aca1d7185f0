import QuickstepDiffusion
import QuickstepFormats
import QuickstepModels

/// Which solver a request runs, and with whose schedule and settings: the model's own scheduler file, another file, or what one of
/// diffusers' classes makes of either.
struct SchedulerChoice {
  let configuration: SchedulerConfiguration
  let match: AllSolvers.Match
  /// Whether parameters, grid and corrections are the configuration's where the request says nothing.
  let follows: Bool
  /// The configuration as JSON, where it is not the model's own.
  let text: String?
  /// In sentences for the user.
  let warnings: [String]

  /// - Throws: `FormatError` for files that cannot be read or are for other networks; `UnknownMethodError` for unknown names.
  init(_ request: GenerationRequest, model: LoadedModel) throws {
    var (file, name) = (request.scheduler, request.solver)
    if let given = name, Self.isFile(given) {
      guard file == nil else {
        throw GenerationError("'\(given)' is given as solver and '\(file ?? "")' as scheduler; one scheduler file is enough")
      }
      (file, name) = (given, nil)
    }
    var warnings: [String] = []
    var base = model.scheduler
    if let file {
      base = try base.replaced(by: Self.read(file), prediction: model.options.prediction)
      warnings += base.process.differences(from: model.scheduler.process)
    }
    if let own = request.ownSolver {
      match = AllSolvers.Match(solver: type(of: own), alias: nil)
      // As its registered form, which is chosen by its name.
      follows = false
    } else if let name {
      let found = try AllSolvers.named(name)
      if let asked = SchedulerClasses.asked(found, as: name), let other = try base.switched(to: asked.className),
        let solver = other.solver
      {
        warnings += other.process.differences(from: base.process)
        base = other
        let alias = asked.grid.map { SolverAlias(name, tool: "diffusers", spacing: $0) }
        match = AllSolvers.Match(solver: try AllSolvers.named(solver).solver, alias: alias)
        follows = true
      } else {
        match = found
        follows = false
      }
    } else {
      match = try AllSolvers.named(file.flatMap { _ in base.solver } ?? model.defaults.solver)
      follows = true
    }
    let isOwn = base.file.members == model.scheduler.file.members
    (configuration, self.warnings) = (base, warnings)
    text = isOwn ? nil : JSONValue.object(base.file.members).text
  }

  /// Whether a solver's name is a scheduler's configuration: a JSON file, a folder that holds one, or the JSON text itself.
  static func isFile(_ name: String) -> Bool {
    if name.hasPrefix("{") || name.lowercased().hasSuffix(".json") { return true }
    return (try? AllSolvers.named(name)) == nil && (name.contains("/") || ModelLibrary.isFolder(name))
  }

  /// A configuration from a path or a text.
  /// - Throws: `FormatError` naming the file.
  private static func read(_ place: String) throws -> ConfigurationFile {
    let file: ConfigurationFile
    if place.hasPrefix("{") {
      let name = "the scheduler's settings"
      guard let members = try JSONValue(parsing: place, name: name).object else { throw FormatError(name, "are not an object") }
      file = ConfigurationFile(path: name, members: members)
    } else if ModelLibrary.isFolder(place) {
      let paths = ["\(place)/scheduler_config.json", "\(place)/scheduler/scheduler_config.json"]
      guard let path = paths.first(where: ModelLibrary.isFile) else {
        throw FormatError(place, "the folder has neither scheduler_config.json nor scheduler/scheduler_config.json")
      }
      file = try ConfigurationFile(path: path)
    } else {
      file = try ConfigurationFile(path: place)
    }
    guard file.className != nil else {
      throw FormatError(file.path, "has no '_class_name', the scheduler's class in diffusers; a scheduler_config.json names one")
    }
    return file
  }

  /// The text for a model that does a part of the run: its levels are the run's, what it predicts is its own.
  static func text(_ text: String?, for companion: LoadedModel) throws -> String? {
    guard let text, var members = try JSONValue(parsing: text).object else { return nil }
    members["prediction_type"] = companion.scheduler.file.members["prediction_type"]
    return JSONValue.object(members).text
  }
}
