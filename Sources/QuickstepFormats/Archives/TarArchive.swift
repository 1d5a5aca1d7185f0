/// A tar file, read through a memory mapping: ustar with name prefixes, PAX and GNU long names, GNU binary sizes.
///
/// Everything is checked when the archive is opened: header checksums, that every member lies inside the file, that the end-of-archive
/// block is there. Nothing is ever extracted to the disk.
public struct TarArchive: Sendable {
  /// What a member is. Only regular files have bytes.
  public enum Kind: Sendable, Hashable {
    /// A regular file.
    case file
    /// A folder; it has no bytes.
    case directory
    /// Links, devices and other kinds.
    case other(typeFlag: UInt8)
  }

  /// One member.
  public struct Entry: Sendable, Hashable {
    /// The path as stored, without the slash at the end of folders; bytes that are not UTF-8 are replaced.
    public let name: String
    /// What the member is.
    public let kind: Kind
    /// Where the bytes lie in the tar file.
    public let offset: Int
    /// Number of bytes.
    public let size: Int
  }

  /// The mapped archive.
  public let file: MappedFile
  /// In the order of the file.
  public let entries: [Entry]
  private let indexByName: [String: Int]

  /// Opens an archive and reads its table.
  /// - Throws: `FormatError` with the position of what is wrong.
  public init(path: String) throws {
    let file = try MappedFile(path: path)
    var reader = TarReader(file: file)
    entries = try reader.readAll()
    self.file = file
    // A later member replaces an earlier one of the same name, as in extraction.
    indexByName = Dictionary(entries.enumerated().map { ($0.element.name, $0.offset) }, uniquingKeysWith: { $1 })
  }

  /// The last member of that name.
  public func entry(named name: String) -> Entry? { indexByName[name].map { entries[$0] } }

  /// A copy of a member's bytes.
  /// - Throws: `FormatError` when the entry does not come from this archive.
  public func bytes(of entry: Entry) throws -> [UInt8] { try file.copy(try range(of: entry)) }

  /// Calls `body` with a member's bytes, without copying them. The pointer must not be kept.
  /// - Throws: `FormatError` when the entry does not come from this archive; what `body` throws.
  public func withBytes<Result>(of entry: Entry, _ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result {
    let bytes = try file.bytes(in: try range(of: entry))
    return try withExtendedLifetime(file) { try body(bytes) }
  }

  private func range(of entry: Entry) throws -> Range<Int> {
    let end = entry.offset.addingReportingOverflow(entry.size)
    guard entry.offset >= 0, entry.size >= 0, !end.overflow else { throw FormatError(file.path, "\(entry.name) is not a member") }
    return entry.offset..<end.partialValue
  }
}

/// Walks over the 512-byte blocks of an archive.
private struct TarReader {
  let file: MappedFile
  private var position = 0
  private var longName: String?
  private var pax: [String: String] = [:]

  init(file: MappedFile) { self.file = file }

  private static let block = 512
  // Names and attributes; anything larger is damage or an attack.
  private static let largestExtension = 1 << 20

  private func error(_ reason: String) -> FormatError { FormatError(file.path, "tar, header at byte \(position): \(reason)") }

  mutating func readAll() throws -> [TarArchive.Entry] {
    var entries: [TarArchive.Entry] = []
    while true {
      guard file.count - position >= Self.block else {
        throw error("the archive ends without its end-of-archive block; was it cut short?")
      }
      let header = try file.bytes(in: position..<(position + Self.block))
      if header.allSatisfy({ $0 == 0 }) { return entries }
      try checkSum(header)
      if let entry = try readMember(header) { entries.append(entry) }
    }
  }

  private func checkSum(_ header: UnsafeRawBufferPointer) throws {
    let stored = try number(header, 148..<156, "checksum")
    // The checksum field counts as eight spaces. Some old programs summed signed characters.
    var (sum, signedSum) = (8 * 32, 8 * 32)
    for index in 0..<Self.block where index < 148 || index >= 156 {
      sum += Int(header[index])
      signedSum += Int(Int8(bitPattern: header[index]))
    }
    guard stored == sum || stored == signedSum else { throw error("checksum \(stored), computed \(sum)") }
  }

