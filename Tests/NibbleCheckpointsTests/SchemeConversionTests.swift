import NibbleCheckpoints
import NibbleQuantization
import NibbleTensors
import Testing

@Suite struct SchemeConversionTests {
  private static func scheme(_ name: String) throws -> Scheme { try #require(Scheme(name: name)) }

  private static func exact(_ conversion: SchemeConversion) throws -> QuantizedTensor {
    switch conversion {
    case .exact(let tensor): return tensor
    case .near(_, let loss): throw QuantizationError(.invalidValue, "near: \(loss)")
    case .impossible(let reason): throw QuantizationError(.unsupported, reason)
    }
  }

  /// A tensor whose scales are powers of two, so that any product of them fits half precision.
  private static func roundTensor(_ name: String) throws -> QuantizedTensor {
    let scheme = try scheme(name)
    let tensor = try MLXSamples.randomTensor(scheme, rowCount: 6, columnCount: 256)
    let scales = tensor.scales.values().indices.map {
      Float(sign: .plus, exponent: -($0 % 5), significand: 1)
    }
    return try QuantizedTensor(
      rowCount: 6, columnCount: 256, scheme: scheme, codes: tensor.codes,
      scales: Self.stored(scales, scheme.scale), offsets: tensor.offsets,
      zeroPoints: tensor.zeroPoints)
  }

  private static func stored(_ values: [Float], _ format: ScaleFormat) -> ScaleTree {
    switch format {
    case .bfloat16: .bfloat16(values.map { UInt16($0.bitPattern >> 16) })
    case .float32: .float32(values)
    // Powers of two from 2^-4 to 1 in half precision.
    default: .float16(values.map { UInt16((Int($0.exponent) + 15) << 10) })
    }
  }

  @Test(
    "Values are the same, and the way back gives the same tensor",
    arguments: [
      ("int4-g64-sym", "int4-g64-asym"), ("int8-row-sym", "int8-row-asym"),
      ("int4-tensor-sym", "int4-tensor-asym"), ("int3-column-sym", "int3-column-asym"),
      ("int4-g64-sym-bf16", "int4-g64-asym-bf16"), ("int4-g64-sym", "int4-g64-sym-f32"),
      ("nf4-g64-f16", "nf4-g64"), ("kmeans3-row", "kmeans3-row-f32"),
      ("int5-g32-min", "int5-g32-min-f32"), ("int4-g64-sym", "int8-g64-sym"),
      ("int4-g64-asym", "int4-g64-min-f32"), ("int8-g64-sym", "int8-g64-min-f32"),
      ("int4-g128-sym", "int4-g64-sym"), ("int4-row-asym", "int4-g32-asym"),
      ("int4-tensor-sym", "int4-row-sym"), ("int4-tensor-sym", "int4-column-sym"),
      ("kmeans2-row", "kmeans2-g64"), ("nf4-row", "nf4-g64"), ("int4-g128-min", "int4-g32-min"),
      ("int4-g64-sym", "int5-g32-min-f32"), ("mxfp4", "e2m1-g32-f32"),
    ])
  func thereAndBack(from: String, to: String) throws {
    let tensor = try MLXSamples.randomTensor(Self.scheme(from), rowCount: 6, columnCount: 256)
    let converted = try Self.exact(tensor.converted(to: Self.scheme(to)))
    #expect(converted.scheme == (try Self.scheme(to)))
    #expect(converted.dequantized() == tensor.dequantized())
    let back = try Self.exact(converted.converted(to: tensor.scheme))
    #expect(back == tensor)
  }

  @Test(
    "Scales that are powers of two survive every format",
    arguments: [
      ("int4-g64-sym", "int4-g64-min"), ("int4-g64-sym-bf16", "int4-g64-min-bf16"),
      ("int4-g64-asym", "int4-g64-min"), ("int8-g32-sym", "int8-g32-min"),
      ("int4-g64-sym-f32", "int4-g64-min"), ("int4-g64-sym", "int4-g64-sym-bf16"),
      ("int4-g64-sym-bf16", "int4-g64-sym"), ("nf4-g64", "nf4-g64-f16"), ("e2m1-g32", "mxfp4"),
    ])
  func powersOfTwo(from: String, to: String) throws {
    let tensor = try Self.roundTensor(from)
    let converted = try Self.exact(tensor.converted(to: Self.scheme(to)))
    #expect(converted.dequantized() == tensor.dequantized())
    #expect(try Self.exact(converted.converted(to: tensor.scheme)) == tensor)
  }

  @Test("A half-precision symmetric scale times a power of two is exact as a minimum")
  func symmetricMinimum() throws {
    for bits in [2, 3, 4, 5, 6, 8] {
      let tensor = try MLXSamples.randomTensor(
        Self.scheme("int\(bits)-g64-sym"), rowCount: 6, columnCount: 256)
      let converted = try Self.exact(tensor.converted(to: Self.scheme("int\(bits)-g64-min")))
      #expect(converted.dequantized() == tensor.dequantized())
      #expect(converted.codes == tensor.codes)
      #expect(
        converted.offsets?.values() == tensor.scales.values().map { -Float(1 << (bits - 1)) * $0 })
    }
  }

