/// The state of one drawing: the axes, the frame and the picture.
struct PlotDrawing {
  let plot: LinePlot
  let xAxis: PlotAxis
  let yAxis: PlotAxis
  let scale: Int
  let left: Int
  let right: Int
  let top: Int
  let bottom: Int
  let legendWidth: Int
  var image: PixelImage

  private let ink = RGBColor(50, 52, 60)
  private let grid = RGBColor(228, 230, 235)
  private let faintGrid = RGBColor(243, 244, 247)

  init(plot: LinePlot, width: Int, height: Int) {
    self.plot = plot
    let scale = max(1, min(width / 480, height / 300))
    xAxis = PlotAxis(
      values: plot.series.lazy.flatMap { $0.points.lazy.map(\.x) }, isLogarithmic: plot.hasLogarithmicX, count: max(2, width / (90 * scale))
    )
    yAxis = PlotAxis(
      values: plot.series.lazy.flatMap { $0.points.lazy.map(\.y) }, isLogarithmic: plot.isLogarithmic, count: max(2, height / (60 * scale)))
    let widest = yAxis.ticks.map { BitmapFont.width(of: PlotAxis.label($0), scale: scale) }.max() ?? 0
    left = widest + 14 * scale
    let named = plot.series.filter { !$0.name.isEmpty }.map { BitmapFont.width(of: $0.name, scale: scale) }
    legendWidth = (named.max() ?? 0) + 36 * scale
    right = width - 16 * scale - (plot.hasLegendOutside && !named.isEmpty ? legendWidth + 8 * scale : 0)
    top = (plot.title.isEmpty ? 10 : 28) * scale + (plot.yLabel.isEmpty ? 0 : 14 * scale)
    bottom = height - (plot.xLabel.isEmpty ? 20 : 34) * scale
    image = PixelImage(width: width, height: height, fill: .white)
    self.scale = scale
  }

  /// Height of a picture in which a legend outside has room for all names, with what stands above it.
  static func legendRoom(of plot: LinePlot, width: Int) -> Int {
    // The scale never exceeds what the width allows; titles take at most 42 of its units, the lower edge 6.
    (legendHeight(names: plot.series.count { !$0.name.isEmpty }) + 48) * max(1, width / 480)
  }

  /// In units of the scale.
  private static func legendHeight(names: Int) -> Int { names * 13 + 7 }

  mutating func drawAll() {
    drawTitles()
    drawGrid()
    for index in plot.series.indices { drawCurve(index) }
    drawFrame()
    drawLegend()
  }

  // A margin inside the frame keeps curves from touching it.
  private func x(_ value: Double) -> Double? { xAxis.position(value).map { Double(left) + (0.015 + 0.97 * $0) * Double(right - left) } }
  private func y(_ value: Double) -> Double? { yAxis.position(value).map { Double(bottom) - (0.03 + 0.94 * $0) * Double(bottom - top) } }

  private mutating func drawTitles() {
    // The title is as large as fits: double size if there is room, cut at the right edge in the worst case.
    let large = BitmapFont.width(of: plot.title, scale: scale + 1) <= image.width - 16 * scale ? scale + 1 : scale
    let center = (image.width - BitmapFont.width(of: plot.title, scale: large)) / 2
    image.draw(text: plot.title, x: max(4, center), y: 9 * scale, scale: large, ink)
    image.draw(text: plot.yLabel, x: 7 * scale, y: top - 13 * scale, scale: scale, ink)
    let xLabelLeft = (left + right - BitmapFont.width(of: plot.xLabel, scale: scale)) / 2
    image.draw(text: plot.xLabel, x: xLabelLeft, y: bottom + 20 * scale, scale: scale, ink)
  }

  private mutating func drawGrid() {
    for tick in yAxis.minorTicks {
      guard let y = y(tick) else { continue }
      image.fill(x: left, y: Int(y), width: right - left, height: 1, faintGrid)
    }
    for tick in yAxis.ticks {
      guard let y = y(tick) else { continue }
      image.fill(x: left, y: Int(y), width: right - left, height: scale, grid)
      let label = PlotAxis.label(tick)
      let labelLeft = left - 7 * scale - BitmapFont.width(of: label, scale: scale)
      image.draw(text: label, x: labelLeft, y: Int(y) - 3 * scale, scale: scale, ink)
      image.fill(x: left - 4 * scale, y: Int(y), width: 4 * scale, height: scale, ink)
    }
    for tick in xAxis.minorTicks {
      guard let x = x(tick) else { continue }
      image.fill(x: Int(x), y: top, width: 1, height: bottom - top, faintGrid)
    }
    for tick in xAxis.ticks {
      guard let x = x(tick) else { continue }
      image.fill(x: Int(x), y: top, width: scale, height: bottom - top, grid)
      let label = PlotAxis.label(tick)
      let width = BitmapFont.width(of: label, scale: scale)
      image.draw(text: label, x: min(image.width - width - 2, Int(x) - width / 2), y: bottom + 8 * scale, scale: scale, ink)
      image.fill(x: Int(x), y: bottom, width: scale, height: 4 * scale, ink)
    }
  }

  private mutating func drawFrame() {
    image.fill(x: left, y: top, width: scale, height: bottom - top, ink)
    image.fill(x: left, y: bottom, width: right - left, height: scale, ink)
  }

