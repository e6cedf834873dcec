internal import NibbleQuantization

/// What a mix's rules look at besides names and shapes.
public struct MixFacts: Sendable {
  public var architecture: String
  public var blockCount: Int
  public var headCount: Int
  public var keyValueHeadCount: Int
  /// Experts of a mixture; 0 = a dense model.
  public var expertCount: Int
  /// Whether the file has no `output.weight`, so that the embeddings serve as output matrix.
  public var hasTiedEmbeddings: Bool

  public init(
    architecture: String, blockCount: Int, headCount: Int, keyValueHeadCount: Int,
    expertCount: Int = 0, hasTiedEmbeddings: Bool
  ) {
    self.architecture = architecture
    self.blockCount = blockCount
    self.headCount = headCount
    self.keyValueHeadCount = keyValueHeadCount
    self.expertCount = expertCount
    self.hasTiedEmbeddings = hasTiedEmbeddings
  }

  /// Query heads that share one key and value head.
  var groupCount: Int { keyValueHeadCount > 0 ? headCount / keyValueHeadCount : 1 }
  /// Whether the shape is that of Llama 2 70B, whose few value heads deserve more bits.
  var isLlama70B: Bool {
    architecture == "llama" && blockCount == 80 && headCount != keyValueHeadCount
  }
}

/// The rules by which llama-quantize gives a tensor of a mix its type, before any fallback.
///
/// A pure function of the facts: which type a tensor gets never depends on the order of the calls.
struct MixRules {
  let mix: QuantizationMix
  let facts: MixFacts
  /// The number of tensors that count as value projections.
  let valueTensorCount: Int

  /// The type of the matrix that makes the logits.
  func outputType(columnCount: Int) -> GGMLType {
    let base = mix.baseType
    if mix.isFloat { return base }
    if columnCount % base.block.elementCount != 0 || facts.architecture == "falcon" { return .q8_0 }
    return base == .q8_0 ? .q8_0 : .q6_k
  }

  /// The type of a tensor inside a block.
  ///
  /// - Parameters:
  ///   - name: the tensor's name in a GGUF file.
  ///   - block: the block's index.
  ///   - valueIndex: how many value projections stand before this one in layer order.
  /// - Returns: the type, whether or not its blocks divide the rows.
  func type(_ name: String, block: Int, valueIndex: Int) -> GGMLType {
    guard !mix.isFloat else { return mix.baseType }
    if Self.isValueLike(name) { return valueType(valueIndex) }
    if name.holds("attn_k.weight") { return facts.expertCount == 8 ? .q8_0 : mix.baseType }
    if name.holds("ffn_down") { return downType(block) }
    if name.holds("attn_output.weight") { return attentionOutputType }
    return mix.baseType
  }

  /// Whether the tensor holds value projections.
  static func isValueLike(_ name: String) -> Bool {
    name.holds("attn_v.weight") || name.holds("attn_qkv.weight")
      || name.holds("attn_kv_b.weight")
  }

  /// The first and last eighth of `count` layers, and every third in between.
  private func hasMoreBits(_ index: Int, of count: Int) -> Bool {
    index < count / 8 || index >= 7 * count / 8 || (index - count / 8) % 3 == 2
  }

  private func valueType(_ index: Int) -> GGMLType {
    if facts.expertCount == 8 { return .q8_0 }
    var type = mix.baseType
    switch mix {
    case .q2_k: type = facts.groupCount >= 4 ? .q4_k : .q3_k
    case .q2_k_s: if facts.groupCount >= 4 { type = .q4_k }
    case .q3_k_m: type = index < 2 ? .q5_k : .q4_k
    case .q3_k_l: type = .q5_k
    case .iq4_nl, .iq4_xs: if facts.groupCount >= 4 { type = .q5_k }
    case .q4_k_m, .q5_k_m: if hasMoreBits(index, of: valueTensorCount) { type = .q6_k }
    case .q4_k_s: if index < 4 { type = .q5_k }
    default: break
    }
    return facts.isLlama70B && (type == .q3_k || type == .q4_k) ? .q5_k : type
  }

  private func downType(_ block: Int) -> GGMLType {
    let count = facts.blockCount
    let isFalcon = facts.architecture == "falcon"
    switch mix {
    case .q2_k: return .q3_k
    case .q2_k_s: return block < count / 8 ? .q4_k : mix.baseType
    case .q3_k_m:
      if block < count / 16 { return .q5_k }
      return isFalcon && !hasMoreBits(block, of: count) ? .q3_k : .q4_k
    case .q3_k_l: return isFalcon ? .q4_k : .q5_k
    case .q4_k_m:
      if isFalcon, block >= count / 16 {
        return hasMoreBits(block, of: count) ? .q5_k : .q4_k
      }
      return isFalcon || hasMoreBits(block, of: count) ? .q6_k : .q4_k
    case .iq4_nl, .iq4_xs: return block < count / 8 ? .q5_k : mix.baseType
    case .q5_k_m: return hasMoreBits(block, of: count) ? .q6_k : mix.baseType
    case .q4_k_s: return !isFalcon && block < count / 8 ? .q5_k : mix.baseType
    default: return mix.baseType
    }
  }

  private var attentionOutputType: GGMLType {
    if facts.architecture == "falcon" { return mix == .q3_k_l ? .q4_k : mix.baseType }
    let raised: [QuantizationMix] = [
      .q2_k, .q3_k_s, .q3_k_m, .q4_k_s, .q4_k_m, .iq4_nl, .iq4_xs,
    ]
    if facts.expertCount == 8 { return raised.contains(mix) ? .q5_k : mix.baseType }
    switch mix {
    case .q2_k: return .q3_k
    case .q3_k_m: return .q4_k
    case .q3_k_l: return .q5_k
    default: return mix.baseType
    }
  }
}

/// The type for rows that are no whole number of `type`'s blocks; F16 when no block type fits.
func fallbackType(_ type: GGMLType, columnCount: Int) -> GGMLType {
  guard columnCount % type.block.elementCount != 0 else { return type }
  let smaller: GGMLType =
    switch type {
    case .q2_k, .q3_k, .tq1_0, .tq2_0, .q2_0: .q4_0
    case .q4_k: .q5_0
    case .q5_k: .q5_1
    case .q6_k: .q8_0
    case .iq4_xs, .iq3_s, .iq3_xxs, .iq2_s, .iq2_xs, .iq2_xxs, .iq1_s, .iq1_m: .iq4_nl
    default: .f16
    }
  return columnCount % smaller.block.elementCount == 0 ? smaller : .f16
}
