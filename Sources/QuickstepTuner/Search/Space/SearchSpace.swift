internal import Foundation

/// A point of a ``SearchSpace``: one value per gene, in the space's order.
public struct Candidate: Hashable, Codable, Sendable {
  /// One value per gene.
  public var values: [Double]
  /// A point with these values, one per gene.
  public init(_ values: [Double]) { self.values = values }

  /// Reads a list of numbers.
  /// - Throws: `DecodingError` where it is none.
  public init(from decoder: any Decoder) throws { values = try decoder.singleValueContainer().decode([Double].self) }
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(values)
  }
}

/// What a search chooses from: genes with domains, conditions between them, and candidates worth trying first.
public struct SearchSpace: Sendable, Codable, Hashable {
  /// The coordinates; a gene's condition names an earlier one.
  public private(set) var genes: [Gene]
  /// Canonical candidates that every searcher proposes first: baselines, results of earlier searches, heuristics.
  public private(set) var known: [Candidate]
  /// Index of the gene that decides on each one; `nil` where it is always active.
  private(set) var parents: [Int?]
  /// Indices of the members of each series, in order.
  private(set) var series: [[Int]]

  /// - Parameters:
  ///   - genes: coordinates; conditions name earlier ones.
  ///   - known: candidates to begin with; they are made canonical and repeated ones dropped.
  /// - Throws: ``SearchError`` naming the gene and what is wrong with it.
  public init(genes: [Gene], known: [Candidate] = []) throws {
    self.genes = genes
    parents = try Self.checked(genes)
    let names = genes.compactMap(\.series)
    let unique = names.indices.filter { !names[..<$0].contains(names[$0]) }.map { names[$0] }
    series = unique.map { name in genes.indices.filter { genes[$0].series == name } }
    self.known = []
    for candidate in known {
      try check(candidate)
      let point = canonical(candidate)
      if !self.known.contains(point) { self.known.append(point) }
    }
  }

  private enum CodingKeys: String, CodingKey { case genes, known }

  /// Reads and checks a space.
  /// - Throws: `DecodingError`, or ``SearchError`` naming the gene and what is wrong with it.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    self = try SearchSpace(
      genes: container.decode([Gene].self, forKey: .genes), known: container.decodeIfPresent([Candidate].self, forKey: .known) ?? [])
  }

  /// Which genes count at this point, one flag per gene.
  public func active(_ candidate: Candidate) -> [Bool] {
    var result = Array(repeating: true, count: genes.count)
    for (index, gene) in genes.enumerated() {
      guard let parent = parents[index], let condition = gene.condition else { continue }
      result[index] = result[parent] && condition.values.contains(candidate.values[parent])
    }
    return result
  }

  /// The same point with inactive genes at their standard values and sets in ascending order. Two candidates mean the same where their
  /// canonical forms are equal.
  /// - Parameter candidate: one that ``check(_:)`` accepts.
  public func canonical(_ candidate: Candidate) -> Candidate {
    guard candidate.values.count == genes.count else { return candidate }
    var result = candidate
    let active = active(candidate)
    for (index, gene) in genes.enumerated() where !active[index] { result.values[index] = gene.standard }
    for members in series {
      let counted = members.filter { active[$0] }
      for (place, value) in zip(counted, counted.map { result.values[$0] }.sorted()) { result.values[place] = value }
    }
    return result
  }

  /// - Throws: ``SearchError`` where there are more or fewer values than genes, or one is outside of its domain, naming gene and value.
  public func check(_ candidate: Candidate) throws {
    guard candidate.values.count == genes.count else {
      throw SearchError("a candidate has \(candidate.values.count) values; the space has \(genes.count) genes")
    }
    for (gene, value) in zip(genes, candidate.values) where !gene.domain.contains(value) {
      throw SearchError("gene '\(gene.name)' is \(value); allowed: \(gene.domain.allowed)")
    }
  }

  /// Checksum of the genes (not of the known candidates), from their JSON with sorted keys, as 16 hexadecimal digits.
  public var fingerprint: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    // Genes hold finite numbers and text, which always encode.
    return Checksum.text((try? encoder.encode(genes)) ?? Data())
  }

  /// Parents by index, after everything about the genes was checked.
  private static func checked(_ genes: [Gene]) throws -> [Int?] {
    guard !genes.isEmpty else { throw SearchError("a search space has no genes") }
    var indices: [String: Int] = [:]
    var seriesDomains: [String: Gene.Domain] = [:]
    var parents: [Int?] = []
    for (index, gene) in genes.enumerated() {
      guard !gene.name.isEmpty else { throw SearchError("gene \(index) has no name") }
      try gene.checkDomain()
      parents.append(try gene.condition.map { try gene.parent($0, among: genes, indices) })
      guard indices.updateValue(index, forKey: gene.name) == nil else { throw SearchError("two genes are called '\(gene.name)'") }
      guard let series = gene.series else { continue }
      guard seriesDomains[series, default: gene.domain] == gene.domain else {
        throw SearchError("gene '\(gene.name)' has another domain than the rest of series '\(series)'")
      }
      seriesDomains[series] = gene.domain
    }
    return parents
  }
}

extension Gene {
  fileprivate func checkDomain() throws {
    switch domain {
    case .choice(let count):
      guard count >= 1 else { throw SearchError("gene '\(name)' has \(count) choices; at least 1 is needed") }
    case .integer(let range):
      // Beyond 2^53 whole numbers have no double of their own.
      guard max(range.lowerBound.magnitude, range.upperBound.magnitude) <= 1 << 53 else {
        throw SearchError("gene '\(name)' has the range \(range.lowerBound)…\(range.upperBound); whole numbers up to 2^53 are allowed")
      }
    case .real(let range), .logarithmic(let range):
      guard range.lowerBound.isFinite, range.upperBound.isFinite, (range.upperBound - range.lowerBound).isFinite else {
        throw SearchError("gene '\(name)' has the range \(range.lowerBound)…\(range.upperBound), which is not finite")
      }
      if case .logarithmic = domain, range.lowerBound <= 0 {
        throw SearchError("gene '\(name)' is logarithmic and begins at \(range.lowerBound); it has to be positive")
      }
    }
    guard domain.contains(standard) else {
      throw SearchError("gene '\(name)' has the standard value \(standard); allowed: \(domain.allowed)")
    }
    guard stage >= 0 else { throw SearchError("gene '\(name)' is of stage \(stage); stages count from 0") }
  }

  fileprivate func parent(_ condition: Condition, among genes: [Gene], _ indices: [String: Int]) throws -> Int {
    guard let index = indices[condition.gene] else {
      throw SearchError("gene '\(name)' depends on '\(condition.gene)', which is no gene before it")
    }
    let parent = genes[index]
    guard parent.domain.isWhole, parent.series == nil else {
      throw SearchError("gene '\(name)' depends on '\(parent.name)', which is no choice or integer of its own")
    }
    guard !condition.values.isEmpty, condition.values.allSatisfy(parent.domain.contains) else {
      throw SearchError("gene '\(name)' depends on values \(condition.values) of '\(parent.name)'; allowed: \(parent.domain.allowed)")
    }
    return index
  }
}
