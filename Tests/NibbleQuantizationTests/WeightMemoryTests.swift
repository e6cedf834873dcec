import NibbleQuantization
import NibbleTensors
import Testing

@Suite struct WeightMemoryTests {
  @Test(arguments: [
    (WeightMemory.Storage.plain(.float32), 280_000_000_000), (.plain(.float16), 140_000_000_000),
    (.plain(.bfloat16), 140_000_000_000), (.plain(.int(8)), 70_000_000_000),
    (.plain(.int(4)), 35_000_000_000), (.blocks(.q4_k), 39_375_000_000),
    (.blocks(.q6_k), 57_421_875_000), (.blocks(.mxfp4), 37_187_500_000),
  ])
  func seventyBillion(_ storage: WeightMemory.Storage, _ bytes: Int) throws {
    #expect(try WeightMemory(parameterCount: 70_000_000_000, storage: storage).byteCount == bytes)
  }

  @Test func roundsUp() throws {
    #expect(try WeightMemory(parameterCount: 3, storage: .plain(.int(4))).byteCount == 2)
    #expect(try WeightMemory(parameterCount: 0, storage: .blocks(.q4_k)).byteCount == 0)
    let scheme = try #require(Scheme(name: "int4-g128-asym"))
    let memory = try WeightMemory(parameterCount: 128, storage: .scheme(scheme))
    #expect(memory.byteCount == (128 * 4 + 16 + 4 + 7) / 8)
    #expect(memory.bitsPerWeight == 4.15625)
  }

  @Test func refusesWhatItCannotCount() throws {
    #expect(throws: QuantizationError.self) {
      try WeightMemory(parameterCount: .max, storage: .plain(.float32))
    }
    #expect(throws: QuantizationError.self) {
      try WeightMemory(parameterCount: -1, storage: .plain(.float32))
    }
    #expect(try WeightMemory(parameterCount: .max, storage: .plain(.int(8))).byteCount == .max)
    let row = try #require(Scheme(name: "int8-row-sym"))
    #expect(throws: QuantizationError.self) {
      try WeightMemory(parameterCount: 10, storage: .scheme(row))
    }
  }

  @Test func usualWaysCanBeCounted() throws {
    #expect(WeightMemory.usual.count == 21)
    for storage in WeightMemory.usual {
      #expect(try WeightMemory(parameterCount: 1000, storage: storage).byteCount > 0)
    }
  }

  @Test func parameterCounts() {
    for (text, count) in [
      ("70e9", 70_000_000_000), ("135e6", 135_000_000), ("7b", 7_000_000_000),
      ("1.5B", 1_500_000_000),
      ("124,439,808", 124_439_808), ("135M", 135_000_000), ("2T", 2_000_000_000_000), ("12", 12),
      ("0", 0), ("350k", 350_000),
    ] { #expect(WeightMemory.parameterCount(text) == count, "\(text)") }
    for text in ["", "b", "-7b", "7bb", "nan", "inf", "1e30", "9.3e18", "seven", "1e400", "0x10p"] {
      #expect(WeightMemory.parameterCount(text) == nil, "\(text)")
    }
  }
}
