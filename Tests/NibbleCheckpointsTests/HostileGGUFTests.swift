import Foundation
import NibbleCheckpoints
import NibbleTensors
import TestSupport
import Testing

@Suite struct HostileGGUFTests {
  private static func text(_ string: String) -> [UInt8] {
    littleEndian(UInt64(string.utf8.count)) + string.utf8
  }

  private static func key(_ name: String, type: UInt32, _ value: [UInt8]) -> [UInt8] {
    text(name) + littleEndian(type) + value
  }

  private static func tensor(
    _ name: String = "w", dimensions: [Int64] = [8], rank: UInt32? = nil, type: UInt32 = 0,
    offset: UInt64 = 0
  ) -> [UInt8] {
    text(name) + littleEndian(rank ?? UInt32(dimensions.count))
      + dimensions.flatMap { littleEndian($0) } + littleEndian(type) + littleEndian(offset)
  }

  /// A file of these keys and tensors, with counts that may lie, and `data` bytes after the
  /// padding.
  private static func file(
    magic: String = "GGUF", version: UInt32 = 3, keys: [[UInt8]] = [], tensors: [[UInt8]] = [],
    keyCount: Int64? = nil, tensorCount: Int64? = nil, alignment: Int = 32, data: Int = 32
  ) -> [UInt8] {
    var bytes = Array(magic.utf8) + littleEndian(version)
    bytes += littleEndian(tensorCount ?? Int64(tensors.count))
    bytes += littleEndian(keyCount ?? Int64(keys.count))
    bytes += (keys + tensors).joined()
    bytes += [UInt8](repeating: 0, count: (alignment - bytes.count % alignment) % alignment)
    return bytes + [UInt8](repeating: 0, count: data)
  }

  private static func array(_ element: UInt32, count: UInt64, _ values: [UInt8]) -> [UInt8] {
    key("a", type: 9, littleEndian(element) + littleEndian(count) + values)
  }

  private static func alignment(_ value: UInt32) -> [UInt8] {
    key("general.alignment", type: 4, littleEndian(value))
  }

  static let headerCases: [HostileFile] = [
    HostileFile("nothing", [], "ends inside the magic number"),
    HostileFile("magic only", Array("GGUF".utf8), "ends inside the version"),
    HostileFile("wrong magic", file(magic: "GGML"), "does not begin with \"GGUF\""),
    HostileFile("version 0", file(version: 0), "version 0 is not supported"),
    HostileFile("version 1", file(version: 1), "version 1 is not supported"),
    HostileFile("version 4", file(version: 4), "version 4 is not supported"),
    HostileFile("big-endian", file(version: 0x0300_0000), "big-endian"),
    HostileFile("negative tensors", file(tensorCount: -1), "number of tensors is -1"),
    HostileFile("negative keys", file(keyCount: .min), "number of keys is -9223372036854775808"),
    HostileFile("too many keys", file(keyCount: .max), "have no room"),
    HostileFile("too many tensors", file(tensorCount: 1 << 40), "have no room"),
    HostileFile("one key too many", file(keys: [alignment(32)], keyCount: 2), "is empty"),
    HostileFile("empty key", file(keys: [key("", type: 0, [1])]), "key 0 is empty"),
    HostileFile(
      "duplicate key", file(keys: [alignment(32), alignment(32)]),
      "duplicate key \"general.alignment\""),
    HostileFile("unknown value type", file(keys: [key("a", type: 13, [0])]), "unknown type 13"),
    HostileFile("bad bool", file(keys: [key("a", type: 7, [2])]), "should be 0 or 1, but is 2"),
    HostileFile(
      "key longer than the file", file(keys: [littleEndian(UInt64(1 << 20))], keyCount: 1),
      "claims 1048576 bytes"),
    HostileFile(
      "key length above 63 bits", file(keys: [littleEndian(UInt64.max)], keyCount: 1),
      "claims 18446744073709551615 bytes"),
    HostileFile(
      "key is not UTF-8",
      file(keys: [littleEndian(UInt64(2)) + [0xC3, 0x28] + littleEndian(UInt32(0)) + [0]]),
      "key 0 is not UTF-8"),
    HostileFile(
      "truncated UTF-8 in a value",
      file(keys: [key("a", type: 8, littleEndian(UInt64(3)) + [0xF0, 0x9F, 0x98])]), "not UTF-8"),
    HostileFile(
      "string longer than the file",
      file(keys: [key("a", type: 8, littleEndian(UInt64(1 << 40)))]), "claims 1099511627776 bytes"),
    HostileFile("array of arrays", file(keys: [array(9, count: 1, [])]), "array of arrays"),
    HostileFile(
      "array of an unknown type", file(keys: [array(99, count: 1, [])]), "unknown type 99"),
    HostileFile(
      "array count above 63 bits", file(keys: [array(0, count: .max, [])]),
      "claims 18446744073709551615 elements"),
    HostileFile(
      "array count times width overflows", file(keys: [array(10, count: 1 << 61, [])]),
      "claims 2305843009213693952 elements"),
    HostileFile(
      "more strings than bytes", file(keys: [array(8, count: 1 << 20, [])]), "claims 1048576"),
    HostileFile(
      "string of an array is not UTF-8",
      file(keys: [array(8, count: 2, text("x") + littleEndian(UInt64(1)) + [0xFF])]),
      "string 1 of key \"a\" is not UTF-8"),
    HostileFile("bad bool in an array", file(keys: [array(7, count: 2, [1, 9])]), "but is 9"),
    HostileFile("alignment 0", file(keys: [alignment(0)]), "power of two"),
    HostileFile("alignment 3", file(keys: [alignment(3)]), "power of two"),
    HostileFile(
      "alignment of another type",
      file(keys: [key("general.alignment", type: 10, littleEndian(UInt64(32)))]), "power of two"),
    HostileFile(
      "huge alignment", file(keys: [alignment(1 << 31)], tensors: [tensor()]),
      "end beyond the file's"),
  ]

