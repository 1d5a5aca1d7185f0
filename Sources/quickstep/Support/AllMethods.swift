import QuickstepAcceleration
import QuickstepDiffusion
import QuickstepNN
import QuickstepPipelines
import QuickstepTraining
import QuickstepTuner

/// A registered method, of whatever family.
struct Method {
  /// The name of the same method in another tool, and what it implies.
  struct Alias {
    var name: String
    var tool: String?
    var parameters: [String: String] = [:]
    var spacing: String?
  }
  var declaration: MethodDeclaration
  var aliases: [Alias] = []
}

/// The one list that joins the registries of all families. Methods are named nowhere but in their own files and registries;
/// a new family is one line here.
enum AllMethods {
  static let all: [Method] =
    AllSolvers.all.map { solver in
      Method(
        declaration: solver.declaration,
        aliases: solver.aliases.map {
          .init(name: $0.name, tool: $0.tool, parameters: $0.parameters, spacing: $0.spacing)
        })
    }
    + AllGrids.all.map { grid in
      Method(declaration: grid.declaration, aliases: grid.aliases.map { .init(name: $0.name, tool: $0.tool, parameters: $0.parameters) })
    }
    + AllStarts.all.map { Method(declaration: $0.declaration) }
    + AllGuidance.all.map { Method(declaration: $0) }
    + AllAccelerators.all.map { Method(declaration: $0.declaration) }
    + AllCorrections.all.map { Method(declaration: $0.declaration) }
    + LinearForms.all.map { Method(declaration: $0.declaration) }
    + AllObjectives.all.map { Method(declaration: $0) }
    + AllSearchers.all.map { Method(declaration: $0.declaration) }

  /// Every family that has methods, in the order of ``all``.
  static var families: [Family] {
    all.reduce(into: []) { families, method in
      if !families.contains(method.declaration.family) { families.append(method.declaration.family) }
    }
  }

  /// - Throws: `UnknownMethodError` with the nearest name.
  static func family(_ name: String) throws -> Family {
    let known = families.map(\.name)
    // Both `solver` and `solvers`, as people write them.
    guard let family = families.first(where: { [$0.name, $0.name + "s"].contains(name.lowercased()) }) else {
      throw UnknownMethodError(name, family: Family("family of methods"), known: known, near: known)
    }
    return family
  }

  /// The methods called `name`, by their own name or by another tool's; two families may use one name.
  /// - Throws: `UnknownMethodError` with the nearest name.
  static func named(_ name: String, in methods: [Method], family: Family?) throws -> [Method] {
    let wanted = folded(name)
    let own = methods.filter { folded($0.declaration.name) == wanted }
    let found = own.isEmpty ? methods.filter { $0.aliases.contains { folded($0.name) == wanted } } : own
    guard found.isEmpty else { return found }
    let known = methods.map(\.declaration.name)
    let near = known + methods.flatMap { $0.aliases.map(\.name) }
    throw UnknownMethodError(name, family: family ?? Family("method"), known: known, near: near)
  }

  /// Case and separators do not matter, as when a method is chosen for a run.
  static func folded(_ name: String) -> String { String(name.lowercased().filter { $0.isLetter || $0.isNumber || $0 == "+" }) }
}
