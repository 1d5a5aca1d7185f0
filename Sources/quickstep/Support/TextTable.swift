/// Rows of text in aligned columns, fitted to the screen.
struct TextTable {
  struct Column {
    enum Fit {
      /// As wide as its widest cell.
      case natural
      /// Takes the columns that the others leave, and breaks lines at spaces.
      case wrapped
      /// Takes what the others leave, and leaves out the middle of cells that do not fit.
      case shortened
    }
    var title: String
    var alignsRight = false
    var fit = Fit.natural
    /// Colours a padded cell.
    var style: (String) -> String = { $0 }
  }

  var columns: [Column]
  private(set) var rows: [[String]] = []
  var indent = 2
  /// Spaces between columns.
  var gap = 2

  init(_ columns: [Column]) { self.columns = columns }

  /// Adds a row; missing cells are empty. Cells are made safe to print.
  mutating func add(_ cells: [String]) {
    let padded = cells + Array(repeating: "", count: max(0, columns.count - cells.count))
    rows.append(padded.prefix(columns.count).map { Screen.printable($0, keepsLines: true) })
  }

  /// The lines, with the titles above when any is not empty.
  func lines(width: Int = Screen.width) -> [String] {
    let widths = widths(width)
    let hasTitles = columns.contains { !$0.title.isEmpty }
    let titles = hasTitles ? [line(columns.map(\.title), widths, styles: columns.map { _ in Screen.faint })] : []
    return titles + rows.flatMap { row in self.row(row, widths) }
  }

  private func widths(_ total: Int) -> [Int] {
    var widths = columns.indices.map { index in
      rows.reduce(Screen.columns(columns[index].title)) { max($0, Screen.columns($1[index])) }
    }
    let flexible = columns.indices.filter { columns[$0].fit != .natural }
    let used = indent + gap * (columns.count - 1) + columns.indices.filter { columns[$0].fit == .natural }.reduce(0) { $0 + widths[$1] }
    let wanted = flexible.reduce(0) { $0 + widths[$1] }
    // What is missing is taken from each in proportion to what it wants.
    if wanted > total - used {
      for index in flexible { widths[index] = max(12, widths[index] * max(0, total - used) / wanted) }
    }
    return widths
  }

  private func row(_ cells: [String], _ widths: [Int]) -> [String] {
    let parts = cells.indices.map { index -> [String] in
      switch columns[index].fit {
      case .natural: [cells[index]]
      case .shortened: [Screen.shortened(cells[index], width: widths[index])]
      case .wrapped: Screen.wrapped(cells[index], width: widths[index])
      }
    }
    let height = parts.reduce(1) { max($0, $1.count) }
    return (0..<height).map { level in
      line(parts.map { level < $0.count ? $0[level] : "" }, widths, styles: columns.map(\.style))
    }
  }

  private func line(_ cells: [String], _ widths: [Int], styles: [(String) -> String]) -> String {
    var text = String(repeating: " ", count: indent)
    // The last cell with text ends the line: no trailing spaces.
    let last = cells.lastIndex { !$0.isEmpty } ?? 0
    for index in cells.indices where index <= last {
      let space = String(repeating: " ", count: max(0, widths[index] - Screen.columns(cells[index])))
      let right = columns[index].alignsRight
      let isLast = index == last
      text += (right ? space : "") + styles[index](cells[index]) + (right || isLast ? "" : space)
      if !isLast { text += String(repeating: " ", count: gap) }
    }
    return text
  }
}

/// `label   value` lines, the labels faint and of one width, values broken at spaces.
func factLines(_ facts: [(String, String)], indent: Int = 2) -> [String] {
  var table = TextTable([.init(title: "", style: Screen.faint), .init(title: "", fit: .wrapped)])
  table.indent = indent
  for (label, value) in facts where !value.isEmpty { table.add([label, value]) }
  return table.lines()
}