  static let tensorCases: [HostileFile] = [
    HostileFile("no name", file(tensors: [tensor("")]), "a name of 0 bytes"),
    HostileFile(
      "long name", file(tensors: [tensor(String(repeating: "n", count: 64))]), "a name of 64 bytes"),
    HostileFile(
      "duplicate name", file(tensors: [tensor(), tensor(offset: 32)], data: 64), "stands twice"),
    HostileFile("no dimensions", file(tensors: [tensor(dimensions: [])]), "0 dimensions"),
    HostileFile(
      "five dimensions", file(tensors: [tensor(dimensions: [1, 1, 1, 1, 1])]), "5 dimensions"),
    HostileFile(
      "absurd rank", file(tensors: [tensor(rank: .max)]), "4294967295 dimensions"),
    HostileFile(
      "negative dimension", file(tensors: [tensor(dimensions: [-8])]), "dimension -8 is negative"),
    HostileFile(
      "product overflows", file(tensors: [tensor(dimensions: [1 << 32, 1 << 32])]),
      "product overflows"),
    HostileFile(
      "product overflows before a zero", file(tensors: [tensor(dimensions: [0, 1 << 62, 4])]),
      "product overflows"),
    HostileFile(
      "bytes overflow", file(tensors: [tensor(dimensions: [1 << 61])]), "product overflows"),
    HostileFile(
      "bytes of blocks overflow",
      file(tensors: [tensor(dimensions: [256, 1 << 55 - 1], type: 15)]), "product overflows"),
    HostileFile(
      "larger than the file", file(tensors: [tensor(dimensions: [1 << 40])]),
      "end beyond the file's"),
    HostileFile(
      "row is no whole number of blocks", file(tensors: [tensor(dimensions: [33], type: 2)]),
      "no whole number of Q4_0 blocks"),
    HostileFile("removed type 4", file(tensors: [tensor(type: 4)]), "unknown tensor type 4"),
    HostileFile("removed type 31", file(tensors: [tensor(type: 31)]), "unknown tensor type 31"),
    HostileFile("unknown type", file(tensors: [tensor(type: 1000)]), "unknown tensor type 1000"),
    HostileFile("offset not 0", file(tensors: [tensor(offset: 32)], data: 64), "0 was expected"),
    HostileFile(
      "overlap", file(tensors: [tensor(), tensor("v", offset: 0)], data: 64), "32 was expected"),
    HostileFile(
      "hole", file(tensors: [tensor(), tensor("v", offset: 64)], data: 96), "32 was expected"),
    HostileFile(
      "offset above 63 bits", file(tensors: [tensor(), tensor("v", offset: .max)], data: 64),
      "offset 18446744073709551615"),
    HostileFile("no data", file(tensors: [tensor()], data: 0), "end beyond the file's"),
    HostileFile("data cut short", file(tensors: [tensor()], data: 31), "end beyond the file's"),
    HostileFile(
      "type cut off", Array(file(tensors: [tensor()], alignment: 1, data: 0).dropLast(9)),
      "have no room"),
  ]

