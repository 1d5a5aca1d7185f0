/// A source that hands out other types than it stores.
public protocol StoredTypes: Sendable {
  /// Name of the type in the file; `nil` when there is no such tensor.
  func storedType(_ name: String) -> String?
  /// Bytes in the file; `nil` when there is no such tensor.
  func storedBytes(_ name: String) -> Int?
}
