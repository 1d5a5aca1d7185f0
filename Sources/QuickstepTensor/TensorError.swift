internal import CTorch

/// A tensor operation failed: wrong shapes or types, memory exhausted, a device that is missing.
public struct TensorError: Error, Sendable, CustomStringConvertible {
  public let description: String
  public init(_ description: String) { self.description = description }
}

/// Runs `body` and throws the first tensor failure that happened inside.
///
/// Operators do not throw one by one. A failing one records its message, with operator and shapes, in the innermost scope and yields an
/// undefined tensor; operations on an undefined tensor do nothing and yield undefined again. So a model's code stays plain, and
/// the engine, the trainer and the loader each open one scope around it.
///
/// When `body` throws an error of its own after a tensor failed, the tensor failure is thrown: it is the cause.
/// Scopes nest; a scope belongs to the thread it was opened on, hence `body` is synchronous.
@discardableResult
public func withTensorErrors<Result>(_ body: () throws -> Result) throws -> Result {
  qs_error_scope_begin()
  let outcome = Swift.Result { try body() }
  if let message = qs_error_scope_end() { throw TensorError(String(cString: message)) }
  return try outcome.get()
}
