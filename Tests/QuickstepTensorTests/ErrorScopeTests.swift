import Foundation
import QuickstepTensor
import Testing

/// How failures travel.
@Suite struct ErrorScopeTests {
  private struct OwnError: Error {}

  private func fail() -> Tensor { Tensor.zeros([2, 3]).view([7]) }

  @Test func withoutScopeAFailureIsUndefinedAndThrowsOnAccess() throws {
    let failed = fail()
    #expect(!failed.isDefined)
    #expect(failed.shape == [] && failed.count == 0 && failed.rank == 0 && failed.device == .cpu)
    #expect("\(failed)" == "Tensor(undefined)")
    #expect(throws: TensorError.self) { try failed.scalars(Float.self) }
    #expect(throws: TensorError.self) { try failed.item() }
    #expect(throws: TensorError.self) { try failed.withUnsafeBytes { $0.count } }
    #expect(throws: TensorError.self) { try failed.checkDefined() }
  }

  @Test func theFirstFailureIsThrown() throws {
    let error = #expect(throws: TensorError.self) {
      try withTensorErrors {
        _ = Tensor.zeros([2, 3]).mm(Tensor.zeros([4, 5]))
        _ = Tensor.zeros([2]).view([9])
      }
    }
    let message = try #require(error).description
    #expect(message.contains("aten::mm") && message.contains("[2, 3]") && message.contains("[4, 5]"), "\(message)")
    #expect(!message.contains("view"))
  }

  @Test func innerScopeKeepsItsFailure() throws {
    let value = try withTensorErrors {
      #expect(throws: TensorError.self) { try withTensorErrors { fail() } }
      return Tensor([5.0])
    }
    #expect(try value.item() == 5)
  }

  @Test func outerScopeKeepsAFailureFromBeforeTheInnerOne() throws {
    let error = #expect(throws: TensorError.self) {
      try withTensorErrors {
        _ = Tensor.zeros([2]).view([3])
        try withTensorErrors { Tensor.zeros([2]).sum() }
      }
    }
    #expect(try #require(error).description.contains("view"))
  }

  @Test func rethrownInnerFailureEndsTheOuterScopeToo() throws {
    let error = #expect(throws: TensorError.self) { try withTensorErrors { try withTensorErrors { fail() } } }
    #expect(try #require(error).description.contains("view"))
    #expect(try withTensorErrors { Tensor([1.0]) }.item() == 1)
  }

  @Test func aTensorFailureIsTheCauseOfALaterError() throws {
    #expect(throws: TensorError.self) {
      try withTensorErrors {
        _ = fail()
        throw OwnError()
      }
    }
    #expect(throws: OwnError.self) { try withTensorErrors { throw OwnError() } }
    // A failure of before does not leak into the next scope.
    _ = fail()
    #expect(throws: OwnError.self) { try withTensorErrors { throw OwnError() } }
  }

  @Test func aScopeBelongsToItsThread() throws {
    try withTensorErrors {
      let done = DispatchSemaphore(value: 0)
      Thread.detachNewThread {
        _ = Tensor.zeros([2, 3]).view([7])
        done.signal()
      }
      done.wait()
    }
    let threads = 8
    let found = ResultBox(count: threads)
    DispatchQueue.concurrentPerform(iterations: threads) { index in
      let outcome = Result { try withTensorErrors { index % 2 == 0 ? fail() : Tensor([Double(index)]) } }
      if case .success(let tensor) = outcome { found.set(index, try? tensor.item()) } else { found.set(index, -1) }
    }
    let expected: [Double?] = [-1, 1, -1, 3, -1, 5, -1, 7]
    #expect(found.values == expected)
  }

  @Test func deepNestingIsFine() throws {
    func nest(_ depth: Int) throws -> Tensor { depth == 0 ? Tensor([2.0]) : try withTensorErrors { try nest(depth - 1) } }
    #expect(try nest(200).item() == 2)
  }

  @Test func lookingForAGPUIsNoTensorFailure() throws {
    // Asking is not failing: the answer "none" must not end the scope it is asked in.
    try withTensorErrors { _ = Machine.cudaDeviceCount() }
    let device = try withTensorErrors { try Device(named: "auto") }
    #expect(device == .cpu || device.isCUDA)
  }
}

/// Results of concurrent work, by index.
final class ResultBox: @unchecked Sendable {
  private let lock = NSLock()
  private var stored: [Double?]

  init(count: Int) { stored = Array(repeating: nil, count: count) }

  func set(_ index: Int, _ value: Double?) { lock.withLock { stored[index] = value } }
  var values: [Double?] { lock.withLock { stored } }
}
