import Foundation
import QuickstepDiffusion
import QuickstepNN
import Testing

/// What Parity/schedulers.py and its companions wrote.
struct Golden: Decodable {
  struct GridEntry: Decodable, CustomTestStringConvertible {
    var scheduler: String
    var spacing: String
    var steps: Int
    var timesteps: [Double]
    var sigmas: [Double]?
    /// Our grid in words, where the script says it.
    var grid: String?
    var testDescription: String { "\(scheduler) \(grid ?? spacing) \(steps)" }
  }

  struct Case: Decodable, CustomTestStringConvertible {
    var solver: String
    var scheduler: String
    var spacing: String
    var prediction: String
    var steps: Int
    var eta: Double
    /// After half of the steps; not recorded from programs that do not show it.
    var mid: [Double]?
    var end: [Double]
    /// As the program computes in float32, where it does.
    var end32: [Double]?
    /// Our grid in words, where the script says it.
    var grid: String?
    /// What is done to every x̂0, in words.
    var correction: String?
    /// After how many steps `end` was taken, where the program's last step has no length; after all of them otherwise.
    var compared: Int?
    var testDescription: String { "\(solver) \(scheduler) \(grid ?? spacing) \(prediction) \(steps) η \(eta) \(correction ?? "")" }
  }

  /// A run with steps of its own choice.
  struct Adaptive: Decodable, CustomTestStringConvertible {
    var order: Int
    var prediction: String
    var tolerance: Double
    var evaluations: Int
    var end: [Double]
    var testDescription: String { "order \(order) \(prediction) \(tolerance)" }
  }

  var versions: [String: String]
  var initial: [Double]
  var noises: [[Double]]
  var alphasCumprod: [String: [Double]]?
  var grids: [GridEntry]
  var cases: [Case]
  var thresholded: [Double]?
  var adaptive: [Adaptive]?

  /// Every file of the Fixtures folder, by name without extension; `schedulers` holds what is common.
  static let files = Result {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try Dictionary(
      uniqueKeysWithValues: FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        .filter { $0.lastPathComponent.hasPrefix("schedulers") && $0.pathExtension == "json" }
        .map { ($0.deletingPathExtension().lastPathComponent, try decoder.decode(Golden.self, from: Data(contentsOf: $0))) })
  }

  static func named(_ name: String) throws -> Golden { try #require(try files.get()[name]) }
  static var shared: Golden { get throws { try named("schedulers") } }

  /// Empty (and then failing in `goldensAreThere`) when files are missing, so that parameterised tests can be declared.
  private static var all: [Golden] { ((try? files.get()) ?? [:]).sorted { $0.key < $1.key }.map(\.value) }
  static var grids: [GridEntry] { all.flatMap(\.grids) }
  static var adaptive: [Adaptive] { all.compactMap(\.adaptive).flatMap { $0 } }
  static var cases: [Case] { all.flatMap(\.cases) }
}

/// Our words for what a diffusers scheduler does when it is configured with a spacing.
struct Translation {
  let schedule: any NoiseSchedule
  let spacing: any Spacing

  /// Words such as `flow-3 linspace`, `zero-snr trailing` or `leading offset=1`; without a flow it is the scaled-linear schedule.
  init(words: String) throws {
    var words = words.split(separator: " ").map(String.init)
    if let shift = words.first.flatMap({ $0.hasPrefix("flow-") ? Double($0.dropFirst(5)) : nil }) {
      schedule = try FlowSchedule(shift: shift)
      words.removeFirst()
    } else if words.first == "edm" {
      schedule = try EDMSchedule(sigmaMin: 0.02, sigmaMax: 3)
      words.removeFirst()
    } else if words.first == "zero-snr" {
      schedule = try DiscreteVPSchedule(.scaledLinear(0.00085, 0.012), terminalSNR: .zero, interpolation: .sigma)
      words.removeFirst()
    } else {
      schedule = try DiscreteVPSchedule(
        .scaledLinear(0.00085, 0.012), interpolation: ["normal", "sgm_uniform"].contains(words[0]) ? .lambda : .sigma)
    }
    spacing = try AllGrids.make(words[0], Self.parameters(words.dropFirst()))
  }

  /// `name=value` texts.
  static func parameters(_ words: some Sequence<String>) -> [String: String] {
    Dictionary(uniqueKeysWithValues: words.map { $0.split(separator: "=").map(String.init) }.map { ($0[0], $0[1]) })
  }

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
    let isDPM = ["DPM", "UniPC", "DEIS"].contains { scheduler.hasPrefix($0) }
    if isDPM, spacing.hasPrefix("flow-") {
      let shift = Double(spacing.dropFirst(5)) ?? 1
      // UniPC spaces from pure noise to the least trained time; the others from one trained time below it to clean data.
      schedule =
        scheduler.hasPrefix("UniPC")
        ? try FlowSchedule(shift: shift, isDynamic: true, largestSigma: 1 - 1e-6, tellsWholeTimesteps: true)
        : try FlowSchedule(shift: shift, largestTime: 0.999, tellsWholeTimesteps: true)
      self.spacing =
        scheduler.hasPrefix("UniPC") ? try AllGrids.make("linspace", ["skip-last": "true"]) : try AllGrids.make("trailing")
      return
    }
    if scheduler.contains("/") {
      schedule = try ContinuousVPSchedule.linear()
      self.spacing = try AllGrids.make(spacing, ["final": "smallest"])
      return
    }
    schedule = try DiscreteVPSchedule(
      .scaledLinear(0.00085, 0.012), terminalSNR: spacing == "zero-snr" ? .nearZero : .trained, precision: precision, interpolation: .sigma)
    switch (spacing, isDPM) {
    case ("zero-snr", _): self.spacing = try AllGrids.make("trailing")
    case ("linspace", true): self.spacing = try AllGrids.make("linspace", ["round": "true", "skip-last": "true"])
    case ("linspace-smallest", _): self.spacing = try AllGrids.make("linspace", ["round": "true", "final": "smallest"])
    case ("leading-smallest", _): self.spacing = try AllGrids.make("leading", ["skip-last": "true", "final": "smallest"])
    case ("trailing-smallest", _): self.spacing = try AllGrids.make("trailing", ["final": "smallest"])
    case ("linspace", false): self.spacing = try AllGrids.make("linspace", scheduler.hasPrefix("DDIM") ? ["round": "true"] : [:])
    case ("leading", true): self.spacing = try AllGrids.make("leading", ["skip-last": "true"])
    case ("leading", false): self.spacing = try AllGrids.make("leading", scheduler.hasPrefix("DDIM") ? ["offset": "1"] : [:])
    case ("leading-0", _): self.spacing = try AllGrids.make("leading")
    case ("karras", true): self.spacing = try AllGrids.make("karras", ["timestep": "round"])
    case ("exponential", true), ("beta", true): self.spacing = try AllGrids.make(spacing, ["timestep": "floor"])
    default: self.spacing = try AllGrids.make(spacing)
    }
  }
}
