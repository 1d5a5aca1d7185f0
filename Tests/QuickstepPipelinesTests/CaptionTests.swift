import QuickstepPipelines
import Testing

/// Captions of PixArt and Sana are brought into the reference's form.
@Suite struct CaptionTests {
  /// What Python 3.11 makes of them by `text.lower().strip()`.
  @Test(
    "lower case and ends are Python's",
    arguments: [
      ("ΟΔΟΣ", "οδος"), ("ΣΊΣΥΦΟΣ", "σίσυφος"), ("Σ", "σ"), ("ΣΣ", "σς"), ("ΑΣ ΒΣ", "ας βς"), ("aΣ", "aς"), ("1Σ", "1σ"), ("ΑΣ1", "ας1"),
      ("一Σ", "一σ"), ("ΑΣ.", "ας."), ("ΑΣ.Α", "ασ.α"), ("ΑΣ:Α", "ασ:α"), ("Α'Σ", "α'ς"), ("ΑΣ\u{301}", "ας\u{301}"),
      ("ΑΣ\u{301}Β", "ασ\u{301}β"), ("\u{AD}Σ", "\u{AD}σ"), ("Α\u{AD}Σ", "α\u{AD}ς"), ("ªΣ", "ªς"), ("ʰΣ", "ʰσ"), ("ⒶΣ", "ⓐς"),
      ("İ", "i\u{307}"), ("ẞ", "ß"), ("ǅ", "ǆ"), ("A PHOTO of Mars", "a photo of mars"),
      (" \t\u{3000}A b\u{1F}\n", "a b"), (" \u{301}A ", "\u{301}a"), ("a\u{200B} ", "a\u{200B}"), ("\u{1C}\u{2028}", ""), ("", ""),
    ])
  func form(_ text: String, _ expected: String) {
    // Equal strings may be made of other scalars.
    #expect(Array(text.asCaption.unicodeScalars) == Array(expected.unicodeScalars))
  }
}
