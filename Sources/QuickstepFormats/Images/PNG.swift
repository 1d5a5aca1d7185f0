internal import CPNG
public import Foundation

/// One text chunk of a PNG.
public struct PNGText: Sendable, Hashable {
  /// 1 to 79 characters of Latin-1, such as `parameters`.
  public var key: String
  /// Any text without NUL characters.
  public var value: String

  /// Key and value are checked when a picture is written.
  public init(_ key: String, _ value: String) {
    self.key = key
    self.value = value
  }
}

/// What was read from a PNG.
public struct PNGFile: Sendable, Equatable {
  /// RGBA where the file has an alpha channel or a transparent colour, RGB otherwise.
  public var image: PixelImage
  /// All text chunks in the order of the file.
  public var text: [PNGText]

  /// The first text stored under `key`.
  public func text(_ key: String) -> String? { text.first { $0.key == key }?.value }
}

/// Reader and writer of PNG, over libpng.
public enum PNG {
  /// Bounds for files from outside; the defaults suit generated pictures.
  public struct Limits: Sendable, Hashable {
    /// Pixels per row.
    public var width = 16384
    /// Rows.
    public var height = 16384
    /// A decoded pixel takes four bytes.
    public var pixels = 1 << 26
    /// Bytes of one decompressed text or profile chunk.
    public var chunkBytes = 16 << 20
    /// Text and other ancillary chunks that are kept.
    public var chunks = 1000

    /// The defaults.
    public init() {}
  }

  /// Whether `bytes` start as every PNG does.
  public static func hasSignature(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.count >= 8 && bytes.prefix(8).elementsEqual([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])
  }

  /// Decodes any colour type and depth; 16 bits are rounded to 8.
  /// - Parameter name: what to call the data in messages.
  /// - Throws: `FormatError` when the data is not a PNG, damaged, cut short, or beyond `limits`.
  public static func decode(_ bytes: UnsafeRawBufferPointer, name: String, limits: Limits = Limits()) throws -> PNGFile {
    var bounds = cpng_limits()
    bounds.max_width = UInt32(clamping: max(1, limits.width))
    bounds.max_height = UInt32(clamping: max(1, limits.height))
    bounds.max_pixels = UInt64(max(1, limits.pixels))
    bounds.max_chunk_bytes = max(1, limits.chunkBytes)
    bounds.max_chunks = UInt32(clamping: max(1, limits.chunks))
    var decoded = cpng_image()
    var message = [CChar](repeating: 0, count: 256)
    let status = cpng_read(bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count, &bounds, &decoded, &message, message.count)
    guard status == cpng_ok else { throw FormatError(name, "PNG: \(text(message))") }
    defer { cpng_image_free(&decoded) }
    let count = Int(decoded.width) * Int(decoded.height) * 4
    let image = PixelImage(
      uncheckedWidth: Int(decoded.width), height: Int(decoded.height), channels: 4,
      pixels: [UInt8](UnsafeRawBufferPointer(start: decoded.pixels, count: count)))
    // Pixels of an opaque file are composited over anything: all alphas are 255, so only the channel is dropped.
    return PNGFile(image: decoded.has_alpha != 0 ? image : image.composited(over: .black), text: texts(of: decoded))
  }

  /// Decodes bytes in memory; see `decode(_:name:limits:)`.
  public static func decode(_ bytes: [UInt8], name: String, limits: Limits = Limits()) throws -> PNGFile {
    try bytes.withUnsafeBytes { try decode($0, name: name, limits: limits) }
  }

  /// Decodes bytes in memory; see `decode(_:name:limits:)`.
  public static func decode(_ data: Data, name: String, limits: Limits = Limits()) throws -> PNGFile {
    try data.withUnsafeBytes { try decode($0, name: name, limits: limits) }
  }

  /// Reads a file; see `decode(_:name:limits:)`.
  public static func read(_ path: String, limits: Limits = Limits()) throws -> PNGFile {
    let file = try MappedFile(path: path)
    return try withExtendedLifetime(file) { try decode(file.bytes, name: path, limits: limits) }
  }

