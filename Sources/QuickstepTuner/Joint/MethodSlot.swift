import QuickstepNN
import QuickstepPipelines

/// One gene that chooses a method of several or none, and the genes of these methods' parameters.
struct MethodSlot: Sendable {
  /// A parameter that is searched.
  struct Coordinate: Sendable {
    /// How the gene's number is read.
    enum Reading: Sendable { case number, integer, list, words([String]) }
    var parameter: String
    var gene: Int
    var reading: Reading
    /// Text of the method's own standard value.
    var standard: String

    func text(_ value: Double) -> String {
      switch reading {
      // Four digits say enough, and recipes stay readable.
      case .number, .list: Self.short(value)
      case .integer: String(Int(value))
      case .words(let words): words[Int(value)]
      }
    }

    func value(_ text: String) -> Double? {
      switch reading {
      case .number, .integer, .list: Double(text)
      case .words(let words): words.firstIndex(of: text).map(Double.init)
      }
    }

    static func short(_ value: Double) -> String {
      guard value != 0, value.isFinite else { return "0" }
      var unit = 1.0
      while abs(value) * unit < 1000, unit < 1e9 { unit *= 10 }
      let rounded = (value * unit).rounded() / unit
      return rounded == rounded.rounded() && abs(rounded) < 1e9 ? String(Int(rounded)) : "\(rounded)"
    }
  }

  struct Option: Sendable {
    /// `nil` stands for no method, or the model's own.
    var method: String?
    var coordinates: [Coordinate] = []
  }

  var gene: Int
  var options: [Option]

  func choice(_ candidate: Candidate) -> MethodChoice? {
    let option = options[Int(candidate.values[gene])]
    guard let method = option.method else { return nil }
    let texts = option.coordinates.map { ($0.parameter, $0.text(candidate.values[$0.gene])) }
    return MethodChoice(method, parameters: Dictionary(texts) { first, _ in first })
  }

  /// Sets the genes so that ``choice(_:)`` gives this method.
  /// - Returns: `false` where the slot does not hold it, or one of its values.
  func set(_ choice: MethodChoice?, in values: inout [Double], _ genes: [Gene]) -> Bool {
    guard let index = options.firstIndex(where: { $0.method == choice?.name }) else { return false }
    values[gene] = Double(index)
    let option = options[index]
    guard (choice?.parameters ?? [:]).keys.allSatisfy({ name in option.coordinates.contains { $0.parameter == name } }) else {
      return false
    }
    for coordinate in option.coordinates {
      let text = choice?.parameters[coordinate.parameter] ?? coordinate.standard
      guard let value = coordinate.value(text), genes[coordinate.gene].domain.contains(value) else { return false }
      values[coordinate.gene] = value
    }
    return true
  }
}

/// Collects genes while a space is put together.
struct GeneList {
  var genes: [Gene] = []

  mutating func add(_ gene: Gene) -> Int {
    genes.append(gene)
    return genes.count - 1
  }

  /// A slot for methods of one kind.
  /// - Parameters:
  ///   - texts: values for parameters that are words a declaration cannot know, by what the declaration calls them.
  mutating func slot(_ name: String, _ declarations: [MethodDeclaration], texts: [String: [String]]) -> MethodSlot {
    let gene = add(Gene(name, .choice(count: declarations.count + 1)))
    var options = [MethodSlot.Option(method: nil)]
    for (index, declaration) in declarations.enumerated() {
      let condition = Gene.Condition(gene: name, values: [Double(index + 1)])
      let coordinates = declaration.parameters.compactMap { coordinate($0, of: "\(name).\(declaration.name)", condition, texts) }
      options.append(.init(method: declaration.name, coordinates: coordinates))
    }
    return MethodSlot(gene: gene, options: options)
  }

  private mutating func coordinate(
    _ parameter: ParameterDeclaration, of method: String, _ condition: Gene.Condition, _ texts: [String: [String]]
  ) -> MethodSlot.Coordinate? {
    guard let searched = parameter.searched else { return nil }
    let domain: Gene.Domain
    let reading: MethodSlot.Coordinate.Reading
    switch searched {
    case .integer(let range): (domain, reading) = (.integer(range), .integer)
    case .number(let range), .list(let range):
      // Thresholds over more than a decade are compared by their ratios.
      let isWide = range.lowerBound > 0 && range.upperBound >= 10 * range.lowerBound
      var list = false
      if case .list = parameter.domain { list = true }
      (domain, reading) = (isWide ? .logarithmic(range) : .real(range), list ? .list : .number)
    case .flag: (domain, reading) = (.choice(count: 2), .words(["false", "true"]))
    case .choice(let words): (domain, reading) = (.choice(count: words.count), .words(words))
    case .text(let kind):
      let words = texts[kind] ?? []
      guard !words.isEmpty else { return nil }
      (domain, reading) = (.choice(count: words.count), .words(words))
    }
    let standard = MethodSlot.Coordinate.standardText(parameter)
    let probe = MethodSlot.Coordinate(parameter: parameter.name, gene: 0, reading: reading, standard: standard)
    let value = probe.value(standard).flatMap { domain.contains($0) ? $0 : nil }
    let gene = add(Gene("\(method).\(parameter.name)", domain, standard: value, condition: condition))
    return MethodSlot.Coordinate(parameter: parameter.name, gene: gene, reading: reading, standard: standard)
  }
}

extension MethodSlot.Coordinate {
  fileprivate static func standardText(_ parameter: ParameterDeclaration) -> String {
    switch parameter.standard {
    case .number(let value): short(value)
    case .list(let values): values.first.map(short) ?? ""
    default: parameter.standard.description
    }
  }
}
