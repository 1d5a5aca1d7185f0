internal import Foundation

/// The folder in which hub clients keep their downloads: `models--<org>--<name>/{refs, blobs, snapshots/<commit>}`. Read only.
enum HubCache {
  /// `$HF_HUB_CACHE`, else `$HF_HOME/hub`, else `~/.cache/huggingface/hub` (below `$XDG_CACHE_HOME` where that is set).
  static var folder: String {
    let environment = ModelLibrary.environment
    if let cache = environment["HF_HUB_CACHE"] { return cache }
    if let home = environment["HF_HOME"] { return home + "/hub" }
    return (environment["XDG_CACHE_HOME"] ?? NSHomeDirectory() + "/.cache") + "/huggingface/hub"
  }

  /// The newest state of a model `org/name` (or `name`, for the few models without an organisation) that was downloaded.
  static func snapshot(of id: String) -> String? {
    let model = folder + "/models--" + id.replacingOccurrences(of: "/", with: "--")
    let snapshots = model + "/snapshots"
    // `refs/main` holds the commit that the name stood for at the last download.
    if let text = try? String(contentsOfFile: model + "/refs/main", encoding: .utf8) {
      let commit = text.trimmingCharacters(in: .whitespacesAndNewlines)
      if !commit.isEmpty, !commit.contains("/"), !commit.hasPrefix("."), ModelLibrary.isFolder("\(snapshots)/\(commit)") {
        return "\(snapshots)/\(commit)"
      }
    }
    let commits = ModelLibrary.names(in: snapshots).map { "\(snapshots)/\($0)" }.filter(ModelLibrary.isFolder)
    return commits.max { modified($0) < modified($1) }
  }

  /// Every model in the cache.
  static func snapshots() -> [(id: String, path: String)] {
    ModelLibrary.names(in: folder).compactMap { name in
      guard name.hasPrefix("models--") else { return nil }
      // Only the first separator divides organisation and name: names may hold `--` themselves.
      let rest = String(name.dropFirst("models--".count))
      let id = rest.range(of: "--").map { rest.replacingCharacters(in: $0, with: "/") } ?? rest
      return snapshot(of: id).map { (id, $0) }
    }
  }

  private static func modified(_ path: String) -> Date {
    let attributes = try? FileManager.default.attributesOfItem(atPath: path)
    return attributes?[.modificationDate] as? Date ?? .distantPast
  }
}
