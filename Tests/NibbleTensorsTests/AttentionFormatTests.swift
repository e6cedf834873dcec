import CNibbleKernels
import NibbleTensors
import Testing

/// Formats of keys and values: rounding, every table against the scalar one, rows at odd addresses, extreme numbers.
@Suite struct AttentionFormatTests {
  /// Head sizes that are multiples of a block, of a vector, and of neither.
  static let sizes = [1, 7, 8, 20, 31, 32, 33, 64, 80, 96, 128, 256]

  @Test(arguments: sizes)
  func roundsToTheNearestCode(_ size: Int) {
    var random = RandomSource(seed: UInt64(size))
    let numbers = (0..<8 * size).map { _ in Float(random.gaussian()) }
    let rounded = RoundedRows(numbers, size: size)
    for row in 0..<8 {
      for first in stride(from: 0, to: size, by: 32) {
        let block = row * size + first..<row * size + min(first + 32, size)
        let top = numbers[block].map(abs).max() ?? 0
        // Half a step of top / 127, and what the half precision of the scale takes from 127 of them.
        let bound = top * (0.5 / 127 + 1 / 1024)
        for index in block {
          #expect(abs(rounded.values[index] - numbers[index]) <= bound)
        }
      }
    }
  }

  @Test func roundsExtremeNumbers() {
    let zeros = RoundedRows([Float](repeating: -0.0, count: 33), size: 33)
    #expect(zeros.values.allSatisfy { $0 == 0 })
    #expect(zeros.bytes == [UInt8](repeating: 0, count: zeros.bytes.count))
    for strange in [Float.infinity, -.infinity, .nan, .greatestFiniteMagnitude] {
      var numbers = [Float](repeating: 1, count: 64)
      numbers[40] = strange
      let rounded = RoundedRows(numbers, size: 64)
      #expect(rounded.values[..<32].allSatisfy { abs($0 - 1) < 0.01 })
      #expect(rounded.values[32...].allSatisfy { $0.isNaN })
    }
    let tiny = RoundedRows([Float](repeating: 1e-30, count: 32), size: 32)
    #expect(tiny.values.allSatisfy { $0 == 0 })
    let large = RoundedRows([Float](repeating: 8e6, count: 32), size: 32)
    #expect(large.values.allSatisfy { abs($0 / 8e6 - 1) < 0.01 })
  }

  /// A tile whose rows of bytes begin at an odd address where the format allows it.
  private struct Sample {
    var tokens: Int
    var group: Int
    var size: Int
    var first: Int
    var element: nk_attention_element
    var keys: [UInt8] = []
    var values: [UInt8] = []
    var queries: [Float] = []

    /// Floats from one token's queries to the next's: more than they fill.
    var tokenStride: Int { group * size + 3 }
    var offset: Int { element == NK_ATTENTION_BLOCKS ? 1 : 0 }

    /// Random rows, whose values' magnitudes differ by up to `spread` powers of ten, up or down.
    init(
      tokens: Int, group: Int, size: Int, first: Int, element: nk_attention_element, spread: Int
    ) {
      self.tokens = tokens
      self.group = group
      self.size = size
      self.first = first
      self.element = element
      var random = RandomSource(seed: UInt64(size + first))
      queries = (0..<tokens * tokenStride).map { _ in Float(random.gaussian()) }
      keys = [UInt8](repeating: 0, count: offset)
      values = keys
      for position in 0..<first + tokens {
        var magnitude: Float = 1
        for _ in 0..<position % (spread + 1) { magnitude *= position % 2 == 0 ? 10 : 0.1 }
        let key = (0..<size).map { _ in Float(random.gaussian()) }
        let value = (0..<size).map { _ in magnitude * Float(random.gaussian()) }
        keys += bytes(key)
        values += bytes(value)
      }
    }

    private func bytes(_ row: [Float]) -> [UInt8] {
      switch element {
      case NK_ATTENTION_FLOAT: row.withUnsafeBytes { Array($0) }
      case NK_ATTENTION_HALF: row.map(Half.bits).withUnsafeBytes { Array($0) }
      case NK_ATTENTION_BFLOAT: row.map(BFloat16.bits).withUnsafeBytes { Array($0) }
      default: RoundedRows(row, size: size).bytes
      }
    }

    func results(_ attend: nk_attend_function) -> [Float] {
      let rows = tokens * group
      var results = [Float](repeating: .nan, count: tokens * tokenStride)
      var scratch = [Float](repeating: .nan, count: nk_attention_scratch(rows, size))
      results.withUnsafeMutableBufferPointer { results in
        scratch.withUnsafeMutableBufferPointer { scratch in
          queries.withUnsafeBufferPointer { queries in
            keys.withUnsafeBytes { keys in
              values.withUnsafeBytes { values in
                var tile = nk_attention_tile(
                  query: queries.baseAddress, result: results.baseAddress,
                  keys: keys.baseAddress.map { $0 + offset },
                  values: values.baseAddress.map { $0 + offset }, scratch: scratch.baseAddress,
                  token_stride: tokenStride, row_count: rows, group_count: group, head_size: size,
                  first_position: first, window: 0, scale: 1 / Float(size).squareRoot(),
                  softcap: 0, element: element)
                attend(&tile)
              }
            }
          }
        }
      }
      return results
    }
  }

  private static let elements = [
    NK_ATTENTION_FLOAT, NK_ATTENTION_HALF, NK_ATTENTION_BFLOAT, NK_ATTENTION_BLOCKS,
  ]

  @Test(arguments: sizes, [NK_AVX2, NK_AVX512, NK_NEON].map(\.rawValue))
  func everyTableGivesTheBitsOfTheScalarOne(_ size: Int, _ set: UInt32) throws {
    guard let attend = nk_attend_for(nk_instruction_set(rawValue: set)) else { return }
    let plain = try #require(nk_attend_for(NK_SCALAR))
    for element in Self.elements {
      for (tokens, group, first) in [(1, 1, 0), (1, 3, 65), (9, 2, 0), (5, 1, 127)] {
        for spread in [0, 3] {
          let sample = Sample(
            tokens: tokens, group: group, size: size, first: first, element: element,
            spread: spread)
          let (results, expected) = (sample.results(attend), sample.results(plain))
          for (index, value) in expected.enumerated() {
            if index % sample.tokenStride >= group * size {
              #expect(results[index].isNaN, "written between rows: \(element) \(index)")
            } else {
              #expect(
                results[index].bitPattern == value.bitPattern,
                "\(element), \(tokens) tokens after \(first), \(index)")
            }
          }
        }
      }
    }
  }
}
