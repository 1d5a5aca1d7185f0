import Foundation
import QuickstepPipelines
import Synchronization

/// Whether a signal came since the first of the ``Interruption``s that are alive began. Read and written by a signal handler.
private let requested = Atomic<Bool>(false)
/// How many ``Interruption``s are alive.
private let alive = Mutex(0)

/// Turns Ctrl-C and a polite kill into a flag, so that work ends at a safe point. A second Ctrl-C ends the process at once, and so does the
/// first one when no `Interruption` is left.
///
/// The handlers are set here and not by libdispatch, which on Linux sets its own once per signal and for good.
final class Interruption: Sendable {
  private static let signals = [SIGINT, SIGTERM]

  init() {
    alive.withLock { count in
      count += 1
      guard count == 1 else { return }
      requested.store(false, ordering: .relaxed)
      for number in Self.signals {
        signal(number) { _ in
          if requested.exchange(true, ordering: .relaxed) { _exit(130) }
        }
      }
    }
  }

  deinit {
    alive.withLock { count in
      count -= 1
      guard count == 0 else { return }
      for number in Self.signals { signal(number, SIG_DFL) }
    }
  }

  var isRequested: Bool { requested.load(ordering: .relaxed) }
}

extension Interruption {
  /// Runs work that ends early and with a result when its task is cancelled; Ctrl-C cancels it once, a second one ends the process.
  static func stopping<Result: Sendable>(_ work: @escaping @Sendable () async throws -> Result) async throws -> Result {
    try await cancelling(work, otherwise: "what was tried is kept, and the same command goes on with it")
  }

  /// Runs work in a task of its own that Ctrl-C cancels between two evaluations.
  static func ending<Result: Sendable>(_ work: @escaping @Sendable () throws -> Result) async throws -> Result {
    try await cancelling(work, otherwise: "nothing was written")
  }

  /// - Parameter state: what became of the work when it was cancelled and had no result.
  private static func cancelling<Result: Sendable>(
    _ work: @escaping @Sendable () async throws -> Result, otherwise state: String
  ) async throws -> Result {
    let interruption = Interruption()
    let task = Task.detached { try await work() }
    let watcher = Task {
      while !Task.isCancelled, !interruption.isRequested { try? await Task.sleep(for: .milliseconds(50)) }
      if interruption.isRequested { task.cancel() }
    }
    defer {
      watcher.cancel()
      // Until the work has ended, however long it takes after the signal.
      withExtendedLifetime(interruption) {}
    }
    do {
      return try await task.value
    } catch is CancellationError {
      throw GenerationError("interrupted; \(state)")
    }
  }
}