  @Test("Negative scales change no value but the sign of zero")
  func negativeScale() throws {
    let tensor = try QuantizedTensor(
      rowCount: 1, columnCount: 32, scheme: Self.scheme("int4-g32-sym-f32"),
      codes: (0..<32).map { UInt8($0 % 16) }, scales: .float32([-0.375]))
    let converted = try Self.exact(tensor.converted(to: Self.scheme("int4-g32-min")))
    #expect(converted.dequantized() == tensor.dequantized())
    #expect(converted.offsets?.values() == [3])
  }

  @Test("A zero point's minimum is rounded to half precision, and the loss is told")
  func roundedMinimum() throws {
    let tensor = try MLXSamples.randomTensor(
      Self.scheme("int4-g64-asym"), rowCount: 6, columnCount: 256)
    guard case .near(let near, let loss) = tensor.converted(to: try Self.scheme("int4-g64-min"))
    else {
      Issue.record("seven times a scale of eleven bits has more of them")
      return
    }
    let differences = zip(near.dequantized(), tensor.dequantized()).map { abs($0 - $1) }
    #expect(loss.absolute == differences.max())
    #expect(loss.absolute > 0 && loss.relative > 0 && loss.relative < 0x1p-10)
    #expect(near.codes == tensor.codes)
  }

  @Test("Scales are rounded to fewer bits, and the loss is told")
  func roundedScale() throws {
    let tensor = try MLXSamples.randomTensor(
      Self.scheme("int4-g64-sym-f32"), rowCount: 3, columnCount: 128)
    guard case .near(let near, let loss) = tensor.converted(to: try Self.scheme("int4-g64-sym"))
    else {
      Issue.record("a quotient by seven has more than eleven bits")
      return
    }
    let differences = zip(near.dequantized(), tensor.dequantized()).map { abs($0 - $1) }
    #expect(loss.absolute == differences.max())
    #expect(loss.relative > 0 && loss.relative <= 0x1p-11)
  }

  @Test("Groups are merged where they agree, and not where one differs")
  func mergedGroups() throws {
    let coarse = try MLXSamples.randomTensor(
      Self.scheme("int4-g128-asym"), rowCount: 4, columnCount: 256)
    let fine = try Self.exact(coarse.converted(to: Self.scheme("int4-g32-asym")))
    #expect(try Self.exact(fine.converted(to: Self.scheme("int4-g128-asym"))) == coarse)
    var zeroPoints = try #require(fine.zeroPoints)
    zeroPoints[5] ^= 1
    let other = try QuantizedTensor(
      rowCount: 4, columnCount: 256, scheme: fine.scheme, codes: fine.codes, scales: fine.scales,
      zeroPoints: zeroPoints)
    guard case .impossible(let reason) = other.converted(to: coarse.scheme) else {
      Issue.record("merged groups of different zero points")
      return
    }
    #expect(reason.contains("row 0, columns from 128"), "\(reason)")
  }

