import Foundation
import QuickstepEvaluation
import QuickstepFormats
import QuickstepTensor

let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures").path

/// What `Parity/goldens_evaluation.py` wrote.
enum Golden {
  static func tensor(_ name: String) throws -> Tensor { try SafetensorsFile(path: fixtures + "/metrics.safetensors").tensor(name) }
  static func values(_ name: String) throws -> [Double] { try tensor(name).scalars(Double.self) }
  /// What `Parity/goldens_metrics.py` wrote.
  static func setValues(_ name: String) throws -> [Double] {
    try SafetensorsFile(path: fixtures + "/metrics-sets.safetensors").tensor(name).scalars(Double.self)
  }
}

/// The data sets, where this machine has them; the repository does not hold them.
enum Data {
  static func path(_ name: String) -> String? { try? DataLocation.find(name, environment: environment) }

  /// Tests run in the package's folder or elsewhere; the data may lie beside the package.
  private static let environment: [String: String] = {
    var result = ProcessInfo.processInfo.environment
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    let beside = root.deletingLastPathComponent().appendingPathComponent("shared/data").path
    if (result[DataLocation.variable] ?? "").isEmpty { result[DataLocation.variable] = beside }
    return result
  }()
}

/// The message of the error that `body` throws; `nil` when it throws none, or one of another kind.
func problem(_ body: () throws -> Void) -> String? {
  do { try body() } catch let error as EvaluationError { return error.description } catch {}
  return nil
}

/// Seeded numbers.
func normal(_ shape: [Int], seed: UInt64, dtype: DType = .float64) throws -> Tensor {
  let generator = try Generator(seed: seed)
  return try withTensorErrors { Tensor.randn(shape, generator: generator, dtype: dtype) }
}

func isClose(_ actual: [Double], _ expected: [Double], _ tolerance: Double) -> Bool {
  actual.count == expected.count && zip(actual, expected).allSatisfy { abs($0 - $1) <= tolerance * max(1, abs($1)) }
}
