/// How one number is written in a few bits: a floating-point format, an integer, or a bare power of two.
///
/// A pattern of bits is held in the low ``bitCount`` bits of a `UInt32`. The properties, ``encode(_:overflow:)`` and
/// ``decode(_:)`` follow from ``kind`` alone; rows are converted by ``Half``, ``BFloat16``, ``Float8E4M3``,
/// ``Float8E5M2`` and ``Float4E2M1``, which give the same bits.
public struct NumberFormat: Hashable, Sendable {
  /// Which patterns of a floating-point format are no finite numbers.
  public enum SpecialValues: Hashable, Sendable {
    /// Exponent all ones: infinity where the fraction is zero, else NaN (IEEE 754).
    case infinitiesAndNaN
    /// NaN where all bits but the sign are ones; no infinities ("fn").
    case nanOnly
    /// NaN in the place of negative zero; no infinities ("fnuz").
    case nanForNegativeZero
    /// Every pattern is a finite number.
    case none
  }

  /// What the bits mean.
  public enum Kind: Hashable, Sendable {
    /// A sign, an exponent and a fraction, from the highest bit down:
    /// `(-1)^s · 2^(e - bias) · 1.f`, or `(-1)^s · 2^(1 - bias) · 0.f` where the exponent field is zero.
    case floating(exponentBitCount: Int, fractionBitCount: Int, bias: Int, special: SpecialValues)
    /// A whole number, in two's complement where it is signed.
    case integer(bitCount: Int, isSigned: Bool)
    /// `2^(e - bias)`, with neither sign nor fraction nor zero; NaN where all bits are ones.
    case powerOfTwo(exponentBitCount: Int, bias: Int)
  }

  /// What becomes of values beyond the largest.
  public enum Overflow: Hashable, Sendable {
    /// The largest number of their sign.
    case saturating
    /// Infinity where the format has it, else NaN where it has that, else the largest number.
    case asDefined
  }

  /// The name that users write: "fp16", "fp8-e4m3", "int4".
  public let name: String
  public let kind: Kind

  /// Bits of one number.
  public var bitCount: Int {
    switch kind {
    case .floating(let exponent, let fraction, _, _): 1 + exponent + fraction
    case .integer(let bits, _): bits
    case .powerOfTwo(let exponent, _): exponent
    }
  }
}

extension NumberFormat {
  /// IEEE 754 binary32.
  public static let float32 = ieee("fp32", exponent: 8, fraction: 23)
  /// IEEE 754 binary16.
  public static let float16 = ieee("fp16", exponent: 5, fraction: 10)
  /// The upper half of a binary32.
  public static let bfloat16 = ieee("bf16", exponent: 8, fraction: 7)
  /// The 8-bit float with more precision, without infinities (Micikevicius et al. 2022, arXiv:2209.05433).
  public static let float8E4M3 = floating("fp8-e4m3", 4, 3, bias: 7, .nanOnly)
  /// The 8-bit float with more range (Micikevicius et al. 2022, arXiv:2209.05433).
  public static let float8E5M2 = ieee("fp8-e5m2", exponent: 5, fraction: 2)
  /// E4M3 with one zero, one NaN and bias 8.
  public static let float8E4M3FNUZ = floating("fp8-e4m3fnuz", 4, 3, bias: 8, .nanForNegativeZero)
  /// E5M2 with one zero, one NaN and bias 16.
  public static let float8E5M2FNUZ = floating("fp8-e5m2fnuz", 5, 2, bias: 16, .nanForNegativeZero)
  /// The 6-bit float with more range (OCP Microscaling Formats 1.0, section 5.3.2).
  public static let float6E3M2 = floating("fp6-e3m2", 3, 2, bias: 3, .none)
  /// The 6-bit float with more precision (OCP Microscaling Formats 1.0, section 5.3.2).
  public static let float6E2M3 = floating("fp6-e2m3", 2, 3, bias: 1, .none)
  /// The 4-bit float: 0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives (OCP Microscaling Formats 1.0, section 5.3.3).
  public static let float4E2M1 = floating("fp4-e2m1", 2, 1, bias: 1, .none)
  /// The scale of microscaling blocks (OCP Microscaling Formats 1.0, section 5.4.1).
  public static let e8m0 = NumberFormat(
    name: "e8m0", kind: .powerOfTwo(exponentBitCount: 8, bias: 127))

  /// A signed integer.
  ///
  /// - Precondition: `bitCount` is 2 to 16.
  public static func int(_ bitCount: Int) -> NumberFormat {
    precondition((2...16).contains(bitCount))
    return NumberFormat(name: "int\(bitCount)", kind: .integer(bitCount: bitCount, isSigned: true))
  }

  /// An unsigned integer.
  ///
  /// - Precondition: `bitCount` is 1 to 16.
  public static func uint(_ bitCount: Int) -> NumberFormat {
    precondition((1...16).contains(bitCount))
    return NumberFormat(
      name: "uint\(bitCount)", kind: .integer(bitCount: bitCount, isSigned: false))
  }

  /// The formats of weights and scales, floats first, widest first.
  public static let all: [NumberFormat] =
    [
      float32, float16, bfloat16, float8E4M3, float8E5M2, float6E3M2, float6E2M3, float4E2M1, e8m0,
    ] + (2...8).reversed().map(int) + (2...8).reversed().map(uint)

  /// Finds a format by a name that is in use, in any case: "fp16", "half", "e4m3", "float8_e4m3fn", "INT4".
  public init?(name: String) {
    let wanted = Self.plain(name)
    let known = Self.all + [.float8E4M3FNUZ, .float8E5M2FNUZ, .int(16), .uint(16)]
    guard
      let format = known.first(where: { format in
        Self.plain(format.name) == wanted || Self.aliases[wanted] == format.name
      })
    else { return nil }
    self = format
  }

  private static let aliases = [
    "f32": "fp32", "float32": "fp32", "float": "fp32", "f16": "fp16", "float16": "fp16",
    "half": "fp16", "bfloat16": "bf16", "e4m3": "fp8-e4m3", "e4m3fn": "fp8-e4m3",
    "float8e4m3fn": "fp8-e4m3", "f8e4m3": "fp8-e4m3", "e5m2": "fp8-e5m2", "float8e5m2": "fp8-e5m2",
    "f8e5m2": "fp8-e5m2", "e3m2": "fp6-e3m2", "e2m3": "fp6-e2m3", "e2m1": "fp4-e2m1",
    "fp4": "fp4-e2m1", "f4": "fp4-e2m1", "float4e2m1": "fp4-e2m1", "fp8e8m0": "e8m0",
    "float8e8m0fnu": "e8m0", "f8e8m0": "e8m0",
  ]

  private static func plain(_ name: String) -> String {
    name.lowercased().filter { $0 != "-" && $0 != "_" }
  }

  private static func ieee(_ name: String, exponent: Int, fraction: Int) -> NumberFormat {
    floating(name, exponent, fraction, bias: 1 << (exponent - 1) - 1, .infinitiesAndNaN)
  }

  private static func floating(
    _ name: String, _ exponent: Int, _ fraction: Int, bias: Int, _ special: SpecialValues
  ) -> NumberFormat {
    NumberFormat(
      name: name,
      kind: .floating(
        exponentBitCount: exponent, fractionBitCount: fraction, bias: bias, special: special))
  }
}
