/// How a picture was made, in the text form that AUTOMATIC1111's web UI stores in PNG files under the key `parameters` and that most
/// programs and model sites read:
///
///     a fox in the snow
///     Negative prompt: blurry
///     Steps: 20, Sampler: Euler a, Schedule type: Karras, CFG scale: 7, Seed: 42, Size: 512x512, Model: tiny
///
/// The form cannot hold every prompt (one with a line `Negative prompt:`, one that begins with a space). Where reading would not give
/// back what was written, the writer adds the exact text as a further field, which `init(parsing:)` understands and others ignore.
public struct GenerationParameters: Sendable {
  /// The PNG text key.
  public static let key = "parameters"

  /// One `name: value` of the last line.
  public struct Field: Sendable, Hashable {
    /// Text before the colon.
    public var name: String
    /// Text after the colon, without quotes.
    public var value: String

    /// One field. What needs quotes gets them when the text is written.
    public init(_ name: String, _ value: String) {
      self.name = name
      self.value = value
    }
  }

  /// The lines before `Negative prompt:` and the fields.
  public var prompt: String
  /// Empty when there is none; the line is then left out.
  public var negativePrompt: String
  /// In the order of the text. Names need not be known.
  public var fields: [Field]

  /// - Parameters:
  ///   - prompt: any text.
  ///   - negativePrompt: any text; empty for none.
  ///   - fields: in the order in which they are written.
  public init(prompt: String, negativePrompt: String = "", fields: [Field] = []) {
    self.prompt = prompt
    self.negativePrompt = negativePrompt
    self.fields = fields
  }

  /// The value of a field, or nil. Setting nil removes it; a new field goes to the end.
  public subscript(name: String) -> String? {
    get { fields.last { $0.name == name }?.value }
    set {
      guard let newValue else { return fields.removeAll { $0.name == name } }
      if let index = fields.lastIndex(where: { $0.name == name }) {
        fields[index].value = newValue
      } else {
        fields.append(Field(name, newValue))
      }
    }
  }

  /// Number of sampling steps (`Steps`).
  public var steps: Int? {
    get { self["Steps"].flatMap { Int($0) } }
    set { self["Steps"] = newValue.map { String($0) } }
  }
  /// The solver (`Sampler`).
  public var sampler: String? {
    get { self["Sampler"] }
    set { self["Sampler"] = newValue }
  }
  /// The noise grid (`Schedule type`).
  public var scheduleType: String? {
    get { self["Schedule type"] }
    set { self["Schedule type"] = newValue }
  }
  /// Weight of classifier-free guidance (`CFG scale`).
  public var guidanceScale: Double? {
    get { self["CFG scale"].flatMap { Double($0) } }
    set { self["CFG scale"] = newValue.map(Self.text) }
  }
  /// `Seed`.
  public var seed: UInt64? {
    get { self["Seed"].flatMap { UInt64($0) } }
    set { self["Seed"] = newValue.map { String($0) } }
  }
  /// Width and height in pixels (`Size`).
  public var size: (width: Int, height: Int)? {
    get {
      let parts = (self["Size"] ?? "").split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
      guard parts.count == 2, let width = parts[0], let height = parts[1] else { return nil }
      return (width, height)
    }
    set { self["Size"] = newValue.map { "\($0.width)x\($0.height)" } }
  }
  /// Start of the checkpoint's hash (`Model hash`).
  public var modelHash: String? {
    get { self["Model hash"] }
    set { self["Model hash"] = newValue }
  }
  /// The checkpoint's name (`Model`).
  public var model: String? {
    get { self["Model"] }
    set { self["Model"] = newValue }
  }

  // Whole numbers without a fraction, as the web UI writes them.
  private static func text(_ value: Double) -> String {
    value == value.rounded() && abs(value) < 1e15 ? String(Int(value)) : "\(value)"
  }
}

extension GenerationParameters: Equatable {
  // Compared byte by byte: Swift's string equality takes composed and decomposed accents for equal, tokenizers do not.
  public static func == (left: GenerationParameters, right: GenerationParameters) -> Bool {
    left.prompt.utf8.elementsEqual(right.prompt.utf8) && left.negativePrompt.utf8.elementsEqual(right.negativePrompt.utf8)
      && left.fields.count == right.fields.count
      && zip(left.fields, right.fields).allSatisfy { $0.name == $1.name && $0.value.utf8.elementsEqual($1.value.utf8) }
  }
}
