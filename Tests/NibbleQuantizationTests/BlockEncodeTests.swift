import CNibbleKernels
import NibbleQuantization
import Testing

@Suite struct BlockEncodeTests {
  /// Relative square error on a million Gaussian weights, never above llama.cpp's own quantizers without an importance
  /// matrix (ggml_quantize_chunk of October 2026, one million Gaussian weights).
  @Test(arguments: [
    ("q8_0", 2.878e-5), ("q6_k", 3.157e-4), ("q5_1", 1.433e-3), ("q5_k", 1.307e-3),
    ("q5_0", 1.834e-3), ("q4_1", 6.133e-3), ("q4_k", 5.116e-3), ("iq4_nl", 5.811e-3),
    ("q4_0", 7.420e-3), ("iq4_xs", 5.900e-3), ("q3_k", 2.283e-2), ("q2_k", 8.820e-2),
  ])
  func gaussianError(name: String, ceiling: Double) throws {
    let type = try #require(GGMLType(name: name))
    let weights = TestWeights.gaussian(count: 1 << 20, seed: 1)
    let error = relativeSquareError(
      weights, decode(type, encode(type, weights, columnCount: 1024)))
    #expect(error <= ceiling, "\(name): \(error / ceiling) of the ceiling")
  }

  struct Reference: Decodable {
    let type: String
    let shape: String
    let plain: Double
    let importance: Double
  }

  /// The same weights as given to llama.cpp, nearly normal and heavy-tailed: our error is not larger.
  @Test func neverWorseThanReference() throws {
    let shapes = [
      "bell": TestWeights.bell(count: 64 * 512), "heavy": TestWeights.heavy(count: 64 * 512),
    ]
    for reference in try fixture("reference-errors.json", as: [Reference].self) {
      let type = try #require(GGMLType(name: reference.type))
      let weights = try #require(shapes[reference.shape])
      let error = relativeSquareError(
        weights, decode(type, encode(type, weights, columnCount: 512)))
      #expect(
        error <= reference.plain,
        "\(reference.type) \(reference.shape): \(error / reference.plain) of the reference's error")
    }
  }

  /// Every instruction set that this machine has gives the bytes and values of the plain C table.
  @Test(arguments: [NK_AVX2, NK_AVX512, NK_NEON].map(\.rawValue))
  func tablesAgree(instructionSet: UInt32) throws {
    guard let table = nk_blocks_for(nk_instruction_set(instructionSet)) else { return }
    let plain = try #require(nk_blocks_for(NK_SCALAR))
    var weights = TestWeights.heavy(count: 9 * 512, seed: 5)
    for i in 512..<600 { weights[i] = 0 }
    weights[700] = 1e30
    weights[1100] = 0x1p-140
    let importance = TestWeights.bell(count: 512).map { $0 * $0 }
    for type in GGMLType.allCases where BlockCodec.canEncode(type) {
      let byteCount = weights.count / type.block.elementCount * type.block.byteCount
      for factors in [nil, importance] {
        var bytes = [[UInt8]](repeating: [UInt8](repeating: 0, count: byteCount), count: 2)
        var values = [[Float]](repeating: [Float](repeating: 0, count: weights.count), count: 2)
        for (i, one) in [plain, table].enumerated() {
          one.pointee.encode(type.rawValue, weights, weights.count, factors, 512, &bytes[i])
          let codec = try #require(one.pointee.codec(type.rawValue))
          codec.pointee.decode(bytes[i], &values[i], weights.count / type.block.elementCount)
        }
        #expect(bytes[0] == bytes[1], "\(type)")
        #expect(values[0].map(\.bitPattern) == values[1].map(\.bitPattern), "\(type)")
      }
    }
  }

  /// Rows encoded one by one give the bytes of all rows at once.
  @Test func rowsAreIndependent() {
    for type in blockTypes {
      let columnCount = type.block.elementCount == 32 ? 288 : 768
      let weights = TestWeights.bell(count: 7 * columnCount, seed: 3)
      let importance = TestWeights.heavy(count: columnCount).map(abs)
      for factors in [nil, importance] {
        let whole = encode(type, weights, columnCount: columnCount, importance: factors)
        var rows: [UInt8] = []
        for row in 0..<7 {
          let values = Array(weights[row * columnCount..<(row + 1) * columnCount])
          rows += encode(type, values, columnCount: columnCount, importance: factors)
        }
        #expect(whole == rows, "\(type)")
      }
    }
  }

  /// Where a few columns matter a hundred times more, telling the search so lowers the weighted error.
  @Test func importanceCounts() {
    for type in blockTypes where type != .q8_0 {
      let weights = TestWeights.gaussian(count: 64 * 512, seed: 8)
      let importance = (0..<512).map { Float($0 % 7 == 0 ? 100 : 1) }
      let blind = decode(type, encode(type, weights, columnCount: 512))
      let informed = decode(type, encode(type, weights, columnCount: 512, importance: importance))
      let before = relativeSquareError(weights, blind, importance: importance)
      let after = relativeSquareError(weights, informed, importance: importance)
      #expect(after < before, "\(type): \(after) \(before)")
    }
  }
}
