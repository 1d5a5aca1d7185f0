extension CLIPTokenizer {
  /// Reads a tokenizer folder as transformers writes it: `vocab.json` and `merges.txt`, or `tokenizer.json` alone, with what
  /// `tokenizer_config.json` or `special_tokens_map.json` say of length and special tokens.
  /// - Parameter padding: the token that fills up prompts; `nil` leaves it to the folder.
  /// - Throws: ``TokenizerError`` that names the file.
  public init(folder: String, padding: String? = nil) throws {
    let files = TokenizerFolder(folder)
    do {
      var special = SpecialTokens()
      var length = 77
      for file in ["special_tokens_map.json", "tokenizer_config.json"] {
        guard let settings = try files.object(file) else { continue }
        special.start = TokenizerFolder.token(settings["bos_token"]) ?? special.start
        special.end = TokenizerFolder.token(settings["eos_token"]) ?? special.end
        special.padding = TokenizerFolder.token(settings["pad_token"]) ?? special.padding
        // Tokenizers without a limit say 1e30.
        if let limit = settings["model_max_length"]?.number, limit >= 1, limit < 65536 { length = Int(limit) }
      }
      special.padding = padding ?? special.padding
      let (members, merges) = try files.bytePairs()
      var vocabulary: [String: Int] = [:]
      for (token, value) in members {
        let text = String(decoding: token, as: UTF8.self)
        guard let id = value.integer else { throw TokenizerError("vocabulary: '\(text.prefix(40))' has no whole number") }
        vocabulary[text] = id
      }
      let pairs = merges.map { (String(decoding: $0.0, as: UTF8.self), String(decoding: $0.1, as: UTF8.self)) }
      try self.init(vocabulary: vocabulary, merges: pairs, special: special, length: length)
    } catch let error as TokenizerError {
      throw TokenizerError("\(folder): \(error.description)")
    }
  }
}
