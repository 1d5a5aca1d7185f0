import Foundation
public import QuickstepNN

/// Layers that are left out in some evaluations: residual blocks keep their shortcut, attentions and feed-forward modules add nothing, blocks of
/// a list pass on what they get (the architecture part of AutoDiffusion, Li et al. 2023, arXiv 2309.10438, section 3.3).
public struct LayerSkip: Accelerator {
  public static let declaration = MethodDeclaration(
    name: "layer-skip", family: .acceleration,
    summary: "Leaves layers out: all run long, in a part of it, or by a list for every evaluation.",
    points: [.block], reads: [], changes: ["outputs of the layers"], needs: ["residual blocks, attentions, feed-forward modules or blocks"],
    parameters: [
      ParameterDeclaration(
        name: "layers", summary: "which: parts of sites' paths joined by '+', or their numbers; empty: those of the file",
        domain: .text("mid_block+attn2, or 3+17+18"), standard: .text("")),
      ParameterDeclaration(
        name: "start", summary: "share of the run at which leaving out begins, of 'layers'", domain: .number(0...1), standard: .number(0)),
      ParameterDeclaration(name: "end", summary: "and at which it ends", domain: .number(0...1), standard: .number(1)),
      ParameterDeclaration(
        name: "file", summary: "layers by evaluation", domain: .text("path of a JSON file, or its contents"), standard: .text("")),
    ], exactness: .approximate, reference: "arXiv 2309.10438, section 3.3")

  /// Kinds of sites whose leaving out is defined.
  package static let kinds: Set<Site.Kind> = [.residual, .attention, .crossAttention, .feedForward, .parallel, .block]

  let layers: [String]
  let share: ClosedRange<Double>
  let file: SkipList?

  /// - Throws: ``AccelerationError`` where both or contradictory things are given, or the file cannot be read.
  public init(_ values: ParameterValues) throws {
    layers = (values.text("layers") ?? "").split(separator: "+").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    let (start, end) = (values.number("start"), values.number("end"))
    guard start <= end else { throw AccelerationError("'layer-skip': start \(start) lies behind end \(end)") }
    share = start...end
    file = try values.text("file").map { try SkipList(source: $0) }
    guard layers.isEmpty || file == nil else { throw AccelerationError("'layer-skip': give 'layers' or 'file', not both") }
    guard file == nil || share == 0...1 else {
      throw AccelerationError("'layer-skip': start and end have no effect on the lists of a file, which say what is left out when")
    }
    guard !layers.isEmpty || file != nil else {
      throw AccelerationError("'layer-skip' does not say what to leave out: give 'layers=…' (parts of paths or numbers) or 'file=…'")
    }
  }

  public func parts(for run: RunOutline) throws -> [Part] {
    let candidates = run.modules(Self.kinds)
    guard !candidates.isEmpty else { throw AccelerationError("'layer-skip': \(run.network) has no layers that could be left out") }
    let lists = try file.map { try $0.names(for: run) } ?? repeated(layers, run)
    var plan: [Site: [SiteAction]] = [:]
    for (evaluation, names) in lists.enumerated() {
      for name in names {
        for site in try Self.sites(name, candidates, run) {
          plan[site, default: Array(repeating: .compute, count: run.evaluations)][evaluation] = .identity
        }
      }
    }
    return plan.isEmpty ? [] : [.sites(SiteCache(method: "layer-skip", plan: plan))]
  }

  public func warnings(for run: RunOutline) -> [String] {
    let count = Double(run.evaluations)
    let isIdle =
      !layers.isEmpty && !(0..<run.evaluations).contains { share.contains(Double($0) / count) && Double($0) / count < share.upperBound }
    return isIdle ? ["'layer-skip': no evaluation lies between start \(share.lowerBound) and end \(share.upperBound)"] : []
  }