  private mutating func drawCurve(_ index: Int) {
    var last: (x: Double, y: Double)?
    // Where the pattern of a dashed curve has got to.
    var way = 0.0
    for point in plot.series[index].points {
      guard let x = x(point.x), let y = y(point.y) else {
        last = nil
        continue
      }
      // A point without a neighbour is a dot: a line of no length.
      drawStroke(from: last ?? (x, y), to: (x, y), width: 1.5 * Double(scale), index, &way)
      if plot.marksPoints { drawMark(x, y, of: index) }
      last = (x, y)
    }
  }

  private mutating func drawStroke(
    from start: (x: Double, y: Double), to end: (x: Double, y: Double), width: Double, _ index: Int, _ way: inout Double
  ) {
    let color = plot.color(of: index)
    guard let dash = plot.dash(of: index) else { return image.draw(lineFrom: start, to: end, width: width, color) }
    let (dx, dy) = (end.x - start.x, end.y - start.y)
    let length = (dx * dx + dy * dy).squareRoot()
    let (on, period) = (dash.on * Double(scale), (dash.on + dash.off) * Double(scale))
    var position = 0.0
    while position < length {
      let phase = way.truncatingRemainder(dividingBy: period)
      let stretch = min(phase < on ? on - phase : period - phase, length - position)
      if phase < on {
        let at = { (place: Double) in (x: start.x + dx * place / length, y: start.y + dy * place / length) }
        image.draw(lineFrom: at(position), to: at(position + stretch), width: width, color)
      }
      // A stretch of rounding size would never end.
      position += max(stretch, 0.01)
      way += max(stretch, 0.01)
    }
  }

  /// What a mark is drawn of: corners of a closed line, or of strokes through the middle.
  private enum Mark {
    case dot, square
    case outline([(Double, Double)])
    case strokes([(Double, Double)])
  }

  private static let marks: [Mark] = [
    .dot, .square, .outline([(-1, 1), (1, 1), (0, -1)]), .strokes([(1, 1), (1, -1)]), .outline([(-1.3, 0), (0, 1.3), (1.3, 0), (0, -1.3)]),
    .strokes([(1.3, 0), (0, 1.3)]), .outline([(-1, -1), (-1, 1), (1, 1), (1, -1)]), .outline([(-1, -1), (1, -1), (0, 1)]),
  ]

  /// Curves of one colour have other marks: `palette.count` times as many can be told apart as there are colours.
  private static func mark(of index: Int) -> Mark { marks[(index + index / LinePlot.palette.count) % marks.count] }

  private mutating func drawMark(_ x: Double, _ y: Double, of index: Int) {
    let (r, width, color) = (2.2 * Double(scale), 1.2 * Double(scale), plot.color(of: index))
    func place(_ corner: (Double, Double)) -> (x: Double, y: Double) { (x + r * corner.0, y + r * corner.1) }
    switch Self.mark(of: index) {
    case .dot: image.draw(lineFrom: (x, y), to: (x, y), width: 2.4 * r, color)
    case .square: image.fill(x: Int(x - r), y: Int(y - r), width: Int(2 * r + 1), height: Int(2 * r + 1), color)
    case .outline(let corners):
      for (a, b) in zip(corners, corners.dropFirst() + corners.prefix(1)) {
        image.draw(lineFrom: place(a), to: place(b), width: width, color)
      }
    case .strokes(let ends):
      for end in ends { image.draw(lineFrom: place((-end.0, -end.1)), to: place(end), width: width, color) }
    }
  }

  private mutating func drawLegend() {
    let named = plot.series.indices.filter { !plot.series[$0].name.isEmpty }
    guard !named.isEmpty else { return }
    let width = plot.hasLegendOutside ? legendWidth : min(right - left, legendWidth)
    let height = Self.legendHeight(names: named.count) * scale
    let x = plot.hasLegendOutside ? right + 8 * scale : right - width - 6 * scale
    let y = plot.hasLegendOutside ? top : legendTop(height: height, fromX: x)
    image.fill(x: x - scale, y: y - scale, width: width + 2 * scale, height: height + 2 * scale, grid)
    image.fill(x: x, y: y, width: width, height: height, .white)
    for (row, index) in named.enumerated() {
      let middle = Double(y) + (Double(row) * 13 + 9.5) * Double(scale)
      let start = Double(x + 7 * scale)
      var way = 0.0
      drawStroke(from: (start, middle), to: (start + 14 * Double(scale), middle), width: 2 * Double(scale), index, &way)
      if plot.marksPoints { drawMark(start + 7 * Double(scale), middle, of: index) }
      image.draw(text: plot.series[index].name, x: x + 28 * scale, y: Int(middle) - 3 * scale, scale: scale, ink)
    }
  }

  /// The upper or the lower right corner, whichever hides fewer points.
  private func legendTop(height: Int, fromX edge: Int) -> Int {
    let upper = top + 6 * scale
    let lower = bottom - height - 6 * scale
    var hidden = (upper: 0, lower: 0)
    for point in plot.series.lazy.flatMap(\.points) {
      guard let x = x(point.x), let y = y(point.y), x >= Double(edge) else { continue }
      if y <= Double(upper + height) { hidden.upper += 1 }
      if y >= Double(lower) { hidden.lower += 1 }
    }
    return hidden.lower < hidden.upper ? lower : upper
  }
}
