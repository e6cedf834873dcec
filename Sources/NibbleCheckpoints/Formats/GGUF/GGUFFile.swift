internal import NibbleQuantization
package import NibbleTensors

/// One GGUF file, read but not interpreted: versions 2 and 3, little-endian.
///
/// The rules are llama.cpp's, but for padding after the last tensor, which may be missing.
package struct GGUFFile: Sendable {
  package var metadata = Metadata()
  package var tensors: [TensorRecord] = []
  /// Bytes after the last tensor and its padding.
  package var trailingByteCount = 0

  /// Reads the header; tensor bytes are not touched.
  ///
  /// - Throws: ``CheckpointError`` with what contradicts the format, without the file's name.
  package init(_ view: ByteView) throws(CheckpointError) {
    let result = view.withUnsafeBytes { bytes in
      Result { () throws(CheckpointError) -> (Metadata, [TensorInfo], Int) in
        var parser = GGUFParser(bytes)
        return try parser.header()
      }
    }
    let (metadata, infos, headerByteCount) = try result.get()
    self.metadata = metadata
    try locate(infos, headerByteCount: headerByteCount, in: view)
  }

  /// What a header says of one tensor; dimensions as in the file, fastest first.
  struct TensorInfo {
    var name: String
    var dimensions: [Int]
    var type: GGMLType
    var offset: UInt64
  }

  private mutating func locate(
    _ infos: [TensorInfo], headerByteCount: Int, in view: ByteView
  ) throws(CheckpointError) {
    let alignment = try metadata.ggufAlignment()
    guard !infos.isEmpty else { return }
    let dataStart = try roundedUp(headerByteCount, to: alignment)
    var offset = 0
    tensors.reserveCapacity(infos.count)
    for info in infos {
      do throws(CheckpointError) {
        let shape = Array(info.dimensions.reversed())
        let type = StoredType(info.type)
        let byteCount = try type.byteCount(shape: shape)
        guard info.offset == UInt64(offset) else {
          throw CheckpointError(
            .malformed, "data at offset \(info.offset), where \(offset) was expected")
        }
        let (start, startOverflow) = dataStart.addingReportingOverflow(offset)
        guard !startOverflow, start <= view.count, byteCount <= view.count - start else {
          throw CheckpointError(
            .malformed,
            "\(byteCount) bytes at \(dataStart) + \(offset) end beyond the file's \(view.count)")
        }
        tensors.append(
          TensorRecord(
            name: info.name, shape: shape, type: type, bytes: view[start..<start + byteCount]))
        offset = try roundedUp(offset + byteCount, to: alignment)
      } catch {
        throw error.ofTensor(info.name)
      }
    }
    trailingByteCount = max(0, view.count - dataStart - offset)
  }
}

extension Metadata {
  /// The alignment of tensor data that the keys ask for.
  ///
  /// - Throws: ``CheckpointError/Code/malformed`` when it is no 32-bit power of two.
  func ggufAlignment() throws(CheckpointError) -> Int {
    guard let value = self["general.alignment"] else { return 32 }
    guard case .uint32(let alignment) = value, alignment.nonzeroBitCount == 1 else {
      throw CheckpointError(.malformed, "general.alignment is no 32-bit power of two")
    }
    return Int(alignment)
  }
}

/// The next multiple of `alignment`.
func roundedUp(_ value: Int, to alignment: Int) throws(CheckpointError) -> Int {
  let (sum, overflow) = value.addingReportingOverflow(alignment - 1)
  guard !overflow else { throw CheckpointError(.malformed, "the data's size overflows") }
  return sum / alignment * alignment
}
