import Foundation
import NibbleQuantization
import NibbleTensors
import Testing

@Suite struct PackedMatrixDecodeTests {
  private struct Sample: Decodable {
    let bytes: Data
    let values: Data
  }

  /// Decoded rows are the same bits as the gguf package's (scripts/fixtures/packed-matrix.py).
  @Test(arguments: WeightSample.types)
  func decodesAsTheFormatSays(_ type: GGMLType) throws {
    let file = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../Fixtures/packed-matrix/blocks.json")
    let samples = try JSONDecoder().decode([String: Sample].self, from: Data(contentsOf: file))
    let sample = try #require(samples[type.name])
    let matrix = try PackedMatrix(
      element: .blocks(type), rowCount: 1, columnCount: 256,
      bytes: Storage(copying: sample.bytes).view)
    let expected = sample.values.withUnsafeBytes { bytes in
      (0..<256).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self) }
    }
    #expect(WeightSample.row(matrix, 0).map(\.bitPattern) == expected)
  }

  @Test func decodesPlainRows() throws {
    for element in [PackedMatrix.Element.plain(.float16), .plain(.bfloat16), .plain(.float32)] {
      let matrix = try WeightSample.matrix(element, rowCount: 3, columnCount: 5)
      let row = WeightSample.row(matrix, 2)
      let bytes = WeightSample.bytes(element, weightCount: 15, seed: 3).copy()
      let size = bytes.count / 15
      let expected = (10..<15).map { index -> Float in
        let element = bytes[index * size..<(index + 1) * size].reversed()
          .reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        return switch matrix.element {
        case .plain(.float16): Half.float(UInt16(element))
        case .plain(.bfloat16): BFloat16.float(UInt16(element))
        default: Float(bitPattern: element)
        }
      }
      #expect(row == expected)
    }
  }
}
