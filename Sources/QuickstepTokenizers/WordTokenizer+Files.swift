import Foundation

extension WordTokenizer {
  /// Reads a vocabulary file: a JSON object of words and numbers.
  /// - Throws: `TokenizerError` that names the file.
  public init(path: String, length: Int) throws {
    do {
      let data = try Data(contentsOf: URL(fileURLWithPath: path))
      try self.init(vocabulary: try JSONDecoder().decode([String: Int].self, from: data), length: length)
    } catch let error as TokenizerError {
      throw TokenizerError("\(path): \(error.description)")
    } catch {
      throw TokenizerError("\(path): the vocabulary cannot be read: \(error)")
    }
  }

  /// Writes the vocabulary, one word per line in the order of the numbers, so that versions can be compared.
  /// - Throws: `TokenizerError` that names the file.
  public func save(to path: String) throws {
    do {
      let encoder = JSONEncoder()
      encoder.outputFormatting = .withoutEscapingSlashes
      let lines = try words.enumerated().map { "\(String(decoding: try encoder.encode($0.element), as: UTF8.self)): \($0.offset)" }
      try Data("{\n\(lines.joined(separator: ",\n"))\n}\n".utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
    } catch {
      throw TokenizerError("\(path): the vocabulary cannot be written: \(error)")
    }
  }
}