  @Test("Minima become zero points where they are whole numbers of scales")
  func minimaToZeroPoints() throws {
    func tensor(_ minima: [Float]) throws -> QuantizedTensor {
      try QuantizedTensor(
        rowCount: minima.count, columnCount: 32, scheme: Self.scheme("int4-g32-min-f32"),
        codes: (0..<32 * minima.count).map { UInt8($0 % 16) },
        scales: .float32([Float](repeating: 0.25, count: minima.count)), offsets: .float32(minima))
    }
    let asymmetric = try Self.scheme("int4-g32-asym-f32")
    let whole = try Self.exact(tensor([-1, 0, -3.75]).converted(to: asymmetric))
    #expect(whole.zeroPoints == [4, 0, 15])
    guard case .near(let near, let loss) = try tensor([-1.125]).converted(to: asymmetric) else {
      Issue.record("a minimum of 4.5 scales is no zero point")
      return
    }
    #expect(near.zeroPoints == [4] && loss.absolute == 0.125)
    guard case .impossible(let reason) = try tensor([1]).converted(to: asymmetric) else {
      Issue.record("a minimum above zero has no zero point among all 16 codes")
      return
    }
    #expect(reason.contains("group 0"))
    #expect(
      try Self.exact(tensor([-2]).converted(to: Self.scheme("int4-g32-sym-f32"))).dequantized()
        == tensor([-2]).dequantized())
  }

  @Test("Codes that leave room are shifted into fewer bits")
  func narrowed() throws {
    let scheme = try Self.scheme("int8-g32-sym")
    func tensor(_ codes: [UInt8]) throws -> QuantizedTensor {
      try QuantizedTensor(
        rowCount: 1, columnCount: 32, scheme: scheme, codes: codes, scales: .float16([0x3C00]))
    }
    let small = try tensor((0..<32).map { UInt8(120 + $0 % 16) })
    for name in ["int4-g32-sym", "int4-g32-asym", "int4-g32-min"] {
      let converted = try Self.exact(small.converted(to: Self.scheme(name)))
      #expect(converted.dequantized() == small.dequantized(), "\(name)")
      #expect(converted.codes.allSatisfy { $0 < 16 })
    }
    let wide = try tensor((0..<32).map { UInt8(100 + $0) })
    guard case .impossible(let reason) = wide.converted(to: try Self.scheme("int4-g32-sym")) else {
      Issue.record("32 levels in 4 bits")
      return
    }
    #expect(reason.contains("levels from -28 to 3"), "\(reason)")
  }

  @Test(
    "Nested scales become plain ones",
    arguments: [
      ("q4_k", "int4-g32-min-f32"), ("q6_k", "int6-g16-sym-f32"), ("nf4-g64-dq", "nf4-g64"),
      ("nvfp4", "e2m1-g16-f32"), ("q8_0", "int8-g32-asym"), ("q4_0", "int4-g32-min"),
    ])
  func nestedScales(from: String, to: String) throws {
    let type = try Self.scheme(from)
    let tensor: QuantizedTensor
    if case .block = type.granularity {
      let blocks = try GGMLSample.tensor(type)
      tensor = blocks
    } else {
      tensor = try MLXSamples.randomTensor(type, rowCount: 4, columnCount: 256)
    }
    let converted = try Self.exact(tensor.converted(to: Self.scheme(to)))
    #expect(converted.dequantized() == tensor.dequantized())
  }

  @Test("Columns in an order of their own stay in it")
  func columnOrder() throws {
    let natural = try MLXSamples.randomTensor(
      Self.scheme("int4-g32-sym"), rowCount: 2, columnCount: 64)
    let ordered = try Self.exact(natural.converted(to: Self.scheme("int4-g32-asym-act")))
    #expect(ordered.columnOrder == (0..<64).map { Int32($0) })
    let halves: [Int32] = (0..<2).flatMap { half in (0..<32).map { Int32(2 * $0 + half) } }
    let shuffled = try QuantizedTensor(
      rowCount: 2, columnCount: 64, scheme: ordered.scheme, codes: ordered.codes,
      scales: ordered.scales, zeroPoints: ordered.zeroPoints, columnOrder: halves)
    let symmetric = try Self.exact(shuffled.converted(to: Self.scheme("int4-g32-sym-act")))
    #expect(symmetric.columnOrder == halves)
    #expect(symmetric.dequantized() == shuffled.dequantized())
    guard case .impossible(let reason) = shuffled.converted(to: natural.scheme) else {
      Issue.record("the order was dropped")
      return
    }
    #expect(reason.contains("order"))
  }

  @Test(
    arguments: [
      ("nf4-g64", "fp4-g64", "levels"), ("int4-g64-sym", "nf4-g64", "levels"),
      ("nf4-g64", "int4-g64-min", "levels"), ("kmeans4-row", "kmeans3-row", "levels"),
      ("nf4-g64", "nf4-g64-dq", "searched"), ("e2m1-g32", "mxfp4", "power of two"),
      ("int4-g64-sym", "int4-row-sym", "several scales"), ("int4-g32-min-f32", "q4_k", "searched"),
    ])
  func impossible(from: String, to: String, words: String) throws {
    let tensor = try MLXSamples.randomTensor(Self.scheme(from), rowCount: 4, columnCount: 256)
    guard case .impossible(let reason) = tensor.converted(to: try Self.scheme(to)) else {
      Issue.record("\(from) became \(to)")
      return
    }
    #expect(reason.contains(words), "\(reason)")
  }

  @Test("Scales that are no numbers, and minima that are too large, are impossible")
  func hostileNumbers() throws {
    let name = "int4-g32-asym-f32"
    for scale in [Float.nan, .infinity] {
      let tensor = try QuantizedTensor(
        rowCount: 1, columnCount: 32, scheme: Self.scheme(name),
        codes: [UInt8](repeating: 3, count: 32), scales: .float32([scale]), zeroPoints: [7])
      guard case .impossible = tensor.converted(to: try Self.scheme("int4-g32-min-f32")) else {
        Issue.record("\(scale) was converted")
        continue
      }
    }
    let large = try QuantizedTensor(
      rowCount: 1, columnCount: 32, scheme: Self.scheme(name),
      codes: [UInt8](repeating: 7, count: 32), scales: .float32([3e38]), zeroPoints: [7])
    guard case .impossible(let reason) = large.converted(to: try Self.scheme("int4-g32-min-f32"))
    else {
      Issue.record("an infinite minimum")
      return
    }
    #expect(reason.contains("too large"))
  }

  @Test("Matrices without elements convert")
  func empty() throws {
    let scheme = try Self.scheme("int4-g32-sym")
    let tensor = try QuantizedTensor(
      rowCount: 0, columnCount: 32, scheme: scheme, codes: [], scales: .float16([]))
    #expect(try Self.exact(tensor.converted(to: Self.scheme("int8-g64-min"))).codes.isEmpty)
  }
}

/// Matrices of block types, whose scales are searched as the blocks are made.
private enum GGMLSample {
  static func tensor(_ scheme: Scheme) throws -> QuantizedTensor {
    let type = try #require(GGMLType(scheme: scheme))
    var random = RandomSource(seed: 2)
    let weights = (0..<4 * 256).map { _ in Float(random.gaussian()) * 0.1 }
    var bytes = [UInt8](
      repeating: 0, count: weights.count / type.block.elementCount * type.block.byteCount)
    bytes.withUnsafeMutableBytes { bytes in
      weights.withUnsafeBufferPointer {
        BlockCodec.encode(type, $0, columnCount: 256, importance: nil, into: bytes)
      }
    }
    return try GGMLBlocks().unpack(
      [NamedBytes(bytes: bytes)], rowCount: 4, columnCount: 256, scheme: scheme)
  }
}
