import Foundation
import NibbleCheckpoints
import NibbleQuantization
import NibbleTensors
import TestSupport
import Testing

/// Folders of other tools with broken configurations and arrays: an error of one line, or matrices that decode; a trap ends the
/// test run.
@Suite struct FolderFormatFuzzTests {
  private static let formats: [any FolderFormat.Type] = [
    GPTQFormat.self, AWQFormat.self, AutoRoundFormat.self, BitsAndBytesFormat.self,
    CompressedTensorsFormat.self, Float8Format.self, MLXFormat.self, HQQFormat.self,
  ]
  private static let words = [
    "\"bits\"", "\"group_size\"", "-1", "0", "64", "9223372036854775807", "1e300", "null", "true",
    "[]", "{}", "\"gptq\"", "\"awq\"", "\"compressed-tensors\"", "\"bitsandbytes\"", "\"fp8\"",
    "\"hqq\"", "\"re:.*\"", "\"group\"", "\"channel\"", "\"tensor\"", "\"block\"", "\"desc_act\"",
    "\"format\"", "\"quantization\"", "\"version\"", "\"packing_format\"", "\"mode\"", "\"gemv\"",
    "\"load_in_4bit\"",
  ]

  private struct Folder {
    var records: [TensorRecord]
    var config: [UInt8]
  }

  private func folders() throws -> [Folder] {
    try [
      "gptq/asymmetric", "gptq/ordered", "gptq/symmetric", "awq/gemm", "awq/gemv", "awq/rows",
      "bits-and-bytes/fp4", "bits-and-bytes/nf4-nested", "bits-and-bytes/int8",
      "compressed-tensors/packed-sym", "compressed-tensors/packed-asym",
      "compressed-tensors/packed-order", "compressed-tensors/packed-3-asym",
      "compressed-tensors/packed-8", "compressed-tensors/packed-old",
      "compressed-tensors/packed-tensor", "compressed-tensors/bytes-asym",
      "compressed-tensors/bytes-sym", "compressed-tensors/float-row",
      "compressed-tensors/float-block", "compressed-tensors/float-tensor",
      "compressed-tensors/fp8",
    ].map { name in
      let other = Fixtures.path(name + "/quant_config.json")
      return Folder(
        records: try records(name + "/model.safetensors"),
        config: try fileBytes(
          FileManager.default.fileExists(atPath: other)
            ? other : Fixtures.path(name + "/config.json")))
    } + foldersWithOwnSettings()
  }

  /// Folders whose configuration is made up here: fixtures hold arrays alone, or were written by another tool.
  private func foldersWithOwnSettings() throws -> [Folder] {
    func config(_ members: String) -> [UInt8] {
      Array("{\"quantization_config\":{\(members)}}".utf8)
    }
    let rounded = #""quant_method":"auto-round","data_type":"int""#
    return [
      Folder(
        records: try records("mlx-layers/arrays.safetensors"),
        config: try fileBytes(Fixtures.path("mlx-layers/announced.json"))),
      Folder(
        records: try records("hqq-layers/arrays.safetensors"),
        config: config(#""quant_method":"hqq""#)),
      Folder(
        records: try records("gptq/asymmetric/model.safetensors"),
        config: config(rounded + #","sym":false,"packing_format":"auto_round:auto_gptq""#)),
      Folder(
        records: try records("gptq/symmetric/model.safetensors"),
        config: config(
          rounded
            + #","sym":true,"packing_format":"auto_round","extra_config":{"model.layers.0":{"bits":8}}"#
        )),
      Folder(
        records: try records("awq/gemm/model.safetensors"),
        config: config(rounded + #","packing_format":"auto_round:auto_awq""#)),
    ]
  }

  /// The arrays of a file, copied from where no configuration stands beside it.
  private func records(_ name: String) throws -> [TensorRecord] {
    let folder = try TemporaryFolder()
    try FileManager.default.copyItem(
      atPath: Fixtures.path(name), toPath: folder.path("a.safetensors"))
    return try Checkpoint.open(folder.path("a.safetensors")).tensors
  }

  /// One record dropped, renamed, of another shape or type, or all of them as they were.
  private func changed(_ records: [TensorRecord], _ mutator: inout Mutator) -> [TensorRecord] {
    var records = records
    let place = mutator.below(records.count)
    let old = records[place]
    switch mutator.below(7) {
    case 0: records.remove(at: place)
    case 1: records[place].name = records[mutator.below(records.count)].name + ".weight"
    case 2:
      // Fewer rows or columns, the bytes being as many as these take.
      let shape = old.shape.map { 1 + mutator.below(max($0, 1)) }
      guard let count = try? old.type.byteCount(shape: shape), count <= old.bytes.count else {
        break
      }
      records[place] = TensorRecord(
        name: old.name, shape: shape, type: old.type, bytes: old.bytes[0..<count])
    case 3:
      let types: [DType] = [.uint8, .int8, .float8E4M3]
      records[place] = TensorRecord(
        name: old.name, shape: [old.bytes.count], type: .plain(types[mutator.below(3)]),
        bytes: old.bytes)
    case 4:
      // No bytes, and a dimension that no memory holds.
      let huge = 1 << (20 + mutator.below(38))
      records[place] = TensorRecord(
        name: old.name, shape: mutator.below(2) == 0 ? [0, huge] : [huge, 0], type: old.type,
        bytes: old.bytes[0..<0])
    case 5:
      // The settings of a layer, and whatever else is small.
      let small = records.indices.filter { records[$0].byteCount <= 64 }
      guard !small.isEmpty else { break }
      let chosen = small[mutator.below(small.count)]
      let bytes = mutator.next([records[chosen].bytes.copy()])
      let count = records[chosen].byteCount
      let fitted = Array((bytes + [UInt8](repeating: 0, count: count)).prefix(count))
      records[chosen] = TensorRecord(
        name: records[chosen].name, shape: records[chosen].shape, type: records[chosen].type,
        bytes: Storage(copying: fitted).view)
    default: break
    }
    return records
  }

  @Test func foldersOfOtherTools() throws {
    let folders = try folders()
    var mutator = Mutator(seed: 2029, words: Self.words)
    var (gatheredCount, decodedCount, refusedCount) = (0, 0, 0)
    for _ in 0..<20_000 {
      let folder = folders[mutator.below(folders.count)]
      let isConfigChanged = mutator.below(3) > 0
      let bytes = isConfigChanged ? mutator.next([folder.config]) : folder.config
      guard let config = try? JSONValue.parse(bytes) else { continue }
      let records = changed(folder.records, &mutator)
      do throws(CheckpointError) {
        for format in Self.formats {
          let found = try format.announced { name throws(CheckpointError) in
            ["config.json", "quantize_config.json", "quant_config.json"].contains(name)
              ? config : nil
          }
          guard let found else { continue }
          gatheredCount += 1
          for record in try found.gather(records).tensors where record.layout != nil {
            let tensor = try record.quantizedTensor()
            decodedCount += tensor.dequantized().count == record.elementCount ? 1 : 0
          }
          break
        }
      } catch {
        refusedCount += 1
        let isOneLine = !error.description.contains { $0.isNewline }
        #expect(isOneLine)
      }
    }
    #expect(gatheredCount > 3_000 && decodedCount > 3_000 && refusedCount > 1_000)
  }
}
