internal import Foundation
internal import NibbleCheckpoints
internal import NibbleTensors

/// Compares two outputs byte by byte, but for a verdict that was stored in the first.
struct OutputComparison {
  /// The first difference, in words; nil where there is none.
  private(set) var difference: String?
  /// Files of the first that no job writes.
  private(set) var notes: [String] = []

  /// - Parameters:
  ///   - model: a file or folder, perhaps with a verdict.
  ///   - copy: what was made again.
  /// - Throws: `CheckpointError` or `FileError` for files that cannot be read.
  init(_ model: String, _ copy: String) throws {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: copy, isDirectory: &isFolder), isFolder.boolValue
    else {
      difference = try Self.fileDifference(model, copy)
      return
    }
    let manager = FileManager.default
    let names = Set((try? manager.contentsOfDirectory(atPath: model)) ?? [])
    let copied = try manager.contentsOfDirectory(atPath: copy).sorted()
    let others = names.subtracting(copied).filter { !$0.hasPrefix(".") }.sorted()
    if !others.isEmpty {
      notes.append(
        "not compared, since the recipe does not write them: " + others.joined(separator: ", "))
    }
    for name in copied {
      guard names.contains(name) else {
        difference = "\(name) is missing"
        return
      }
      if let found = try Self.fileDifference(model + "/" + name, copy + "/" + name) {
        difference = "\(name): \(found)"
        return
      }
    }
  }

  private static func fileDifference(_ first: String, _ second: String) throws -> String? {
    let (one, other) = (
      try Storage.mapping(path: first).view, try Storage.mapping(path: second).view
    )
    defer {
      one.releasePages()
      other.releasePages()
    }
    let place = firstDifference(one, other)
    guard place != nil || one.count != other.count else { return nil }
    if second.hasSuffix(".gguf") { return try ggufDifference(one, other, in: first) }
    if second.hasSuffix(".safetensors") { return try safetensorsDifference(one, other, in: first) }
    if second.hasSuffix("/" + ModelAnnotations.fileName) {
      return annotationsWithoutVerdict(one) == annotationsWithoutVerdict(other)
        ? nil : "says something else"
    }
    return place.map { "byte \($0) differs" } ?? "has \(one.count) bytes, not \(other.count)"
  }

  private static func ggufDifference(
    _ one: ByteView, _ other: ByteView, in path: String
  ) throws -> String? {
    let (first, second): (GGUFFile, GGUFFile)
    do {
      (first, second) = (try GGUFFile(one), try GGUFFile(other))
    } catch {
      throw error.inFile(path)
    }
    var metadata = first.metadata
    let hadVerdict = metadata[verdictKey] != nil
    metadata[verdictKey] = nil
    for key in metadata.keys where metadata[key] != second.metadata[key] {
      return "the key \(key) differs"
    }
    for key in second.metadata.keys where metadata[key] == nil {
      return "the key \(key) is missing"
    }
    if metadata.keys != second.metadata.keys { return "the keys stand in another order" }
    return tensorDifference(first.tensors, second.tensors)
      ?? (hadVerdict ? nil : "bytes between the tensors differ")
  }

  private static func safetensorsDifference(
    _ one: ByteView, _ other: ByteView, in path: String
  ) throws -> String? {
    let (first, second): (SafetensorsFile, SafetensorsFile)
    do {
      (first, second) = (try SafetensorsFile(one), try SafetensorsFile(other))
    } catch {
      throw error.inFile(path)
    }
    var metadata = first.metadata
    let hadVerdict = metadata.removeValue(forKey: verdictKey) != nil
    let keys = Set(metadata.keys).union(second.metadata.keys).sorted()
    for key in keys where metadata[key] != second.metadata[key] {
      return "\(key) in __metadata__ differs"
    }
    return tensorDifference(first.tensors, second.tensors)
      ?? (hadVerdict ? nil : "the headers differ")
  }

  private static func tensorDifference(_ one: [TensorRecord], _ other: [TensorRecord]) -> String? {
    guard one.count == other.count else {
      return "there are \(one.count) tensors, not \(other.count)"
    }
    for (first, second) in zip(one, other) {
      guard first.name == second.name else {
        return "the tensor \(first.name) stands where \(second.name) is expected"
      }
      guard first.shape == second.shape, first.type == second.type else {
        return
          "the tensor \(first.name) is \(first.type.name) \(first.shape), not \(second.type.name) \(second.shape)"
      }
      if let place = firstDifference(first.bytes, second.bytes) {
        return "the tensor \(first.name) differs from byte \(place) of \(first.bytes.count) on"
      }
    }
    return nil
  }

  /// The first byte that differs, within the shorter of both; nil where there is none.
  private static func firstDifference(_ one: ByteView, _ other: ByteView) -> Int? {
    let count = min(one.count, other.count)
    let step = 1 << 20
    for start in stride(from: 0, to: count, by: step) {
      let range = start..<min(start + step, count)
      let place = one[range].withUnsafeBytes { first in
        other[range].withUnsafeBytes { second -> Int? in
          guard let left = first.baseAddress, let right = second.baseAddress,
            memcmp(left, right, range.count) != 0
          else { return nil }
          return range.indices.first { first[$0 - start] != second[$0 - start] }
        }
      }
      if let place { return place }
    }
    return nil
  }

  private static let verdictKey = "nibble.verdict"

  /// What ``ModelAnnotations/fileName`` says beside the verdict; nil for what is no JSON object.
  private static func annotationsWithoutVerdict(_ view: ByteView) -> JSONObject? {
    var object = (try? JSONValue.parse(view.copy()))?.object
    object?["verdict"] = nil
    return object
  }
}
