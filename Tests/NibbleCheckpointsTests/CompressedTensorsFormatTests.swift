import NibbleCheckpoints
import NibbleQuantization
import NibbleTensors
import Testing

@Suite struct CompressedTensorsFormatTests {
  private static let matrices = [
    "model.layers.0.mlp.down_proj.weight", "model.layers.0.mlp.up_proj.weight",
  ]

  private func check<Format: FolderFormat>(
    _ folder: String, _ scheme: String, as format: Format.Type
  ) throws {
    let fixture = try FolderFixture("compressed-tensors/\(folder)")
    let (tensors, notes) = try fixture.gathered(format)
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
      #expect(tensor.dequantized() == fixture.expected[name], "\(folder) \(name)")
      for (part, stored) in zip(try layout.pack(tensor), record.parts) {
        #expect(part.bytes == stored.copy(), "\(folder) \(part.name)")
      }
    }
  }

  @Test(
    "Folders decode to what the package decodes them to, and are packed to the same bytes",
    arguments: [
      ("packed-sym", "int4-g32-sym-bf16"), ("packed-asym", "int4-g32-asym"),
      ("packed-3-asym", "int3-row-asym-f32"), ("packed-8", "int8-row-sym-bf16"),
      ("packed-tensor", "int5-tensor-asym-f32"), ("bytes-sym", "int8-row-sym-bf16"),
      ("bytes-asym", "int8-tensor-asym-f32"), ("float-tensor", "e4m3-tensor"),
      ("float-row", "e4m3-row-bf16"), ("float-block", "e4m3-g32"), ("packed-old", "int3-g32-sym"),
      ("packed-order", "int4-g32-sym-act"),
    ])
  func goldens(folder: String, scheme: String) throws {
    try check(folder, scheme, as: CompressedTensorsFormat.self)
  }

  @Test func blocksOfTransformers() throws {
    try check("fp8", "e4m3-g128", as: Float8Format.self)
  }

  private static func plan(_ module: String, _ scheme: Scheme) -> TensorPlan {
    TensorPlan(name: module + ".weight", shape: [8, 64], type: .scheme(scheme))
  }

  @Test(
    arguments: [
      ["int4-g32-sym"], ["int4-g32-asym-bf16"], ["int8-row-sym-f32"], ["int4-g32-sym-act"],
      ["e4m3-row"], ["int4-g32-sym", "int8-row-asym", "int4-g32-sym-act", "e4m3-tensor"],
    ])
  func writtenFoldersAreRead(names: [String]) throws {
    let format = CompressedTensorsFormat()
    var plans = [
      TensorPlan(name: "model.embed_tokens.weight", shape: [9, 64], type: .plain(.bfloat16))
    ]
    var arrays: [TensorRecord] = []
    var expected: [String: QuantizedTensor] = [:]
    for (index, name) in names.enumerated() {
      let scheme = try #require(Scheme(name: name))
      let module = "model.layers.\(index).q_proj"
      plans.append(Self.plan(module, scheme))
      let tensor = try randomTensor(scheme, rowCount: 8, columnCount: 64)
      expected[module + ".weight"] = tensor
      arrays += try records(tensor, name: module + ".weight", format: format)
    }
    let files = try format.configuration(of: plans, config: JSONObject(["model_type": "llama"]))
    let config = JSONValue.object(try #require(files["config.json"]))
    let settings = try #require(config["quantization_config"])
    #expect(settings["ignore"] == ["model.embed_tokens", "lm_head"])
    let groups = try #require(settings["config_groups"]?.object)
    #expect(groups.count == names.count)
    if names.count == 1 { #expect(groups["group_0"]?["targets"] == ["Linear"]) }
    let (tensors, notes) = try gather(arrays, as: CompressedTensorsFormat.self, config: config)
    #expect(notes == [])
    #expect(tensors.count == names.count)
    for tensor in tensors {
      #expect(try tensor.quantizedTensor() == expected[tensor.name])
    }
  }

  @Test func schemesWithoutWordsAreRefused() throws {
    let format = CompressedTensorsFormat()
    for name in ["nf4-g64", "int4-column-sym"] {
      let plan = Self.plan("a", try #require(Scheme(name: name)))
      #expect(throws: CheckpointError.self) {
        try format.configuration(of: [plan], config: JSONObject())
      }
    }
    let plan = Self.plan("a", try #require(Scheme(name: "int4-g64-sym")))
    #expect(throws: CheckpointError.self) {
      try Float8Format().configuration(of: [plan], config: JSONObject())
    }
    #expect(throws: CheckpointError.self) {
      try format.configuration(of: [], config: JSONObject())
    }
  }

  /// One group with these settings of weights.
  private static func settings(
    _ weights: JSONValue, targets: JSONValue = ["Linear"], format: JSONValue = "pack-quantized"
  ) -> JSONValue {
    [
      "quant_method": "compressed-tensors", "format": format,
      "config_groups": ["group_0": ["targets": targets, "weights": weights]],
    ]
  }

  private static let fourBits: JSONValue = [
    "num_bits": 4, "type": "int", "symmetric": false, "strategy": "group", "group_size": 32,
  ]

  @Test(
    arguments: [
      ["quant_method": "compressed-tensors"],
      ["quant_method": "compressed-tensors", "config_groups": ["W4A16": ["Linear"]]],
      settings(fourBits, format: "marlin-24"), settings(fourBits, format: "sparse-24-bitmask"),
      settings(fourBits, format: "nvfp4-pack-quantized"), settings(fourBits, format: 7),
      settings(fourBits, format: "float-quantized"), settings(fourBits, targets: "Linear"),
      settings(fourBits, targets: [7]), settings(fourBits, targets: []), settings(7),
      settings(["num_bits": 9]), settings(["num_bits": 1]), settings(["num_bits": "4"]),
      settings(["num_bits": 9_223_372_036_854_775_807]), settings(["type": "complex"]),
      settings(["symmetric": 1]), settings(["strategy": "token"]), settings(["strategy": 3]),
      settings(["strategy": "group", "group_size": 0]),
      settings(["strategy": "group", "group_size": -128]),
      settings(["strategy": "group", "group_size": 9_223_372_036_854_775_807]),
      settings(["strategy": "block", "block_structure": [128, 128]]),
      settings(["num_bits": 8, "type": "float", "strategy": "block"], format: "float-quantized"),
      settings(
        ["num_bits": 8, "type": "float", "strategy": "block", "block_structure": [0, 128]],
        format: "float-quantized"),
      settings(["num_bits": 4, "type": "float"], format: "float-quantized"),
      settings(["type": "float", "symmetric": false], format: "float-quantized"),
      [
        "quant_method": "compressed-tensors", "format": "dense",
        "sparsity_config": ["format": "sparse-24"], "config_groups": [:],
      ],
      [
        "quant_method": "compressed-tensors", "format": "pack-quantized",
        "transform_config": ["config_groups": ["R1": [:]]],
        "config_groups": ["group_0": ["targets": ["Linear"], "weights": ["num_bits": 4]]],
      ],
    ] as [JSONValue])
  func brokenSettings(settings: JSONValue) {
    #expect(throws: CheckpointError.self) {
      try announced(CompressedTensorsFormat.self, ["quantization_config": settings])
    }
  }

  @Test(
    arguments: [
      ["fmt": "e5m2", "weight_block_size": [128, 128]], ["fmt": "e4m3"],
      ["weight_block_size": [128]], ["weight_block_size": [128, -1]], ["weight_block_size": "128"],
    ] as [JSONValue])
  func brokenSettingsOfBlocks(settings: JSONValue) throws {
    var object = try #require(settings.object)
    object["quant_method"] = "fp8"
    let config: JSONValue = ["quantization_config": .object(object)]
    #expect(throws: CheckpointError.self) { try announced(Float8Format.self, config) }
  }

  @Test func olderConfigurationsAreRead() throws {
    let scheme = try #require(Scheme(name: "int4-g32-asym"))
    let tensor = try randomTensor(scheme, rowCount: 8, columnCount: 64)
    let arrays = try records(tensor, name: "a.q_proj.weight", format: CompressedTensorsFormat())
    let settings = Self.settings(Self.fourBits)
    var nameless = try #require(settings.object)
    nameless["quant_method"] = nil
    for config: JSONValue in [
      ["compression_config": settings], ["compression_config": .object(nameless)],
      ["compression_config": ["quantization_config": .object(nameless)]],
      ["quantization_config": Self.settings(Self.fourBits, targets: ["a.q_proj"])],
      ["quantization_config": Self.settings(Self.fourBits, targets: ["re:.*q_proj$"])],
    ] {
      let (tensors, _) = try gather(arrays, as: CompressedTensorsFormat.self, config: config)
      #expect(tensors.map(\.name) == ["a.q_proj.weight"])
      #expect(try tensors.first?.quantizedTensor() == tensor)
    }
    for targets: JSONValue in [["b.q_proj"], ["re:q_proj"], ["re:("], ["Embedding"]] {
      #expect(throws: CheckpointError.self) {
        try gather(
          arrays, as: CompressedTensorsFormat.self,
          config: ["quantization_config": Self.settings(Self.fourBits, targets: targets)])
      }
    }
    #expect(try announced(CompressedTensorsFormat.self, [:]) == nil)
    #expect(
      try announced(CompressedTensorsFormat.self, ["quantization_config": ["quant_method": "awq"]])
        == nil)
  }

  @Test("Activations are noted and their scales left out")
  func activations() throws {
    let scheme = try #require(Scheme(name: "int4-g32-asym"))
    let tensor = try randomTensor(scheme, rowCount: 8, columnCount: 64)
    var arrays = try records(tensor, name: "a.weight", format: CompressedTensorsFormat())
    arrays.append(
      TensorRecord(
        name: "a.input_scale", shape: [1], type: .plain(.float32),
        bytes: Storage(copying: [0, 0, 0, 0]).view))
    let config: JSONValue = [
      "quantization_config": [
        "quant_method": "compressed-tensors", "format": "pack-quantized",
        "kv_cache_scheme": ["num_bits": 8],
        "config_groups": [
          "group_0": [
            "targets": ["Linear"], "weights": Self.fourBits, "input_activations": ["num_bits": 8],
          ]
        ],
      ]
    ]
    let (tensors, notes) = try gather(arrays, as: CompressedTensorsFormat.self, config: config)
    #expect(tensors.map(\.name) == ["a.weight"])
    #expect(notes.count == 3)
  }

  private static func zeros(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: count) }

  private static func shape(_ rows: Int64, _ columns: Int64) -> [UInt8] {
    littleEndian(rows) + littleEndian(columns)
  }

  @Test(
    arguments: [
      HostileArrays("no scales", "weight_scale is missing") { $0.remove(".weight_scale") },
      HostileArrays("no zero points", "weight_zero_point is missing") {
        $0.remove(".weight_zero_point")
      },
      HostileArrays("no shape", "weight_shape is missing") { $0.remove(".weight_shape") },
      HostileArrays("no codes", "belongs to no") { $0.remove(".weight_packed") },
      HostileArrays("codes of another type", "weight_packed") {
        $0.replace(".weight_packed", type: .float32)
      },
      HostileArrays("codes of one dimension", "weight_packed") {
        $0.replace(".weight_packed", shape: [64])
      },
      HostileArrays("narrow codes", "words for 64 numbers") {
        $0.replace(".weight_packed", shape: [8, 7], bytes: zeros(224))
      },
      HostileArrays("another shape", "weight_shape") {
        $0.replace(".weight_shape", bytes: shape(9, 64))
      },
      HostileArrays("negative shape", "weight_shape") {
        $0.replace(".weight_shape", bytes: shape(8, -64))
      },
      HostileArrays("huge shape", "weight_shape") {
        $0.replace(".weight_shape", bytes: shape(8, .max))
      },
      HostileArrays("columns of other words", "words for 65 numbers") {
        $0.replace(".weight_shape", bytes: shape(8, 65))
      },
      HostileArrays("columns of half a group", "no multiple of 32") {
        $0.replace(".weight_shape", bytes: shape(8, 63))
      },
      HostileArrays("shape of one number", "weight_shape") {
        $0.replace(".weight_shape", shape: [1], bytes: zeros(8))
      },
      HostileArrays("shape of bytes", "weight_shape") { $0.replace(".weight_shape", type: .uint8) },
      HostileArrays("scales of integers", "weight_scale is I32") {
        $0.replace(".weight_scale", type: .int32)
      },
      HostileArrays("few scales", "not F16 [8, 2]") {
        $0.replace(".weight_scale", shape: [8, 1], bytes: zeros(16))
      },
      HostileArrays("many zero points", "words for 8 numbers") {
        $0.replace(".weight_zero_point", shape: [2, 2], bytes: zeros(16))
      },
      HostileArrays("zero points of bytes", "not I32 [1, 2]") {
        $0.replace(".weight_zero_point", type: .int8, shape: [1, 8])
      },
      HostileArrays("order of uneven groups", "each group 32") {
        $0.append(order([Int32](repeating: 1, count: 64)))
      },
      HostileArrays("order beyond the groups", "each group 32") {
        $0.append(order([Int32](repeating: .max, count: 64)))
      },
      HostileArrays("short order", "weight_g_idx") { $0.append(order([1, 0])) },
    ])
  func hostileArrays(_ hostile: HostileArrays) throws {
    let scheme = try #require(Scheme(name: "int4-g32-asym"))
    let tensor = try randomTensor(scheme, rowCount: 8, columnCount: 64)
    try hostile.check(
      records(tensor, name: "a.weight", format: CompressedTensorsFormat()),
      as: CompressedTensorsFormat.self,
      config: ["quantization_config": Self.settings(Self.fourBits)])
  }

  private static func order(_ groups: [Int32]) -> TensorRecord {
    TensorRecord(
      name: "a.weight_g_idx", shape: [groups.count], type: .plain(.int32),
      bytes: Storage(copying: groups.withUnsafeBytes { [UInt8]($0) }).view)
  }

  @Test("An order that changes nothing is left out")
  func ownOrder() throws {
    let scheme = try #require(Scheme(name: "int4-g32-asym"))
    let tensor = try randomTensor(scheme, rowCount: 8, columnCount: 64)
    let arrays = try records(tensor, name: "a.weight", format: CompressedTensorsFormat())
    for groups in [(0..<64).map { Int32($0 / 32) }, [Int32](repeating: -1, count: 64)] {
      let (tensors, _) = try gather(
        arrays + [Self.order(groups)], as: CompressedTensorsFormat.self,
        config: ["quantization_config": Self.settings(Self.fourBits)])
      #expect(tensors.count == 1)
      #expect(try tensors.first?.quantizedTensor() == tensor)
    }
  }

  @Test("Bytes beyond the bits, and zero points of symmetric weights, are refused")
  func bytesAreChecked() throws {
    let scheme = try #require(Scheme(name: "int4-row-sym"))
    let layout = CompressedTensorsLayout(storage: .bytes)
    let good = [NamedBytes(bytes: [0xF8, 7]), NamedBytes(bytes: [0, 0x3C])]
    let tensor = try layout.unpack(good, rowCount: 1, columnCount: 2, scheme: scheme)
    #expect(tensor.dequantized() == [-8, 7])
    for byte: UInt8 in [0xF7, 8, 0x80, 0x7F] {
      let parts = [NamedBytes(bytes: [0, byte]), good[1]]
      #expect(throws: QuantizationError.self) {
        try layout.unpack(parts, rowCount: 1, columnCount: 2, scheme: scheme)
      }
    }
    let sample = try randomTensor(
      try #require(Scheme(name: "int4-g32-sym")), rowCount: 8, columnCount: 64)
    let arrays = try records(sample, name: "a.weight", format: CompressedTensorsFormat())
    let config: JSONValue = [
      "quantization_config": Self.settings(["num_bits": 4, "group_size": 32])
    ]
    for (byte, isRefused) in [(UInt8(0), false), (0x80, true), (1, true)] {
      let zeroPoints = TensorRecord(
        name: "a.weight_zero_point", shape: [1], type: .plain(.int8),
        bytes: Storage(copying: [byte]).view)
      let result = Result {
        try gather(arrays + [zeroPoints], as: CompressedTensorsFormat.self, config: config)
      }
      #expect(((try? result.get()) == nil) == isRefused)
    }
  }
}
