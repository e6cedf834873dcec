import NibbleCheckpoints
import Testing

@Suite struct JSONTests {
  @Test func keepsOrderAndWholeNumbers() throws {
    let text = #"{"z":1,"a":[-2,1.5,true,null],"m":{"k":"é\"\\\n"}}"#
    let value = try JSONValue.parse(text)
    #expect(value.object?.keys == ["z", "a", "m"])
    #expect(value["z"] == .integer(1))
    #expect(value.text(.compact) == text)
  }

  @Test func keysAreEqualOnlyByTheirBytes() throws {
    let value = try JSONValue.parse("{\"\u{C5}\":1,\"\u{212B}\":2,\"A\u{30A}\":3}")
    #expect(value.object?.count == 3)
    #expect(value["\u{C5}"] == 1)
    #expect(value["\u{212B}"] == 2)
    #expect(value["A\u{30A}"] == 3)
  }

  @Test(arguments: [
    ("", "ends"), (" ", "ends"), ("{", "key"), ("[", "ends"), ("[1", "comma"), ("[1,", "ends"),
    ("[1,]", "value"), ("{\"a\"", "colon"), ("{\"a\":", "ends"), ("{\"a\":1", "comma"),
    ("{\"a\":1,", "key"), ("{a:1}", "key"), ("{\"a\":1,\"a\":2}", "duplicate key \"a\""),
    ("{\"a\":1,\"\\u0061\":2}", "duplicate key \"a\""),
    ("\"", "ends"), ("\"\\", "ends"), ("\"\\u12", "ends"), ("\"\\u12G4\"", "hexadecimal"),
    ("\"\\x\"", "unknown escape"), ("\"\\ud800\"", "surrogate"), ("\"\\udc00\"", "surrogate"),
    ("\"\\ud800\\u0041\"", "surrogate"), ("\"a\nb\"", "control character"),
    ("tru", "word"), ("nulll", "unexpected"), ("NaN", "value"), ("Infinity", "value"),
    ("01", "leading zeros"), ("-", "value"), ("+1", "value"), ("1.", "digits"), (".5", "value"),
    ("1e", "digits"), ("1e+", "digits"), ("1e999", "out of range"), ("-1e999", "out of range"),
    ("1 2", "unexpected"), ("{}{}", "unexpected"),
  ])
  func isRefused(_ text: String, _ reason: String) {
    expectRefusal(text, reason)
  }

  /// Not among the arguments above, which the test runner prints.
  @Test func deepNestingIsRefused() {
    for opening in ["[", "{\"a\":"] {
      expectRefusal(String(repeating: opening, count: 1_000_000), "nested deeper")
    }
  }

  private func expectRefusal(_ text: String, _ reason: String) {
    let error = #expect(throws: CheckpointError.self) { try JSONValue.parse(text) }
    #expect(error?.description.contains("bad JSON at byte ") == true)
    #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
  }

  @Test(
    arguments: [
      [0x22, 0xFF, 0x22], [0x22, 0xC0, 0x80, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22],
      [0x22, 0xF4, 0x90, 0x80, 0x80, 0x22], [0x22, 0xE2, 0x82, 0x22], [0xFF],
    ] as [[UInt8]])
  func badBytesAreRefused(_ bytes: [UInt8]) {
    #expect(throws: CheckpointError.self) { try JSONValue.parse(bytes) }
  }
}
