import Foundation

/// The processor and the memory, as the kernel tells them.
struct MachineFacts {
  var cpu: String
  /// Logical cores of the machine.
  var cores: Int
  /// Cores this process may use: a container or `taskset` often allows fewer.
  var usableCores: Int
  /// Instruction sets that matter for inference, in the kernel's words.
  var instructionSets: [String]
  var memory: Int
  var availableMemory: Int
  /// Bound of the control group (container), if there is one.
  var memoryLimit: Int?

  /// What oneDNN and libtorch choose kernels by; x86 first, then Arm.
  static let knownInstructionSets = [
    "avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16", "asimd",
    "asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2",
  ]

  static func read() -> MachineFacts {
    let cpu = fields("/proc/cpuinfo")
    let memory = fields("/proc/meminfo")
    let flags = Set((cpu["flags"] ?? cpu["Features"] ?? "").split(separator: " ").map(String.init))
    return MachineFacts(
      cpu: cpu["model name"] ?? cpu["Model"] ?? cpu["Hardware"] ?? "unknown processor", cores: ProcessInfo.processInfo.processorCount,
      usableCores: usableCores(), instructionSets: knownInstructionSets.filter(flags.contains), memory: kilobytes(memory["MemTotal"]),
      availableMemory: kilobytes(memory["MemAvailable"]),
      memoryLimit: Int(text("/sys/fs/cgroup/memory.max").trimmingCharacters(in: .whitespacesAndNewlines)))
  }

  /// The smaller of the processor mask and the control group's share of time.
  private static func usableCores() -> Int {
    // Foundation asks for the processor mask.
    var count = ProcessInfo.processInfo.activeProcessorCount
    // "quota period" in microseconds, or "max period".
    let share = text("/sys/fs/cgroup/cpu.max").split(whereSeparator: \.isWhitespace).compactMap { Double($0) }
    if share.count == 2, share[1] > 0 { count = min(count, max(1, Int((share[0] / share[1]).rounded(.up)))) }
    return count
  }

  /// `name : value` lines; of a repeated name the first counts.
  private static func fields(_ path: String) -> [String: String] {
    var result: [String: String] = [:]
    for line in text(path).split(separator: "\n") {
      guard let colon = line.firstIndex(of: ":") else { continue }
      let name = line[..<colon].trimmingCharacters(in: .whitespaces)
      if result[name] == nil { result[name] = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces) }
    }
    return result
  }

  private static func kilobytes(_ text: String?) -> Int { Int(text?.split(separator: " ").first ?? "").map { $0 * 1024 } ?? 0 }

  // Files under /proc have no size, so they are read to their end.
  private static func text(_ path: String) -> String {
    guard let file = FileHandle(forReadingAtPath: path), let data = try? file.readToEnd() else { return "" }
    return String(decoding: data, as: UTF8.self)
  }

  /// Paths of the libraries mapped into this process whose file name starts with `prefix`.
  static func loadedLibraries(_ prefix: String) -> [String] {
    let paths = text("/proc/self/maps").split(separator: "\n").compactMap { line in line.firstIndex(of: "/").map { String(line[$0...]) } }
    return Set(paths.filter { $0.split(separator: "/").last?.hasPrefix(prefix) == true }).sorted()
  }
}