  /// Encodes a picture. Texts that fit Latin-1 become tEXt chunks, others iTXt in UTF-8: the rule Pillow follows, so that
  /// programs which look for the key `parameters` find it.
  /// - Parameter compression: zlib's level, 0 to 9.
  /// - Throws: `FormatError` for keys that PNG does not allow and values with a NUL character.
  public static func encode(_ image: PixelImage, text: [PNGText] = [], compression: Int = 6) throws -> [UInt8] {
    let chunks = try text.map(Chunk.init)
    var out: UnsafeMutablePointer<UInt8>?
    var length = 0
    var message = [CChar](repeating: 0, count: 256)
    let status = Chunk.withCTexts(chunks) { texts in
      image.pixels.withUnsafeBufferPointer { pixels in
        cpng_write(
          pixels.baseAddress, UInt32(clamping: image.width), UInt32(clamping: image.height), Int32(image.channels), texts.baseAddress,
          texts.count, Int32(min(9, max(0, compression))), &out, &length, &message, message.count)
      }
    }
    guard status == cpng_ok, let out else { throw FormatError("image", "PNG: \(Self.text(message))") }
    defer { cpng_bytes_free(out) }
    return [UInt8](UnsafeBufferPointer(start: out, count: length))
  }

  /// Encodes and writes a file: complete or not at all.
  /// - Parameter makeFolder: also make the folder it lies in.
  public static func write(
    _ image: PixelImage, text: [PNGText] = [], to path: String, compression: Int = 6, makeFolder: Bool = false
  ) throws {
    try AtomicFile.write(try encode(image, text: text, compression: compression), to: path, makeFolder: makeFolder)
  }

  private static func text(_ message: [CChar]) -> String {
    String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  private static func texts(of decoded: cpng_image) -> [PNGText] {
    UnsafeBufferPointer(start: decoded.texts, count: decoded.text_count).map { chunk in
      let key = UnsafeRawBufferPointer(start: chunk.key, count: strlen(chunk.key))
      let value = UnsafeRawBufferPointer(start: chunk.text, count: chunk.text_length)
      return PNGText(latin1(key), chunk.is_utf8 != 0 ? String(decoding: value, as: UTF8.self) : latin1(value))
    }
  }

  private static func latin1(_ bytes: UnsafeRawBufferPointer) -> String {
    var text = ""
    text.unicodeScalars.append(contentsOf: bytes.lazy.map { Unicode.Scalar($0) })
    return text
  }
}

/// A text chunk as the C side wants it.
private struct Chunk {
  let key: [CChar]
  let value: [CChar]
  let isUTF8: Bool

  init(_ text: PNGText) throws {
    let key = text.key.unicodeScalars.map(\.value)
    let allowed = key.allSatisfy { (0x20...0x7E).contains($0) || (0xA1...0xFF).contains($0) }
    guard (1...79).contains(key.count), allowed, key.first != 0x20, key.last != 0x20, !text.key.contains("  ") else {
      throw FormatError(
        "image", "the text key \(JSONValue.quoted(text.key)) is not 1 to 79 printable Latin-1 characters without outer spaces")
    }
    let scalars = text.value.unicodeScalars
    guard !scalars.contains("\0") else { throw FormatError("image", "the text of the key \(text.key) contains a NUL character") }
    isUTF8 = !scalars.allSatisfy { $0.value < 0x100 }
    self.key = key.map { CChar(truncatingIfNeeded: $0) } + [0]
    let bytes = isUTF8 ? Array(text.value.utf8) : scalars.map { UInt8(truncatingIfNeeded: $0.value) }
    value = bytes.map { CChar(bitPattern: $0) } + [0]
  }

  /// Calls `body` with C structures that point into one block of memory.
  static func withCTexts<Result>(_ chunks: [Chunk], _ body: (UnsafeBufferPointer<cpng_text>) -> Result) -> Result {
    var block = chunks.flatMap { $0.key + $0.value }
    return block.withUnsafeMutableBufferPointer { memory in
      var offset = 0
      let texts = chunks.map { chunk in
        var text = cpng_text()
        text.key = memory.baseAddress.map { $0 + offset }
        text.text = memory.baseAddress.map { $0 + offset + chunk.key.count }
        text.text_length = chunk.value.count - 1
        text.is_utf8 = chunk.isUTF8 ? 1 : 0
        offset += chunk.key.count + chunk.value.count
        return text
      }
      return texts.withUnsafeBufferPointer(body)
    }
  }
}
