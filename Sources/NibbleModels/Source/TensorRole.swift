/// What a tensor does in a transformer, independent of any file's naming.
public enum TensorRole: String, CaseIterable, Sendable {
  case tokenEmbedding, outputNorm, output
  case attentionNorm, query, key, value, attentionOutput
  case feedForwardNorm, gate, up, down
}

/// One tensor of a model: its role, its block where it has one, and whether it is the weight or the bias.
public struct TensorID: Hashable, Sendable {
  /// The two tensors that a layer may have.
  public enum Part: String, Sendable { case weight, bias }

  public var role: TensorRole
  /// The block's index from 0; nil outside the blocks.
  public var block: Int?
  public var part: Part

  public init(_ role: TensorRole, block: Int? = nil, part: Part = .weight) {
    self.role = role
    self.block = block
    self.part = part
  }
}

/// How a role is spelled in each naming; `#` stands for the block's index.
public struct RoleName: Sendable {
  let role: TensorRole
  let gguf: String
  let huggingFace: String
  /// Whether the two namings order the rows of each head differently (rotary pairs).
  let hasRotaryRows: Bool

  init(_ role: TensorRole, _ gguf: String, _ huggingFace: String, hasRotaryRows: Bool = false) {
    self.role = role
    self.gguf = gguf
    self.huggingFace = huggingFace
    self.hasRotaryRows = hasRotaryRows
  }
}

/// The two namings of tensors that Nibble translates between.
public enum TensorNaming: Sendable {
  /// `blk.0.attn_q.weight`
  case gguf
  /// `model.layers.0.self_attn.q_proj.weight`
  case huggingFace
}

/// Translates tensor names to roles and back for one architecture.
struct NameMap: Sendable {
  private let naming: TensorNaming
  private var roles: [String: TensorRole] = [:]
  private var patterns: [TensorRole: String] = [:]

  init(_ names: [RoleName], naming: TensorNaming) {
    self.naming = naming
    for name in names {
      let pattern = naming == .gguf ? name.gguf : name.huggingFace
      roles[pattern] = name.role
      patterns[name.role] = pattern
    }
  }

  /// The name of a tensor, or nil when the architecture has no such role.
  func name(of id: TensorID) -> String? {
    guard let pattern = patterns[id.role] else { return nil }
    let parts = pattern.split(separator: ".").map { part in
      part == "#" ? String(id.block ?? 0) : String(part)
    }
    return (parts + [id.part.rawValue]).joined(separator: ".")
  }

  /// The tensor that `name` spells, or nil when it spells none.
  func id(of name: String) -> TensorID? {
    var parts = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    guard let last = parts.popLast(), let part = TensorID.Part(rawValue: last) else { return nil }
    var block: Int?
    if let index = parts.firstIndex(where: { !$0.isEmpty && $0.utf8.allSatisfy(isDigit) }) {
      guard let value = Int(parts[index]), String(value) == parts[index] else { return nil }
      block = value
      parts[index] = "#"
    }
    let pattern = parts.joined(separator: ".")
    guard let role = roles[pattern] ?? (naming == .huggingFace ? roles["model." + pattern] : nil)
    else { return nil }
    return TensorID(role, block: block, part: part)
  }
}

private func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
