internal import NibbleTensors

/// A model whose tensors are spread over files `NAME-00001-of-0000N.gguf`.
enum GGUFSplits {
  /// The parts after the first, each checked against it; empty for an unsplit file.
  static func remaining(
    after first: GGUFFile, path: String
  ) throws(CheckpointError) -> [(path: String, file: GGUFFile)] {
    guard let countValue = first.metadata["split.count"] else { return [] }
    guard let count = countValue.integer, (0...99_999).contains(count) else {
      throw CheckpointError(.malformed, "key \"split.count\" is no number of parts", file: path)
    }
    guard count > 1 else { return [] }
    let number = first.metadata["split.no"]?.integer ?? -1
    let (folder, name) = splitPath(path)
    let ending = partEnding(number, of: count)
    guard number >= 0, name.hasSuffix(ending) else {
      throw CheckpointError(
        .malformed,
        "is part \(number + 1) of \(count), but its name does not end with \(ending)", file: path)
    }
    let base = String(name.dropLast(ending.count))
    guard number == 0 else {
      throw CheckpointError(
        .unsupported,
        "is part \(number + 1) of \(count); open the first, \(base + partEnding(0, of: count))",
        file: path)
    }
    var parts: [(path: String, file: GGUFFile)] = []
    for index in 1..<count {
      let partPath = joined(folder, base + partEnding(index, of: count))
      do throws(CheckpointError) {
        let part = try GGUFFile(try mapFile(partPath))
        guard part.metadata["split.no"]?.integer == index,
          part.metadata["split.count"]?.integer == count
        else {
          throw CheckpointError(.malformed, "does not say that it is part \(index + 1) of \(count)")
        }
        parts.append((partPath, part))
      } catch {
        throw error.inFile(partPath)
      }
    }
    return parts
  }

  /// `-00001-of-00003.gguf` for part 0 of 3.
  static func partEnding(_ index: Int, of count: Int) -> String {
    "-\(fiveDigits(index + 1))-of-\(fiveDigits(count)).gguf"
  }
}

/// `number` with leading zeros up to five digits.
func fiveDigits(_ number: Int) -> String {
  let digits = String(number)
  return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
}
