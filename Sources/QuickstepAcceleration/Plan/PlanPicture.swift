public import QuickstepFormats

/// A plan as a picture: a row per name, a column per evaluation, a colour per action.
public struct PlanPicture: Sendable {
  /// Stands above the plan.
  public var title: String
  /// Rows in order, each with the letters of its actions; `-` for evaluations in which it was not visited.
  public var rows: [(name: String, codes: String)]

  /// A plan as a picture.
  public init(title: String, rows: [(name: String, codes: String)]) { (self.title, self.rows) = (title, rows) }

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

  /// Draws it. Names are shortened where there is no room.
  public func image() -> PixelImage {
    let columns = rows.map(\.codes.count).max() ?? 0
    let cell = max(6, min(18, 1200 / max(1, columns)))
    let height = max(8, min(16, 1600 / max(1, rows.count)))
    let ink = RGBColor(40, 40, 48)
    let margin = min(40, rows.map(\.name.count).max() ?? 0) * 6 + 12
    let (top, bottom) = (28, 44)
    let width = max(margin + columns * cell + 12, 60 + Self.legend.count * 100, title.count * 6 + 24)
    var image = PixelImage(width: width, height: top + rows.count * height + bottom, fill: .white)
    image.draw(text: title, x: 8, y: 8, ink)
    for (row, entry) in rows.enumerated() {
      let y = top + row * height
      if height >= 9 { image.draw(text: String(entry.name.suffix(40)), x: 6, y: y + (height - 7) / 2, ink) }
      for (column, code) in entry.codes.enumerated() {
        image.fill(x: margin + column * cell, y: y, width: cell - 1, height: height - 1, Self.color(code))
        if code.isNumber, cell >= 8, height >= 9 {
          image.draw(text: String(code), x: margin + column * cell + (cell - 6) / 2, y: y + (height - 7) / 2, ink)
        }
      }
    }
    let y = top + rows.count * height + 6
    for column in stride(from: 0, to: columns, by: max(1, columns / 10)) {
      image.draw(text: String(column), x: margin + column * cell, y: y, ink)
    }
    for (index, entry) in Self.legend.enumerated() {
      image.fill(x: 8 + index * 100, y: y + 18, width: 12, height: 10, Self.color(entry.code))
      image.draw(text: entry.name, x: 26 + index * 100, y: y + 20, ink)
    }
    return image
  }
}
