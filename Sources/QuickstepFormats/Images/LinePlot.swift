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
  /// Whether the y axis is logarithmic.
  public var isLogarithmic: Bool
  /// Whether the x axis is logarithmic.
  public var hasLogarithmicX = false
  /// Whether points are marked, each curve in a shape of its own.
  public var marksPoints = false
  /// Whether the legend stands to the right of the plot, for more curves than a corner has room for.
  public var hasLegendOutside = false
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

  /// Draws the plot. Sizes below 240 x 160 are raised to that, and the height to what a legend outside needs; text is ASCII.
  public func image(width: Int = 960, height: Int = 600) -> PixelImage {
    let width = min(8192, max(240, width))
    let least = hasLegendOutside ? PlotDrawing.legendRoom(of: self, width: width) : 160
    var drawing = PlotDrawing(plot: self, width: width, height: min(8192, max(160, height, least)))
    drawing.drawAll()
    return drawing.image
  }

  /// Blue, orange, green, red, violet, brown, pink, olive: told apart also by most colour-blind readers in this order.
  static let palette = [
    RGBColor(31, 108, 180), RGBColor(240, 128, 20), RGBColor(38, 150, 80), RGBColor(208, 46, 56), RGBColor(132, 92, 190),
    RGBColor(140, 88, 70), RGBColor(220, 110, 180), RGBColor(150, 150, 30),
  ]

  func color(of index: Int) -> RGBColor { series[index].color ?? Self.palette[index % Self.palette.count] }
  /// Curves that share a colour differ in this: pixels of ink and of gap.
  func dash(of index: Int) -> (on: Double, off: Double)? { [nil, (7, 4), (2, 3)][index / Self.palette.count % 3] }
}
