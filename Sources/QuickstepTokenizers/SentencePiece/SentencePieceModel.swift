/// SentencePiece's own encoding of a whole text: its normaliser, which looks up longest prefixes and folds spaces, and its unigram model.
struct SentencePieceModel: SubwordModel {
  private let map: CharacterMap?
  private let userDefined: ByteTrie
  private let unigram: UnigramModel
  private let file: SentencePieceFile
  private static let mark: [UInt8] = [0xE2, 0x96, 0x81]

  init(_ file: SentencePieceFile) throws {
    self.file = file
    map = file.characterMap.isEmpty ? nil : try CharacterMap(file.characterMap)
    var userDefined = ByteTrie()
    for (id, piece) in file.pieces.enumerated() where piece.kind == .userDefined { userDefined.insert(piece.text, value: id) }
    self.userDefined = userDefined
    let normal = file.pieces.filter { $0.kind == .normal }.map(\.score)
    // Scores of logarithms of probabilities are negative; the reference starts from the least positive number.
    let greatest = normal.reduce(Float.leastNormalMagnitude, max)
    let pieces = file.pieces.map { piece -> (text: [UInt8]?, score: Double) in
      switch piece.kind {
      case .normal: (piece.text, Double(piece.score))
      // Always the best choice where it fits.
      case .userDefined: (piece.text, Double(Float(piece.text.count) * greatest) - 0.1)
      case .unknown, .control, .unused, .byte: (nil, 0)
      }
    }
    let bytes = ByteTokens.ids { name in file.pieces.firstIndex { $0.kind == .byte && $0.text == name } }
    if file.hasByteFallback, bytes == nil { throw TokenizerError("is to fall back to bytes and has no pieces for all of them") }
    unigram = try UnigramModel(
      pieces: pieces, unknownID: file.unknownID, least: Double(normal.min() ?? .greatestFiniteMagnitude),
      byteIDs: file.hasByteFallback ? bytes : nil, precision: .single)
  }

  func encode(_ piece: [Unicode.Scalar]) -> [Int] { unigram.encode(bytes: normalised(piece.utf8Bytes)) }

  /// What the text at `place` becomes, and how many bytes of it.
  private func prefix(_ text: [UInt8], _ place: Int) -> (text: [UInt8], length: Int) {
    if let (end, _) = userDefined.longest(in: text, from: place) { return (Array(text[place..<end]), end - place) }
    if let (length, replacement) = map?.longest(text[place...]) { return (replacement, length) }
    let length = min(UTF8.width(startingWith: text[place]), text.count - place)
    return (Array(text[place..<place + length]), length)
  }

  /// Characters replaced, runs of spaces folded, spaces marked.
  func normalised(_ text: [UInt8]) -> [UInt8] {
    let space: [UInt8] = file.escapesSpaces ? Self.mark : [0x20]
    var place = 0
    if file.removesExtraSpaces {
      while place < text.count {
        let (replacement, length) = prefix(text, place)
        guard replacement == [0x20] else { break }
        place += length
      }
    }
    guard place < text.count else { return [] }
    var result = file.addsDummyPrefix && !file.marksBehind ? space : []
    var isAfterSpace = file.removesExtraSpaces
    while place < text.count {
      let (replacement, length) = prefix(text, place)
      let kept = isAfterSpace ? replacement.drop { $0 == 0x20 } : replacement[...]
      if !kept.isEmpty {
        for byte in kept { if byte == 0x20 { result += space } else { result.append(byte) } }
        isAfterSpace = kept.last == 0x20
      }
      place += length
      if !file.removesExtraSpaces { isAfterSpace = false }
    }
    if file.removesExtraSpaces { while !result.isEmpty, result.suffix(space.count) == space[...] { result.removeLast(space.count) } }
    if file.addsDummyPrefix && file.marksBehind { result += space }
    return result
  }
}

extension SubwordTokenizer {
  /// From a SentencePiece file as T5's tokenizer reads it: `<extra_id_0>` … counted down behind the vocabulary, the end token behind each text.
  init(sentencePieces bytes: [UInt8], settings: TokenizerSettings) throws {
    let file = try SentencePieceFile(bytes)
    var vocabulary = TokenVocabulary()
    for (id, piece) in file.pieces.enumerated() { try vocabulary.add(piece.text, id) }
    var added = file.pieces.enumerated().filter { $0.element.kind == .control || $0.element.kind == .unknown }.map { id, piece in
      AddedTokens.Token(content: piece.text.scalars, id: id, isSpecial: true)
    }
    for index in 0..<settings.extraIDs {
      let name = Array("<extra_id_\(settings.extraIDs - 1 - index)>".utf8)
      // Some files hold them as pieces.
      let id = vocabulary[name] ?? file.pieces.count + index
      try vocabulary.add(name, id)
      added.append(AddedTokens.Token(content: name.scalars, id: id, isSpecial: true))
    }
    let end = settings.end.map { Array($0.utf8) } ?? file.endPiece
    guard let endID = vocabulary[end] else {
      throw TokenizerError("the end token '\(String(decoding: end.prefix(40), as: UTF8.self))' is not in the vocabulary")
    }
    let steps = Steps(
      original: AddedTokens(added), model: try SentencePieceModel(file), decoder: MetaspaceDecoder(mark: "\u{2581}", dropsFirst: true))
    let frame = Frame(
      suffix: [endID], padding: try vocabulary.padding(settings), padsLeft: settings.padsLeft, hidden: Set(added.map(\.id)))
    try self.init(steps: steps, frame: frame, texts: vocabulary.texts, length: settings.length)
  }
}
