import NibbleCheckpoints
import NibbleQuantization
import NibbleTensors
import Testing

@Suite struct BitsAndBytesFormatTests {
  private static let matrices = [
    "model.layers.0.mlp.down_proj.weight", "model.layers.0.mlp.up_proj.weight",
  ]

  @Test(
    "Folders of bitsandbytes decode to what it decodes them to, and are packed to the same bytes",
    arguments: [
      // The tolerance is the rounding of its result: none, half, bfloat16, or the order of two products.
      ("nf4", "nf4-g64", 0), ("nf4-nested", "nf4-g64-dq", 0x1p-11), ("fp4", "fp4-g64", 0),
      ("fp4-nested", "fp4-g128-dq", 0x1p-8), ("int8", "int8-row-sym-f32", 0x1p-22),
    ] as [(String, String, Float)])
  func goldens(folder: String, scheme: String, tolerance: Float) throws {
    let fixture = try FolderFixture("bits-and-bytes/\(folder)")
    let (tensors, notes) = try fixture.gathered(BitsAndBytesFormat.self)
    #expect(notes == [])
    #expect(
      tensors.map(\.name).sorted()
        == (Self.matrices + ["lm_head.weight", "model.norm.weight"])
        .sorted())
    let byName = Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0) })
    for name in Self.matrices {
      let record = try #require(byName[name])
      let layout = try #require(record.layout)
      #expect(record.type.name == scheme)
      let tensor = try record.quantizedTensor()
      let expected = try #require(fixture.expected[name])
      let values = tensor.dequantized()
      #expect(values.count == expected.count)
      // Halves below 2^-14 have an absolute error.
      #expect(
        zip(values, expected).allSatisfy {
          abs($0 - $1) <= tolerance * abs($1) + (tolerance == 0 ? 0 : 0x1p-25)
        }, "\(folder)")
      let packed = try layout.pack(tensor)
      for (part, stored) in zip(packed, record.parts) {
        if part.name == "SCB" {
          // Two numbers may stand for one scale.
          let other = try layout.unpack(
            packed, rowCount: record.rowCount, columnCount: record.columnCount,
            scheme: tensor.scheme)
          #expect(other == tensor)
        } else if part.name.contains("quant_state") {
          let text = String(decoding: part.bytes, as: UTF8.self)
          #expect(text.prefix(stored.count) == String(decoding: stored.copy(), as: UTF8.self))
          #expect(text.dropFirst(stored.count).allSatisfy { $0 == " " })
        } else {
          #expect(part.bytes == stored.copy(), "\(folder) \(part.name)")
        }
      }
    }
  }

  @Test(arguments: ["nf4-g64", "fp4-g32-dq", "nf4-g128-dq", "int8-row-sym-f32"])
  func writtenFoldersAreRead(name: String) throws {
    let scheme = try #require(Scheme(name: name))
    let tensor = try randomTensor(scheme, rowCount: 6, columnCount: 256)
    let format = BitsAndBytesFormat(originalType: .bfloat16)
    let plans = [
      TensorPlan(name: "model.embed_tokens.weight", shape: [9, 256], type: .plain(.bfloat16)),
      TensorPlan(name: "model.layers.0.q_proj.weight", shape: [6, 256], type: .scheme(scheme)),
      TensorPlan(name: "model.norm.weight", shape: [256], type: .plain(.bfloat16)),
    ]
    let files = try format.configuration(of: plans, config: JSONObject(["model_type": "llama"]))
    let config = JSONValue.object(try #require(files["config.json"]))
    #expect(config["model_type"]?.string == "llama")
    let settings = try #require(config["quantization_config"])
    #expect(settings["load_in_8bit"]?.bool == (name == "int8-row-sym-f32"))
    #expect(settings["load_in_4bit"]?.bool == (name != "int8-row-sym-f32"))
    #expect(settings["bnb_4bit_use_double_quant"]?.bool == name.hasSuffix("-dq"))
    #expect(settings["llm_int8_skip_modules"] == ["model.embed_tokens", "lm_head"])
    let (tensors, notes) = try gather(
      records(tensor, name: "model.layers.0.q_proj.weight", format: format),
      as: BitsAndBytesFormat.self, config: config)
    #expect(notes == [])
    let record = try #require(tensors.first)
    #expect(tensors.count == 1 && record.name == "model.layers.0.q_proj.weight")
    #expect(try record.quantizedTensor() == tensor)
  }

  @Test func oneFolderHoldsOneKind() throws {
    func plan(_ name: String, _ scheme: String) throws -> TensorPlan {
      TensorPlan(
        name: name, shape: [4, 64], type: .scheme(try #require(Scheme(name: scheme))))
    }
    let format = BitsAndBytesFormat(originalType: .float16)
    for other in ["fp4-g64", "nf4-g64-dq", "int8-row-sym-f32"] {
      let plans = try [plan("a.weight", "nf4-g64"), plan("b.weight", other)]
      #expect(throws: CheckpointError.self) {
        try format.configuration(of: plans, config: JSONObject())
      }
    }
    let plans = try [plan("a.weight", "nf4-g64"), plan("lm_head.weight", "nf4-g128")]
    let config = try format.configuration(of: plans, config: JSONObject())["config.json"]
    #expect(config?["quantization_config"]?["llm_int8_skip_modules"] == [])
    #expect(throws: CheckpointError.self) { try format.configuration(of: [], config: JSONObject()) }
  }

  @Test func otherFoldersAreNotAnnounced() throws {
    #expect(try announced(BitsAndBytesFormat.self, [:]) == nil)
    #expect(try announced(BitsAndBytesFormat.self, ["quantization_config": nil]) == nil)
    #expect(
      try announced(
        BitsAndBytesFormat.self, ["quantization_config": ["quant_method": "gptq"]]) == nil)
    #expect(
      try announced(BitsAndBytesFormat.self, ["quantization_config": ["load_in_4bit": true]])
        != nil)
  }

  @Test(
    arguments: [
      ["quant_method": "bitsandbytes"],
      ["quant_method": "bitsandbytes", "load_in_4bit": 1],
      ["quant_method": "bitsandbytes", "load_in_4bit": true, "load_in_8bit": true],
      [
        "quant_method": "bitsandbytes", "load_in_8bit": true, "llm_int8_has_fp16_weight": true,
      ],
    ] as [JSONValue])
  func brokenSettings(settings: JSONValue) {
    #expect(throws: CheckpointError.self) {
      try announced(BitsAndBytesFormat.self, ["quantization_config": settings])
    }
  }

  private static func state(_ text: String) -> HostileArrays {
    HostileArrays(text, "quant_state") {
      $0.replace("bitsandbytes__nf4", shape: [text.utf8.count], bytes: Array(text.utf8))
    }
  }

  private static let good =
    #""quant_type": "nf4", "blocksize": 64, "dtype": "float16""#
  private static let nested = #""nested_blocksize": 256, "nested_dtype": "float32""#

  @Test(
    arguments: [
      HostileArrays("no scales", "absmax is missing") { $0.remove(".absmax") },
      HostileArrays("no book", "quant_map is missing") { $0.remove(".weight.quant_map") },
      HostileArrays("no codes", "is missing") { $0.remove("q.weight") },
      HostileArrays("no state", "quant_state is missing") { $0.remove("__nf4") },
      HostileArrays("short codes", "not U8 [128, 1]") {
        $0.replace("q.weight", shape: [64, 1], bytes: [UInt8](repeating: 0, count: 64))
      },
      HostileArrays("scales of another type", "not U8 [4]") {
        $0.replace(".absmax", type: .float32, shape: [4], bytes: [UInt8](repeating: 0, count: 16))
      },
      HostileArrays("another book", "not the book") {
        $0.replace(".weight.quant_map", bytes: [UInt8](repeating: 0, count: 64))
      },
      HostileArrays("another map", "not the dynamic map") {
        $0.replace(".nested_quant_map", bytes: [UInt8](repeating: 0, count: 1024))
      },
      HostileArrays("state of numbers", "no text") {
        $0.replace("__nf4", type: .float32, shape: [1], bytes: [0, 0, 0, 0])
      },
      HostileArrays("no JSON", "JSON") { $0.replace("__nf4", shape: [1], bytes: [0x7B]) },
      HostileArrays("not UTF-8", "JSON") { $0.replace("__nf4", shape: [3], bytes: [34, 255, 34]) },
      state("[]"), state("{}"), state(#"{"quant_type": "nf4"}"#),
      state(#"{"quant_type": "fp4", "blocksize": 64, "dtype": "float16", "shape": [4, 64]}"#),
      state(#"{"quant_type": "nf4", "blocksize": 48, "dtype": "float16", "shape": [4, 64]}"#),
      state(#"{"quant_type": "nf4", "blocksize": -64, "dtype": "float16", "shape": [4, 64]}"#),
      state(#"{"quant_type": "nf4", "blocksize": 64, "dtype": "int8", "shape": [4, 64]}"#),
      state("{\(good)}"), state(#"{\#(good), "shape": 7}"#), state(#"{\#(good), "shape": [256]}"#),
      state(#"{\#(good), "shape": [-4, -64]}"#), state(#"{\#(good), "shape": [4, 64, 1]}"#),
      state(#"{\#(good), "shape": [4611686018427387904, 64]}"#),
      state(#"{\#(good), "shape": [4, 64], \#(nested)}"#),
      state(#"{\#(good), "shape": [4, 64], \#(nested), "nested_offset": "1"}"#),
      state(#"{\#(good), "shape": [4, 64], \#(nested), "nested_offset": 1e99}"#),
      state(#"{\#(good), "shape": [4, 64], "nested_offset": 1, "nested_blocksize": 128}"#),
      HostileArrays("another shape", "not") {
        let text = #"{\#(good), "shape": [8, 64], \#(nested), "nested_offset": 1}"#
        $0.replace("__nf4", shape: [text.utf8.count], bytes: Array(text.utf8))
      },
      HostileArrays("blocks over rows", "no multiple of 64") {
        let text = #"{\#(good), "shape": [8, 32], \#(nested), "nested_offset": 1}"#
        $0.replace("__nf4", shape: [text.utf8.count], bytes: Array(text.utf8))
      },
    ])
  func hostileFourBits(_ hostile: HostileArrays) throws {
    let scheme = try #require(Scheme(name: "nf4-g64-dq"))
    let tensor = try randomTensor(scheme, rowCount: 4, columnCount: 64)
    let format = BitsAndBytesFormat(originalType: .float16)
    try hostile.check(
      records(tensor, name: "q.weight", format: format), as: BitsAndBytesFormat.self,
      config: ["quantization_config": ["quant_method": "bitsandbytes", "load_in_4bit": true]])
  }

  @Test(
    arguments: [
      HostileArrays("no scales", "SCB") { $0.remove(".SCB") },
      HostileArrays("no codes", "is missing") { $0.remove("q.weight") },
      HostileArrays("codes of 4 bits", "no I8 matrix") { $0.replace("q.weight", type: .uint8) },
      HostileArrays("one dimension", "no I8 matrix") { $0.replace("q.weight", shape: [256]) },
      HostileArrays("few scales", "SCB") {
        $0.replace(".SCB", shape: [3], bytes: [UInt8](repeating: 0, count: 12))
      },
      HostileArrays("scales of halves", "SCB") {
        $0.replace(".SCB", type: .float16, bytes: [UInt8](repeating: 0, count: 8))
      },
      HostileArrays("another order", "weight_format") { $0.replace(".weight_format", bytes: [2]) },
      HostileArrays("many orders", "weight_format") {
        $0.replace(".weight_format", shape: [2], bytes: [0, 0])
      },
    ])
  func hostileEightBits(_ hostile: HostileArrays) throws {
    let tensor = try randomTensor(BitsAndBytesEightBitLayout.scheme, rowCount: 4, columnCount: 64)
    let format = BitsAndBytesFormat(originalType: .float16)
    try hostile.check(
      records(tensor, name: "q.weight", format: format), as: BitsAndBytesFormat.self,
      config: ["quantization_config": ["quant_method": "bitsandbytes", "load_in_8bit": true]])
  }

  @Test("Old folders have no weight_format; and a flag that the arrays contradict is told")
  func oddities() throws {
    let tensor = try randomTensor(BitsAndBytesEightBitLayout.scheme, rowCount: 4, columnCount: 64)
    var arrays = try records(
      tensor, name: "q.weight", format: BitsAndBytesFormat(originalType: .float16))
    arrays.remove(".weight_format")
    let (tensors, notes) = try gather(
      arrays, as: BitsAndBytesFormat.self, config: ["quantization_config": ["load_in_4bit": true]])
    #expect(try tensors.first?.quantizedTensor() == tensor)
    #expect(notes == ["config.json announces 4 bits, and 1 matrices have 8"])
  }
}
