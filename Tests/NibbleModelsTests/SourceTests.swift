import Foundation
import NibbleCheckpoints
import NibbleModels
import NibbleQuantization
import NibbleTensors
import TestSupport
import Testing

@Suite struct SourceTests {
  @Test func rowOrdersAreInverse() {
    let count = 8
    let interleaved = RowOrder.interleaved(headRowCount: count)
    let halves = RowOrder.halves(headRowCount: count)
    // FORMATS: for heads of 8 rows the GGUF order is 0 4 1 5 2 6 3 7.
    #expect((0..<8).map(interleaved.sourceRow) == [0, 4, 1, 5, 2, 6, 3, 7])
    for row in 0..<24 {
      #expect(halves.sourceRow(interleaved.sourceRow(row)) == row)
    }
  }

  @Test func mapsNamesBothWays() throws {
    let source = try ModelSource.open(Fixtures.path("models/llama-odd-heads"))
    let mapped = source.mapped(to: .gguf)
    #expect(mapped.count == source.checkpoint.tensors.count)
    let names = Set(mapped.map(\.name))
    for name in [
      "token_embd.weight", "output.weight", "output_norm.weight", "blk.0.attn_norm.weight",
      "blk.1.attn_q.weight", "blk.1.attn_q.bias", "blk.1.attn_k.weight", "blk.1.attn_v.weight",
      "blk.1.attn_output.weight", "blk.1.ffn_norm.weight", "blk.1.ffn_gate.weight",
      "blk.1.ffn_up.weight", "blk.1.ffn_down.weight",
    ] {
      #expect(names.contains(name), "\(name)")
    }
    let query = try #require(mapped.first { $0.name == "blk.0.attn_q.weight" })
    #expect(query.origin.name == "model.layers.0.self_attn.q_proj.weight")
    #expect(query.rowOrder == .interleaved(headRowCount: 16))
    #expect(source.mapped(to: .huggingFace).allSatisfy { $0.name == $0.origin.name })
  }

  @Test func keepsLlama3ScalingAsATensor() throws {
    let source = try ModelSource.open(Fixtures.path("models/llama-3-scaling"))
    let generated = source.generatedTensors(for: .gguf)
    #expect(generated.map(\.name) == ["rope_freqs.weight"])
    #expect(generated.first?.values.first == 1)
    #expect(generated.first?.values.last == 8)
  }

  @Test func writesTheMetadataThatItReads() throws {
    for name in ["llama-grouped", "llama-odd-heads", "llama-linear-scaling"] {
      let source = try ModelSource.open(Fixtures.path("models/\(name)"))
      let metadata = try source.ggufMetadata()
      let config = try source.requireConfig()
      #expect(metadata["general.architecture"]?.string == "llama")
      #expect(metadata["llama.block_count"]?.integer == 2)
      #expect(metadata["llama.attention.head_count_kv"]?.integer == config.keyValueHeadCount)
      #expect(metadata["tokenizer.ggml.tokens"]?.strings?.count == config.vocabularyCount)
    }
  }

  /// Configurations that contradict themselves or the tensors, and what the message must name.
  static let hostileConfigs: [(change: [String: JSONValue], mention: String)] = [
    (["num_attention_heads": 0], "num_attention_heads"),
    (["num_attention_heads": -4], "num_attention_heads"),
    (["num_attention_heads": 1_152_921_504_606_846_976], "num_attention_heads"),
    (["num_attention_heads": "four"], "num_attention_heads"),
    (["num_key_value_heads": 3], "heads"),
    (["num_key_value_heads": 0], "head"),
    (["hidden_size": nil], "hidden_size"),
    (["hidden_size": 33], "shape"),
    (["hidden_size": 1e300], "hidden_size"),
    (["num_hidden_layers": 3], "model.layers.2"),
    (["num_hidden_layers": 1], "model.layers.1"),
    (["num_hidden_layers": 1_000_000], "block count"),
    (["vocab_size": 65], "shape"),
    (["head_dim": 7], "rotary"),
    (["rms_norm_eps": -1], "epsilon"),
    (["hidden_act": "gelu"], "gelu"),
    (["rope_parameters": ["rope_type": "surprise"]], "surprise"),
    (["rope_parameters": ["rope_type": "linear", "factor": 0]], "factor"),
    (["rope_parameters": ["rope_theta": -5]], "base"),
    (["partial_rotary_factor": 40], "partial_rotary_factor"),
  ]

  @Test(arguments: hostileConfigs.indices) func namesWhatIsWrongInAConfig(_ index: Int) throws {
    let (change, mention) = Self.hostileConfigs[index]
    let folder = try TemporaryFolder()
    let origin = Fixtures.path("models/llama-grouped")
    for name in ["model.safetensors", "tokenizer.json"] {
      try FileManager.default.copyItem(atPath: "\(origin)/\(name)", toPath: folder.path(name))
    }
    let data = try Data(contentsOf: URL(filePath: "\(origin)/config.json"))
    guard case .object(var config) = try JSONValue.parse(Array(data)) else {
      Issue.record("the fixture is no object")
      return
    }
    for (key, value) in change { config[key] = value.isNull ? nil : value }
    try Data(JSONValue.object(config).text().utf8).write(
      to: URL(filePath: folder.path("config.json")))
    let error = #expect(throws: ModelError.self) { try ModelSource.open(folder.url.path) }
    let description = try #require(error).description
    #expect(description.contains(mention), "\(description)")
    #expect(description.contains(folder.url.path), "\(description)")
    #expect(!description.contains("\n"))
  }
}
