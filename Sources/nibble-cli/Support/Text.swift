import Foundation
import Nibble

/// Reads a UTF-8 text file.
func readText(_ path: String) throws -> String {
  let bytes = try Storage.mapping(path: path).view
  guard let text = bytes.withUnsafeBytes({ String(validating: $0, as: UTF8.self) }) else {
    throw FileError(path: path, reason: "is not UTF-8 text")
  }
  return text
}

/// Reads all of standard input as UTF-8 text.
func readStandardInput() throws -> String {
  let data = FileHandle.standardInput.readDataToEndOfFile()
  guard let text = String(validating: data, as: UTF8.self) else {
    throw FileError(path: "standard input", reason: "is not UTF-8 text")
  }
  return text
}

/// Prints without a line end, at once.
func write(_ text: String) {
  FileHandle.standardOutput.write(Data(text.utf8))
}

/// `value` with `digits` decimals.
func fixed(_ value: Double, _ digits: Int) -> String {
  String(format: "%.\(digits)f", value)
}
