public import NibbleTensors

/// The bytes that a model's weights take when all of them are stored in one way.
public struct WeightMemory: Sendable {
  /// A way to store weights.
  public enum Storage: Hashable, Sendable {
    /// A number for each weight, without scales.
    case plain(NumberFormat)
    /// Blocks of a GGUF file.
    case blocks(GGMLType)
    /// Codes with scales. Only schemes with groups, whose size does not depend on the matrix.
    case scheme(Scheme)
  }

  /// The usual ways, plain numbers first, each kind from the most bits to the fewest.
  public static let usual: [Storage] =
    [NumberFormat.float32, .float16, .bfloat16, .float8E4M3, .int(8), .int(4)].map(Storage.plain)
    + [
      GGMLType.q8_0, .q6_k, .q5_k, .q5_0, .q4_k, .q4_0, .mxfp4, .iq4_xs, .q3_k, .q2_k,
    ].map(Storage.blocks)
    + ["int8-g128-sym", "int4-g64-asym", "int4-g128-asym", "int3-g128-asym", "nf4-g64"]
    .compactMap(Scheme.init(name:)).map(Storage.scheme)

  public let parameterCount: Int
  public let storage: Storage
  /// Bits of one weight, scales included.
  public let bitsPerWeight: Double
  /// Bytes of all weights, rounded up to whole ones.
  public let byteCount: Int

  /// The memory of `parameterCount` weights.
  ///
  /// - Throws: ``QuantizationError`` for a scheme whose size depends on the matrix, and for counts whose bytes an `Int` does
  ///   not hold.
  public init(parameterCount: Int, storage: Storage) throws(QuantizationError) {
    self.parameterCount = parameterCount
    self.storage = storage
    // Exact: so many bits for so many weights.
    let bits: Int
    let elements: Int
    switch storage {
    case .plain(let format): (bits, elements) = (format.bitCount, 1)
    case .blocks(let type): (bits, elements) = (8 * type.block.byteCount, type.block.elementCount)
    case .scheme(let scheme):
      let columnCount: Int
      switch scheme.granularity {
      case .group(let length) where scheme.scale.isRowLocal: columnCount = length
      case .block(let length, _): columnCount = length
      default:
        throw QuantizationError(.unsupported, "the size of \(scheme) depends on the matrix")
      }
      let sum = try scheme.storage(rowCount: 1, columnCount: columnCount)
      (bits, elements) = (sum.bitCount, sum.elementCount)
    }
    bitsPerWeight = Double(bits) / Double(elements)
    let product = parameterCount.multipliedFullWidth(by: bits)
    guard parameterCount >= 0, product.high < 4 * elements else {
      throw Self.tooMany(parameterCount)
    }
    let (quotient, remainder) = (8 * elements).dividingFullWidth(product)
    let (bytes, overflow) = quotient.addingReportingOverflow(remainder > 0 ? 1 : 0)
    if overflow { throw Self.tooMany(parameterCount) }
    byteCount = bytes
  }

  private static func tooMany(_ count: Int) -> QuantizationError {
    QuantizationError(.shape, "the bytes of \(count) weights cannot be counted")
  }

  /// Reads a number of parameters: "70e9", "135M", "7b", "1.5B", "124,439,808".
  ///
  /// k, M, B (or G) and T stand for thousands, millions, billions and trillions, in any case.
  ///
  /// - Parameter text: a decimal number that is not negative, perhaps with one such letter.
  /// - Returns: the number, rounded to the nearest whole one; nil for other text and from 2⁶³ on.
  public static func parameterCount(_ text: String) -> Int? {
    let factors: [Character: Double] = ["k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9, "t": 1e12]
    var digits = text.lowercased().filter { $0 != "," && $0 != "_" }
    var factor = 1.0
    if let last = digits.last, let power = factors[last] {
      factor = power
      digits.removeLast()
    }
    guard digits.first != "-", digits.allSatisfy("0123456789.e+-".contains),
      let number = Double(digits)
    else { return nil }
    return Int(exactly: (number * factor).rounded())
  }
}
