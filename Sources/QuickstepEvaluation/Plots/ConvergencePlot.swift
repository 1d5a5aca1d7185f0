import Foundation
public import QuickstepFormats

/// Error against work, one curve per method, both axes logarithmic: how solvers, caches or recipes compare at equal work.
public struct ConvergencePlot: Sendable {
  /// One method.
  public struct Curve: Sendable {
    /// Stands in the legend.
    public var name: String
    /// In the order of work; errors of 0 and values that are not finite are left out of the picture.
    public var points: [(work: Double, error: Double)]

    /// - Parameters:
    ///   - name: stands in the legend.
    ///   - points: work and error, work rising.
    public init(_ name: String, _ points: [(work: Double, error: Double)]) {
      self.name = name
      self.points = points
    }

    /// −d log(error)/d log(work) by least squares over the points with an error above `floor`, `nil` for fewer than two of them.
    /// - Parameter floor: what rounding leaves of an error.
    public func order(floor: Double = 1e-13) -> Double? {
      let logs = points.filter { $0.error > floor && $0.error.isFinite && $0.work > 0 }.map { (log2($0.work), log2($0.error)) }
      guard logs.count >= 2 else { return nil }
      let count = Double(logs.count)
      let (meanX, meanY) = (logs.reduce(0) { $0 + $1.0 } / count, logs.reduce(0) { $0 + $1.1 } / count)
      let spread = logs.reduce(0) { $0 + ($1.0 - meanX) * ($1.0 - meanX) }
      return spread > 0 ? -logs.reduce(0) { $0 + ($1.0 - meanX) * ($1.1 - meanY) } / spread : nil
    }
  }

  /// Stands above the plot.
  public var title: String
  /// What is counted on the x axis.
  public var work: String
  /// What is measured on the y axis.
  public var error: String
  /// In the order of the legend.
  public var curves: [Curve]

  /// - Parameters:
  ///   - title: stands above the plot.
  ///   - work: what is counted on the x axis.
  ///   - error: what is measured on the y axis.
  ///   - curves: in the order of the legend.
  public init(title: String, work: String = "evaluations", error: String, curves: [Curve]) {
    (self.title, self.work, self.error, self.curves) = (title, work, error, curves)
  }

  /// Draws the plot, the legend beside it.
  public func image(width: Int = 1280, height: Int = 800) -> PixelImage {
    var plot = LinePlot(
      title: title, xLabel: work, yLabel: error, isLogarithmic: true,
      series: curves.map { curve in LinePlot.Series(curve.name, curve.points.map { (x: $0.work, y: $0.error) }) })
    plot.hasLogarithmicX = true
    plot.marksPoints = true
    plot.hasLegendOutside = true
    return plot.image(width: width, height: height)
  }
}
