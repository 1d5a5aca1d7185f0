import QuickstepFormats

/// One line of `doctor`.
struct Finding {
  enum Status: String {
    case ok, warning, problem
  }
  var area: String
  var status: Status
  var text: String
  /// What to do about it.
  var advice: String?

  static func ok(_ area: String, _ text: String) -> Finding { Finding(area: area, status: .ok, text: text) }
  static func warning(_ area: String, _ text: String, advice: String) -> Finding {
    Finding(area: area, status: .warning, text: text, advice: advice)
  }
  static func problem(_ area: String, _ text: String, advice: String) -> Finding {
    Finding(area: area, status: .problem, text: text, advice: advice)
  }

  var mark: String {
    switch status {
    case .ok: Screen.green("ok")
    case .warning: Screen.yellow("warning")
    case .problem: Screen.red("problem")
    }
  }

  var json: JSONValue {
    .object(["area": .string(area), "status": .string(status.rawValue), "text": .string(text), "advice": .optional(advice)])
  }

  /// The last line: whether this machine can generate.
  static func verdict(_ findings: [Finding]) -> String {
    func count(_ status: Status) -> Int { findings.filter { $0.status == status }.count }
    let (problems, warnings) = (count(.problem), count(.warning))
    let rest = warnings > 0 ? ", " + Quantity.counted(warnings, "warning") : ""
    guard problems == 0 else { return Screen.red("Cannot generate yet: \(Quantity.counted(problems, "problem"))\(rest).") }
    return Screen.green("Ready to generate\(rest).")
  }

  static func lines(_ findings: [Finding]) -> [String] {
    let marks = findings.reduce(0) { max($0, $1.status.rawValue.count) }
    let areas = findings.reduce(0) { max($0, $1.area.count) }
    let margin = String(repeating: " ", count: marks + areas + 4)
    return findings.flatMap { finding in
      let head =
        finding.mark + String(repeating: " ", count: marks - finding.status.rawValue.count + 2)
        + Screen.bold(finding.area) + String(repeating: " ", count: areas - finding.area.count + 2)
      let width = Screen.width - margin.count
      let text = Screen.wrapped(Screen.printable(finding.text), width: width)
      let advice = finding.advice.map { Screen.wrapped("→ " + $0, width: width) } ?? []
      return [head + (text.first ?? "")] + (text.dropFirst() + advice).map { margin + $0 }
    }
  }
}