  @Test(arguments: headerCases + tensorCases) func isRefused(_ hostile: HostileFile) throws {
    try expectRefusal(hostile, as: "hostile.gguf")
  }

  /// A valid file cut anywhere is refused; only the last tensor's padding may be missing.
  @Test func everyTruncationIsRefused() throws {
    let whole = try fileBytes(fixture("small.gguf"))
    let file = try GGUFFile(Storage(copying: whole).view)
    let last = try #require(file.tensors.last)
    let end = last.bytes.offset + last.bytes.count
    for count in 0..<end {
      #expect(throws: CheckpointError.self, "cut to \(count)") {
        try GGUFFile(Storage(copying: whole.prefix(count)).view)
      }
    }
    for count in end..<whole.count {
      #expect(try GGUFFile(Storage(copying: whole.prefix(count)).view).tensors.count == 4)
    }
  }

  /// Sparse files make absurd sizes cheap; they must not cost memory.
  @Test func headersStayBounded() throws {
    let folder = try TemporaryFolder()
    func expectSparseRefusal(_ bytes: [UInt8], _ reason: String) throws {
      let path = folder.path("sparse.gguf")
      try Data(bytes).write(to: URL(filePath: path))
      #expect(truncate(path, 1 << 40) == 0)
      expectRefusal(path, naming: path, reason)
    }
    let head = Array("GGUF".utf8) + littleEndian(UInt32(3)) + littleEndian(Int64(0))
    try expectSparseRefusal(
      head + littleEndian(Int64(1)) + Self.array(0, count: 1 << 27, []), "arrays hold more than")
    try expectSparseRefusal(
      head + littleEndian(Int64(1)) + Self.array(8, count: 1 << 36, []), "the header is longer")
    try expectSparseRefusal(
      head + littleEndian(Int64(1)) + Self.key("a", type: 8, littleEndian(UInt64(1 << 38))),
      "the header is longer")
  }

  @Test func notesTrailingBytes() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("trailing.gguf")
    try Data(Self.file(tensors: [Self.tensor()], data: 32 + 5)).write(to: URL(filePath: path))
    let checkpoint = try Checkpoint.open(path)
    #expect(checkpoint.notes == ["\(path): 5 bytes after the last tensor ignored"])
  }

  @Test func brokenSplitsAreRefused() throws {
    let names = (1...3).map { "tiny-0000\($0)-of-00003.gguf" }
    func expectSplitRefusal(
      _ reason: String, naming name: String, _ change: (TemporaryFolder) throws -> Void
    ) throws {
      let folder = try TemporaryFolder()
      for name in names {
        try FileManager.default.copyItem(
          atPath: fixture("split/" + name), toPath: folder.path(name))
      }
      try change(folder)
      expectRefusal(folder.path(names[0]), naming: name, reason)
    }
    try expectSplitRefusal("cannot open", naming: names[1]) {
      try FileManager.default.removeItem(atPath: $0.path(names[1]))
    }
    try expectSplitRefusal("does not say that it is part 3 of 3", naming: names[2]) {
      try FileManager.default.removeItem(atPath: $0.path(names[2]))
      try FileManager.default.copyItem(atPath: $0.path(names[1]), toPath: $0.path(names[2]))
    }
    try expectSplitRefusal("ends inside", naming: names[2]) {
      try Data("GGUF".utf8).write(to: URL(filePath: $0.path(names[2])))
    }
    let folder = try TemporaryFolder()
    try FileManager.default.copyItem(
      atPath: fixture("split/" + names[0]), toPath: folder.path("renamed.gguf"))
    expectRefusal(
      folder.path("renamed.gguf"), naming: "renamed.gguf",
      "its name does not end with -00001-of-00003.gguf")
  }
}
