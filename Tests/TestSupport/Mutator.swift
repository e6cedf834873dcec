/// Makes broken inputs from valid ones: the same ones for the same seed.
///
/// One to four changes each: flipped bits, replaced, inserted, deleted and repeated bytes, integers
/// of interest written over what stands there, words of the format spliced in, pieces of other
/// inputs, truncation.
public struct Mutator {
  private var state: UInt64
  private let words: [[UInt8]]

  /// - Parameters:
  ///   - seed: the same seed gives the same inputs.
  ///   - words: pieces that mean something in the format, such as `"shape"`.
  public init(seed: UInt64, words: [String] = []) {
    state = seed
    self.words = words.map { Array($0.utf8) }
  }

  /// The next input, made from one of `corpus`.
  public mutating func next(_ corpus: [[UInt8]]) -> [UInt8] {
    guard !corpus.isEmpty else { return [] }
    var bytes = corpus[below(corpus.count)]
    for _ in 0...below(4) { change(&bytes, corpus) }
    return bytes
  }

  /// A number in `0..<bound`; SplitMix64.
  public mutating func below(_ bound: Int) -> Int {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return Int((z ^ (z >> 31)) % UInt64(max(bound, 1)))
  }

  private mutating func change(_ bytes: inout [UInt8], _ corpus: [[UInt8]]) {
    guard !bytes.isEmpty else {
      bytes.append(UInt8(below(256)))
      return
    }
    let place = below(bytes.count)
    switch below(10) {
    case 0: bytes[place] ^= 1 << UInt8(below(8))
    case 1: bytes[place] = UInt8(below(256))
    case 2: bytes.insert(UInt8(below(256)), at: place)
    case 3: bytes.removeSubrange(place..<min(bytes.count, place + 1 + below(8)))
    case 4: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + 16)], at: place)
    case 5: bytes.removeSubrange(place...)
    case 6: overwriteInteger(&bytes, at: place)
    case 7: overwriteDigits(&bytes, at: place)
    case 8:
      guard !words.isEmpty else { return }
      bytes.insert(contentsOf: words[below(words.count)], at: place)
    default:
      let other = corpus[below(corpus.count)]
      let start = below(other.count)
      bytes.replaceSubrange(place..., with: other[start...])
    }
  }

  /// Writes an integer of 1, 2, 4 or 8 bytes that tends to be handled wrongly.
  private mutating func overwriteInteger(_ bytes: inout [UInt8], at place: Int) {
    let width = 1 << below(4)
    let values: [UInt64] = [
      0, 1, 2, 3, 7, 8, 31, 32, 33, 255, 256, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000,
      0xFFFF_FFFF, 1 << 32, 1 << 40, 1 << 61, 1 << 62, 0x7FFF_FFFF_FFFF_FFFF, 1 << 63, .max,
      .max - 7, UInt64(bytes.count), UInt64(bytes.count) &- 8,
    ]
    let value = values[below(values.count)]
    for index in 0..<width where place + index < bytes.count {
      bytes[place + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index))
    }
  }

  /// Replaces a run of decimal digits at or after `place`.
  private mutating func overwriteDigits(_ bytes: inout [UInt8], at place: Int) {
    let isDigit: (UInt8) -> Bool = { (0x30...0x39).contains($0) }
    guard let start = bytes[place...].firstIndex(where: isDigit) else { return }
    let end = bytes[start...].firstIndex { !isDigit($0) } ?? bytes.count
    let texts = [
      "0", "1", "-1", "4", "00", "1e3", "1.5", "2147483648", "4294967296", "4611686018427387904",
      "9223372036854775807", "9223372036854775808", "18446744073709551615", "1e999", "null", "[]",
    ]
    bytes.replaceSubrange(start..<end, with: texts[below(texts.count)].utf8)
  }
}

/// Hands `count` mutated inputs to `body`.
///
/// Prints seed and count first, so that a trap can be repeated. A run that takes longer than
/// `limit` stops early and says so.
///
/// - Parameters:
///   - name: what is read, for the message.
///   - count: how many inputs.
///   - seed: the mutator's.
///   - limit: the longest run.
///   - corpus: valid inputs to start from.
///   - words: pieces that mean something in the format.
///   - body: reads one input; it throws what it cannot accept only through its own checks.
/// - Returns: the number of inputs that were run.
@discardableResult
public func fuzz(
  _ name: String, count: Int, seed: UInt64, limit: Duration = .seconds(60), corpus: [[UInt8]],
  words: [String] = [], _ body: ([UInt8]) throws -> Void
) rethrows -> Int {
  print("fuzzing \(name): seed \(seed), \(count) inputs")
  var mutator = Mutator(seed: seed, words: words)
  let start = ContinuousClock.now
  for number in 0..<count {
    let input = mutator.next(corpus)
    do {
      try body(input)
    } catch {
      print("fuzzing \(name): seed \(seed), input \(number) failed: \(input)")
      throw error
    }
    if number % 1024 == 0, ContinuousClock.now - start > limit {
      print("fuzzing \(name): stopped after \(number) inputs, \(limit) were over")
      return number
    }
  }
  print("fuzzing \(name): done in \(ContinuousClock.now - start)")
  return count
}
