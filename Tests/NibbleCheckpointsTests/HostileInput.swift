import Foundation
import NibbleCheckpoints
import NibbleTensors
import TestSupport
import Testing

/// One broken file and words that its error must contain.
struct HostileFile: Sendable, CustomTestStringConvertible {
  var name: String
  var bytes: [UInt8]
  var reason: String

  init(_ name: String, _ bytes: [UInt8], _ reason: String) {
    self.name = name
    self.bytes = bytes
    self.reason = reason
  }

  var testDescription: String { name }
}

/// Opens `path` and expects an error of one line that names `file` and `reason`.
func expectRefusal(
  _ path: String, naming file: String, _ reason: String,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  let error = #expect(throws: CheckpointError.self, sourceLocation: sourceLocation) {
    try Checkpoint.open(path)
  }
  let text = error?.description ?? ""
  #expect(text.contains(file), "\(text)", sourceLocation: sourceLocation)
  #expect(text.contains(reason), "\(text)", sourceLocation: sourceLocation)
  #expect(!text.contains { $0.isNewline }, sourceLocation: sourceLocation)
}

/// Writes the file and expects that opening it fails with its reason.
func expectRefusal(
  _ hostile: HostileFile, as fileName: String, sourceLocation: SourceLocation = #_sourceLocation
) throws {
  let folder = try TemporaryFolder()
  let path = folder.path(fileName)
  try Data(hostile.bytes).write(to: URL(filePath: path))
  expectRefusal(path, naming: path, hostile.reason, sourceLocation: sourceLocation)
}

func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
  withUnsafeBytes(of: value.littleEndian) { Array($0) }
}

/// A safetensors file with that header, whatever it says.
func safetensorsBytes(_ header: String, data: Int = 0) -> [UInt8] {
  littleEndian(UInt64(header.utf8.count)) + header.utf8 + [UInt8](repeating: 0, count: data)
}
