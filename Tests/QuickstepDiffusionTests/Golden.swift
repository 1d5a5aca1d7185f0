import Foundation
import QuickstepDiffusion
import QuickstepNN
import Testing

/// What Parity/schedulers.py wrote.
struct Golden: Decodable {
  struct GridEntry: Decodable, CustomTestStringConvertible {
    var scheduler: String
    var spacing: String
    var steps: Int
    var timesteps: [Double]
    var sigmas: [Double]?
    var testDescription: String { "\(scheduler) \(spacing) \(steps)" }
  }

  struct Case: Decodable, CustomTestStringConvertible {
    var solver: String
    var scheduler: String
    var spacing: String
    var prediction: String
    var steps: Int
    var eta: Double
    var mid: [Double]
    var end: [Double]
    var end32: [Double]
    var testDescription: String { "\(solver) \(scheduler) \(spacing) \(prediction) \(steps) η \(eta)" }
  }

  var versions: [String: String]
  var initial: [Double]
  var noises: [[Double]]
  var alphasCumprod: [String: [Double]]
  var grids: [GridEntry]
  var cases: [Case]
  var thresholded: [Double]

  static let shared = Result {
    let url = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/schedulers.json")
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(Golden.self, from: Data(contentsOf: url))
  }

  /// Empty (and then failing in `goldensAreThere`) when the file is missing, so that parameterised tests can be declared.
  static var grids: [GridEntry] { (try? shared.get().grids) ?? [] }
  static var cases: [Case] { (try? shared.get().cases) ?? [] }
}

/// Our words for what a diffusers scheduler does when it is configured with a spacing.
struct Translation {
  let schedule: any NoiseSchedule
  let spacing: any Spacing

  init(scheduler: String, spacing: String, precision: TablePrecision = .double) throws {
    if scheduler.hasPrefix("FlowMatch") {
      switch spacing {
      case "flow-linspace-1": schedule = try FlowSchedule()
      case "flow-linspace-3": schedule = try FlowSchedule(shift: 3)
      default: schedule = try FlowSchedule(shift: exp(0.8), isDynamic: true)
      }
      self.spacing = try AllGrids.make(spacing.contains("trailing") ? "trailing" : "linspace")
      return
    }
    schedule = try DiscreteVPSchedule(.scaledLinear(0.00085, 0.012), precision: precision, interpolation: .sigma)
    let isDPM = scheduler.hasPrefix("DPM")
    switch (spacing, isDPM) {
    case ("linspace", true): self.spacing = try AllGrids.make("linspace", ["round": "true", "skip-last": "true"])
    case ("linspace-smallest", _): self.spacing = try AllGrids.make("linspace", ["round": "true", "final": "smallest"])
    case ("linspace", false): self.spacing = try AllGrids.make("linspace", scheduler.hasPrefix("DDIM") ? ["round": "true"] : [:])
    case ("leading", true): self.spacing = try AllGrids.make("leading", ["skip-last": "true"])
    case ("leading", false): self.spacing = try AllGrids.make("leading", scheduler.hasPrefix("DDIM") ? ["offset": "1"] : [:])
    case ("leading-0", _): self.spacing = try AllGrids.make("leading")
    case ("karras", true): self.spacing = try AllGrids.make("karras", ["timestep": "round"])
    case ("exponential", true): self.spacing = try AllGrids.make("exponential", ["timestep": "floor"])
    default: self.spacing = try AllGrids.make(spacing)
    }
  }
}

/// The closed-form network of Parity/schedulers.py: a function of input and timestep only.
struct ToyNetwork {
  let prediction: String

  func callAsFunction(_ input: [Double], timestep: Double) -> [Double] {
    let (a, s) = level(timestep)
    let variance = a * a * 0.25 + s * s
    return input.map { x in
      let x0 = (a * 0.25 * x + s * s * tanh(a * x / variance)) / variance
      let noise = (x - a * x0) / s
      return switch prediction {
      case "epsilon": noise
      case "sample": x0
      case "flow": noise - x0
      default: a * noise - s * x0
      }
    }
  }

  private func level(_ timestep: Double) -> (Double, Double) {
    if prediction == "flow" { return (1 - timestep / 1000, timestep / 1000) }
    let start = 0.00085.squareRoot()
    let slope = (0.012.squareRoot() - start) / 999
    let u = timestep + 1
    let bar = exp(-(start * start * u + start * slope * u * u + slope * slope * u * u * u / 3))
    return (bar.squareRoot(), (1 - bar).squareRoot())
  }
}
