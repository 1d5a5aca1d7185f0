internal import Foundation
internal import QuickstepFormats

/// Finds the pictures of a folder in the layouts that ``PictureFolder`` knows.
enum FolderLayout {
  private static let metadata = "metadata.jsonl"
  /// Endings of pictures that cannot be read here: leaving them out silently would change what is measured.
  private static let foreignEndings = ["jpg", "jpeg", "webp", "bmp", "gif", "tif", "tiff", "avif"]

  static func entries(of folder: String) throws -> [PictureFolder.Entry] {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder), isFolder.boolValue else {
      throw FormatError(folder, "is no folder")
    }
    let contents = try list(folder)
    let pictures = try pictures(contents, in: folder)
    if contents.contains(metadata) { return try withLines(folder, pictures) }
    if !pictures.isEmpty { return pictures.map { PictureFolder.Entry(name: $0) } }
    let parts = try contents.flatMap { try part(folder, $0) }
    guard !parts.isEmpty else { throw FormatError(folder, "holds no PNG pictures, nor folders of them") }
    return parts
  }

  private static func list(_ folder: String) throws -> [String] {
    do {
      return try FileManager.default.contentsOfDirectory(atPath: folder).filter { !$0.hasPrefix(".") }.sorted()
    } catch {
      throw FormatError(folder, "cannot be listed: \(error.localizedDescription)")
    }
  }

  private static func pictures(_ contents: [String], in folder: String) throws -> [String] {
    for name in contents where foreignEndings.contains((name as NSString).pathExtension.lowercased()) {
      throw FormatError(folder + "/" + name, "only PNG is read; convert it, or take it out of the folder")
    }
    return contents.filter { $0.lowercased().hasSuffix(".png") }
  }

  /// One folder of a prompt or of a class.
  private static func part(_ folder: String, _ name: String) throws -> [PictureFolder.Entry] {
    var isFolder: ObjCBool = false
    let path = folder + "/" + name
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue else { return [] }
    let contents = try list(path)
    guard contents.contains(metadata) else {
      return try pictures(contents, in: path).map { PictureFolder.Entry(name: "\(name)/\($0)", label: name) }
    }
    let lines = try JSONLines.read(path + "/" + metadata)
    guard lines.count == 1 else {
      throw FormatError(path + "/" + metadata, "holds \(lines.count) lines; the folder of a prompt has one")
    }
    let samples = contents.contains("samples") ? "samples" : ""
    let inner = samples.isEmpty ? path : path + "/samples"
    let below = samples.isEmpty ? name : name + "/samples"
    let known = try entry(lines[0], path + "/" + metadata, 1)
    return try pictures(list(inner), in: inner).map { picture in
      var entry = known
      entry.name = "\(below)/\(picture)"
      return entry
    }
  }

  private static func withLines(_ folder: String, _ pictures: [String]) throws -> [PictureFolder.Entry] {
    let file = folder + "/" + metadata
    var entries: [PictureFolder.Entry] = []
    try JSONLines.forEach(in: file) { entries.append(try entry($0, file, $1)) }
    let named = entries.count { !$0.name.isEmpty }
    if named == 0 {
      guard entries.count == pictures.count else {
        throw FormatError(file, "holds \(entries.count) lines without 'file_name' for \(pictures.count) pictures")
      }
      for (index, picture) in pictures.enumerated() { entries[index].name = picture }
      return entries
    }
    guard named == entries.count else { throw FormatError(file, "some lines have a 'file_name' and \(entries.count - named) have none") }
    let names = Set(entries.map(\.name))
    guard names.count == entries.count else {
      let twice = Dictionary(grouping: entries, by: \.name).first { $0.value.count > 1 }?.key ?? ""
      throw FormatError(file, "names '\(twice)' twice")
    }
    if let missing = entries.first(where: { !FileManager.default.fileExists(atPath: folder + "/" + $0.name) }) {
      throw FormatError(file, "names '\(missing.name)', which is not there")
    }
    if let stranger = pictures.first(where: { !names.contains($0) }) {
      throw FormatError(folder + "/" + stranger, "is in no line of \(metadata)")
    }
    return entries
  }

  private static func entry(_ line: JSONValue, _ file: String, _ number: Int) throws -> PictureFolder.Entry {
    guard var members = line.object else { throw FormatError(file, "line \(number) is no JSON object") }
    func take(_ keys: [String]) throws -> JSONValue? {
      let found = keys.filter { members[$0] != nil }
      guard found.count <= 1 else { throw FormatError(file, "line \(number) has both '\(found[0])' and '\(found[1])'") }
      return found.first.flatMap { members.removeValue(forKey: $0) }
    }
    func text(_ keys: [String]) throws -> String? {
      guard let value = try take(keys), value != .null else { return nil }
      if let number = value.integer { return String(number) }
      guard let text = value.string else {
        throw FormatError(file, "line \(number): '\(keys[0])' is \(value.text.prefix(60)); expected text")
      }
      return text
    }
    let name = try text(["file_name", "file", "image"]) ?? ""
    guard !name.hasPrefix("/"), !name.split(separator: "/").contains("..") else {
      throw FormatError(file, "line \(number) names '\(name)', which lies outside of the folder")
    }
    let (prompt, label) = (try text(["prompt", "text", "caption"]), try text(["class", "label"]))
    var seed: UInt64?
    if let value = try take(["seed"]), value != .null {
      guard let number = value.integer, number >= 0 else { throw FormatError(file, "line \(number): 'seed' is \(value.text.prefix(60))") }
      seed = UInt64(number)
    }
    return PictureFolder.Entry(name: name, prompt: prompt, seed: seed, label: label, further: members)
  }
}
