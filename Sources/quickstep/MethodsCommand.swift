import ArgumentParser
import QuickstepFormats
import QuickstepNN

struct MethodsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "methods",
    abstract: "Every solver, grid and other method, with its parameters.",
    discussion: """
      Without a name: all methods by family. With one: everything that method says about itself - what it does, its parameters with \
      range and default, where in a run it acts, how exact it is, where it comes from, and its names in other tools. Names of \
      other tools find it too; case and separators do not matter.

      Parameters are given after a colon wherever a method is chosen, such as --solver ddim:eta=0.5.

      Examples:
        quickstep methods
        quickstep methods --family solver
        quickstep methods ddim
        quickstep methods "DPM++ 2M Karras"
        quickstep methods --json
      """)

  @Argument(help: "Show everything about this method.")
  var name: String?
  @Option(help: "Only this family, such as solver or grid.")
  var family: String?
  @Flag(help: "Print one JSON object.")
  var json = false

  func run() throws {
    let chosen = try family.map { try AllMethods.family($0) }
    var methods = AllMethods.all.filter { chosen == nil || $0.declaration.family == chosen }
    if let name { methods = try AllMethods.named(name, in: methods, family: chosen) }
    if json {
      printJSON(.object(["methods": .array(methods.map(\.json))]))
    } else if let name {
      print(methods.map { MethodPage(method: $0, askedFor: name).text }.joined(separator: "\n\n"))
    } else {
      print(overview(methods))
    }
  }

  private func overview(_ methods: [Method]) -> String {
    var lines: [String] = []
    for family in AllMethods.families {
      let members = methods.filter { $0.declaration.family == family }
      guard !members.isEmpty else { continue }
      let points = members.flatMap { $0.declaration.points.map(\.description) }
        .reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
      let facts =
        "\(Quantity.counted(members.count, "method")) · acts at: \(points.isEmpty ? "whole runs" : points.joined(separator: ", "))"
      lines.append("\(Screen.bold(family.name))  \(Screen.faint(facts))")
      var table = TextTable([
        .init(title: "name", style: Screen.cyan), .init(title: "what it does", fit: .wrapped),
        .init(title: "parameters", fit: .wrapped, style: Screen.faint),
      ])
      for method in members {
        let parameters = method.declaration.parameters.map(\.name)
        table.add([method.declaration.name, method.declaration.summary, parameters.isEmpty ? "–" : parameters.joined(separator: ", ")])
      }
      lines += table.lines() + [""]
    }
    lines.append(Screen.faint("quickstep methods NAME shows ranges, defaults, exactness, reference and the names in other tools."))
    return lines.joined(separator: "\n")
  }
}

/// Everything about one method, for reading.
struct MethodPage {
  var method: Method
  /// The name the user typed.
  var askedFor: String

  var text: String {
    let declaration = method.declaration
    var lines = ["\(Screen.bold(declaration.name))  \(Screen.faint(declaration.family.name))"]
    if let alias = method.aliases.first(where: { AllMethods.folded($0.name) == AllMethods.folded(askedFor) }) {
      lines.append(Screen.faint(explanation(alias)))
    }
    lines += Screen.wrapped(declaration.summary, width: Screen.width - 2).map { "  " + $0 } + [""]
    lines += factLines([
      ("acts at", declaration.points.isEmpty ? "whole runs" : declaration.points.map(\.description).joined(separator: ", ")),
      ("reads", declaration.reads.joined(separator: ", ")),
      ("changes", declaration.changes.joined(separator: ", ")),
      ("needs", declaration.needs.joined(separator: ", ")),
      ("keeps", declaration.state == "none" ? "no state" : declaration.state),
      ("exactness", declaration.exactness.rawValue),
      ("reference", declaration.reference),
    ])
    lines += parameterLines(declaration.parameters) + aliasLines
    return lines.joined(separator: "\n")
  }

  private func explanation(_ alias: Method.Alias) -> String {
    var text = "  '\(alias.name)' is its name in \(alias.tool ?? "other tools")"
    if let spacing = alias.spacing { text += ", together with the grid \(spacing)" }
    return text
  }

  private func parameterLines(_ parameters: [ParameterDeclaration]) -> [String] {
    guard !parameters.isEmpty else { return ["", Screen.faint("  no parameters")] }
    let isSearched = parameters.contains { $0.searched != nil }
    var table = TextTable(
      [
        .init(title: "parameter", style: Screen.cyan), .init(title: "default"), .init(title: "neutral"),
        .init(title: "allowed", fit: .wrapped),
      ]
        + (isSearched ? [.init(title: "searched", fit: .wrapped)] : []) + [.init(title: "meaning", fit: .wrapped)])
    for parameter in parameters {
      table.add(
        [
          parameter.name, parameter.standard.shown, parameter.neutral?.shown ?? "–", parameter.domain.shown,
        ] + (isSearched ? [parameter.searched?.shown ?? "–"] : []) + [parameter.summary])
    }
    var lines = [""] + table.lines()
    if parameters.contains(where: { $0.neutral != nil }) {
      lines.append(Screen.faint("  neutral: the value at which the method changes nothing, to the bit"))
    }
    if isSearched { lines.append(Screen.faint("  searched: where 'quickstep tune' looks; elsewhere it takes the default")) }
    return lines
  }

  private var aliasLines: [String] {
    guard !method.aliases.isEmpty else { return [] }
    var table = TextTable([.init(title: "other name"), .init(title: "tool"), .init(title: "implies")])
    for alias in method.aliases {
      let parameters = alias.parameters.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
      let spacing = alias.spacing.map { ["grid \($0)"] } ?? []
      table.add([alias.name, alias.tool ?? "–", (parameters + spacing).joined(separator: ", ")])
    }
    return [""] + table.lines()
  }
}
