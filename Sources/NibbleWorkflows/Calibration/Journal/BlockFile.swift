internal import Foundation
internal import NibbleCheckpoints
internal import NibbleTensors

/// What is known of a finished block beside its bytes.
struct BlockRecord: Codable {
  /// One of the block's layers: its row of the report, and the arrays that follow one another in the file.
  struct Layer: Codable {
    var report: CalibratedLayerReport
    var rowCount: Int
    var arrays: [Array]
  }

  /// Bytes and a hash of them.
  struct Array: Codable {
    var byteCount: Int
    var hash: UInt64
  }

  /// The block's index.
  var block: Int
  /// For a mixture, the tokens that each expert saw.
  var expertTokenCounts: [Int]?
  /// In the order of the run.
  var layers: [Layer] = []
}

/// The file of a finished block: the arrays of its layers, then the record as JSON, then 24 bytes that end it: the record's
/// byte count and hash, little-endian, and a signature. Every byte is under a hash or has one value only.
struct BlockFile {
  static let signature = Swift.Array("NIBBLEB1".utf8)
  static let endByteCount = 24

  let record: BlockRecord
  /// For each layer its arrays.
  let arrays: [[ByteView]]

  /// Opens a file and checks all of it.
  ///
  /// - Throws: `CheckpointError` that names the file, which is missing or damaged.
  init(_ path: String) throws(CheckpointError) {
    let view: ByteView
    do {
      view = try Storage.mapping(path: path).view
    } catch {
      throw CheckpointError(.io, error.reason, file: path)
    }
    guard let contents = Self.contents(view) else {
      throw CheckpointError(.malformed, "is damaged", file: path)
    }
    (record, arrays) = contents
    view.releasePages()
  }

  private static func contents(_ view: ByteView) -> (BlockRecord, [[ByteView]])? {
    guard view.count >= endByteCount else { return nil }
    let end = view.count - endByteCount
    let (count, hash) = view[end..<view.count].withUnsafeBytes { bytes in
      (
        UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self)),
        UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
      )
    }
    guard view[end + 16..<view.count].withUnsafeBytes({ $0.elementsEqual(signature) }),
      count <= UInt64(end)
    else { return nil }
    let start = end - Int(count)
    let text = view[start..<end]
    guard Self.hash(text) == hash,
      let record = try? decoder.decode(BlockRecord.self, from: text.withUnsafeBytes { Data($0) })
    else { return nil }
    var offset = 0
    var arrays: [[ByteView]] = []
    for layer in record.layers {
      var parts: [ByteView] = []
      for array in layer.arrays {
        guard array.byteCount >= 0, array.byteCount <= start - offset else { return nil }
        parts.append(view[offset..<offset + array.byteCount])
        offset += array.byteCount
        guard parts.last.map(Self.hash) == array.hash else { return nil }
      }
      arrays.append(parts)
    }
    return offset == start ? (record, arrays) : nil
  }

  private static var decoder: JSONDecoder {
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    return decoder
  }

  private static func hash(_ view: ByteView) -> UInt64 {
    view.withUnsafeBytes { ByteHash($0).value }
  }
}

/// Writes the file of a block layer by layer; nothing stands under its name before ``finish(expertTokenCounts:)``.
final class BlockFileWriter {
  private let output: AtomicOutput
  private let file: OutputFile
  private var record: BlockRecord
  private var byteCount = 0

  init(_ path: String, block: Int) throws(CheckpointError) {
    output = try AtomicOutput(file: path)
    file = try output.open()
    record = BlockRecord(block: block)
  }

  /// Adds a layer.
  func add(
    _ report: CalibratedLayerReport, rowCount: Int, _ arrays: [[UInt8]]
  ) throws(CheckpointError) {
    var layer = BlockRecord.Layer(report: report, rowCount: rowCount, arrays: [])
    for bytes in arrays {
      try file.write(bytes, at: byteCount)
      byteCount += bytes.count
      let hash = bytes.withUnsafeBytes { ByteHash($0).value }
      layer.arrays.append(BlockRecord.Array(byteCount: bytes.count, hash: hash))
    }
    record.layers.append(layer)
  }

  /// Writes the record and gives the file its name.
  func finish(expertTokenCounts: [Int]?) throws(CheckpointError) {
    record.expertTokenCounts = expertTokenCounts
    let encoder = JSONEncoder()
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    guard let text = try? encoder.encode(record) else {
      throw CheckpointError(.io, "the report of the block cannot be stored", file: output.path)
    }
    var bytes = [UInt8](text)
    let hash = bytes.withUnsafeBytes { ByteHash($0).value }
    for word in [UInt64(bytes.count), hash] {
      withUnsafeBytes(of: word.littleEndian) { bytes += $0 }
    }
    try file.write(bytes + BlockFile.signature, at: byteCount)
    try output.commit()
  }
}
