/// The tensor types of GGUF files; raw values are the file's type ids (ids that were removed from the format are absent).
public enum GGMLType: UInt32, CaseIterable, Sendable {
  case f32 = 0
  case f16 = 1
  case q4_0 = 2
  case q4_1 = 3
  case q5_0 = 6
  case q5_1 = 7
  case q8_0 = 8
  case q8_1 = 9
  case q2_k = 10
  case q3_k = 11
  case q4_k = 12
  case q5_k = 13
  case q6_k = 14
  case q8_k = 15
  case iq2_xxs = 16
  case iq2_xs = 17
  case iq3_xxs = 18
  case iq1_s = 19
  case iq4_nl = 20
  case iq3_s = 21
  case iq2_s = 22
  case iq4_xs = 23
  case i8 = 24
  case i16 = 25
  case i32 = 26
  case i64 = 27
  case f64 = 28
  case iq1_m = 29
  case bf16 = 30
  case tq1_0 = 34
  case tq2_0 = 35
  case mxfp4 = 39
  case nvfp4 = 40
  case q1_0 = 41
  case q2_0 = 42

  /// Elements and bytes of one block.
  public var block: (elementCount: Int, byteCount: Int) {
    switch self {
    case .f32, .i32: (1, 4)
    case .f16, .bf16, .i16: (1, 2)
    case .i8: (1, 1)
    case .i64, .f64: (1, 8)
    case .q4_0, .iq4_nl: (32, 18)
    case .q4_1: (32, 20)
    case .q5_0: (32, 22)
    case .q5_1: (32, 24)
    case .q8_0: (32, 34)
    case .q8_1: (32, 36)
    case .q2_k: (256, 84)
    case .q3_k, .iq3_s: (256, 110)
    case .q4_k: (256, 144)
    case .q5_k: (256, 176)
    case .q6_k: (256, 210)
    case .q8_k: (256, 292)
    case .iq2_xxs, .tq2_0: (256, 66)
    case .iq2_xs: (256, 74)
    case .iq3_xxs: (256, 98)
    case .iq1_s: (256, 50)
    case .iq2_s: (256, 82)
    case .iq4_xs: (256, 136)
    case .iq1_m: (256, 56)
    case .tq1_0: (256, 54)
    case .mxfp4: (32, 17)
    case .nvfp4: (64, 36)
    case .q1_0: (128, 18)
    case .q2_0: (64, 18)
    }
  }

  /// Bits that one weight takes, scales included.
  public var bitsPerWeight: Double { Double(8 * block.byteCount) / Double(block.elementCount) }

  /// The name that llama.cpp prints: "Q4_K".
  public var name: String { "\(self)".uppercased() }

  /// Finds a type by name, in any case: "q4_k", "IQ4_XS".
  public init?(name: String) {
    let wanted = name.lowercased()
    guard let type = Self.allCases.first(where: { "\($0)" == wanted }) else { return nil }
    self = type
  }

  /// Bytes of a row of `columnCount` weights, or nil when the row is no whole number of blocks or overflows.
  public func rowByteCount(columnCount: Int) -> Int? {
    let (elements, bytes) = block
    guard columnCount >= 0, columnCount % elements == 0 else { return nil }
    let (product, overflow) = (columnCount / elements).multipliedReportingOverflow(by: bytes)
    return overflow ? nil : product
  }
}
