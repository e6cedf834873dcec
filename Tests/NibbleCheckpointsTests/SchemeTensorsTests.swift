import Foundation
import NibbleCheckpoints
import NibbleQuantization
import NibbleTensors
import TestSupport
import Testing

/// Quantized tensors as arrays in safetensors files.
@Suite struct SchemeTensorsTests {
  private static func tensor(_ name: String) throws -> QuantizedTensor {
    let scheme = try #require(Scheme(name: name))
    var random = RandomSource(seed: 5)
    let weights = (0..<6 * 80).map { _ in Float(random.gaussian()) }
    return try weights.withUnsafeBufferPointer {
      try RoundToNearest(range: scheme.usualRange)
        .quantize($0, rowCount: 6, columnCount: 80, as: scheme)
    }
  }

  private static let names = [
    "int4-g32-asym", "int3-g64-min", "nf4-g64-dq", "mxfp4", "nvfp4", "kmeans2-row",
    "int8-tensor-sym",
    "int5-column-asym",
  ]

  private func write(_ path: String, shardByteCount: Int = 5_000_000_000) throws {
    let plans =
      try Self.names.map { name in
        TensorPlan(
          name: "layer.\(name)", shape: [6, 80], type: .scheme(try #require(Scheme(name: name))))
      } + [TensorPlan(name: "plain", shape: [3], type: .plain(.float32))]
    let writer = try SafetensorsWriter(
      path: path, plans: plans, maximumShardByteCount: shardByteCount)
    for (index, name) in Self.names.enumerated() {
      var offset = 0
      for part in try SchemeLayout().pack(Self.tensor(name)) {
        // In two pieces, the second first.
        let middle = part.bytes.count / 2
        for range in [middle..<part.bytes.count, 0..<middle] {
          try part.bytes[range].withUnsafeBytes {
            try writer.write($0, tensor: index, at: offset + range.lowerBound)
          }
        }
        offset += part.bytes.count
      }
    }
    try [UInt8](repeating: 1, count: 12).withUnsafeBytes {
      try writer.write($0, tensor: Self.names.count, at: 0)
    }
    try writer.finish()
  }

  private func check(_ checkpoint: Checkpoint) throws {
    #expect(
      Set(checkpoint.tensors.map(\.name)) == Set(Self.names.map { "layer.\($0)" } + ["plain"]))
    for name in Self.names {
      let record = try #require(checkpoint["layer.\(name)"])
      let expected = try Self.tensor(name)
      #expect(record.shape == [6, 80] && record.type == .scheme(expected.scheme))
      #expect(record.byteCount == (try record.type.byteCount(shape: [6, 80])))
      let rows = try record.schemeRows()
      var values = [Float](repeating: 0, count: 480)
      values.withUnsafeMutableBufferPointer { buffer in
        if let base = buffer.baseAddress { rows.decode(0..<6, into: base) }
      }
      #expect(values == expected.dequantized(), "\(name)")
    }
  }

  @Test func oneFile() throws {
    let folder = try TemporaryFolder()
    try write(folder.path("out.safetensors"))
    try check(Checkpoint.open(folder.path("out.safetensors")))
  }

  @Test("The arrays of one tensor stay in one shard")
  func shards() throws {
    let folder = try TemporaryFolder()
    try write(folder.path("out"), shardByteCount: 600)
    let checkpoint = try Checkpoint.open(folder.path("out"))
    try check(checkpoint)
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path("out"))
    #expect(names.filter { $0.hasSuffix(".safetensors") }.count > 3)
  }

  @Test func ggufRefusesSchemes() throws {
    let folder = try TemporaryFolder()
    let plan = TensorPlan(
      name: "a", shape: [6, 80], type: .scheme(try #require(Scheme(name: "nf4-g64"))))
    #expect(throws: CheckpointError.self) {
      try GGUFWriter(path: folder.path("a.gguf"), metadata: Metadata(), plans: [plan])
    }
    #expect(!FileManager.default.fileExists(atPath: folder.path("a.gguf")))
  }

  /// A file with arrays `w.codes` U8 [2, 16] and `w.scales` F16 [2, 1], and this metadata.
  private static func file(_ metadata: String, scales: String = #""F16","shape":[2,1]"#) -> [UInt8]
  {
    let quoted = metadata.replacingOccurrences(of: "\"", with: "\\\"")
    let header =
      #"{"__metadata__":{"nibble.quantization":"\#(quoted)"},"#
      + #""w.scales":{"dtype":\#(scales),"data_offsets":[0,4]},"#
      + #""w.codes":{"dtype":"U8","shape":[2,16],"data_offsets":[4,36]}}"#
    return littleEndian(UInt64(header.utf8.count)) + Array(header.utf8)
      + [UInt8](repeating: 0, count: 36)
  }

  private static func entry(_ scheme: String, _ shape: String, version: Int = 1) -> String {
    #"{"version":\#(version),"tensors":{"w":{"scheme":"\#(scheme)","shape":\#(shape)}}}"#
  }

  @Test func readsThePlainFile() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("a.safetensors")
    try Data(Self.file(Self.entry("int4-g32-sym", "[2,32]"))).write(to: URL(filePath: path))
    #expect(try Checkpoint.open(path)["w"]?.shape == [2, 32])
  }

  @Test(
    arguments: [
      HostileFile("no JSON", file("{"), "JSON"),
      HostileFile("nothing in it", file("{}"), "lacks version"),
      HostileFile(
        "another version", file(entry("int4-g32-sym", "[2,32]", version: 2)), "version 2"),
      HostileFile("unknown scheme", file(entry("int4-g32-mystery", "[2,32]")), "mystery"),
      HostileFile(
        "no shape", file(#"{"version":1,"tensors":{"w":{"scheme":"nf4-g64"}}}"#), "shape"),
      HostileFile("negative shape", file(entry("int4-g32-sym", "[-2,32]")), "shape"),
      HostileFile("one dimension", file(entry("int4-g32-sym", "[64]")), "shape"),
      HostileFile("fractions", file(entry("int4-g32-sym", "[2,32.5]")), "shape"),
      HostileFile("another shape", file(entry("int4-g32-sym", "[2,64]")), "codes"),
      HostileFile("another scheme", file(entry("int8-g32-sym", "[2,32]")), "codes"),
      HostileFile("missing array", file(entry("int4-g32-asym", "[2,32]")), "zero_points"),
      HostileFile("huge", file(entry("int4-g32-sym", "[9223372036854775807,2]")), "too"),
      HostileFile(
        "huge codebooks", file(entry("kmeans8-g1", "[4611686018427387904,1]")), "too"),
      HostileFile(
        "scales of another type",
        file(entry("int4-g32-sym", "[2,32]"), scales: #""BF16","shape":[2,1]"#), "scales"),
      HostileFile(
        "blocks that do not fit", file(entry("q4_k", "[2,32]")), "multiple"),
    ])
  func refuses(_ hostile: HostileFile) throws {
    try expectRefusal(hostile, as: "hostile.safetensors")
  }
}
