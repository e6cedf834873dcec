import Foundation
import Nibble
import TestSupport
import Testing

/// Matrices of more codes than are converted at a time.
@Suite("Conversion of rows at a time")
struct RowwiseConversionTests {
  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    var model = TinyModel()
    model.blockCount = 1
    model.feedForwardCount = 1120
    try model.write(to: folder.path("model"))
  }

  private func quantize(_ scheme: String, _ format: OutputFormat, _ output: String) throws {
    var job = QuantizeJob(
      source: folder.path("model"), output: folder.path(output),
      selection: TypeSelection(scheme: try #require(Scheme(name: scheme))))
    job.format = format
    #expect(try job.run(JobEnvironment(threadCount: 2)).isVerified == true)
  }

  private func convert(
    _ source: String, _ output: String, _ format: OutputFormat, threads: Int = 2
  ) throws -> TransferReport {
    try ConvertJob(source: folder.path(source), output: folder.path(output), format: format)
      .run(JobEnvironment(threadCount: threads))
  }

  /// The values of the widest matrix, whatever the file calls it.
  private func values(_ path: String) throws -> [Float] {
    let record = try #require(
      Checkpoint.open(folder.path(path)).tensors
        .first { $0.name.contains("up_proj.weight") || $0.name.contains("ffn_up.weight") })
    #expect(record.rowCount * record.columnCount > 1 << 18)
    return try record.quantizedTensor().dequantized()
  }

  @Test("The values stay the same, for any number of threads")
  func values() throws {
    try quantize("q8_0", .gguf, "q8_0.gguf")
    let expected = try values("q8_0.gguf")
    for (format, name) in [(OutputFormat.mlx, "mlx"), (.nibble, "nibble")] {
      let report = try convert("q8_0.gguf", name, format)
      #expect(report.isVerified == true)
      #expect(report.tensors.allSatisfy { $0.relativeError == 0 })
      #expect(try values(name) == expected, "\(name)")
      #expect(try convert("q8_0.gguf", name + "-1", format, threads: 1).isVerified == true)
      let bytes = [name, name + "-1"].map {
        FileManager.default.contents(atPath: folder.path("\($0)/model.safetensors"))
      }
      #expect(bytes[0] != nil && bytes[0] == bytes[1], "\(name)")
      #expect(try convert(name, name + ".gguf", .gguf).isVerified == true)
      #expect(try values(name + ".gguf") == expected, "\(name) and back")
    }
  }

  @Test("The loss is that of all rows")
  func loss() throws {
    try quantize("int4-g32-min-f32", .nibble, "source")
    let report = try convert("source", "q4_1.gguf", .gguf)
    #expect(report.isVerified == true)
    let tensor = try #require(report.tensors.first { $0.name.contains("ffn_up.weight") })
    #expect(tensor.reason?.hasPrefix("near") == true)
    let before = try values("source")
    let difference = zip(before, try values("q4_1.gguf")).map { abs($0 - $1) }
    let relative = stride(from: 0, to: before.count, by: 256).map { first in
      let row = first..<first + 256
      return (difference[row].max() ?? 0) / (before[row].map(abs).max() ?? 1)
    }
    let largest = try #require(relative.max())
    // The report gives two digits.
    let told = try #require(tensor.reason?.split(separator: " ").compactMap { Float($0) }.first)
    #expect(abs(told - largest) <= 0.05 * largest)
  }

  @Test("Rows are read one by one where each has its own bytes")
  func rows() throws {
    for (scheme, format, output, isLocal) in [
      ("q4_0", OutputFormat.gguf, "a.gguf", true), ("int4-g32-min", .mlx, "b", true),
      ("kmeans3-row", .nibble, "c", true), ("nf4-g64-dq", .nibble, "d", false),
      ("int4-g32-sym", .gptq, "e", false),
    ] {
      try quantize(scheme, format, output)
      let record = try #require(
        Checkpoint.open(folder.path(output)).tensors
          .first { $0.name.contains("up_proj.weight") || $0.name.contains("ffn_up.weight") })
      #expect(record.hasOwnRows == isLocal, "\(scheme)")
      guard isLocal else {
        #expect(throws: CheckpointError.self) { try record.quantizedTensor(rows: 0..<10) }
        continue
      }
      let whole = try record.quantizedTensor().dequantized()
      let part = try record.quantizedTensor(rows: 37..<441).dequantized()
      #expect(part == Array(whole[37 * 256..<441 * 256]), "\(scheme)")
    }
  }
}
