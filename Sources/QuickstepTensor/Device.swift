internal import CTorch

/// Where a tensor lives.
public struct Device: Hashable, Sendable, CustomStringConvertible {
  /// c10::DeviceType.
  let type: Int32
  /// −1: the current one.
  public let index: Int

  init(type: Int32, index: Int) {
    self.type = type
    self.index = index
  }

  /// Main memory.
  public static let cpu = Device(type: 0, index: -1)
  /// The GPU with this index.
  public static func cuda(_ index: Int = 0) -> Device { Device(type: 1, index: index) }
  /// Shapes without memory: for checking an architecture without allocating it.
  public static let meta = Device(type: 14, index: -1)

  /// Whether this is an NVIDIA GPU.
  public var isCUDA: Bool { type == 1 }

  public var description: String {
    switch type {
    case 0: "cpu"
    case 1: index < 0 ? "cuda" : "cuda:\(index)"
    case 14: "meta"
    default: "device type \(type)"
    }
  }

  /// `cpu`, `cuda`, `cuda:1`; `auto` takes the first GPU that works, else the CPU.
  /// - Throws: ``TensorError`` when the name is unknown or no such GPU can be used, with libtorch's reason.
  public init(named name: String) throws {
    switch name {
    case "cpu": self = .cpu
    case "auto": self = Machine.cudaDeviceCount() > 0 ? .cuda(0) : .cpu
    case "cuda": self = .cuda(0)
    default:
      guard name.hasPrefix("cuda:"), let index = Int(name.dropFirst(5)), index >= 0 else {
        throw TensorError("unknown device '\(name)'; use cpu, cuda, cuda:N or auto")
      }
      self = .cuda(index)
    }
    if isCUDA {
      let count = Machine.cudaDeviceCount()
      guard index < count else {
        throw TensorError(
          count == 0 ? "no GPU can be used: \(String(cString: qs_last_error()))" : "there is no GPU \(index); this machine has \(count)")
      }
    }
  }
}

/// Facts and settings of the machine as libtorch sees it.
public enum Machine {
  /// Version of the libtorch headers this was built with.
  public static var libtorchVersion: String { String(cString: qs_version()) }

  /// Number of threads an operator may use, from 1 to eight per core; others are brought into that range.
  public static var threads: Int {
    get { Int(qs_threads()) }
    set { qs_set_threads(Int32(clamping: max(1, newValue))) }
  }

  /// Opens the CUDA half of libtorch when it is installed. 0 on machines without a usable GPU.
  public static func cudaDeviceCount() -> Int { Int(qs_cuda_device_count()) }

  /// Why ``cudaDeviceCount()`` is 0.
  public static func cudaUnavailableReason() -> String? { qs_cuda_device_count() > 0 ? nil : String(cString: qs_last_error()) }

  /// Waits until all queued work on the device is done. Does nothing on the CPU.
  public static func synchronize(_ device: Device) throws {
    if device.isCUDA, qs_cuda_synchronize(Int32(device.index)) != 0 { throw TensorError(String(cString: qs_last_error())) }
  }

  /// Asks library code for deterministic algorithms where it has a choice.
  public static func setDeterministic(_ enabled: Bool) { qs_set_deterministic(enabled) }

  /// Treats denormal numbers as zero: they are 10–100 times slower on CPUs and carry no information here.
  public static func setFlushDenormals(_ enabled: Bool) { _ = qs_set_flush_denormals(enabled) }

  /// Has the C library keep freed memory for the next allocation, for the whole process and from then on; for programs, not for libraries.
  ///
  /// A network frees and takes the same megabytes in every layer. Handed back to the system each time, they cost as many page faults again.
  public static func keepFreedPages() { qs_keep_freed_pages() }

  /// libtorch's own description of its build and threads.
  public static var configuration: String {
    guard let text = qs_configuration() else { return "" }
    defer { qs_string_free(text) }
    return String(cString: text)
  }
}
