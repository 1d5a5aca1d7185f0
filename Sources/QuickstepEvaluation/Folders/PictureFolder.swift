internal import Foundation
public import QuickstepFormats
public import QuickstepTensor

/// A folder of PNG pictures of one size, with what is known of each, read part by part. Pixels with transparency are laid over white.
///
/// Layouts, as the common suites have them:
/// - pictures in the folder itself (`00000.png`, …), in the order of their names;
/// - the same with a `metadata.jsonl` whose lines name their picture (`file_name`, as Hugging Face's image folders; also `file`, `image`), or, when
///   none does, belong to the pictures in order;
/// - a folder per prompt with a `metadata.jsonl` of one line and the pictures in `samples` (GenEval);
/// - a folder per class, whose name is the class (ImageNet).
///
/// The prompt of a line is `prompt`, `text` or `caption`, its class `class` or `label`, its seed `seed`; other keys are kept.
public struct PictureFolder: PictureSource {
  /// One picture and what is known of it.
  public struct Entry: Sendable, Hashable {
    /// Path below the folder.
    public var name: String
    /// The text it was asked for by.
    public var prompt: String?
    /// The seed it was made from.
    public var seed: UInt64?
    /// Its class.
    public var label: String?
    /// What else its line says.
    public var further: [String: JSONValue] = [:]
  }

  /// The folder.
  public let path: String
  /// In the order of the line or of the name.
  public let entries: [Entry]
  public let width: Int
  public let height: Int

  public var origin: String { path }
  public var names: [String] { entries.map(\.name) }
  public var prompts: [String] {
    let known = entries.compactMap(\.prompt)
    return known.count == entries.count ? known : []
  }

  /// Lists the folder and looks at the size of every picture; pixels are read later.
  /// - Throws: `FormatError` that names the file: a folder without pictures, pictures of another size or that are no PNG, lines that name no picture
  ///   or name one twice, pictures that no line names.
  public init(path: String) throws {
    self.path = path
    entries = try FolderLayout.entries(of: path)
    var size: (width: Int, height: Int)?
    for entry in entries {
      let file = path + "/" + entry.name
      let found = try PNG.size(of: file)
      let first = size ?? found
      guard found == first else {
        throw FormatError(
          file,
          "has \(found.width)×\(found.height) pixels, but \(entries[0].name) has \(first.width)×\(first.height); all have to be of one size"
        )
      }
      size = first
    }
    guard let size else { throw FormatError(path, "holds no PNG pictures") }
    (width, height) = size
  }

  public func pictures(_ range: Range<Int>) throws -> Tensor {
    try PixelImage.batch(
      entries[range].map { entry in
        let image = try PNG.read(path + "/" + entry.name).image.composited(over: .white)
        guard (image.width, image.height) == (width, height) else {
          throw FormatError(path + "/" + entry.name, "has changed while it was being read")
        }
        return image
      })
  }
}
