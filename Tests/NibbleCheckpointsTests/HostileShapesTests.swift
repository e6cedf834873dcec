import Foundation
import NibbleCheckpoints
import NibbleQuantization
import NibbleTensors
import TestSupport
import Testing

/// Tensors without elements, whose other dimension may be any number: they take no byte in a file.
@Suite struct HostileShapesTests {
  private static let huge = 1 << 57

  @Test("Packed words without rows, and a shape of 2^61 columns")
  func compressedTensors() throws {
    let config = try JSONValue.parse(
      #"""
      {"quantization_config":{"quant_method":"compressed-tensors","format":"pack-quantized",
      "config_groups":{"group_0":{"targets":["Linear"],
      "weights":{"num_bits":8,"type":"int","symmetric":true,"strategy":"channel"}}}}}
      """#)
    let records = [
      MLXSamples.zeroRecord("a.weight_packed", .int32, [0, Self.huge]),
      MLXSamples.zeroRecord("a.weight_scale", .float16, [0, 1]),
      MLXSamples.record("a.weight_shape", .int64, [2], [Int64(0), Int64(Self.huge) * 16]),
    ]
    MLXSamples.expectFault("a.weight") {
      _ = try gather(records, as: CompressedTensorsFormat.self, config: config)
    }
  }

  @Test(
    "Nibble's own arrays, announced with 2^57 columns of no row",
    arguments: ["kmeans8-g1", "int4-g32-sym"])
  func ownArrays(scheme: String) throws {
    let folder = try TemporaryFolder()
    let text =
      #"{\"version\":1,\"tensors\":{\"a\":{\"scheme\":\"\#(scheme)\",\"shape\":[0,\#(Self.huge)]}}}"#
    let header = #"{"__metadata__":{"nibble.quantization":"\#(text)"}}"#
    try Data(safetensorsBytes(header)).write(to: URL(filePath: folder.path("a.safetensors")))
    MLXSamples.expectFault("too many") { _ = try Checkpoint.open(folder.path("a.safetensors")) }
  }

  @Test("Rows without columns decode to nothing at once, or are refused")
  func rowsWithoutColumns() throws {
    let config = try JSONValue.parse(#"{"quantization":{"bits":4,"group_size":32}}"#)
    for rowCount in [1 << 40, Self.huge] {
      let records = [
        MLXSamples.zeroRecord("a.weight", .uint32, [rowCount, 0]),
        MLXSamples.zeroRecord("a.scales", .float16, [rowCount, 0]),
        MLXSamples.zeroRecord("a.biases", .float16, [rowCount, 0]),
      ]
      let tensors = try gather(records, as: MLXFormat.self, config: config).tensors
      let tensor = try #require(tensors.first)
      guard rowCount < Self.huge else {
        MLXSamples.expectFault("too many") { _ = try tensor.quantizedTensor() }
        continue
      }
      #expect(try tensor.quantizedTensor().dequantized().isEmpty)
      #expect(try tensor.schemeRows().rowCount == rowCount)
    }
  }

  @Test func partsOfAbsurdCounts() throws {
    for name in ["kmeans8-g1", "int4-g64-asym", "nf4-g64-dq", "int8-column-sym"] {
      let scheme = try #require(Scheme(name: name))
      for (rows, columns) in [(0, Self.huge), (Self.huge, 0), (1 << 40, 1 << 40)] {
        #expect(throws: QuantizationError.self) {
          try scheme.parts(rowCount: rows, columnCount: columns)
        }
      }
    }
  }
}
