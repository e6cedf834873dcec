import NibbleQuantization
import Testing

/// Codes and scales of bitsandbytes, torchao and the gguf package (scripts/fixtures/schemes.py).
@Suite struct SchemeGoldenTests {
  private struct FourBit: Decodable {
    let patterns: String
    let absmax: [Float]
    let mean: Float
    let codes: String
    let largest: [Float]
    let scales: [Float]
  }

  private struct FourBitFile: Decodable {
    let nf4: FourBit
    let fp4: FourBit
    let dynamic_map: [Float]
  }

  private struct Microscaling: Decodable {
    let exponents: String
    let patterns: String
    let first_values: [Float]
  }

  private struct Affine: Decodable {
    struct Case: Decodable {
      let scheme: String
      let scales: [Float]
      let zero_points: String?
      let codes: String
    }
    let rows: Int
    let columns: Int
    let cases: [Case]
  }

  private static func quantize(
    _ weights: [Float], rowCount: Int, _ name: String
  ) throws -> QuantizedTensor {
    let scheme = try #require(Scheme(name: name))
    return try weights.withUnsafeBufferPointer {
      try RoundToNearest().quantize(
        $0, rowCount: rowCount, columnCount: weights.count / rowCount, as: scheme)
    }
  }

  @Test("NF4 and FP4 are those of bitsandbytes, bit for bit", arguments: ["nf4", "fp4"])
  func fourBit(name: String) throws {
    let file = try rangeFixture("schemes/four_bit.json", as: FourBitFile.self)
    let golden = name == "nf4" ? file.nf4 : file.fp4
    let weights = SampleWeights.bell(64 * 300, seed: 1)
    let tensor = try Self.quantize(weights, rowCount: 1, "\(name)-g64")
    #expect(tensor.scales == .float32(golden.absmax))
    // bitsandbytes' FP4 patterns are sign and magnitude in an order of their own; NF4's are the levels' order.
    let magnitudes: [UInt8] = [0, 1, 6, 7, 4, 5, 2, 3]
    let patterns = tensor.codes.map { code -> UInt8 in
      guard name == "fp4" else { return code }
      let rank = Int(code) - 8
      return rank >= 0
        ? (rank == 0 ? 8 : magnitudes[rank]) : code == 7 ? 0 : 8 + magnitudes[-rank - 1]
    }
    #expect(patterns == bytes(golden.patterns))
  }

  @Test("Double quantization is that of bitsandbytes", arguments: ["nf4", "fp4"])
  func doubleQuantization(name: String) throws {
    let file = try rangeFixture("schemes/four_bit.json", as: FourBitFile.self)
    let golden = name == "nf4" ? file.nf4 : file.fp4
    let tensor = try Self.quantize(
      SampleWeights.bell(64 * 300, seed: 1), rowCount: 1, "\(name)-g64-dq")
    guard case .doubleQuantized(let codes, let largest, let mean) = tensor.scales else {
      Issue.record("not double-quantized")
      return
    }
    #expect(mean == golden.mean)
    #expect(largest == golden.largest)
    #expect(codes == bytes(golden.codes))
    #expect(tensor.scales.values() == golden.scales)
    let single = try Self.quantize(
      SampleWeights.bell(64 * 300, seed: 1), rowCount: 1, "\(name)-g64")
    #expect(tensor.codes == single.codes)
  }

  @Test("MXFP4 is that of the gguf package")
  func microscaling() throws {
    let golden = try rangeFixture("schemes/microscaling.json", as: Microscaling.self)
    var weights = SampleWeights.bell(32 * 400, seed: 2)
    for index in 64..<96 { weights[index] = 0 }
    let scheme = try #require(Scheme(name: "mxfp4"))
    let tensor = try weights.withUnsafeBufferPointer {
      try RoundToNearest(range: AbsMax())
        .quantize($0, rowCount: 1, columnCount: weights.count, as: scheme)
    }
    // gguf stores half of each scale with doubled levels, so its exponents are the same numbers.
    var exponents = bytes(golden.exponents)
    // A block of zeros has any scale; gguf writes 0 there.
    #expect(tensor.scales.count == exponents.count)
    if case .e8m0(let codes) = tensor.scales {
      exponents[2] = codes[2]
      #expect(codes == exponents)
    }
    let patterns = tensor.codes.map { $0 >= 8 ? $0 - 8 : 15 - $0 }
    #expect(patterns == bytes(golden.patterns))
    #expect(Array(tensor.dequantized().prefix(64)) == golden.first_values)
  }

  @Test("Affine schemes are those of torchao")
  func affine() throws {
    let golden = try rangeFixture("schemes/affine.json", as: Affine.self)
    let weights = SampleWeights.bell(golden.rows * golden.columns, seed: 3).map { $0 + 0.01 }
    #expect(golden.cases.count == 40)
    for sample in golden.cases {
      let tensor = try Self.quantize(weights, rowCount: golden.rows, sample.scheme)
      let scales = tensor.scales.values()
      #expect(scales.count == sample.scales.count)
      // torchao divides by (2^b - 1) / 2 and rounds that once more: one unit in the last place.
      for (ours, theirs) in zip(scales, sample.scales) {
        #expect(abs(ours - theirs) <= theirs.ulp, "\(sample.scheme)")
      }
      #expect(tensor.zeroPoints == sample.zero_points.map(bytes), "\(sample.scheme)")
      let differences = zip(tensor.codes, bytes(sample.codes)).filter { $0 != $1 }.count
      #expect(differences == 0, "\(sample.scheme)")
    }
  }
}

/// The bytes of a text of hexadecimal digits.
private func bytes(_ text: String) -> [UInt8] {
  let digits = text.utf8.map { UInt8(Character(UnicodeScalar($0)).hexDigitValue ?? 0) }
  return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

/// Weights that scripts/fixtures/schemes.py makes too.
enum SampleWeights {
  /// Sums of twelve uniform numbers, times 0.02, every 97th times 8.
  static func bell(_ count: Int, seed: UInt64) -> [Float] {
    var state = seed
    func uniform() -> Double {
      state &+= 0x9E37_79B9_7F4A_7C15
      var z = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
      z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
      return Double((z ^ (z >> 31)) >> 11) * 0x1p-53
    }
    return (0..<count).map { index in
      let sum = (0..<12).reduce(0.0) { sum, _ in sum + uniform() }
      let value = Float((sum - 6) * 0.02)
      return index % 97 == 0 ? value * 8 : value
    }
  }
}
