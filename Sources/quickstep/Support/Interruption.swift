import Dispatch
import Foundation
import QuickstepPipelines
import Synchronization

/// Turns Ctrl-C and a polite kill into a flag, so that work ends at a safe point. A second Ctrl-C ends the process at once.
final class Interruption: Sendable {
  private let requested = Atomic<Bool>(false)
  // Made and cancelled by the owner only; never touched in between.
  nonisolated(unsafe) private let sources: [any DispatchSourceSignal]

  init() {
    let queue = DispatchQueue(label: "interruption")
    sources = [SIGINT, SIGTERM].map { number in
      signal(number, SIG_IGN)
      return DispatchSource.makeSignalSource(signal: number, queue: queue)
    }
    for source in sources {
      source.setEventHandler { [unowned self] in
        if requested.exchange(true, ordering: .relaxed) { exit(130) }
      }
      source.resume()
    }
  }

  deinit { for source in sources { source.cancel() } }

  var isRequested: Bool { requested.load(ordering: .relaxed) }
}

extension Interruption {
  /// Runs work that ends early and with a result when its task is cancelled; Ctrl-C cancels it once, a second one ends the process.
  static func stopping<Result: Sendable>(_ work: @escaping @Sendable () async throws -> Result) async throws -> Result {
    let interruption = Interruption()
    let task = Task.detached { try await work() }
    let watcher = Task {
      while !Task.isCancelled, !interruption.isRequested { try? await Task.sleep(for: .milliseconds(50)) }
      if interruption.isRequested { task.cancel() }
    }
    defer { watcher.cancel() }
    do {
      return try await task.value
    } catch is CancellationError {
      throw GenerationError("interrupted; what was tried is kept, and the same command goes on with it")
    }
  }

  /// Runs work in a task of its own that Ctrl-C cancels between two evaluations.
  static func ending<Result: Sendable>(_ work: @escaping @Sendable () throws -> Result) async throws -> Result {
    let interruption = Interruption()
    let task = Task.detached { try work() }
    let watcher = Task {
      while !Task.isCancelled, !interruption.isRequested { try? await Task.sleep(for: .milliseconds(50)) }
      if interruption.isRequested { task.cancel() }
    }
    defer { watcher.cancel() }
    do {
      return try await task.value
    } catch is CancellationError {
      throw GenerationError("interrupted; nothing was written")
    }
  }
}
