internal import Synchronization
public import QuickstepTensor

/// Tables of numbers that networks need beside their weights (frequencies, positions), kept on the device they are used on.
///
/// They are made on the processor. Without a keeper that happens in every evaluation, which costs little on a CPU; a GPU would wait for the copy
/// each time, and recorded work must not copy at all (``EvaluationGraph``). A keeper belongs to one request, so that what it holds ends with it.
public final class ConstantTables: Sendable {
  private struct Key: Hashable {
    var name: String
    var numbers: [Double]
    var dtype: DType
    var device: Device
  }

  @TaskLocal private static var current: ConstantTables?
  private let tables = Mutex<[Key: Tensor]>([:])

  /// Keeps nothing yet.
  public init() {}

  /// Does work whose tables this keeper holds from then on.
  public func keeping<Result>(_ work: () throws -> Result) rethrows -> Result { try Self.$current.withValue(self, operation: work) }

  /// A table, of the keeper that the caller runs under, or made anew.
  /// - Parameters:
  ///   - name: what kind of table it is.
  ///   - numbers: with the name, all that its values depend on.
  ///   - make: the table in main memory.
  public static func table(
    _ name: String, _ numbers: [Double], dtype: DType = .float32, device: Device, make: () -> Tensor
  ) -> Tensor {
    guard let current else { return make().to(dtype, device) }
    let key = Key(name: name, numbers: numbers, dtype: dtype, device: device)
    if let found = current.tables.withLock({ $0[key] }) { return found }
    let made = make().to(dtype, device)
    if made.isDefined { current.tables.withLock { $0[key] = made } }
    return made
  }

  /// The tables that are held, in no order.
  package var all: [Tensor] { tables.withLock { Array($0.values) } }
}
