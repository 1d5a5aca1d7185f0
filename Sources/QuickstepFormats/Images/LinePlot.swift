/// Curves over a common x axis, drawn to a picture: losses over steps, quality over time.
public struct LinePlot: Sendable {
  /// One named curve. Points that are not finite (or not positive, on a logarithmic axis) interrupt the line.
  public struct Series: Sendable {
    /// Stands in the legend.
    public var name: String
    /// In the order in which they are joined, in the units of the axes.
    public var points: [(x: Double, y: Double)]
    /// nil takes the next colour of the palette.
    public var color: RGBColor?

    /// - Parameters:
    ///   - name: stands in the legend.
    ///   - points: in the order in which they are joined.
    ///   - color: nil takes the next colour of the palette.
    public init(_ name: String, _ points: [(x: Double, y: Double)], color: RGBColor? = nil) {
      self.name = name
      self.points = points
      self.color = color
    }

    /// A curve over 0, 1, 2, ….
    public init(_ name: String, _ values: [Double], color: RGBColor? = nil) {
      self.init(name, values.enumerated().map { (Double($0.offset), $0.element) }, color: color)
    }
  }

  /// Stands above the plot.
  public var title: String
  /// Stands below the x axis.
  public var xLabel: String
  /// Stands above the axis, at the left.
  public var yLabel: String
  /// Whether the y axis is logarithmic; the x axis never is.
  public var isLogarithmic: Bool
  /// In the order of the legend and of the palette.
  public var series: [Series]

  /// - Parameter isLogarithmic: whether the y axis is.
  public init(title: String, xLabel: String = "", yLabel: String = "", isLogarithmic: Bool = false, series: [Series]) {
    self.title = title
    self.xLabel = xLabel
    self.yLabel = yLabel
    self.isLogarithmic = isLogarithmic
    self.series = series
  }

  /// Draws the plot. Sizes below 240 x 160 are raised to that; text is ASCII.
  public func image(width: Int = 960, height: Int = 600) -> PixelImage {
    var drawing = PlotDrawing(plot: self, width: min(8192, max(240, width)), height: min(8192, max(160, height)))
    drawing.drawAll()
    return drawing.image
  }

  /// Blue, orange, green, red, violet, brown, pink, olive: told apart also by most colour-blind readers in this order.
  static let palette = [
    RGBColor(31, 108, 180), RGBColor(240, 128, 20), RGBColor(38, 150, 80), RGBColor(208, 46, 56), RGBColor(132, 92, 190),
    RGBColor(140, 88, 70), RGBColor(220, 110, 180), RGBColor(150, 150, 30),
  ]

  func color(of index: Int) -> RGBColor { series[index].color ?? Self.palette[index % Self.palette.count] }
}

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
  var image: PixelImage

  private let ink = RGBColor(50, 52, 60)
  private let grid = RGBColor(228, 230, 235)
  private let faintGrid = RGBColor(243, 244, 247)

  init(plot: LinePlot, width: Int, height: Int) {
    self.plot = plot
    let scale = max(1, min(width / 480, height / 300))
    xAxis = PlotAxis(
      values: plot.series.lazy.flatMap { $0.points.lazy.map(\.x) }, isLogarithmic: false, count: max(2, width / (90 * scale)))
    yAxis = PlotAxis(
      values: plot.series.lazy.flatMap { $0.points.lazy.map(\.y) }, isLogarithmic: plot.isLogarithmic, count: max(2, height / (60 * scale)))
    let widest = yAxis.ticks.map { BitmapFont.width(of: PlotAxis.label($0), scale: scale) }.max() ?? 0
    left = widest + 14 * scale
    right = width - 16 * scale
    top = (plot.title.isEmpty ? 10 : 28) * scale + (plot.yLabel.isEmpty ? 0 : 14 * scale)
    bottom = height - (plot.xLabel.isEmpty ? 20 : 34) * scale
    image = PixelImage(width: width, height: height, fill: .white)
    self.scale = scale
  }

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
    let color = plot.color(of: index)
    var last: (x: Double, y: Double)?
    for point in plot.series[index].points {
      guard let x = x(point.x), let y = y(point.y) else {
        last = nil
        continue
      }
      // A point without a neighbour is a dot: a line of no length.
      image.draw(lineFrom: last ?? (x, y), to: (x, y), width: 1.5 * Double(scale), color)
      last = (x, y)
    }
  }

  private mutating func drawLegend() {
    let named = plot.series.indices.filter { !plot.series[$0].name.isEmpty }
    guard !named.isEmpty else { return }
    let widest = named.map { BitmapFont.width(of: plot.series[$0].name, scale: scale) }.max() ?? 0
    let width = min(right - left, widest + 36 * scale)
    let height = (named.count * 13 + 7) * scale
    let x = right - width - 6 * scale
    let y = legendTop(height: height, fromX: x)
    image.fill(x: x - scale, y: y - scale, width: width + 2 * scale, height: height + 2 * scale, grid)
    image.fill(x: x, y: y, width: width, height: height, .white)
    for (row, index) in named.enumerated() {
      let middle = Double(y) + (Double(row) * 13 + 9.5) * Double(scale)
      let start = Double(x + 7 * scale)
      image.draw(
        lineFrom: (start, middle), to: (start + 14 * Double(scale), middle), width: 2 * Double(scale), plot.color(of: index))
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
