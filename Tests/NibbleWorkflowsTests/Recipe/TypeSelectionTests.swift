import Nibble
import Testing

@Suite("Type selection")
struct TypeSelectionTests {
  let facts = MixFacts(
    architecture: "llama", blockCount: 2, headCount: 4, keyValueHeadCount: 4,
    hasTiedEmbeddings: false)

  func tensor(_ name: String, _ shape: [Int] = [8, 256]) -> SelectableTensor {
    SelectableTensor(name: name, shape: shape, keptType: StoredType(.f32))
  }

  func decide(_ selection: TypeSelection, _ tensor: SelectableTensor) throws -> TypeDecision {
    try #require(try selection.decide([tensor], facts).first)
  }

  @Test("A fallback says what it replaced and why")
  func fallbackReason() throws {
    let decision = try decide(
      TypeSelection(mix: .q4_k_s), tensor("blk.1.attn_q.weight", [8, 576]))
    #expect(decision.type == StoredType(.q5_0))
    #expect(decision.reason == "576 columns are no multiple of 256: Q4_K became Q5_0")
    let odd = try decide(TypeSelection(mix: .q4_0), tensor("blk.1.attn_q.weight", [8, 20]))
    #expect(
      odd
        == TypeDecision(
          type: StoredType(.f16), reason: "20 columns are no multiple of 32: Q4_0 became F16"))
  }

  @Test("Norms, biases and vectors are kept, with the reason")
  func kept() throws {
    let selection = TypeSelection(mix: .q8_0)
    #expect(
      try decide(selection, tensor("blk.0.attn_norm.weight", [256])).reason == "norm, kept in F32")
    #expect(try decide(selection, tensor("blk.0.attn_q.bias", [256])).reason == "bias, kept in F32")
    #expect(
      try decide(selection, tensor("rope_freqs.weight", [32])).reason
        == "one-dimensional, kept in F32")
  }

  @Test("Overrides come before everything but kept tensors, the first match counts")
  func overrides() throws {
    var selection = TypeSelection(mix: .q4_0)
    selection.isPure = true
    selection.overrides = [
      .init(pattern: #"blk\.0\."#, type: StoredType(.q8_0)),
      .init(pattern: "attn_q", type: StoredType(.q6_k)),
    ]
    let tensors = [
      tensor("blk.0.attn_q.weight"), tensor("blk.1.attn_q.weight"), tensor("blk.1.attn_k.weight"),
      tensor("blk.0.attn_norm.weight", [256]),
    ]
    let decisions = try selection.decide(tensors, facts)
    #expect(decisions.map(\.type) == [GGMLType.q8_0, .q6_k, .q4_0, .f32].map { StoredType($0) })
    #expect(decisions[1].reason == "override 'attn_q'")
  }

  @Test("Kept patterns leave the source's type")
  func keepPatterns() throws {
    var selection = TypeSelection(mix: .q4_0)
    selection.keepPatterns = ["attn_v|output"]
    var value = tensor("blk.0.attn_v.weight")
    value.keptType = StoredType(.bf16)
    let decision = try decide(selection, value)
    #expect(
      decision
        == TypeDecision(type: StoredType(.bf16), reason: "--keep 'attn_v|output', kept in BF16"))
  }

  @Test("A rule that matches nothing, or is no regular expression, is refused")
  func idleRules() throws {
    var selection = TypeSelection(mix: .q4_0)
    let tensors = [tensor("blk.0.attn_q.weight"), tensor("blk.0.attn_norm.weight", [256])]
    for pattern in ["ffn_down", "attn_norm", "("] {
      selection.keepPatterns = [pattern]
      #expect(throws: RecipeError.self) { try selection.decide(tensors, facts) }
      selection.keepPatterns = []
      selection.overrides = [.init(pattern: pattern, type: StoredType(.q8_0))]
      #expect(throws: RecipeError.self) { try selection.decide(tensors, facts) }
      selection.overrides = []
    }
  }

  @Test("A scheme leaves embeddings and output alone unless a type is asked for")
  func schemes() throws {
    let scheme = try #require(Scheme(name: "int4-g64-asym"))
    var selection = TypeSelection(scheme: scheme)
    let tensors = [
      tensor("token_embd.weight"), tensor("output.weight"),
      tensor("blk.0.attn_q.weight", [8, 100]),
      tensor("blk.0.attn_norm.weight", [256]),
    ]
    let kept = StoredType(.f32)
    #expect(
      try selection.decide(tensors, facts).map(\.type) == [kept, kept, .scheme(scheme), kept])
    selection.embeddingType = StoredType(.q8_0)
    let other = try #require(Scheme(name: "int8-row-sym"))
    selection.outputType = .scheme(other)
    #expect(
      try selection.decide(tensors, facts).map(\.type)
        == [StoredType(.q8_0), .scheme(other), .scheme(scheme), kept])
    selection.embeddingType = nil
    selection.outputType = nil
    selection.isPure = true
    #expect(
      try selection.decide(tensors, facts).map(\.type)
        == [.scheme(scheme), .scheme(scheme), .scheme(scheme), kept])
  }

  @Test("Patterns match the names of Hugging Face folders too")
  func folderNames() throws {
    var selection = TypeSelection(mix: .q4_0)
    selection.overrides = [.init(pattern: "q_proj", type: StoredType(.q8_0))]
    let query = SelectableTensor(
      name: "blk.0.attn_q.weight", folderName: "model.layers.0.self_attn.q_proj.weight",
      shape: [8, 256], keptType: StoredType(.f32))
    #expect(try decide(selection, query).type == StoredType(.q8_0))
  }
}
