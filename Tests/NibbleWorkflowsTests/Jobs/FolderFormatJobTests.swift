import Foundation
import Nibble
import TestSupport
import Testing

/// Folders of other tools, written from floats and from one another, reopened, run.
@Suite("Jobs on folders of other tools")
struct FolderFormatJobTests {
  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    var model = TinyModel()
    model.hiddenCount = 64
    model.feedForwardCount = 128
    try model.write(to: folder.path("model"))
  }

  private func quantize(_ scheme: String, _ format: OutputFormat, _ output: String) throws {
    var job = QuantizeJob(
      source: folder.path("model"), output: folder.path(output),
      selection: TypeSelection(scheme: try #require(Scheme(name: scheme))))
    job.format = format
    let report = try job.run(JobEnvironment(threadCount: 2))
    #expect(report.isVerified == true && report.failures == [], "\(scheme) \(format)")
  }

  @discardableResult
  private func convert(
    _ source: String, _ output: String, _ format: OutputFormat, requantizing: Bool = false
  ) throws -> TransferReport {
    var job = ConvertJob(source: folder.path(source), output: folder.path(output), format: format)
    job.allowsRequantizing = requantizing
    let report = try job.run(JobEnvironment(threadCount: 2))
    #expect(report.isVerified == true && report.failures == [], "\(source) to \(format)")
    return report
  }

  /// The values of a model's quantized matrices.
  private func values(_ name: String) throws -> [String: [Float]] {
    var values: [String: [Float]] = [:]
    for record in try Checkpoint.open(folder.path(name)).tensors where record.type.isQuantized {
      values[record.name] = try record.quantizedTensor().dequantized()
    }
    return values
  }

  private func bytes(_ name: String) throws -> Data {
    try Data(contentsOf: URL(filePath: folder.path(name + "/model.safetensors")))
  }

  private static let written: [(String, OutputFormat, String)] = [
    ("int4-g32-sym", .gptq, "gptq"), ("int8-g64-sym", .gptq, "gptq"),
    ("int3-g32-asym", .gptqV2, "gptq"), ("int2-row-asym", .gptqV2, "gptq"),
    ("int4-g64-asym", .awq, "awq"), ("nf4-g64", .bitsandbytes, "bitsandbytes"),
    ("fp4-g64-dq", .bitsandbytes, "bitsandbytes"),
    ("int8-row-sym-f32", .bitsandbytes, "bitsandbytes"),
    ("int4-g32-sym-bf16", .compressedTensors, "compressed-tensors"),
    ("int8-row-asym", .compressedTensors, "compressed-tensors"),
    ("int4-g32-min", .mlx, ""), ("int6-g64-min-bf16", .mlx, ""),
  ]

  @Test(
    "Each is written from floats, verified, announced in config.json, and runs", arguments: written)
  func writing(scheme: String, format: OutputFormat, method: String) throws {
    try quantize(scheme, format, "out")
    let checkpoint = try Checkpoint.open(folder.path("out"))
    let name = "model.layers.0.mlp.up_proj.weight"
    #expect(checkpoint[name]?.type == .scheme(try #require(Scheme(name: scheme))))
    #expect(checkpoint["model.embed_tokens.weight"]?.type == .plain(.bfloat16))
    let config = try checkpoint.json("config.json")
    #expect(config?["quantization_config"]?["quant_method"]?.string ?? "" == method)
    // The same codes and scales as in Nibble's own arrays, and so the same model.
    try quantize(scheme, .nibble, "own")
    #expect(try values("out") == values("own"))
    let logits = try ["out", "own"].map { name in
      let session = InferenceSession(
        try LanguageModel(path: folder.path(name)), contextCount: 8,
        pool: WorkerPool(threadCount: 1))
      return try session.run([1, 2, 3]).withRow(0) { Array($0) }
    }
    #expect(logits[0] == logits[1])
  }

  @Test("Around all formats that hold the scheme, and back to the same bytes")
  func around() throws {
    try quantize("int4-g32-asym", .gptqV2, "start")
    let stations: [OutputFormat] = [.awq, .mlx, .compressedTensors, .nibble, .gptqV2]
    var last = "start"
    for (index, format) in stations.enumerated() {
      let report = try convert(last, "\(index)", format)
      for tensor in report.tensors where tensor.reason != nil {
        #expect(tensor.reason == "exact", "\(format) \(tensor.name)")
        #expect(tensor.relativeError == 0)
      }
      last = "\(index)"
    }
    #expect(try bytes(last) == bytes("start"))
  }

  @Test("Symmetric weights become Q4_0 and Q8_0, and come back")
  func blocks() throws {
    for (scheme, type) in [("int4-g64-sym", GGMLType.q4_0), ("int8-g64-sym", .q8_0)] {
      try quantize(scheme, .gptq, "gptq-\(type)")
      try convert("gptq-\(type)", "\(type).gguf", .gguf)
      let file = try Checkpoint.open(folder.path("\(type).gguf"))
      #expect(file["blk.1.attn_q.weight"]?.type == .blocks(type))
      for format in [OutputFormat.gptq, .mlx, .compressedTensors] {
        let report = try convert("\(type).gguf", "\(type)-\(format)", format)
        #expect(report.tensors.allSatisfy { $0.relativeError ?? 0 == 0 })
        #expect(try values("\(type)-\(format)") == values("gptq-\(type)"))
      }
    }
  }

  @Test("Double-quantized NF4 becomes plain NF4 of the same values")
  func doubleQuantized() throws {
    try quantize("nf4-g64-dq", .bitsandbytes, "double")
    try convert("double", "own", .nibble)
    #expect(try values("own") == values("double"))
    #expect(throws: CheckpointError.self) { try convert("double", "refused", .mlx) }
    #expect(!FileManager.default.fileExists(atPath: folder.path("refused")))
    let report = try convert("double", "rounded", .mlx, requantizing: true)
    let changed = report.tensors.filter { $0.reason?.hasPrefix("requantized") ?? false }
    #expect(changed.count == 14)
    #expect(changed.allSatisfy { ($0.relativeError ?? 0) > 0 && ($0.relativeError ?? 1) < 0.02 })
  }

  @Test("A plan says what would be done, and does nothing")
  func plan() throws {
    try quantize("int4-g32-asym", .awq, "awq")
    var job = ConvertJob(
      source: folder.path("awq"), output: folder.path("nowhere.gguf"), format: .gguf)
    let rows = try job.plan()
    #expect(rows.count { $0.type == "Q4_1" && ($0.reason ?? "").hasPrefix("near") } == 14)
    job.format = .gptqV2
    #expect(try job.plan().count { $0.reason == "exact" } == 14)
    #expect(!FileManager.default.fileExists(atPath: folder.path("nowhere.gguf")))
  }

  @Test("To plain floats and to other types of floats")
  func floats() throws {
    try quantize("int4-g32-sym", .gptq, "gptq")
    try convert("gptq", "plain", .safetensors)
    let plain = try Checkpoint.open(folder.path("plain"))
    #expect(plain["model.layers.0.mlp.up_proj.weight"]?.type == .plain(.float16))
    #expect(try plain.json("config.json")?["quantization_config"] == nil)
    _ = try LanguageModel(path: folder.path("plain"))
  }

  @Test("A single file has no configuration to tell what its arrays mean")
  func singleFile() throws {
    try quantize("int4-g32-sym", .gptq, "gptq")
    #expect(throws: RecipeError.self) {
      try convert("gptq", "one.safetensors", .compressedTensors)
    }
    var job = QuantizeJob(
      source: folder.path("model"), output: folder.path("one.safetensors"),
      selection: TypeSelection(scheme: try #require(Scheme(name: "int4-g32-sym"))))
    job.format = .gptq
    #expect(throws: RecipeError.self) { try job.run() }
    #expect(!FileManager.default.fileExists(atPath: folder.path("one.safetensors")))
    try convert("gptq", "own.safetensors", .nibble)
    #expect(try values("own.safetensors") == values("gptq"))
  }

  @Test("One and three threads write the same bytes")
  func threads() throws {
    try quantize("int4-g32-asym", .awq, "awq")
    for count in [1, 3] {
      let job = ConvertJob(
        source: folder.path("awq"), output: folder.path("out\(count)"), format: .gptqV2)
      _ = try job.run(JobEnvironment(threadCount: count))
    }
    #expect(try bytes("out1") == bytes("out3"))
  }

  @Test("Folders of unknown tools, and what contradicts itself, are named clearly and not written")
  func refusals() throws {
    try quantize("int4-g32-sym", .gptq, "gptq")
    let path = folder.path("gptq/config.json")
    let text = try String(contentsOfFile: path, encoding: .utf8)
    for (from, to, word) in [
      ("\"quant_method\": \"gptq\"", "\"quant_method\": \"quanto\"", "quanto"),
      ("\"bits\": 4", "\"bits\": 3", "bits"),
    ] {
      #expect(text.contains(from))
      try text.replacingOccurrences(of: from, with: to)
        .write(toFile: path, atomically: true, encoding: .utf8)
      try? FileManager.default.removeItem(atPath: folder.path("gptq/quantize_config.json"))
      let error = #expect(throws: CheckpointError.self) {
        try Checkpoint.open(folder.path("gptq"))
      }
      #expect(error.map { "\($0)".contains(word) } ?? false, "\(String(describing: error))")
    }
    // What a format cannot hold is refused before anything is written.
    for (scheme, format) in [
      ("int5-g32-sym", OutputFormat.gptq), ("int8-g32-asym", .awq), ("int4-g32-sym", .mlx),
      ("nf4-g64", .compressedTensors),
    ] {
      var job = QuantizeJob(
        source: folder.path("model"), output: folder.path("none"),
        selection: TypeSelection(scheme: try #require(Scheme(name: scheme))))
      job.format = format
      #expect(throws: RecipeError.self) { try job.run() }
      #expect(!FileManager.default.fileExists(atPath: folder.path("none")))
    }
  }
}
