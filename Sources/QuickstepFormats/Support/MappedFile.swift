import Foundation

/// A file mapped read-only into memory. Pages are read when touched and shared with other processes.
///
/// The mapping ends when the last reference goes. A file that another program shortens while it is mapped makes later reads of the
/// lost part fail hard (the operating system's rule for every mapping), so replace files by renaming, as `AtomicFile` does.
public final class MappedFile: Sendable {
  /// The path as it was given.
  public let path: String
  /// Size in bytes when the file was opened.
  public let count: Int
  private let address: UInt

  /// Opens and maps `path`. Empty files are fine.
  /// - Throws: `FormatError` with the path and the operating system's reason.
  public init(path: String) throws {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw FormatError(path, "cannot be opened: \(systemErrorText())") }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw FormatError(path, "cannot be examined: \(systemErrorText())") }
    guard status.st_mode & S_IFMT == S_IFREG else { throw FormatError(path, "is not a regular file") }
    let size = Int(status.st_size)
    var base: UInt = 0
    if size > 0 {
      guard let mapped = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), mapped != MAP_FAILED else {
        throw FormatError(path, "cannot be mapped into memory: \(systemErrorText())")
      }
      base = UInt(bitPattern: mapped)
    }
    self.path = path
    count = size
    address = base
  }

  deinit {
    if count > 0 { munmap(UnsafeMutableRawPointer(bitPattern: address), count) }
  }

  /// All bytes. The pointer is valid only while this object lives.
  public var bytes: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: UnsafeRawPointer(bitPattern: address), count: count)
  }

  /// The bytes in `range`. The pointer is valid only while this object lives.
  /// - Throws: `FormatError` when the range does not lie inside the file.
  public func bytes(in range: Range<Int>) throws -> UnsafeRawBufferPointer {
    guard range.lowerBound >= 0, range.upperBound <= count else {
      throw FormatError(path, "bytes \(range.lowerBound)..<\(range.upperBound) are outside of the file of \(count) bytes")
    }
    return UnsafeRawBufferPointer(rebasing: bytes[range])
  }

  /// Drops the pages that lie in `range` from memory; later reads fetch them from the file again. Ranges outside of the file have no effect.
  public func release(_ range: Range<Int>) {
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let start = (max(0, range.lowerBound) + page - 1) / page * page
    let end = min(count, range.upperBound) / page * page
    guard start < end, page > 0, let memory = UnsafeMutableRawPointer(bitPattern: address + UInt(start)) else { return }
    madvise(memory, end - start, MADV_DONTNEED)
  }

  /// A copy of the bytes in `range`.
  /// - Throws: `FormatError` when the range does not lie inside the file.
  public func copy(_ range: Range<Int>) throws -> [UInt8] { [UInt8](try bytes(in: range)) }
}

/// The text of the last failed system call on this thread.
func systemErrorText() -> String { String(cString: strerror(errno)) }