  private func repeated(_ names: [String], _ run: RunOutline) -> [[String]] {
    (0..<run.evaluations).map { index in
      let place = Double(index) / Double(run.evaluations)
      return place >= share.lowerBound && place < share.upperBound ? names : []
    }
  }

  /// A number counts the layers that can be left out in their order; any other text is looked for in their paths, whole parts only.
  private static func sites(_ name: String, _ candidates: [Site], _ run: RunOutline) throws -> [Site] {
    if let number = Int(name) {
      guard candidates.indices.contains(number) else {
        throw AccelerationError("'layer-skip': there is no layer \(number); \(run.network) has 0…\(candidates.count - 1)")
      }
      return [candidates[number]]
    }
    let found = candidates.filter { ".\($0.path).".contains(".\(name).") }
    guard !found.isEmpty else {
      throw AccelerationError(
        "'layer-skip': no layer of \(run.network) has '\(name)' in its path; the first is '\(candidates[0].path)' (parts of paths joined by '+')"
      )
    }
    return found
  }
}

/// Layers by evaluation: `{"evaluations": 4, "skip": [["mid_block"], [], [3, 4], []]}`, or as AutoDiffusion's search gives them,
/// `{"timesteps": [856, 744, …], "skip": [[…], …]}` in the order of those timesteps, whatever that is.
struct SkipList: Hashable, Sendable {
  let evaluations: Int?
  let timesteps: [Double]?
  let skip: [[String]]

  /// Reads JSON text or, where `source` is none, the file it names.
  init(source: String) throws {
    let isText = source.drop { $0.isWhitespace }.first == "{"
    guard let data = isText ? Data(source.utf8) : FileManager.default.contents(atPath: source) else {
      throw AccelerationError("'layer-skip': the file '\(source)' cannot be read")
    }
    let place = isText ? "the list" : source
    guard let members = (try? JSONSerialization.jsonObject(with: data)) as? [String: Any], let lists = members["skip"] as? [[Any]] else {
      throw AccelerationError("'layer-skip': \(place) must be an object with 'skip', one list of layers per evaluation")
    }
    if let odd = members.keys.first(where: { !["evaluations", "timesteps", "skip"].contains($0) }) {
      throw AccelerationError("'layer-skip': \(place) has the key '\(odd)'; allowed: evaluations, timesteps, skip")
    }
    skip = try lists.map { list in
      try list.map { entry in
        if let text = entry as? String { return text }
        guard let number = entry as? Int, number >= 0 else {
          throw AccelerationError("'layer-skip': '\(entry)' in \(place) is neither a layer's number nor a part of a path")
        }
        return String(number)
      }
    }
    (evaluations, timesteps) = (members["evaluations"] as? Int, members["timesteps"] as? [Double])
    guard members["evaluations"] == nil || evaluations != nil, members["timesteps"] == nil || timesteps != nil else {
      throw AccelerationError("'layer-skip': in \(place) 'evaluations' must be a whole number and 'timesteps' a list of numbers")
    }
    guard evaluations ?? skip.count == skip.count, timesteps?.count ?? skip.count == skip.count else {
      throw AccelerationError(
        "'layer-skip': \(place) has \(skip.count) lists for \(evaluations ?? timesteps?.count ?? 0) evaluations; one each is needed")
    }
  }

  /// The lists in the order of a run's evaluations.
  func names(for run: RunOutline) throws -> [[String]] {
    guard skip.count == run.evaluations else {
      throw AccelerationError("'layer-skip': the list is for \(skip.count) evaluations, the run has \(run.evaluations)")
    }
    guard let timesteps else { return skip }
    return try run.calls.map { call in
      guard let index = timesteps.firstIndex(where: { abs($0 - call.level.timestep) < 1e-3 }) else {
        throw AccelerationError(
          "'layer-skip': the list has no timestep \(call.level.timestep); it has \(timesteps.sorted(by: >)) (a grid of them: --spacing explicit)"
        )
      }
      return skip[index]
    }
  }
}
