internal import NibbleQuantization
internal import NibbleTensors

extension ScaleTree {
  /// The bytes of scales that are plain numbers; nil for formats with parts.
  var plainNumberBytes: [UInt8]? {
    switch self {
    case .float32(let values): values.withUnsafeBytes { [UInt8]($0) }
    case .float16(let bits), .bfloat16(let bits): bits.withUnsafeBytes { [UInt8]($0) }
    default: nil
    }
  }

  /// Scales of a format that ``ScaleFormat/plainNumberType`` knows; nil for others.
  init?(plainNumberBytes bytes: [UInt8], format: ScaleFormat) {
    switch format {
    case .float32: self = .float32(.init(littleEndianBytes: bytes))
    case .float16: self = .float16(.init(littleEndianBytes: bytes))
    case .bfloat16: self = .bfloat16(.init(littleEndianBytes: bytes))
    default: return nil
    }
  }
}

extension ScaleFormat {
  /// The type of scales that are stored as plain numbers.
  var plainNumberType: DType? {
    switch self {
    case .float32: .float32
    case .float16: .float16
    case .bfloat16: .bfloat16
    default: nil
    }
  }

  /// The format of scales that are plain numbers of `type`; nil for types that are no format of scales.
  init?(plainNumberType type: DType) {
    switch type {
    case .float32: self = .float32
    case .float16: self = .float16
    case .bfloat16: self = .bfloat16
    default: return nil
    }
  }
}

extension Array where Element: BitwiseCopyable {
  /// As many elements as the bytes are; files are little-endian, as every supported machine is.
  init(littleEndianBytes bytes: [UInt8]) {
    let width = MemoryLayout<Element>.stride
    self.init(unsafeUninitializedCapacity: bytes.count / width) { elements, count in
      bytes.withUnsafeBytes { bytes in
        UnsafeMutableRawBufferPointer(elements).copyMemory(
          from: UnsafeRawBufferPointer(rebasing: bytes[..<(bytes.count / width * width)]))
      }
      count = bytes.count / width
    }
  }
}
