import Foundation
import QuickstepFormats

/// The folder of files made by `Parity/fixtures_formats.py`.
let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures").path

func fixture(_ name: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(fileURLWithPath: fixtures + "/" + name))) }

/// SplitMix64: the same damage on every run.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }
}

/// `bytes` with a few random changes: flipped bits, replaced, inserted, repeated and removed pieces, a shorter end.
func damaged(_ bytes: [UInt8], using generator: inout SeededGenerator) -> [UInt8] {
  var result = bytes
  for _ in 0..<Int.random(in: 1...4, using: &generator) where !result.isEmpty {
    let position = Int.random(in: 0..<result.count, using: &generator)
    let end = min(result.count, position + Int.random(in: 1...16, using: &generator))
    switch Int.random(in: 0..<7, using: &generator) {
    case 0: result[position] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
    case 1: result[position] = UInt8.random(in: .min ... .max, using: &generator)
    case 2: for index in position..<end { result[index] = Bool.random(using: &generator) ? 0xFF : 0 }
    case 3: result.insert(contentsOf: (position..<end).map { _ in UInt8.random(in: .min ... .max, using: &generator) }, at: position)
    case 4: result.insert(contentsOf: Array(result[position..<end]), at: position)
    case 5: result.removeSubrange(position..<end)
    default: result.removeSubrange(position...)
    }
  }
  return result
}

/// Reads `cases` damaged forms of `bytes`: each must be read or refused with a `FormatError`. Returns how many were refused.
/// - Parameter repair: makes half of the cases pass the first check (a checksum), so that the code behind it is reached.
@discardableResult
func survive(_ bytes: [UInt8], cases: Int, repair: (([UInt8]) -> [UInt8])? = nil, _ read: ([UInt8]) throws -> Void) throws -> Int {
  var generator = SeededGenerator(state: 1)
  var refused = 0
  for index in 0..<cases {
    var sample = damaged(bytes, using: &generator)
    if let repair, index % 2 == 0 { sample = repair(sample) }
    do {
      try read(sample)
    } catch let error as FormatError {
      // Messages are for users: they must say something.
      if error.reason.isEmpty { throw error }
      refused += 1
    }
  }
  return refused
}
