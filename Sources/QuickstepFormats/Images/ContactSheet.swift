/// Many pictures on one sheet, row by row.
public enum ContactSheet {
  /// Lays pictures out in a grid whose cells have the size of the largest picture; smaller ones are centred.
  /// - Parameters:
  ///   - columns: pictures per row; by default as square as possible.
  ///   - gap: pixels between the cells and around the sheet.
  ///   - background: shown in the gaps and behind transparent pixels.
  ///   - labels: ASCII text below each picture, in at most two lines and shortened where it does not fit; may be shorter than `images`.
  /// - Throws: `FormatError` when there are no pictures, or the sheet would be larger than 2^28 pixels.
  public static func make(
    _ images: [PixelImage], columns: Int? = nil, gap: Int = 4, background: RGBColor = .white, labels: [String] = []
  ) throws -> PixelImage {
    guard !images.isEmpty else { throw FormatError("contact sheet", "there are no pictures") }
    let columns = min(images.count, max(1, columns ?? Int(Double(images.count).squareRoot().rounded(.up))))
    let rows = (images.count + columns - 1) / columns
    let gap = max(0, gap)
    let cellWidth = images.map(\.width).max() ?? 1
    let cellHeight = images.map(\.height).max() ?? 1
    // Labels grow with the pictures, so that they stay readable when a large sheet is looked at as a whole.
    let scale = max(1, cellWidth / 192)
    let texts = labels.prefix(images.count).map { lines(of: $0, room: (cellWidth / scale + 1) / BitmapFont.advance) }
    let lineCount = texts.map(\.count).max() ?? 0
    let labelHeight = lineCount == 0 ? 0 : (lineCount * lineHeight + 2) * scale
    let width = columns * (cellWidth + gap) + gap
    let height = rows * (cellHeight + labelHeight + gap) + gap
    guard width <= 1 << 20, height <= 1 << 20, width * height <= 1 << 28 else {
      throw FormatError("contact sheet", "\(images.count) pictures would make \(width)x\(height) pixels")
    }
    var sheet = PixelImage(width: width, height: height, fill: background)
    let ink = textColor(on: background)
    for (index, image) in images.enumerated() {
      let left = gap + (index % columns) * (cellWidth + gap)
      let top = gap + (index / columns) * (cellHeight + labelHeight + gap)
      let picture = image.composited(over: background)
      sheet.draw(picture, x: left + (cellWidth - image.width) / 2, y: top + (cellHeight - image.height) / 2)
      guard index < texts.count else { continue }
      for (row, line) in texts[index].enumerated() {
        let x = left + (cellWidth - BitmapFont.width(of: line, scale: scale)) / 2
        sheet.draw(text: line, x: x, y: top + cellHeight + (2 + row * lineHeight) * scale, scale: scale, ink)
      }
    }
    return sheet
  }

  /// Dark text on light backgrounds and the reverse.
  private static func textColor(on background: RGBColor) -> RGBColor {
    let brightness = 299 * Int(background.red) + 587 * Int(background.green) + 114 * Int(background.blue)
    return brightness > 128_000 ? RGBColor(40, 40, 48) : RGBColor(225, 225, 230)
  }

  private static let lineHeight = BitmapFont.glyphHeight + 1

  /// Breaks a label between words into at most two lines of `room` characters.
  private static func lines(of label: String, room: Int) -> [String] {
    guard room > 0, !label.isEmpty else { return [] }
    guard label.count > room, let space = label.prefix(room + 1).lastIndex(of: " "), space > label.startIndex else {
      return [shortened(label, room: room)]
    }
    return [String(label[..<space]), shortened(String(label[label.index(after: space)...]), room: room)]
  }

  private static func shortened(_ label: String, room: Int) -> String {
    guard label.count > room else { return label }
    return room > 4 ? label.prefix(room - 2) + ".." : String(label.prefix(room))
  }
}
