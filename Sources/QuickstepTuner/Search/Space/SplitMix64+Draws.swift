internal import Foundation
public import QuickstepNN

// Draws are spelled out here, since the standard library does not promise the same ones in every version, and a search has to come to the
// same candidates when it is resumed by a newer program.
extension SplitMix64 {
  /// A number of 0 ..< 1 with 53 random bits.
  public mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// A whole number of 0 ..< count; 0 where `count` is less than 1.
  public mutating func below(_ count: Int) -> Int {
    // The upper half of a 128-bit product: its bias is below count / 2^64.
    count < 1 ? 0 : Int(truncatingIfNeeded: next().multipliedFullWidth(by: UInt64(count)).high)
  }

  /// True with this probability.
  public mutating func chance(_ probability: Double) -> Bool { uniform() < probability }

  /// A standard normal number (Box & Muller 1958).
  public mutating func normal() -> Double {
    let radius = (-2 * Foundation.log(1 - uniform())).squareRoot()
    return radius * Foundation.cos(2 * Double.pi * uniform())
  }

  /// The elements in random order (Fisher & Yates).
  public mutating func shuffled<Element>(_ elements: [Element]) -> [Element] {
    var result = elements
    for index in result.indices.dropFirst().reversed() { result.swapAt(index, below(index + 1)) }
    return result
  }

  /// Different elements in random order; all of them where there are no more.
  public mutating func sample<Element>(_ elements: [Element], _ count: Int) -> [Element] { Array(shuffled(elements).prefix(count)) }
}
