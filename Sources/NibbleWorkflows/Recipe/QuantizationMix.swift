public import NibbleQuantization

/// A file type of llama-quantize: a base type, and rules that give sensitive tensors more bits.
public enum QuantizationMix: String, CaseIterable, Sendable {
  case f32, f16, bf16
  case q4_0, q4_1, q5_0, q5_1, q8_0
  case q2_k, q2_k_s, q3_k_s, q3_k_m, q3_k_l, q4_k_s, q4_k_m, q5_k_s, q5_k_m, q6_k
  case iq4_nl, iq4_xs

  /// Finds a mix by name, in any case; `q3_k`, `q4_k` and `q5_k` mean the medium mixes.
  public init?(name: String) {
    let wanted = name.lowercased()
    let aliases = ["q3_k": Self.q3_k_m, "q4_k": .q4_k_m, "q5_k": .q5_k_m]
    guard let mix = aliases[wanted] ?? Self(rawValue: wanted) else { return nil }
    self = mix
  }

  /// The name that llama.cpp prints: "Q4_K_M".
  public var name: String { rawValue.uppercased() }

  /// The type of every tensor that no rule speaks of.
  public var baseType: GGMLType {
    switch self {
    case .f32: .f32
    case .f16: .f16
    case .bf16: .bf16
    case .q4_0: .q4_0
    case .q4_1: .q4_1
    case .q5_0: .q5_0
    case .q5_1: .q5_1
    case .q8_0: .q8_0
    case .q2_k, .q2_k_s: .q2_k
    case .q3_k_s, .q3_k_m, .q3_k_l: .q3_k
    case .q4_k_s, .q4_k_m: .q4_k
    case .q5_k_s, .q5_k_m: .q5_k
    case .q6_k: .q6_k
    case .iq4_nl: .iq4_nl
    case .iq4_xs: .iq4_xs
    }
  }

  /// The value of the GGUF key `general.file_type`.
  public var fileType: UInt32 {
    switch self {
    case .f32: 0
    case .f16: 1
    case .q4_0: 2
    case .q4_1: 3
    case .q8_0: 7
    case .q5_0: 8
    case .q5_1: 9
    case .q2_k: 10
    case .q3_k_s: 11
    case .q3_k_m: 12
    case .q3_k_l: 13
    case .q4_k_s: 14
    case .q4_k_m: 15
    case .q5_k_s: 16
    case .q5_k_m: 17
    case .q6_k: 18
    case .q2_k_s: 21
    case .iq4_nl: 25
    case .iq4_xs: 30
    case .bf16: 32
    }
  }

  /// The value of `general.file_type` for a file whose matrices are mostly of `type`; 0 where there is none.
  public static func fileType(of type: GGMLType?) -> UInt32 {
    // The one name for MXFP4 is that of mixtures of experts.
    type == .mxfp4 ? 38 : allCases.first { $0.baseType == type }?.fileType ?? 0
  }

  /// Whether the mix only changes the floating-point format.
  public var isFloat: Bool { [.f32, .f16, .bf16].contains(self) }
}
