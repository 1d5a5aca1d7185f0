import QuickstepFormats
import QuickstepPipelines

extension ModelEntry {
  /// Height × width, or nothing.
  var sampleText: String { sampleSize.map { $0.map(String.init).joined(separator: "×") } ?? "" }

  /// `emoji  64×64 · 9.8 M parameters · 19.6 MB · PromptToImagePipeline`.
  var headline: String {
    let facts = [
      pipeline.map { Screen.printable($0) } ?? "components only", sampleText, "\(Quantity.short(parameters)) parameters",
      Quantity.bytes(bytes),
    ]
    return Screen.bold(Screen.printable(id)) + "  " + facts.filter { !$0.isEmpty }.joined(separator: " · ")
  }

  /// What a person wants to know when choosing a model.
  var facts: [(String, String)] {
    var facts = [("parts", parts.map(\.text).joined(separator: ", "))]
    // The suggestions for a run belong together; everything else the index says stands by itself.
    let defaults = settings.keys.filter { $0.hasPrefix("default_") }.sorted()
    for (name, value) in settings.sorted(by: { $0.key < $1.key }) where !defaults.contains(name) { facts.append((name, value.plainText)) }
    let suggestions = defaults.map { "\($0.dropFirst("default_".count).replacing("_", with: " ")) \(settings[$0]?.plainText ?? "")" }
    facts.append(("suggests", suggestions.joined(separator: ", ")))
    facts.append(("path", path))
    return facts.map { ($0.0, Screen.printable($0.1)) }
  }

  /// What is wrong with it or its parts.
  var problems: [String] {
    let own = problem.map { [$0] } ?? []
    return own + parts.compactMap { part in part.problem.map { "\(part.name): \($0)" } }
  }

  /// Parts that are networks this version has no code for.
  var unsupported: [Part] { parts.filter { $0.isSupported == false && $0.parameters != nil } }

  var lines: [String] {
    var lines = [headline]
    if let summary { lines += Screen.wrapped(Screen.printable(summary), width: Screen.width - 2).map { "  " + $0 } }
    lines += factLines(facts)
    for part in unsupported {
      let text = Screen.printable("\(part.name) (\(part.className ?? "no class"))")
      lines.append("  " + Screen.yellow("not supported yet: \(text)"))
    }
    for problem in problems { lines.append("  " + Screen.red(Screen.printable(problem))) }
    return lines
  }

  var json: JSONValue {
    .object([
      "id": .string(id), "path": .string(path), "pipeline": .optional(pipeline), "bytes": .integer(bytes),
      "parameters": .integer(parameters), "sample_size": sampleSize.map { .integers($0) } ?? .null, "settings": .object(settings),
      "summary": .optional(summary), "problem": .optional(problem),
      "components": .array(
        parts.map { part in
          .object([
            "name": .string(part.name), "class": .optional(part.className), "supported": part.isSupported.map { .bool($0) } ?? .null,
            "parameters": .optional(part.parameters), "problem": .optional(part.problem),
          ])
        }),
    ])
  }
}

extension ModelEntry.Part {
  /// `transformer (PromptTransformer2D, 9.1 M)`.
  var text: String {
    let facts = [className, parameters.map { Quantity.short($0) }].compactMap { $0 }.joined(separator: ", ")
    return facts.isEmpty ? name : "\(name) (\(facts))"
  }
}
