import QuickstepFormats

/// What `inspect` says of a PNG: its size, and how it was made if it tells.
struct PictureReport {
  let path: String
  let picture: PNGFile

  /// The settings in the form that most programs write, if there are any.
  private var parameters: GenerationParameters? {
    picture.text(GenerationParameters.key).map { GenerationParameters(parsing: $0) }
  }

  private var headline: String {
    let channels = picture.image.channels == 4 ? "RGBA" : "RGB"
    return "PNG · \(picture.image.width) × \(picture.image.height) · \(channels) · \(Quantity.counted(picture.text.count, "text"))"
  }

  func lines() -> [String] {
    var lines = [Screen.bold(Screen.printable(path)), "  " + headline]
    if let parameters {
      let prompts = [("Prompt", parameters.prompt), ("Negative prompt", parameters.negativePrompt)]
      let facts = prompts + parameters.fields.map { ($0.name, $0.value) }
      lines += [""] + factLines(facts.map { (Screen.printable($0.0), clean($0.1)) })
    }
    for chunk in picture.text where chunk.key != GenerationParameters.key { lines += chunkLines(chunk) }
    if picture.text.isEmpty { lines.append(Screen.faint("  it does not say how it was made")) }
    return lines
  }

  /// JSON objects are shown member by member, everything else as text.
  private func chunkLines(_ chunk: PNGText) -> [String] {
    let title = "  " + Screen.faint("text chunk ") + Screen.printable(chunk.key)
    if let members = (try? JSONValue(parsing: chunk.value))?.object {
      let facts = members.sorted { $0.key < $1.key }.map { (Screen.printable($0.key), clipped(clean($0.value.plainText))) }
      return ["", title] + factLines(facts, indent: 4)
    }
    return ["", title] + Screen.wrapped(clipped(clean(chunk.value)), width: Screen.width - 4).map { "    " + $0 }
  }

  private func clean(_ text: String) -> String { Screen.printable(text, keepsLines: true) }

  // Workflows of node editors run to hundreds of kilobytes.
  private func clipped(_ text: String) -> String {
    text.count > 1500 ? text.prefix(1500) + "… (\(Quantity.grouped(text.count)) characters; --json prints all)" : text
  }

  var json: JSONValue {
    let chunks = picture.text.map { JSONValue.object(["key": .string($0.key), "value": .string($0.value)]) }
    var members: [String: JSONValue] = [
      "kind": .string("png"), "path": .string(path), "width": .integer(picture.image.width), "height": .integer(picture.image.height),
      "channels": .integer(picture.image.channels), "text": .array(chunks),
    ]
    if let parameters {
      members["parameters"] = .object([
        "prompt": .string(parameters.prompt), "negative_prompt": .string(parameters.negativePrompt),
        "fields": .array(parameters.fields.map { .object(["name": .string($0.name), "value": .string($0.value)]) }),
      ])
    }
    return .object(members)
  }
}