  /// Reads one header and passes over its data; nil for headers that only describe the next one.
  private mutating func readMember(_ header: UnsafeRawBufferPointer) throws -> TarArchive.Entry? {
    let flag = header[156]
    let isExtension = flag == UInt8(ascii: "x") || flag == UInt8(ascii: "g") || flag == UInt8(ascii: "L") || flag == UInt8(ascii: "K")
    var size = try number(header, 124..<136, "size")
    if !isExtension, let text = pax["size"] {
      guard let value = Int(text), value >= 0 else { throw error("size attribute \(text)") }
      size = value
    }
    let start = position + Self.block
    guard size <= file.count - start else {
      throw error("\(size) bytes do not fit into the \(file.count - start) that are left; was the archive cut short?")
    }
    let data = try file.bytes(in: start..<(start + size))
    if isExtension {
      try readExtension(flag, data)
      try advance(past: start + size)
      return nil
    }
    guard flag != UInt8(ascii: "S"), !pax.keys.contains(where: { $0.hasPrefix("GNU.sparse") }) else {
      throw error("sparse files are not supported")
    }
    let name = pax["path"] ?? longName ?? storedName(header)
    guard !name.isEmpty else { throw error("a member without a name") }
    let kind = kind(flag, name)
    let shortName = kind == .directory && name.utf8.count > 1 && name.hasSuffix("/") ? String(name.dropLast()) : name
    let entry = TarArchive.Entry(name: shortName, kind: kind, offset: start, size: size)
    (longName, pax) = (nil, [:])
    try advance(past: start + size)
    return entry
  }

  private mutating func advance(past end: Int) throws {
    let padded = end.addingReportingOverflow((Self.block - end % Self.block) % Self.block)
    guard !padded.overflow, padded.partialValue <= file.count else { throw error("the padding of the last member is missing") }
    position = padded.partialValue
  }

  private func kind(_ flag: UInt8, _ name: String) -> TarArchive.Kind {
    switch flag {
    // Before ustar, directories were files whose name ends in a slash.
    case 0, UInt8(ascii: "0"), UInt8(ascii: "7"): name.hasSuffix("/") ? .directory : .file
    case UInt8(ascii: "5"): .directory
    default: .other(typeFlag: flag)
    }
  }

  private mutating func readExtension(_ flag: UInt8, _ data: UnsafeRawBufferPointer) throws {
    guard data.count <= Self.largestExtension else { throw error("an extended header of \(data.count) bytes") }
    switch flag {
    case UInt8(ascii: "L"): longName = text(data[...])
    case UInt8(ascii: "x"): pax = try paxRecords(data)
    default: break  // long link targets and global attributes do not matter for reading files
    }
  }

  /// Records `length key=value\n`, where the length counts the whole record.
  private func paxRecords(_ data: UnsafeRawBufferPointer) throws -> [String: String] {
    var records: [String: String] = [:]
    var start = 0
    while start < data.count, data[start] != 0 {
      guard let space = data[start...].firstIndex(of: 0x20), space - start <= 10,
        let length = Int(String(decoding: data[start..<space], as: UTF8.self)), length > space - start + 2, length <= data.count - start,
        data[start + length - 1] == 0x0A, let equals = data[space..<(start + length)].firstIndex(of: UInt8(ascii: "="))
      else { throw error("a damaged attribute record") }
      let key = String(decoding: data[(space + 1)..<equals], as: UTF8.self)
      records[key] = String(decoding: data[(equals + 1)..<(start + length - 1)], as: UTF8.self)
      start += length
    }
    return records
  }

  private func storedName(_ header: UnsafeRawBufferPointer) -> String {
    let name = text(header[0..<100])
    // GNU's own format uses the prefix field for other things and says so by its magic "ustar  ".
    let isUstar = header[257..<263].elementsEqual([0x75, 0x73, 0x74, 0x61, 0x72, 0])
    let prefix = isUstar ? text(header[345..<500]) : ""
    return prefix.isEmpty ? name : prefix + "/" + name
  }

  private func text(_ bytes: Slice<UnsafeRawBufferPointer>) -> String { String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self) }

  /// Octal digits between spaces and NULs, or (GNU) a big-endian binary number marked by the highest bit.
  private func number(_ header: UnsafeRawBufferPointer, _ field: Range<Int>, _ what: String) throws -> Int {
    if header[field.lowerBound] & 0x80 != 0 {
      guard header[field.lowerBound] == 0x80 else { throw error("\(what) is negative or too large") }
      var value = 0
      for byte in header[field].dropFirst() {
        guard value < 1 << 54 else { throw error("\(what) is too large") }
        value = value << 8 | Int(byte)
      }
      return value
    }
    let digits = header[field].drop { $0 == 0x20 }.prefix { $0 != 0x20 && $0 != 0 }
    guard !digits.isEmpty, let value = Int(String(decoding: digits, as: UTF8.self), radix: 8), value >= 0 else {
      throw error("\(what) is not an octal number")
    }
    return value
  }
}
