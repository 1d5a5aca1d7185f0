internal import CTorch

/// Finds operators that touch main memory in work that is meant for a GPU alone: copies from there and back make the GPU wait, and a recording of
/// the work would play the copy of one moment for ever.
package enum HostWatch {
  /// What the work gives, and the names of the operators of this thread that read or made a tensor in main memory, each once. Not to be nested.
  /// - Parameter origins: for work on a CPU that stands for a GPU: all tensors that would be there. Noted is then what comes from elsewhere.
  package static func operators<Result>(
    origins: [Tensor] = [], in work: () throws -> Result
  ) rethrows -> (result: Result, operators: [String]) {
    _ = withExtendedLifetime(origins) { qs_host_watch_begin(origins.map(\.handle.pointer), Int64(origins.count)) }
    var names: [String] = []
    func end() {
      guard let text = qs_host_watch_end() else { return }
      names = String(cString: text).split(separator: "\n").map(String.init)
      qs_string_free(text)
    }
    do {
      let result = try work()
      end()
      return (result, names)
    } catch {
      end()
      throw error
    }
  }
}
