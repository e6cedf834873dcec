import Foundation
import Nibble
import TestSupport
import Testing

@Suite("Quantize job with schemes")
struct QuantizeSchemeTests {
  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try TinyModel().write(to: folder.path("model"))
  }

  func job(_ name: String, output: String = "out") throws -> QuantizeJob {
    QuantizeJob(
      source: folder.path("model"), output: folder.path(output),
      selection: TypeSelection(scheme: try #require(Scheme(name: name))))
  }

  @Test(
    "Schemes are written, verified, opened and run",
    arguments: [
      "int8-tensor-sym", "int8-row-asym", "int4-g96-asym", "int3-g64-min", "int4-column-sym",
      "nf4-g64-dq",
      "mxfp4", "nvfp4", "kmeans3-row", "q4_k",
    ])
  func schemes(name: String) throws {
    let report = try job(name).run()
    #expect(report.isVerified == true && report.failures == [])
    let model = try LanguageModel(ModelSource.open(folder.path("out")))
    #expect(model.config.blockCount == 2)
    let checkpoint = try Checkpoint.open(folder.path("out"))
    let scheme = try #require(Scheme(name: name))
    #expect(checkpoint["model.layers.0.mlp.up_proj.weight"]?.type == .scheme(scheme))
    #expect(checkpoint["model.embed_tokens.weight"]?.type == .plain(.bfloat16))
    #expect(checkpoint["model.norm.weight"]?.type == .plain(.bfloat16))
    #expect(
      try checkpoint.json("config.json")?["quantization_config"]?["quant_method"]?.string
        == "nibble")
    #expect(try checkpoint.json("tokenizer.json") != nil)
    // What the report says of a tensor is what its arrays take.
    for tensor in report.tensors {
      #expect(checkpoint[tensor.name]?.byteCount == tensor.byteCount, "\(tensor.name)")
    }
    let verdict = try VerifyJob(model: folder.path("out"), reference: folder.path("model")).run()
    #expect(verdict.failures == [])
  }

  @Test("One and two threads write the same bytes")
  func threads() throws {
    for (output, count) in [("one", 1), ("two", 2)] {
      var job = try job("nf4-g64-dq", output: output)
      job.selection.embeddingType = .scheme(try #require(Scheme(name: "int8-row-sym")))
      _ = try job.run(JobEnvironment(threadCount: count))
    }
    let files = ["one", "two"].map { folder.path($0 + "/model.safetensors") }
    #expect(FileManager.default.contentsEqual(atPath: files[0], andPath: files[1]))
  }

  @Test("Ranges change the error, and are refused where scales are searched or learned")
  func ranges() throws {
    func error(_ range: (any RangeEstimator)?, _ name: String = "int3-g64-asym") throws -> Double {
      var job = try job(name, output: UUID().uuidString)
      job.range = range
      let report = try job.run()
      let tensor = report.tensors.first { $0.name.hasSuffix("layers.0.mlp.up_proj.weight") }
      return try #require(tensor?.relativeError)
    }
    let (plain, best) = (try error(nil), try error(MeanSquaredError()))
    #expect(best < plain)
    #expect(throws: RecipeError.self) { try error(MeanSquaredError(), "q4_k") }
    #expect(throws: RecipeError.self) { try error(AbsMax(), "kmeans3-row") }
  }

  @Test("A range also serves GGUF's plain blocks")
  func blocks() throws {
    var job = QuantizeJob(
      source: folder.path("model"), output: folder.path("a.gguf"),
      selection: TypeSelection(mix: .q4_0))
    job.selection.isPure = true
    job.range = AbsMax()
    #expect(try job.run().isVerified == true)
    let record = try #require(Checkpoint.open(folder.path("a.gguf"))["blk.0.ffn_up.weight"])
    // absmax never uses the lowest level, -8, whose code is 0.
    let bytes = record.bytes.copy()
    let codes = stride(from: 0, to: bytes.count, by: 18).flatMap { bytes[$0 + 2..<$0 + 18] }
    #expect(codes.allSatisfy { $0 & 15 != 0 && $0 >> 4 != 0 })
  }

  @Test("A scheme that GGUF has becomes a GGUF file where the output's name says so")
  func fileByName() throws {
    var job = try job("mxfp4", output: "mx.gguf")
    job.selection.outputType = StoredType(.mxfp4)
    #expect(try job.run().isVerified == true)
    let checkpoint = try Checkpoint.open(folder.path("mx.gguf"))
    #expect(checkpoint["blk.0.ffn_up.weight"]?.type == .blocks(.mxfp4))
    // llama.cpp's number for files of MXFP4.
    #expect(checkpoint.metadata["general.file_type"]?.integer == 38)
    let verdict = try VerifyJob(model: folder.path("mx.gguf"), reference: folder.path("model"))
      .run()
    #expect(verdict.failures == [])
    let model = try LanguageModel(ModelSource.open(folder.path("mx.gguf")))
    #expect(model.config.blockCount == 2)
    // To MLX's folders, where the same blocks are two arrays, and back.
    let there = ConvertJob(
      source: folder.path("mx.gguf"), output: folder.path("mlx"), format: .mlx)
    #expect(try there.run().isVerified == true)
    let back = ConvertJob(
      source: folder.path("mlx"), output: folder.path("back.gguf"), format: .gguf)
    #expect(try back.run().isVerified == true)
    let record = try #require(Checkpoint.open(folder.path("back.gguf"))["blk.1.ffn_up.weight"])
    #expect(record.bytes.copy() == checkpoint["blk.1.ffn_up.weight"]?.bytes.copy())
  }

  @Test("Exceptions may be schemes, GGUF types and floats")
  func exceptions() throws {
    var job = try job("int4-g64-sym")
    job.selection.overrides = [
      .init(pattern: "down_proj", type: StoredType(.q6_k)),
      .init(pattern: "attn_v", type: StoredType(.f16)),
    ]
    job.selection.keepPatterns = [#"layers\.0\.self_attn\.q"#]
    #expect(try job.run().isVerified == true)
    let checkpoint = try Checkpoint.open(folder.path("out"))
    #expect(
      checkpoint["model.layers.1.mlp.down_proj.weight"]?.type
        == .scheme(try #require(GGMLType.q6_k.scheme)))
    #expect(checkpoint["model.layers.1.self_attn.v_proj.weight"]?.type == .plain(.float16))
    #expect(checkpoint["model.layers.0.self_attn.q_proj.weight"]?.type == .plain(.bfloat16))
    var other = try self.job("int4-g64-asym", output: "no.gguf")
    other.format = .gguf
    #expect(throws: RecipeError.self) { try other.run() }
    other = try self.job("int4-g64-asym", output: "again")
    other.source = folder.path("out")
    #expect(throws: CheckpointError.self) { try other.run() }
  }
}
