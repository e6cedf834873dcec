internal import Foundation

/// A Hugging Face folder with a Llama model of random BF16 weights, for tests of whole jobs.
public struct TinyModel: Sendable {
  public var hiddenCount = 256
  public var feedForwardCount = 512
  public var blockCount = 2
  public var headCount = 4
  public var keyValueHeadCount = 2
  public var isTied = false
  /// Whether the attention projections carry biases.
  public var hasBias = false
  public var seed: UInt64 = 1
  /// One BF16 element to overwrite: tensor name, index of the element, bits.
  public var change: (name: String, index: Int, bits: UInt16)?

  public init() {}

  /// Rows of the embedding table: the byte alphabet, three merged tokens and an end token.
  public let vocabularyCount = 260
  private var headFeatureCount: Int { hiddenCount / headCount }

  /// Names and shapes of all tensors, in the order of the file.
  public var tensors: [(name: String, shape: [Int])] {
    let keyCount = keyValueHeadCount * headFeatureCount
    var tensors: [(String, [Int])] = [
      ("model.embed_tokens.weight", [vocabularyCount, hiddenCount]),
      ("model.norm.weight", [hiddenCount]),
    ]
    if !isTied { tensors.append(("lm_head.weight", [vocabularyCount, hiddenCount])) }
    for block in 0..<blockCount {
      let attention = [
        ("q_proj", hiddenCount, hiddenCount), ("k_proj", keyCount, hiddenCount),
        ("v_proj", keyCount, hiddenCount), ("o_proj", hiddenCount, hiddenCount),
      ]
      let layer = "model.layers.\(block)."
      for (name, rows, columns) in attention {
        tensors.append((layer + "self_attn.\(name).weight", [rows, columns]))
        if hasBias { tensors.append((layer + "self_attn.\(name).bias", [rows])) }
      }
      tensors += [
        (layer + "mlp.gate_proj.weight", [feedForwardCount, hiddenCount]),
        (layer + "mlp.up_proj.weight", [feedForwardCount, hiddenCount]),
        (layer + "mlp.down_proj.weight", [hiddenCount, feedForwardCount]),
        (layer + "input_layernorm.weight", [hiddenCount]),
        (layer + "post_attention_layernorm.weight", [hiddenCount]),
      ]
    }
    return tensors
  }

  /// Writes config.json, model.safetensors and tokenizer.json into a new folder.
  public func write(to path: String) throws {
    let folder = URL(filePath: path)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try Data(config.utf8).write(to: folder.appending(path: "config.json"))
    try Data(Self.tokenizer.utf8).write(to: folder.appending(path: "tokenizer.json"))
    try safetensors.write(to: folder.appending(path: "model.safetensors"))
  }

  private var config: String {
    """
    {"architectures":["LlamaForCausalLM"],"model_type":"llama","hidden_size":\(hiddenCount),
    "intermediate_size":\(feedForwardCount),"num_hidden_layers":\(blockCount),
    "num_attention_heads":\(headCount),"num_key_value_heads":\(keyValueHeadCount),
    "max_position_embeddings":128,"rms_norm_eps":1e-05,"rope_theta":10000.0,
    "vocab_size":\(vocabularyCount),"tie_word_embeddings":\(isTied),"attention_bias":\(hasBias),
    "hidden_act":"silu","bos_token_id":259,"eos_token_id":259,"torch_dtype":"bfloat16"}
    """
  }

  private var safetensors: Data {
    var entries: [String] = []
    var body = Data()
    var state = seed
    for (name, shape) in tensors {
      let begin = body.count
      var elements = (0..<shape.reduce(1, *)).map { _ in
        Self.bfloat(shape.count > 1 ? 0.05 * Self.noise(&state) : 1).littleEndian
      }
      if let change, change.name == name { elements[change.index] = change.bits.littleEndian }
      elements.withUnsafeBytes { body.append(contentsOf: $0) }
      let dimensions = shape.map(String.init).joined(separator: ",")
      entries.append(
        "\"\(name)\":{\"dtype\":\"BF16\",\"shape\":[\(dimensions)],"
          + "\"data_offsets\":[\(begin),\(body.count)]}")
    }
    var header = Data(
      ("{\"__metadata__\":{\"format\":\"pt\"}," + entries.joined(separator: ",") + "}").utf8)
    while header.count % 8 != 0 { header.append(0x20) }
    var count = UInt64(header.count).littleEndian
    return withUnsafeBytes(of: &count) { Data($0) } + header + body
  }

  /// A number between about -3 and 3, bell-shaped: the sum of four uniform ones.
  private static func noise(_ state: inout UInt64) -> Float {
    var sum: Float = 0
    for _ in 0..<4 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      sum += Float(state >> 40) / Float(1 << 24) - 0.5
    }
    return sum * 1.73
  }

  private static func bfloat(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    return UInt16((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16)
  }

  /// Byte-level BPE over the 256 bytes with three merges.
  private static let tokenizer: String = {
    var tokens: [String] = []
    var next: UInt32 = 256
    for byte in UInt32(0)..<256 {
      let isPrintable = (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || byte >= 0xAE
      let code = isPrintable ? byte : next
      if !isPrintable { next += 1 }
      if let scalar = Unicode.Scalar(code) { tokens.append(String(Character(scalar))) }
    }
    tokens += ["he", "ll", "hell"]
    let vocabulary = tokens.enumerated().map { index, token in
      let escaped = token == "\"" ? "\\\"" : token == "\\" ? "\\\\" : token
      return "\"\(escaped)\":\(index)"
    }
    return """
      {"version":"1.0","truncation":null,"padding":null,"added_tokens":[{"id":259,
      "content":"<|endoftext|>","single_word":false,"lstrip":false,"rstrip":false,
      "normalized":false,"special":true}],"normalizer":null,"pre_tokenizer":{"type":"ByteLevel",
      "add_prefix_space":false,"trim_offsets":true,"use_regex":true},"post_processor":null,
      "decoder":{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true},
      "model":{"type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":null,
      "end_of_word_suffix":null,"fuse_unk":false,"byte_fallback":false,"ignore_merges":false,
      "vocab":{\(vocabulary.joined(separator: ","))},
      "merges":[["h","e"],["l","l"],["he","ll"]]}}
      """
  }()
}
