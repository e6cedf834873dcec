import CNibbleKernels
import Foundation
import NibbleTensors
import Testing

/// The attention tile of every instruction set against softmax(q · K) V in double precision.
@Suite struct AttentionTests {
  struct Shape: Sendable {
    var tokens: Int
    var group: Int
    var size: Int
    var first: Int
    var window = 0
    var softcap: Float = 0
    /// Standard deviation of the queries, hence of the scores.
    var spread = 2.0
  }

  static let shapes = [
    Shape(tokens: 1, group: 1, size: 64, first: 0),
    Shape(tokens: 1, group: 3, size: 64, first: 200),
    Shape(tokens: 10, group: 3, size: 64, first: 0),
    Shape(tokens: 10, group: 3, size: 64, first: 190),
    Shape(tokens: 4, group: 8, size: 128, first: 63),
    Shape(tokens: 7, group: 2, size: 80, first: 64),
    Shape(tokens: 5, group: 1, size: 20, first: 130),
    Shape(tokens: 1, group: 48, size: 16, first: 70),
    Shape(tokens: 9, group: 2, size: 32, first: 150, window: 24),
    Shape(tokens: 1, group: 2, size: 32, first: 300, window: 100),
    Shape(tokens: 3, group: 1, size: 8, first: 0, window: 1),
    Shape(tokens: 1, group: 2, size: 64, first: 150, softcap: 3),
    Shape(tokens: 10, group: 3, size: 64, first: 190, softcap: 50),
    Shape(tokens: 7, group: 2, size: 80, first: 64, window: 33, softcap: 5, spread: 30),
    Shape(tokens: 1, group: 1, size: 20, first: 70, window: 65, softcap: 1e-3),
  ]

  private static func expected(
    _ shape: Shape, _ queries: [Float], _ keys: [Float], _ values: [Float], scale: Float
  ) -> [Double] {
    var results: [Double] = []
    for row in 0..<shape.tokens * shape.group {
      let position = shape.first + row / shape.group
      let start = shape.window > 0 ? max(0, position + 1 - shape.window) : 0
      let scores = (start...position).map { key in
        let score =
          (0..<shape.size).reduce(0.0) { sum, i in
            sum + Double(queries[row * shape.size + i]) * Double(keys[key * shape.size + i])
          } * Double(scale)
        let cap = Double(shape.softcap)
        return cap > 0 ? cap * tanh(score / cap) : score
      }
      let top = scores.max() ?? 0
      let weights = scores.map { exp($0 - top) }
      let total = weights.reduce(0, +)
      for i in 0..<shape.size {
        var sum = 0.0
        for (offset, weight) in weights.enumerated() {
          sum += weight * Double(values[(start + offset) * shape.size + i])
        }
        results.append(sum / total)
      }
    }
    return results
  }

  /// What a tile gives for keys and values of `element`, scores divided by the root of the head's size.
  private static func results(
    _ attend: nk_attend_function, _ shape: Shape, _ queries: [Float],
    _ keys: UnsafeRawPointer?, _ values: UnsafeRawPointer?, _ element: nk_attention_element
  ) -> [Float] {
    let rows = shape.tokens * shape.group
    var results = [Float](repeating: .nan, count: rows * shape.size)
    var scratch = [Float](repeating: .nan, count: nk_attention_scratch(rows, shape.size))
    results.withUnsafeMutableBufferPointer { results in
      scratch.withUnsafeMutableBufferPointer { scratch in
        queries.withUnsafeBufferPointer { queries in
          var tile = nk_attention_tile(
            query: queries.baseAddress, result: results.baseAddress, keys: keys, values: values,
            scratch: scratch.baseAddress, token_stride: shape.group * shape.size,
            row_count: rows, group_count: shape.group, head_size: shape.size,
            first_position: shape.first, window: shape.window,
            scale: 1 / Float(shape.size).squareRoot(), softcap: shape.softcap, element: element)
          attend(&tile)
        }
      }
    }
    return results
  }

