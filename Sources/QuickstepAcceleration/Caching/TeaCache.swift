public import QuickstepNN
import QuickstepTensor

/// TeaCache: the blocks are left out until the changes of their modulated input, turned into expected changes of the output by a polynomial, add up
/// to a threshold (Liu et al. 2024, arXiv 2411.19108).
public struct TeaCache: Accelerator {
  public static let declaration = MethodDeclaration(
    name: "teacache", family: .acceleration,
    summary: "Leaves out all blocks until the expected change of their output adds up to a threshold.",
    points: [.block], reads: ["first block's modulated input"], changes: ["output of the list of blocks"], needs: ["a list of blocks"],
    state: "the blocks' residual and the modulated input of the evaluation before",
    parameters: [
      ParameterDeclaration(
        name: "threshold", summary: "summed expected relative change from which on the blocks run again", domain: .number(0...100),
        standard: .number(0.15), neutral: .number(0), searched: .number(0.02...1.5)),
      ParameterDeclaration(
        name: "coefficients", summary: "of the polynomial from input change to output change, highest power first",
        domain: .list(-1e12...1e12), standard: .list([])),
      ParameterDeclaration(
        name: "file", summary: "coefficients fitted to the model by 'quickstep calibrate teacache'",
        domain: .text("path of a JSON file, or its contents"), standard: .text("")),
      ParameterDeclaration(
        name: "continuous", summary: "evaluations that may be left out in a row; 0: any number", domain: .integer(0...1000),
        standard: .integer(0)),
    ], exactness: .approximate, reference: "arXiv 2411.19108, section 3.3; TeaCache4FLUX")

  let threshold: Double
  let coefficients: [Double]
  let calibration: CacheCalibration?
  let limits: GateLimits

  /// - Throws: ``AccelerationError`` for coefficients from two places, or a file that holds none.
  public init(_ values: ParameterValues) throws {
    threshold = values.number("threshold")
    calibration = try values.text("file").map { try CacheCalibration(source: $0, of: .changes) }
    guard calibration == nil || values.list("coefficients").isEmpty else {
      throw AccelerationError("'teacache' takes its coefficients from a file or as a list, not both")
    }
    coefficients = calibration?.coefficients ?? values.list("coefficients")
    limits = GateLimits(warmup: 1, continuous: values.integer("continuous") ?? 0, endsFull: true)
  }

  public func parts(for run: RunOutline) throws -> [Part] {
    _ = try run.needBlocks("teacache")
    try calibration?.check(run, of: "teacache")
    guard threshold > 0 else { return [] }
    let (threshold, coefficients, limits) = (threshold, coefficients, limits)
    return [
      .range(
        RangeCache(method: "teacache", value: .residual, signal: .modulated) {
          AccumulatedChangeGate(method: "teacache", threshold: threshold, coefficients: coefficients, limits: limits)
        })
    ]
  }

  public func warnings(for run: RunOutline) -> [String] {
    guard threshold > 0 else { return [] }
    if let calibration { return calibration.concerns(run, of: "teacache") }
    guard coefficients.isEmpty else { return [] }
    return [
      "'teacache' has no coefficients for \(run.network): changes of the input count as they are ('quickstep calibrate teacache' fits some)"
    ]
  }
}

/// Adds up what the polynomial makes of the change from evaluation to evaluation.
final class AccumulatedChangeGate: Gate {
  private let method: String
  private let threshold: Double
  private let coefficients: [Double]
  private var count: GateCount
  private var previous: Tensor?
  private var sum = 0.0

  /// - Parameter coefficients: highest power first; none is the change itself.
  init(method: String, threshold: Double, coefficients: [Double], limits: GateLimits) {
    (self.method, self.threshold, self.coefficients, count) = (method, threshold, coefficients, GateCount(limits))
  }

  var heldBytes: Int { previous?.byteCount ?? 0 }

  func action(_ moment: GateMoment) throws -> SiteAction {
    guard let signal = moment.signal else {
      throw AccelerationError("'\(method)' needs a network that shows its first block's modulated input")
    }
    let before = previous
    previous = signal
    guard let before, !count.demandsFull(moment) else {
      sum = 0
      return count.counting(.compute)
    }
    let change = try Change.relative(signal, to: before, of: method, moment.context)
    sum += coefficients.isEmpty ? change : coefficients.reduce(0) { $0 * change + $1 }
    moment.note(sum)
    if sum < threshold { return count.counting(.reuse) }
    sum = 0
    return count.counting(.compute)
  }
}
