public import QuickstepFormats

/// A plan as a picture: a row per name, a column per evaluation, a colour per action. Where several models share a run, each has a block of rows.
public struct PlanPicture: Sendable {
  /// Rows that belong together.
  public struct Block: Sendable {
    /// Stands above them; `nil` for nothing.
    public var heading: String?
    /// In order, each with the letters of its actions; `-` for evaluations in which it was not visited, a space for those of other models.
    public var rows: [(name: String, codes: String)]

    /// Rows that belong together.
    public init(heading: String?, rows: [(name: String, codes: String)]) { (self.heading, self.rows) = (heading, rows) }
  }

  /// Stands above the plan.
  public var title: String
  /// From the top.
  public var blocks: [Block]

  /// A plan as a picture.
  public init(title: String, blocks: [Block]) { (self.title, self.blocks) = (title, blocks) }

  /// A plan for one model as a picture.
  public init(title: String, rows: [(name: String, codes: String)]) { self.init(title: title, blocks: [Block(heading: nil, rows: rows)]) }

  private static let legend: [(code: Character, name: String)] = [
    ("C", "computed"), ("R", "reused"), ("1", "forecast"), ("A", "corrected"), ("T", "some tokens"), ("I", "left out"),
    ("-", "not visited"),
  ]

  private static func color(_ code: Character) -> RGBColor {
    switch code {
    case "C": RGBColor(38, 70, 120)
    case "R": RGBColor(247, 222, 160)
    case "A": RGBColor(230, 150, 90)
    case "T": RGBColor(125, 150, 200)
    case "I": RGBColor(205, 92, 92)
    case "-": RGBColor(232, 232, 236)
    default: RGBColor(120, 190, 150)
    }
  }

  private static let ink = RGBColor(40, 40, 48)
  /// Pixels of the title, of the legend, and of the line above a block.
  private static let top = 28, bottom = 44, headingHeight = 16

  /// Sizes in pixels.
  private struct Layout {
    let rows: Int, columns: Int
    let cell: Int, height: Int, margin: Int

    init(_ rows: [(name: String, codes: String)]) {
      self.rows = rows.count
      columns = rows.map(\.codes.count).max() ?? 0
      cell = max(6, min(18, 1200 / max(1, columns)))
      height = max(8, min(16, 1600 / max(1, rows.count)))
      margin = min(40, rows.map(\.name.count).max() ?? 0) * 6 + 12
    }
  }

  /// Draws it. Names are shortened where there is no room.
  public func image() -> PixelImage {
    let layout = Layout(blocks.flatMap(\.rows))
    let headings = blocks.compactMap(\.heading)
    let widest = max(title.count, headings.map(\.count).max() ?? 0) * 6 + 24
    let width = max(layout.margin + layout.columns * layout.cell + 12, 60 + Self.legend.count * 100, widest)
    let height = Self.top + headings.count * Self.headingHeight + layout.rows * layout.height
    var image = PixelImage(width: width, height: height + Self.bottom, fill: .white)
    image.draw(text: title, x: 8, y: 8, Self.ink)
    var y = Self.top
    for block in blocks {
      if let heading = block.heading {
        image.draw(text: heading, x: 6, y: y + 5, Self.ink)
        y += Self.headingHeight
      }
      for row in block.rows {
        draw(row, y: y, layout, on: &image)
        y += layout.height
      }
    }
    drawLegend(y: y + 6, layout, on: &image)
    return image
  }

  private func draw(_ row: (name: String, codes: String), y: Int, _ layout: Layout, on image: inout PixelImage) {
    let (cell, height, middle) = (layout.cell, layout.height, (layout.height - 7) / 2)
    if height >= 9 { image.draw(text: String(row.name.suffix(40)), x: 6, y: y + middle, Self.ink) }
    for (column, code) in row.codes.enumerated() where code != " " {
      let x = layout.margin + column * cell
      image.fill(x: x, y: y, width: cell - 1, height: height - 1, Self.color(code))
      if code.isNumber, cell >= 8, height >= 9 { image.draw(text: String(code), x: x + (cell - 6) / 2, y: y + middle, Self.ink) }
    }
  }

  private func drawLegend(y: Int, _ layout: Layout, on image: inout PixelImage) {
    for column in stride(from: 0, to: layout.columns, by: max(1, layout.columns / 10)) {
      image.draw(text: String(column), x: layout.margin + column * layout.cell, y: y, Self.ink)
    }
    for (index, entry) in Self.legend.enumerated() {
      image.fill(x: 8 + index * 100, y: y + 18, width: 12, height: 10, Self.color(entry.code))
      image.draw(text: entry.name, x: 26 + index * 100, y: y + 20, Self.ink)
    }
  }
}
