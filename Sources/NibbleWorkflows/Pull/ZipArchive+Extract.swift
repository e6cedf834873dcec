internal import CZlib
internal import Foundation

extension ZipArchive {
  /// Writes one file of the archive to `destination`, in pieces, and checks its length and CRC-32.
  ///
  /// The file appears under its final name only when it is whole.
  ///
  /// - Throws: ``PullError/Code/malformed`` for damaged data, ``PullError/Code/unsupported`` for
  ///   other compression methods.
  func extract(
    _ entry: Entry, to destination: URL, onAdvance: (_ written: Int) -> Void = { _ in }
  ) throws(PullError) {
    let part = try PartFile(path: destination.path + ".part") { nil }
    do throws(PullError) {
      try part.restart()
      if let free = part.freeByteCount, entry.byteCount > free {
        throw PullError(.diskFull, "no space left on the disk", subject: destination.path)
      }
      var output = ZipOutput(entry: entry, part: part)
      switch entry.method {
      case 0: try copy(entry, into: &output, onAdvance)
      case 8: try inflate(entry, into: &output, onAdvance)
      default:
        throw PullError(
          .unsupported, "\(entry.path) is compressed by a method that Nibble lacks")
      }
      try output.finish()
      try part.finish(as: destination.path)
    } catch {
      part.remove()
      throw error
    }
  }

  /// Where the data of an entry begins, behind the entry's own header.
  private func dataOffset(_ entry: Entry) throws(PullError) -> Int {
    let header = try file.bytes(at: entry.headerOffset, count: 30)
    guard header.u32(0) == 0x0403_4B50, header.u16(8) == entry.method else {
      throw PullError(.malformed, "damaged archive: \(entry.path) lacks its header")
    }
    return entry.headerOffset + 30 + Int(header.u16(26)) + Int(header.u16(28))
  }

  /// Hands the packed bytes over in pieces.
  private func forEachPiece(
    _ entry: Entry, _ body: (Data) throws(PullError) -> Void
  ) throws(PullError) {
    let start = try dataOffset(entry)
    var done = 0
    while done < entry.packedByteCount {
      let count = min(1 << 18, entry.packedByteCount - done)
      try body(try file.data(at: start + done, count: count))
      done += count
    }
  }

  private func copy(
    _ entry: Entry, into output: inout ZipOutput, _ onAdvance: (Int) -> Void
  ) throws(PullError) {
    try forEachPiece(entry) { piece throws(PullError) in
      try output.append(piece)
      onAdvance(output.byteCount)
    }
  }

  private func inflate(
    _ entry: Entry, into output: inout ZipOutput, _ onAdvance: (Int) -> Void
  ) throws(PullError) {
    let stream = try InflateStream()
    try forEachPiece(entry) { piece throws(PullError) in
      try stream.inflate(piece) { plain throws(PullError) in try output.append(plain) }
      onAdvance(output.byteCount)
    }
    guard stream.isAtEnd else {
      throw PullError(.malformed, "damaged archive: \(entry.path) is cut off")
    }
  }
}

/// The unpacked side of one entry: counts, checks and writes.
private struct ZipOutput {
  let entry: ZipArchive.Entry
  let part: PartFile
  private(set) var byteCount = 0
  private var checksum = crc32(0, nil, 0)

  init(entry: ZipArchive.Entry, part: PartFile) {
    self.entry = entry
    self.part = part
  }

  mutating func append(_ data: Data) throws(PullError) {
    guard data.count <= entry.byteCount - byteCount else {
      throw PullError(.malformed, "damaged archive: \(entry.path) is larger than announced")
    }
    let previous = checksum
    checksum = data.withUnsafeBytes { bytes in
      crc32(previous, bytes.bindMemory(to: UInt8.self).baseAddress, UInt32(bytes.count))
    }
    byteCount += data.count
    try part.append(data)
  }

  func finish() throws(PullError) {
    guard byteCount == entry.byteCount, UInt32(checksum) == entry.checksum else {
      throw PullError(.malformed, "damaged archive: \(entry.path) has a wrong checksum or length")
    }
  }
}

/// A raw deflate stream (RFC 1951) by zlib, with a fixed output buffer.
private final class InflateStream {
  private var stream = z_stream()
  private var buffer = [UInt8](repeating: 0, count: 1 << 18)
  private(set) var isAtEnd = false

  init() throws(PullError) {
    // Negative window bits: no zlib header around the data.
    let size = Int32(MemoryLayout<z_stream>.size)
    guard inflateInit2_(&stream, -15, ZLIB_VERSION, size) == Z_OK else {
      throw PullError(.io, "no memory to unpack an archive")
    }
  }

  deinit { inflateEnd(&stream) }

  /// Unpacks one piece of packed bytes.
  func inflate(_ packed: Data, _ body: (Data) throws(PullError) -> Void) throws(PullError) {
    var input = Array(packed)
    var consumed = 0
    while consumed < input.count {
      guard !isAtEnd else { throw Self.damaged }
      let (status, used, made) = step(&input, consumed)
      consumed += used
      guard status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR, used > 0 || made > 0
      else { throw Self.damaged }
      if made > 0 { try body(Data(buffer[..<made])) }
      isAtEnd = status == Z_STREAM_END
    }
    // What zlib still holds back, when the output buffer was full at the end of the input.
    while !isAtEnd {
      let (status, _, made) = step(&input, input.count)
      if made > 0 { try body(Data(buffer[..<made])) }
      isAtEnd = status == Z_STREAM_END
      if made == 0 { return }
    }
  }

  private func step(_ input: inout [UInt8], _ start: Int) -> (Int32, used: Int, made: Int) {
    let inputCount = input.count - start
    let capacity = buffer.count
    return input.withUnsafeMutableBufferPointer { input in
      buffer.withUnsafeMutableBufferPointer { output in
        stream.next_in = input.baseAddress.map { $0 + start }
        stream.avail_in = UInt32(inputCount)
        stream.next_out = output.baseAddress
        stream.avail_out = UInt32(capacity)
        let status = CZlib.inflate(&stream, Z_NO_FLUSH)
        return (status, inputCount - Int(stream.avail_in), capacity - Int(stream.avail_out))
      }
    }
  }

  private static let damaged = PullError(.malformed, "damaged archive: its data cannot be unpacked")
}