  @Test(arguments: shapes.indices, [NK_SCALAR, NK_AVX2, NK_AVX512, NK_NEON].map(\.rawValue))
  func agreesWithTheDefinition(_ index: Int, _ set: UInt32) throws {
    guard let attend = nk_attend_for(nk_instruction_set(rawValue: set)) else { return }
    let shape = Self.shapes[index]
    var random = RandomSource(seed: UInt64(index))
    let rows = shape.tokens * shape.group
    let queries = (0..<rows * shape.size).map { _ in Float(shape.spread * random.gaussian()) }
    let count = (shape.first + shape.tokens) * shape.size
    let keys = (0..<count).map { _ in Float(random.gaussian()) }
    let values = (0..<count).map { _ in Float(random.gaussian()) }
    let scale = 1 / Float(shape.size).squareRoot()

    func check(
      _ keys: UnsafeRawPointer?, _ values: UnsafeRawPointer?, _ element: nk_attention_element,
      _ expected: [Double]
    ) {
      let results = Self.results(attend, shape, queries, keys, values, element)
      let tolerance = 3e-6 * max(1, shape.spread / 2)
      for (result, expected) in zip(results, expected) {
        #expect(
          abs(Double(result) - expected) < tolerance * max(1, abs(expected)), "row of \(shape)")
      }
    }

    check(
      keys, values, NK_ATTENTION_FLOAT, Self.expected(shape, queries, keys, values, scale: scale))
    let (halfKeys, halfValues) = (keys.map(Half.bits), values.map(Half.bits))
    check(
      halfKeys, halfValues, NK_ATTENTION_HALF,
      Self.expected(
        shape, queries, halfKeys.map(Half.float), halfValues.map(Half.float), scale: scale))
    let (shortKeys, shortValues) = (keys.map(BFloat16.bits), values.map(BFloat16.bits))
    check(
      shortKeys, shortValues, NK_ATTENTION_BFLOAT,
      Self.expected(
        shape, queries, shortKeys.map(BFloat16.float), shortValues.map(BFloat16.float),
        scale: scale))
    let blockKeys = RoundedRows(keys, size: shape.size)
    let blockValues = RoundedRows(values, size: shape.size)
    check(
      blockKeys.bytes, blockValues.bytes, NK_ATTENTION_BLOCKS,
      Self.expected(shape, queries, blockKeys.values, blockValues.values, scale: scale))
  }

  /// A key or value that is not a number reaches the rows that see it, and no others.
  @Test(arguments: shapes.indices, [NK_SCALAR, NK_AVX2, NK_AVX512, NK_NEON].map(\.rawValue))
  func valuesThatAreNotFiniteReachOnlyWhoSeesThem(_ index: Int, _ set: UInt32) throws {
    guard let attend = nk_attend_for(nk_instruction_set(rawValue: set)) else { return }
    let shape = Self.shapes[index]
    var random = RandomSource(seed: UInt64(index))
    let rows = shape.tokens * shape.group
    let queries = (0..<rows * shape.size).map { _ in Float(shape.spread * random.gaussian()) }
    let count = shape.first + shape.tokens
    let keys = (0..<count * shape.size).map { _ in Float(random.gaussian()) }
    let values = (0..<count * shape.size).map { _ in Float(random.gaussian()) }
    let sound = Self.results(attend, shape, queries, keys, values, NK_ATTENTION_FLOAT)
    let last = shape.window > 0 ? max(0, shape.first - shape.window) : shape.first
    for position in Set([last, shape.first, count - 2, count - 1]) where position >= 0 {
      for (spoilsKey, wrong) in [(true, Float.nan), (false, .nan), (false, .infinity)] {
        var (spoiltKeys, spoiltValues) = (keys, values)
        for i in 0..<shape.size {
          if spoilsKey { spoiltKeys[position * shape.size + i] = wrong }
          spoiltValues[position * shape.size + i] = wrong
        }
        let spoilt = Self.results(
          attend, shape, queries, spoiltKeys, spoiltValues, NK_ATTENTION_FLOAT)
        for row in 0..<rows {
          let own = shape.first + row / shape.group
          let sees = position <= own && (shape.window == 0 || position + shape.window > own)
          for i in row * shape.size..<(row + 1) * shape.size {
            if sees {
              #expect(!spoilt[i].isFinite, "row \(row), position \(position)")
            } else {
              #expect(
                spoilt[i].bitPattern == sound[i].bitPattern, "row \(row), position \(position)")
            }
          }
        }
      }
    }
  }
}
