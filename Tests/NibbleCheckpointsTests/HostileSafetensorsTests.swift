import NibbleCheckpoints
import NibbleTensors
import Testing

@Suite struct HostileSafetensorsTests {
  /// A header with one F32 [2] tensor "w", or what replaces its parts.
  private static func entry(
    name: String = "w", dtype: String = #""F32""#, shape: String = "[2]", offsets: String = "[0,8]"
  ) -> String {
    #""\#(name)":{"dtype":\#(dtype),"shape":\#(shape),"data_offsets":\#(offsets)}"#
  }

  private static func file(_ entries: String..., data: Int = 8) -> [UInt8] {
    safetensorsBytes("{" + entries.joined(separator: ",") + "}", data: data)
  }

  static let cases: [HostileFile] = [
    HostileFile("nothing", [], "too short"),
    HostileFile("seven bytes", [1, 0, 0, 0, 0, 0, 0], "too short"),
    HostileFile("length without header", littleEndian(UInt64(16)), "but ends after 8"),
    HostileFile("header cut short", Array(file(entry()).prefix(30)), "but ends after 30"),
    HostileFile("huge length", littleEndian(UInt64.max) + [0x7B], "at most 100000000"),
    HostileFile("length above the limit", littleEndian(UInt64(100_000_001)), "at most 100000000"),
    HostileFile("negative length", littleEndian(Int64(-8)) + [0x7B, 0x7D], "at most 100000000"),
    HostileFile("empty header", littleEndian(UInt64(0)), "no JSON object"),
    HostileFile("array as header", safetensorsBytes("[1,2,3]"), "no JSON object"),
    HostileFile("header without end", safetensorsBytes(#"{"a":"#), "bad JSON at byte 5"),
    HostileFile("junk after the header", safetensorsBytes("{} x"), "unexpected text"),
    HostileFile("byte order mark", safetensorsBytes("\u{FEFF}{}"), "no JSON object"),
    HostileFile(
      "bad UTF-8",
      littleEndian(UInt64(9)) + [0x7B, 0x22, 0xFF, 0xFE, 0x22, 0x3A, 0x30, 0x7D, 0x20],
      "UTF-8"),
    HostileFile(
      "deep nesting", safetensorsBytes(#"{"a":"# + String(repeating: "[", count: 100_000)),
      "nested deeper"),
    HostileFile("duplicate tensor", file(entry(), entry()), "duplicate key \"w\""),
    HostileFile(
      "names that Unicode calls equal",
      file(entry(name: "\u{C5}"), entry(name: "\u{212B}", offsets: "[8,16]"), data: 16),
      "stands twice"),
    HostileFile("duplicate member", file(#""w":{"dtype":"F32","dtype":"F32"}"#), "duplicate key"),
    HostileFile(
      "metadata with a number", safetensorsBytes(#"{"__metadata__":{"a":1}}"#), "no string"),
    HostileFile("metadata as array", safetensorsBytes(#"{"__metadata__":[]}"#), "no JSON object"),
    HostileFile("entry is a string", file(#""w":"F32""#), "w: its header entry is no JSON object"),
    HostileFile("no dtype", file(#""w":{"shape":[2],"data_offsets":[0,8]}"#), "dtype is missing"),
    HostileFile("unknown dtype", file(entry(dtype: #""F31""#)), "unknown dtype \"F31\""),
    HostileFile("dtype with line breaks", file(entry(dtype: #""F\n3""#)), "unknown dtype"),
    HostileFile("no shape", file(#""w":{"dtype":"F32","data_offsets":[0,8]}"#), "shape is missing"),
    HostileFile("negative dimension", file(entry(shape: "[-2]")), "whole numbers"),
    HostileFile("fractional dimension", file(entry(shape: "[2.5]")), "whole numbers"),
    HostileFile(
      "dimension above 64 bits", file(entry(shape: "[18446744073709551616]")),
      "whole numbers"),
    HostileFile("nested shape", file(entry(shape: "[[2]]")), "whole numbers"),
    HostileFile(
      "product overflows", file(entry(shape: "[4294967296,4294967296]")), "product overflows"),
    HostileFile(
      "product overflows before a zero",
      file(entry(shape: "[9223372036854775807,2,0]", offsets: "[0,0]"), data: 0),
      "product overflows"),
    HostileFile(
      "byte count overflows", file(entry(shape: "[4611686018427387904]")),
      "product overflows"),
    HostileFile("shape larger than the data", file(entry(shape: "[3]")), "takes 12 bytes"),
    HostileFile("shape smaller than the data", file(entry(shape: "[1]")), "takes 4 bytes"),
    HostileFile(
      "half a byte", file(entry(dtype: #""F4""#, shape: "[3]", offsets: "[0,2]"), data: 2),
      "whole bytes"),
    HostileFile("one offset", file(entry(offsets: "[0]")), "not [begin, end]"),
    HostileFile("three offsets", file(entry(offsets: "[0,8,8]")), "not [begin, end]"),
    HostileFile("offsets swapped", file(entry(offsets: "[8,0]")), "not [begin, end]"),
    HostileFile("negative offset", file(entry(offsets: "[-8,0]")), "whole numbers"),
    HostileFile(
      "offsets near the limit",
      file(entry(offsets: "[9223372036854775799,9223372036854775807]")), "leave a hole"),
    HostileFile("data missing", file(entry(), data: 0), "end beyond the data's 0"),
    HostileFile("data cut short", file(entry(), data: 7), "end beyond the data's 7"),
    HostileFile("data too long", file(entry(), data: 9), "1 bytes after the last tensor"),
    HostileFile("data without tensors", safetensorsBytes("{}", data: 5), "belong to none"),
    HostileFile("hole at the start", file(entry(offsets: "[4,12]"), data: 12), "leave a hole"),
    HostileFile(
      "hole between", file(entry(), entry(name: "v", offsets: "[12,20]"), data: 20), "leave a hole"),
    HostileFile(
      "overlap", file(entry(), entry(name: "v", offsets: "[4,12]"), data: 12), "overlap"),
    HostileFile("same bytes twice", file(entry(), entry(name: "v"), data: 8), "overlap"),
  ]

  @Test(arguments: cases) func isRefused(_ hostile: HostileFile) throws {
    try expectRefusal(hostile, as: "hostile.safetensors")
  }

  /// A valid file cut anywhere is refused.
  @Test func everyTruncationIsRefused() throws {
    let whole = try fileBytes(fixture("dtypes.safetensors"))
    for count in 0..<whole.count {
      #expect(throws: CheckpointError.self, "cut to \(count)") {
        try SafetensorsFile(Storage(copying: whole.prefix(count)).view)
      }
    }
  }

  /// What the library accepts beyond its own writing.
  @Test(arguments: [
    ("only braces", safetensorsBytes("{}")),
    ("metadata null", safetensorsBytes(#"{"__metadata__":null}"#)),
    ("white space around", safetensorsBytes(" \n{} \t ")),
    ("unknown fields", file(#""w":{"x":[1],"dtype":"I8","shape":[8],"data_offsets":[0,8]}"#)),
    ("unaligned data", file(entry(name: "odd"))),
    ("zero dimension", file(entry(shape: "[0,5]", offsets: "[8,8]"), entry(name: "v"))),
    ("any order", file(entry(offsets: "[8,16]"), entry(name: "v"), data: 16)),
  ])
  func isAccepted(_ name: String, _ bytes: [UInt8]) throws {
    _ = try SafetensorsFile(Storage(copying: bytes).view)
  }
}
