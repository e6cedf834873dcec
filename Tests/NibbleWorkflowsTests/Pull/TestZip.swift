import Foundation

/// Builds ZIP archives for tests, right and wrong ones.
struct TestZip {
  struct File {
    var name: String
    /// The bytes as they stand in the archive.
    var packed: Data
    var method: UInt16 = 0
    var byteCount: Int
    var checksum: UInt32
    /// Whether sizes and offset are in the 64-bit extra field.
    var isLarge = false
    var flags: UInt16 = 0

    static func stored(_ name: String, _ data: Data) -> File {
      File(name: name, packed: data, byteCount: data.count, checksum: checksum32(data))
    }

    static func deflated(_ name: String, _ packed: Data, of data: Data) -> File {
      File(
        name: name, packed: packed, method: 8, byteCount: data.count, checksum: checksum32(data))
    }
  }

  var files: [File]
  /// Whether the end of the directory is in the 64-bit record.
  var hasLargeEnd = false
  var comment = Data()

  /// The archive's bytes.
  func data() -> Data {
    var archive = Data()
    var directory = Data()
    for file in files {
      let offset = archive.count
      let name = Data(file.name.utf8)
      archive += header(0x0403_4B50, file, name, isLarge: false, offset: 0) + name + file.packed
      directory += header(0x0201_4B50, file, name, isLarge: file.isLarge, offset: offset) + name
      if file.isLarge {
        directory += u16(1) + u16(24) + u64(file.byteCount) + u64(file.packed.count) + u64(offset)
      }
    }
    let start = archive.count
    archive += directory
    if hasLargeEnd {
      let record = archive.count
      archive += u32(0x0606_4B50) + u64(44) + u16(45) + u16(45) + u32(0) + u32(0)
      archive += u64(files.count) + u64(files.count) + u64(directory.count) + u64(start)
      archive += u32(0x0706_4B50) + u32(0) + u64(record) + u32(1)
    }
    let count = hasLargeEnd ? 0xFFFF : UInt16(files.count)
    archive += u32(0x0605_4B50) + u16(0) + u16(0) + u16(count) + u16(count)
    archive += u32(hasLargeEnd ? 0xFFFF_FFFF : UInt32(directory.count))
    archive += u32(hasLargeEnd ? 0xFFFF_FFFF : UInt32(start))
    return archive + u16(UInt16(comment.count)) + comment
  }

  private func header(
    _ signature: UInt32, _ file: File, _ name: Data, isLarge: Bool, offset: Int
  ) -> Data {
    let isDirectory = signature == 0x0201_4B50
    var data = u32(signature)
    if isDirectory { data += u16(45) }
    data += u16(45) + u16(file.flags) + u16(file.method) + u32(0) + u32(file.checksum)
    data += u32(isLarge ? 0xFFFF_FFFF : UInt32(file.packed.count))
    data += u32(isLarge ? 0xFFFF_FFFF : UInt32(file.byteCount))
    data += u16(UInt16(name.count)) + u16(isLarge ? 28 : 0)
    if isDirectory {
      data += u16(0) + u16(0) + u16(0) + u32(0) + u32(isLarge ? 0xFFFF_FFFF : UInt32(offset))
    }
    return data
  }

  private func u16(_ value: UInt16) -> Data { withUnsafeBytes(of: value.littleEndian) { Data($0) } }
  private func u32(_ value: UInt32) -> Data { withUnsafeBytes(of: value.littleEndian) { Data($0) } }
  private func u64(_ value: Int) -> Data {
    withUnsafeBytes(of: UInt64(value).littleEndian) { Data($0) }
  }
}

/// The CRC-32 of ISO 3309, one bit at a time.
func checksum32(_ data: Data) -> UInt32 {
  var value: UInt32 = 0xFFFF_FFFF
  for byte in data {
    value ^= UInt32(byte)
    for _ in 0..<8 { value = value >> 1 ^ (value & 1 == 1 ? 0xEDB8_8320 : 0) }
  }
  return ~value
}
