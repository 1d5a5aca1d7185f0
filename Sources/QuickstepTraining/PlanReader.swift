import Foundation
import QuickstepFormats
import QuickstepModels

/// Strict reading of plan files: unknown keys are errors, as in model configurations.
enum PlanReader {
  static func decode<Value: Codable>(_ type: Value.Type, path: String) throws -> Value {
    try ConfigurationFile(path: path).decode(type)
  }
}
