/// One picture of an `EmojiDataset`, as its index describes it.
public struct EmojiRow: Sendable, Hashable {
  /// The tar file it lies in, and its name there.
  public let shard: String
  /// Name of the picture in the tar file.
  public let file: String
  /// Where its PNG lies in the shard, in bytes.
  public let range: Range<Int>
  /// The drawing style, and its number.
  public let style: String
  /// Number of the style, from 0.
  public let styleID: Int
  /// Number of the thing that is drawn, the same in all styles.
  public let conceptID: Int
  /// The character itself, as Unicode has it.
  public let emoji: String
  /// What is drawn, in words.
  public let name: String
  /// Further words for it; often none.
  public let keywords: [String]
  /// Unicode's group, such as `Animals & Nature`.
  public let group: String
  /// Number of the group, from 0.
  public let groupID: Int
  /// `train` or `heldout`.
  public let split: String
}

/// Small pictures of things in several drawing styles: an `index.jsonl` and tar files of PNGs (`data/emoji64`).
///
/// Opening reads the index and checks every row against its tar file. Pictures are decoded when asked for.
public final class EmojiDataset: Sendable {
  /// The folder.
  public let path: String
  /// In the order of the index.
  public let rows: [EmojiRow]
  /// Names of the styles by number.
  public let styles: [String]
  private let shards: [String: TarArchive]

  /// Opens the folder at `path`; see also `DataLocation.find`.
  /// - Throws: `FormatError` that names file and line of what is missing or does not agree.
  public init(path: String) throws {
    let index = path + "/index.jsonl"
    var rows: [EmojiRow] = []
    var shards: [String: TarArchive] = [:]
    var styles: [Int: String] = [:]
    try JSONLines.forEach(in: index) { value, line in
      let row = try EmojiRow(value, index)
      if shards[row.shard] == nil { shards[row.shard] = try TarArchive(path: path + "/" + row.shard) }
      guard let entry = shards[row.shard]?.entry(named: row.file), entry.kind == .file,
        entry.offset..<(entry.offset + entry.size) == row.range
      else { throw FormatError(index, "\(row.shard) has no file \(row.file) at bytes \(row.range)") }
      guard styles.updateValue(row.style, forKey: row.styleID) ?? row.style == row.style else {
        throw FormatError(index, "style \(row.styleID) has two names, \(row.style) is one of them")
      }
      rows.append(row)
    }
    guard !rows.isEmpty, let lastStyle = styles.keys.max() else { throw FormatError(index, "there are no pictures") }
    self.path = path
    self.rows = rows
    self.styles = (0...min(lastStyle, rows.count)).map { styles[$0] ?? "" }
    self.shards = shards
  }

  /// Decodes one picture, with its alpha channel.
  /// - Throws: `FormatError` when the bytes are not a PNG.
  public func image(_ row: EmojiRow) throws -> PixelImage {
    guard let shard = shards[row.shard] else { throw FormatError(path, "there is no shard \(row.shard)") }
    let bytes = try shard.file.bytes(in: row.range)
    return try withExtendedLifetime(shard.file) { try PNG.decode(bytes, name: "\(shard.file.path)/\(row.file)").image.withAlpha() }
  }

  /// The rows of one split (`train` or `heldout`), optionally of one style.
  public func rows(split: String, style: String? = nil) -> [EmojiRow] {
    rows.filter { $0.split == split && (style == nil || $0.style == style) }
  }
}

extension EmojiRow {
  /// Reads one line of the index. Every member but `keywords` is required: a default would hide a damaged index.
  fileprivate init(_ value: JSONValue, _ index: String) throws {
    func text(_ key: String) throws -> String {
      guard let text = value[key]?.string else { throw FormatError(index, "\"\(key)\" is missing or not a string") }
      return text
    }
    func number(_ key: String) throws -> Int {
      guard let number = value[key]?.integer, number >= 0 else { throw FormatError(index, "\"\(key)\" is missing or not a count") }
      return number
    }
    let (offset, size) = (try number("offset"), try number("size"))
    let end = offset.addingReportingOverflow(size)
    guard !end.overflow else { throw FormatError(index, "offset \(offset) and size \(size) are out of range") }
    shard = try text("shard")
    guard !shard.isEmpty, !shard.contains("/"), !shard.contains("\0"), shard != "..", shard != "." else {
      throw FormatError(index, "the shard \(JSONValue.quoted(shard)) is not a file beside the index")
    }
    file = try text("file")
    range = offset..<end.partialValue
    (style, styleID) = (try text("style"), try number("style_id"))
    conceptID = try number("concept_id")
    (emoji, name) = (try text("emoji"), try text("name"))
    guard let words = (value["keywords"] ?? .array([])).array else { throw FormatError(index, "\"keywords\" is not a list") }
    keywords = try words.map { word in
      guard let word = word.string else { throw FormatError(index, "\"keywords\" holds something that is not a string") }
      return word
    }
    (group, groupID) = (try text("group"), try number("group_id"))
    split = try text("split")
  }
}
