extension String {
  /// The longest beginning of whole characters that takes at most `limit` bytes in UTF-8: systems limit names of files in bytes, and half a
  /// character is no text.
  package func beginning(ofBytes limit: Int) -> Substring {
    var bytes = 0
    let end = indices.first { index in
      bytes += self[index].utf8.count
      return bytes > limit
    }
    return self[..<(end ?? endIndex)]
  }
}
