import NibbleQuantization
import Testing

/// Weights at the ends of the float range: nothing becomes infinite or NaN, and small things stay small.
@Suite struct HostileWeightsTests {
  static let encodable = GGMLType.allCases.filter(BlockCodec.canEncode)

  @Test func zerosStayZero() {
    for type in Self.encodable {
      let decoded = decode(type, encode(type, [Float](repeating: 0, count: 512), columnCount: 512))
      #expect(decoded.allSatisfy { $0 == 0 }, "\(type)")
    }
  }

  @Test(arguments: [1e30, 3e38, -3e38, 70000, -1e20] as [Float])
  func outliersStayFinite(outlier: Float) {
    for type in Self.encodable {
      var weights = TestWeights.bell(count: 1024)
      weights[100] = outlier
      weights[900] = -outlier
      for importance in [nil, [Float](repeating: 1e20, count: 512)] {
        let decoded = decode(type, encode(type, weights, columnCount: 512, importance: importance))
        #expect(decoded.allSatisfy { $0.isFinite }, "\(type)")
        #expect(decoded[100] * outlier >= 0 && decoded[100] != 0, "\(type)")
        // Blocks of 256 end before the 257th weight, so that it is far from the outliers.
        #expect(abs(decoded[300] - weights[300]) < 1, "\(type)")
      }
    }
  }

  @Test(arguments: [1e-6, 1e-7, 1e-20, 1e-38, 0x1p-147] as [Float])
  func tinyWeightsDoNotGrow(scale: Float) {
    for type in Self.encodable {
      let weights = TestWeights.bell(count: 512).map { $0 * scale }
      let decoded = decode(type, encode(type, weights, columnCount: 512))
      #expect(decoded.allSatisfy { $0.isFinite }, "\(type)")
      let error = relativeSquareError(weights, decoded)
      // Near f16's smallest step a search that favours large weights may lose a little on small ones.
      #expect(!(error > 1.1), "\(type) \(scale): \(error)")
    }
  }

  @Test func constantRows() {
    for type in blockTypes {
      for value in [1, -1, 0.37, -1e-3, 1000] as [Float] {
        let weights = [Float](repeating: value, count: 512)
        let decoded = decode(type, encode(type, weights, columnCount: 512))
        #expect(relativeSquareError(weights, decoded) < 2e-3, "\(type) \(value)")
      }
    }
  }

  /// One weight in a block of zeros is kept.
  @Test func lonelyWeights() {
    for type in blockTypes {
      for value in [1, -1] as [Float] {
        var weights = [Float](repeating: 0, count: 512)
        weights[77] = value
        weights[333] = value
        let decoded = decode(type, encode(type, weights, columnCount: 512))
        #expect(relativeSquareError(weights, decoded) < 2e-3, "\(type) \(value)")
      }
    }
  }

  @Test func importanceOfZeros() {
    for type in blockTypes {
      let weights = TestWeights.bell(count: 1024)
      var importance = [Float](repeating: 0, count: 512)
      let none = decode(type, encode(type, weights, columnCount: 512, importance: importance))
      let blind = decode(type, encode(type, weights, columnCount: 512))
      #expect(none == blind, "\(type)")
      for i in 0..<40 { importance[i] = 1e-30 }
      importance[300] = 1e30
      let some = decode(type, encode(type, weights, columnCount: 512, importance: importance))
      #expect(relativeSquareError(weights, some) < 0.3, "\(type)")
    }
  }
}
