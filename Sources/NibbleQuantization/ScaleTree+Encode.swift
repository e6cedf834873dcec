internal import CNibbleKernels
internal import NibbleTensors

extension ScaleTree {
  /// Encodes scales: halves are rounded to the nearest, double quantization rounds here, and the others must be numbers of the
  /// format already, as a ``Grid`` gives them.
  ///
  /// - Precondition: `format` has no parent scales of its own.
  package init(_ values: [Float], as format: ScaleFormat, tensorScale: Float) {
    switch format {
    case .float32: self = .float32(values)
    case .float16: self = .float16(Self.encode(.f16, values))
    case .bfloat16: self = .bfloat16(Self.encode(.bf16, values))
    case .e8m0: self = .e8m0(values.map { UInt8(Int($0.exponent) + 127) })
    case .e4m3:
      let codes = values.map {
        tensorScale == 0 ? 0 : EightBitScale.e4m3Code($0 / tensorScale)
      }
      self = .e4m3(codes, tensorScale: tensorScale)
    case .doubleQuantized: self = .doubleQuantizing(values)
    case .integer: preconditionFailure("nested scales are searched, not encoded")
    }
  }

  private static func encode(_ type: GGMLType, _ values: [Float]) -> [UInt16] {
    [UInt16](unsafeUninitializedCapacity: values.count) { bits, count in
      let target = UnsafeMutableRawBufferPointer(
        UnsafeMutableBufferPointer(rebasing: bits[..<values.count]))
      values.withUnsafeBufferPointer {
        BlockCodec.encode(type, $0, columnCount: max($0.count, 1), importance: nil, into: target)
      }
      count = values.count
    }
  }
}
