import Foundation
import QuickstepNN
public import QuickstepPipelines
import QuickstepTensor

/// What stands between a recipe and a run.
public struct RecipeFinding: Sendable, Hashable {
  /// Whether the recipe should not be used; otherwise the user should know.
  public var isRefusal: Bool
  /// A sentence.
  public var text: String
}

extension Recipe {
  /// Compares the recipe with a model and a machine.
  /// - Parameter guidanceScale: that of the run, where it has one of its own.
  /// - Returns: nothing where all is as when it was measured.
  public func findings(model loaded: LoadedModel, machine here: Machine, guidanceScale own: Double? = nil) -> [RecipeFinding] {
    var findings: [RecipeFinding] = []
    func refuse(_ text: String) { findings.append(.init(isRefusal: true, text: text)) }
    func tell(_ text: String) { findings.append(.init(isRefusal: false, text: text)) }
    if loaded.fingerprint != model.fingerprint {
      refuse(
        "the recipe was found for '\(model.name)' with weights \(model.fingerprint); these of '\(loaded.name)' are \(loaded.fingerprint), "
          + "for which nothing is known of its quality")
    }
    for companion in companions {
      guard let folder = try? ModelLibrary.find(companion.name), let other = try? LoadedModel.outline(folder: folder) else {
        refuse("the recipe needs the model '\(companion.name)', which is not there")
        continue
      }
      if other.fingerprint != companion.fingerprint {
        refuse("the recipe needs '\(companion.name)' with weights \(companion.fingerprint); these are \(other.fingerprint)")
      }
    }
    var request = GenerationRequest(prompts: ["0"], seeds: [0])
    request = applied(to: request)
    do { _ = try ImagePipeline(loaded).evaluations(of: request) } catch { refuse("the recipe cannot be carried out: \(error)") }
    if let own, own != guidanceScale {
      tell("the recipe was measured at guidance scale \(guidanceScale), not at \(own); its figures do not hold")
    }
    let facts = [
      ("processor", machine.processor, here.processor), ("threads", "\(machine.threads)", "\(here.threads)"),
      ("device", machine.device, here.device), ("type", machine.dtype, here.dtype), ("kernels", machine.kernels, here.kernels),
    ]
    let others = facts.filter { $0.1 != $0.2 }.map { "\($0.0) \($0.1) there, \($0.2) here" }
    if measured != nil, !others.isEmpty {
      tell("the recipe's times are another machine's (\(others.joined(separator: "; "))); 'quickstep recipe check --measure' measures anew")
    }
    return findings
  }

  /// What differs between two recipes, in lines of `what: this → other`; empty where nothing does.
  public func differences(to other: Recipe) -> [String] {
    func speed(_ recipe: Recipe) -> String { recipe.measured.map { "\(Self.digits($0.speedUp.median, 2)) times" } ?? "not measured" }
    func quality(_ recipe: Recipe) -> String {
      let figures = recipe.measured?.quality.map { "\($0.metric) \(Self.digits($0.value, 4))" } ?? []
      return figures.isEmpty ? "not measured" : figures.joined(separator: ", ")
    }
    let rows = [
      ("model", "\(model.name) (\(model.fingerprint))", "\(other.model.name) (\(other.model.fingerprint))"),
      ("companions", "\(companions.map(\.name))", "\(other.companions.map(\.name))"),
      ("solver", "\(whole.solver?.description ?? "the model's")", "\(other.whole.solver?.description ?? "the model's")"),
      ("grid", "\(whole.grid?.description ?? "the model's")", "\(other.whole.grid?.description ?? "the model's")"),
      ("start", "\(whole.start?.description ?? "noise")", "\(other.whole.start?.description ?? "noise")"),
      ("steps", "\(whole.steps.map(String.init) ?? "the model's")", "\(other.whole.steps.map(String.init) ?? "the model's")"),
      ("guided part", "\(whole.guidanceInterval ?? 0...1)", "\(other.whole.guidanceInterval ?? 0...1)"),
      (
        "accelerations", sampling.accelerations.map(\.description).joined(separator: " + "),
        other.sampling.accelerations.map(\.description).joined(separator: " + ")
      ),
      ("exact run", exact.description, other.exact.description), ("guidance scale", "\(guidanceScale)", "\(other.guidanceScale)"),
      ("machine", machine.processor, other.machine.processor), ("speed", speed(self), speed(other)),
      ("quality", quality(self), quality(other)),
    ]
    return rows.filter { $0.1 != $0.2 }.map { "\($0.0): \($0.1.isEmpty ? "none" : $0.1) → \($0.2.isEmpty ? "none" : $0.2)" }
  }
}

extension Recipe.Machine {
  /// This process on this machine with a loaded model.
  /// - Parameter processor: its name, as the caller knows it.
  public init(processor: String, threads: Int, model: LoadedModel) {
    self.init(
      processor: processor, threads: threads, device: model.device.description, dtype: "\(model.dtype)", kernels: model.kernels.description)
  }
}

extension Recipe {
  /// What `models/NAME/recipe.json` is called: the recipe that is used where a request says nothing about how to sample.
  public static let standardName = "recipe.json"

  /// The recipe that lies in a model's folder, where there is one.
  /// - Throws: `FormatError` where it cannot be read.
  public static func standard(of folder: String) throws -> Recipe? {
    let path = folder + "/" + standardName
    return FileManager.default.fileExists(atPath: path) ? try Recipe(path: path) : nil
  }
}
