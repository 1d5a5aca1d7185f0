import Foundation
import QuickstepFormats
import QuickstepTesting
import Testing

/// Names of files, which systems limit in bytes.
@Suite struct FileNameTests {
  @Test(
    "beginnings are whole characters of at most so many bytes",
    arguments: [
      ("apple", 5, "apple"), ("apple", 9, "apple"), ("apple", 4, "appl"), ("apple", 0, ""), ("", 3, ""), ("\u{E4}pfel", 1, ""),
      ("\u{E4}pfel", 2, "\u{E4}"), ("\u{6F22}\u{5B57}", 5, "\u{6F22}"), ("e\u{301}\u{302}x", 5, "e\u{301}\u{302}"),
      ("e\u{301}\u{302}x", 4, ""),
    ])
  func beginnings(_ text: String, _ bytes: Int, _ expected: String) {
    #expect(Array(text.beginning(ofBytes: bytes).utf8) == Array(expected.utf8))
  }

  /// The temporary file beside it has more in its name.
  @Test func aNameAsLongAsAllowedIsWritten() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/" + String(repeating: "\u{6F22}", count: 85)
    try AtomicFile.write([1, 2], to: path)
    #expect(FileManager.default.contents(atPath: path) == Data([1, 2]))
    withExtendedLifetime(folder) {}
  }
}
