import Foundation

// Drawing on RGB pictures, for contact sheets and plots. Coordinates are pixels from the top left corner; what lies outside is cut off.
extension PixelImage {
  package mutating func fill(x: Int, y: Int, width: Int, height: Int, _ color: RGBColor) {
    for row in max(0, y)..<max(0, y, min(self.height, y + height)) {
      for column in max(0, x)..<max(0, x, min(self.width, x + width)) { blend(color, atX: column, y: row) }
    }
  }

  /// Draws ASCII text with its top left corner at (`x`, `y`); capitals are `7 * scale` pixels high.
  package mutating func draw(text: String, x: Int, y: Int, scale: Int = 1, _ color: RGBColor) {
    var left = x
    for character in text {
      for (row, bits) in BitmapFont.rows(of: character).enumerated() where bits != 0 {
        for column in 0..<BitmapFont.glyphWidth where bits >> UInt8(BitmapFont.glyphWidth - 1 - column) & 1 == 1 {
          fill(x: left + column * scale, y: y + row * scale, width: scale, height: scale, color)
        }
      }
      left += BitmapFont.advance * scale
    }
  }

  /// A line with round ends and soft edges. A pixel's centre is at its coordinate + 0.5.
  package mutating func draw(
    lineFrom start: (x: Double, y: Double), to end: (x: Double, y: Double), width lineWidth: Double, _ color: RGBColor
  ) {
    let radius = lineWidth / 2
    let rows = pixelRange(min(start.y, end.y) - radius - 1, max(start.y, end.y) + radius + 1, limit: height)
    let columns = pixelRange(min(start.x, end.x) - radius - 1, max(start.x, end.x) + radius + 1, limit: width)
    let (dx, dy) = (end.x - start.x, end.y - start.y)
    let squaredLength = dx * dx + dy * dy
    for y in rows {
      for x in columns {
        let (px, py) = (Double(x) + 0.5 - start.x, Double(y) + 0.5 - start.y)
        let along = squaredLength > 0 ? min(1, max(0, (px * dx + py * dy) / squaredLength)) : 0
        let distance = hypot(px - along * dx, py - along * dy)
        blend(color, atX: x, y: y, coverage: min(1, radius + 0.5 - distance))
      }
    }
  }

  /// Copies `image` (RGB) with its top left corner at (`x`, `y`).
  package mutating func draw(_ image: PixelImage, x: Int, y: Int) {
    for row in 0..<image.height {
      for column in 0..<image.width {
        let index = (row * image.width + column) * image.channels
        blend(RGBColor(image.pixels[index], image.pixels[index + 1], image.pixels[index + 2]), atX: x + column, y: y + row)
      }
    }
  }

  private func pixelRange(_ low: Double, _ high: Double, limit: Int) -> Range<Int> {
    let first = Int(min(Double(limit), max(0, low.rounded(.down))))
    let last = Int(min(Double(limit), max(0, high.rounded(.up))))
    return first..<max(first, last)
  }
}
