import NibbleCheckpoints
import NibbleQuantization
import NibbleTensors
import Testing

@Suite struct GPTQFormatTests {
  private static let module = "model.layers.0.mlp.up_proj"

  private static func format(_ folder: JSONFolder) throws -> GPTQFormat {
    let format = try GPTQFormat.announced { name throws(CheckpointError) in
      try folder.json(name)
    }
    return try #require(format)
  }

  private static func format(_ members: String) throws -> GPTQFormat {
    try format(.config("\"quant_method\":\"gptq\",\(members)"))
  }

  private static func scheme(_ name: String) throws -> Scheme { try #require(Scheme(name: name)) }

  private static func records(
    _ name: String, version: GPTQLayout.Version = .v1, module: String = module
  ) throws -> [TensorRecord] {
    try arrayRecords(try randomTensor(scheme(name)), module, GPTQLayout(version: version))
  }

  @Test(
    "Folders that GPTQModel packed",
    arguments: [
      ("symmetric", ["int4-g32-sym", "int2-g32-sym", "int3-g32-sym", "int8-g32-sym"]),
      ("asymmetric", ["int4-row-asym", "int3-row-asym"]),
      ("ordered", ["int4-g16-asym-act", "int3-g16-asym-act"]),
    ])
  func goldens(_ name: String, _ schemes: [String]) throws {
    let folder = FixtureFolder("gptq/\(name)")
    let format = try #require(
      try GPTQFormat.announced { name throws(CheckpointError) in try folder.json(name) })
    let (tensors, notes) = try format.gather(try folder.tensors())
    #expect(notes.isEmpty, "\(notes)")
    let kept = [
      "model.embed_tokens.weight", "model.layers.0.mlp.gate.weight",
      "model.layers.0.self_attn.q_proj.bias",
    ]
    let matrices = ["q", "k", "v", "o"].prefix(schemes.count).map {
      "model.layers.0.self_attn.\($0)_proj.weight"
    }
    #expect(Set(tensors.map(\.name)) == Set(kept + matrices))
    for (matrix, scheme) in zip(matrices, schemes) {
      let record = try #require(tensors.first { $0.name == matrix })
      #expect(record.type == .scheme(try Self.scheme(scheme)) && record.shape == [32, 64])
    }
    try expectValues(tensors, folder)
  }

  @Test func namesAndSynonyms() throws {
    let legacy = JSONFolder(files: [
      "config.json": "{}",
      "quantize_config.json": #"{"wbits":8,"q_group_size":-1,"format":"gptq_v2","sym":true}"#,
    ])
    let format = try Self.format(legacy)
    #expect(format.version == .v2)
    let (tensors, notes) = try format.gather(try Self.records("int8-row-sym", version: .v2))
    #expect(tensors.map(\.type) == [.scheme(try Self.scheme("int8-row-sym"))])
    #expect(tensors[0].name == Self.module + ".weight" && notes.isEmpty)
    #expect(format.arrayName("qzeros", of: "a.b.weight") == "a.b.qzeros")

    for other in [
      "{}", #"{"quantization_config":null}"#, #"{"quantization_config":{"quant_method":"awq"}}"#,
      #"{"quantization_config":{"bits":4,"group_size":64}}"#,
    ] {
      let folder = JSONFolder(files: ["config.json": other])
      let found = try GPTQFormat.announced { name throws(CheckpointError) in
        try folder.json(name)
      }
      #expect(found == nil, "\(other)")
    }
  }

  @Test func filesThatContradictEachOther() throws {
    let format = try Self.format(
      JSONFolder(files: [
        "config.json": #"{"quantization_config":{"quant_method":"gptq","bits":4,"group_size":32}}"#,
        "quantize_config.json": #"{"bits":8,"checkpoint_format":"gptq_v2"}"#,
      ]))
    #expect(format.version == .v2)
    let (tensors, notes) = try format.gather(try Self.records("int4-g32-asym", version: .v2))
    #expect(tensors.count == 1)
    #expect(notes.count == 1 && notes[0].contains("contradict each other in bits"))
  }

  @Test("Zero points tell how they are stored where the configuration is wrong")
  func zeroPointsOfSymmetricModels() throws {
    let settings = #""bits":4,"group_size":32,"sym":true,"checkpoint_format":"#
    for (flag, version) in [("\"gptq\"", GPTQLayout.Version.v2), ("\"gptq_v2\"", .v1)] {
      let tensor = try randomTensor(Self.scheme("int4-g32-sym"))
      let records = try arrayRecords(tensor, Self.module, GPTQLayout(version: version))
      let (tensors, notes) = try Self.format(settings + flag).gather(records)
      #expect(try tensors[0].quantizedTensor() == tensor)
      #expect(notes.count == 1 && notes[0].contains("all zero points are those of"), "\(notes)")
    }
    let varied = try randomTensor(Self.scheme("int4-g32-asym"))
    let records = try arrayRecords(varied, Self.module, GPTQLayout())
    let (tensors, notes) = try Self.format(settings + "\"gptq\"").gather(records)
    #expect(try tensors[0].quantizedTensor() == varied)
    #expect(notes.count == 1 && notes[0].contains("says symmetric"), "\(notes)")
    // Without the flag the data decide.
    let silent = try Self.format(#""bits":4,"group_size":32"#)
    #expect(try silent.gather(records).notes.isEmpty)
    #expect(try silent.gather(records).tensors[0].type == .scheme(varied.scheme))
    let symmetric = try silent.gather(try Self.records("int4-g32-sym")).tensors[0]
    #expect(symmetric.type == .scheme(try Self.scheme("int4-g32-sym")))
  }

  @Test func fieldsWithAllBitsSet() throws {
    let tensor = try randomTensor(Self.scheme("int4-g32-asym"), lowestZeroPoint: 15)
    let records = try arrayRecords(tensor, Self.module, GPTQLayout(version: .v2))
    let (tensors, notes) = try Self.format(#""bits":4,"group_size":32,"sym":false"#)
      .gather(records)
    #expect(try tensors[0].quantizedTensor().zeroPoints?.allSatisfy { $0 == 0 } == true)
    #expect(notes.count == 1 && notes[0].contains("all bits set"), "\(notes)")
  }

  @Test func groupIndices() throws {
    let settings = #""bits":4,"group_size":32,"desc_act":"#
    let records = try Self.records("int4-g32-sym")
    let bare = Array(records.dropLast())
    #expect(try Self.format(settings + "false").gather(bare).tensors.count == 1)
    expectFault("g_idx: the configuration sets desc_act") {
      _ = try Self.format(settings + "true").gather(bare)
    }
    let zeros = bare + [emptyRecord(Self.module + ".g_idx", .int32, [64])]
    let (tensors, notes) = try Self.format(settings + "false").gather(zeros)
    #expect(notes.count == 1 && tensors[0].parts.count == 3)
    expectFault("more than 32") { _ = try Self.format(settings + "true").gather(zeros) }
  }

  @Test func rowsThatAreShorterThanGroups() throws {
    let records = try Self.records("int4-g64-sym")
    let (tensors, _) = try Self.format(#""bits":4,"group_size":128"#).gather(records)
    #expect(tensors[0].type == .scheme(try Self.scheme("int4-g64-sym")))
  }

  @Test(arguments: [
    (#""bits":"4""#, "bits is no whole number"), (#""bits":4.5"#, "bits is no whole number"),
    (#""bits":5"#, "5 bits is not supported"), (#""bits":-4"#, "-4 bits is not supported"),
    (#""bits":4,"group_size":0"#, "group_size is no group size"),
    (#""bits":4,"group_size":-2"#, "group_size is no group size"),
    (#""bits":4,"group_size":9223372036854775807"#, "group_size is no group size"),
    (#""bits":4,"group_size":[128]"#, "group_size is no group size"),
    (#""bits":4,"sym":1"#, "sym is no true or false"),
    (#""bits":4,"desc_act":"no""#, "desc_act is no true or false"),
    (#""bits":4,"checkpoint_format":"marlin""#, "\"marlin\" is not supported"),
    (#""bits":4,"is_marlin_format":true"#, "\"marlin\" is not supported"),
    (#""bits":4,"format":"gptq_p""#, "planes of bits"),
    (#""bits":4,"format":"a\nb""#, "is not supported"),
    (#""bits":4,"format":7"#, "format is no text"),
    (#""bits":4,"pack_dtype":"int64""#, "words of int64"),
    (#""bits":4,"dynamic":[]"#, "dynamic is no JSON object"),
    (#""bits":4,"dynamic":{"+:a":7}"#, "in dynamic is no JSON object"),
    (#""bits":4,"dynamic":{"+:a":{"group_size":0}}"#, "group_size is no group size"),
  ])
  func brokenSettings(_ members: String, _ reason: String) {
    expectFault(reason) { _ = try Self.format(members) }
    expectFault("config.json") {
      _ = try Self.format(.config("\"quant_method\":\"gptq\",\(members)"))
    }
  }

  @Test func settingsThatAreNoObject() {
    expectFault("no JSON object") {
      _ = try Self.format(JSONFolder(files: ["config.json": #"{"quantization_config":[1]}"#]))
    }
  }

  private struct Broken: Sendable {
    let part: String
    let record: @Sendable () -> TensorRecord?
    let reason: String

    init(_ part: String, _ reason: String, _ record: @escaping @Sendable () -> TensorRecord?) {
      self.part = part
      self.reason = reason
      self.record = record
    }
  }

  private static let broken: [Broken] = [
    Broken("qzeros", "up_proj.qzeros: ") { nil },
    Broken("scales", "up_proj.scales: ") { nil },
    Broken("qweight", "up_proj.qweight: qzeros is there without it") { nil },
    Broken("qweight", "is F32, not I32") { emptyRecord(module + ".qweight", .float32, [8, 32]) },
    Broken("qweight", "not 2") { emptyRecord(module + ".qweight", .int32, [256]) },
    Broken("qweight", "no elements") { emptyRecord(module + ".qweight", .int32, [0, 32]) },
    Broken("qweight", "16 outputs") { emptyRecord(module + ".qweight", .int32, [8, 16]) },
    Broken("qweight", "groups of") { emptyRecord(module + ".qweight", .int32, [7, 32]) },
    Broken("qweight", "bytes, not") {
      TensorRecord(
        name: module + ".qweight", shape: [8, 32], type: .plain(.int32),
        bytes: Storage(byteCount: 8).view)
    },
    Broken("qweight", "too large") {
      TensorRecord(
        name: module + ".qweight", shape: [1 << 40, 1 << 40], type: .plain(.int32),
        bytes: Storage(byteCount: 8).view)
    },
    Broken("qzeros", "3 groups") { emptyRecord(module + ".qzeros", .int32, [3, 4]) },
    Broken("qzeros", "do not hold 32 zero points") {
      emptyRecord(module + ".qzeros", .int32, [2, 9])
    },
    Broken("qzeros", "has 5 bits a weight") { emptyRecord(module + ".qzeros", .int32, [2, 5]) },
    Broken("qzeros", "announces 4 bits in groups of 32") {
      emptyRecord(module + ".qzeros", .int32, [2, 2])
    },
    Broken("scales", "not F16") { emptyRecord(module + ".scales", .int32, [2, 32]) },
    Broken("g_idx", "not [64]") { emptyRecord(module + ".g_idx", .int32, [32]) },
    Broken("g_idx", "is I64") { emptyRecord(module + ".g_idx", .int64, [64]) },
    Broken("g_idx", "more than 32") { emptyRecord(module + ".g_idx", .int32, [64]) },
  ]

  @Test func brokenArrays() throws {
    let format = try Self.format(#""bits":4,"group_size":32"#)
    let records = try Self.records("int4-g32-sym")
    #expect(try format.gather(records).tensors.count == 1)
    for broken in Self.broken {
      let changed = records.compactMap { record in
        record.name.hasSuffix("." + broken.part) ? broken.record() : record
      }
      expectFault(broken.reason) { _ = try format.gather(changed) }
    }
    expectFault("stands in the file twice") {
      _ = try format.gather(records + [emptyRecord(Self.module + ".weight", .float32, [32, 64])])
    }
  }

  // MARK: Writing

  private static func plan(_ name: String, _ scheme: String, _ shape: [Int] = [32, 64]) throws
    -> TensorPlan
  {
    TensorPlan(name: name, shape: shape, type: .scheme(try self.scheme(scheme)))
  }

  private static func plain(_ name: String, _ shape: [Int] = [32, 64]) -> TensorPlan {
    TensorPlan(name: name, shape: shape, type: .plain(.float16))
  }

  @Test func configuration() throws {
    let plans = [
      Self.plain("model.embed_tokens.weight"),
      try Self.plan("model.layers.0.mlp.up_proj.weight", "int4-g32-sym"),
      try Self.plan("model.layers.0.mlp.down_proj.weight", "int8-g64-asym"),
      try Self.plan("model.layers.1.mlp.up_proj.weight", "int4-g32-sym-act"),
      Self.plain("model.layers.1.mlp.gate.weight"),
      Self.plain("model.layers.1.input_layernorm.weight", [64]),
      try Self.plan("lm_head.weight", "int4-g32-sym"),
    ]
    let format = GPTQFormat(version: .v2)
    let files = try format.configuration(of: plans, config: JSONObject(["model_type": "llama"]))
    #expect(Set(files.keys) == ["config.json", "quantize_config.json"])
    let settings = try #require(files["quantize_config.json"])
    #expect(files["config.json"]?["quantization_config"] == .object(settings))
    #expect(files["config.json"]?["model_type"] == "llama")
    let expected: JSONValue = [
      "quant_method": "gptq", "bits": 4, "group_size": 32, "desc_act": true, "sym": true,
      "checkpoint_format": "gptq_v2", "lm_head": true, "pack_dtype": "int32",
      "dynamic": [
        #"+:^model\.layers\.0\.mlp\.down_proj$"#: ["bits": 8, "group_size": 64, "sym": false],
        #"-:^model\.layers\.1\.mlp\.gate$"#: [:],
      ],
      "meta": ["quantizer": ["nibble:1"]],
    ]
    #expect(JSONValue.object(settings) == expected)

    // What was written is read.
    let folder = JSONFolder(files: files.mapValues { JSONValue.object($0).text() })
    let read = try Self.format(folder)
    var records: [TensorRecord] = []
    for plan in plans {
      guard case .scheme(let scheme) = plan.type else { continue }
      records += try arrayRecords(
        try randomTensor(scheme), String(plan.name.dropLast(7)), format.layout(for: scheme))
    }
    let (tensors, notes) = try read.gather(records)
    #expect(notes.isEmpty, "\(notes)")
    #expect(
      tensors.map(\.type)
        == plans.filter { $0.type.isQuantized }.map(\.type))
  }

  @Test func wholeRows() throws {
    let plans = [try Self.plan("model.layers.0.mlp.up_proj.weight", "int3-row-asym")]
    let files = try GPTQFormat().configuration(of: plans, config: JSONObject())
    let settings = files["quantize_config.json"]
    #expect(settings?["group_size"] == -1 && settings?["sym"] == false && settings?["bits"] == 3)
    #expect(settings?["checkpoint_format"] == "gptq")
    #expect(settings?.keys.contains("dynamic") == false)
  }

  @Test func plansThatCannotBeWritten() throws {
    func expect(_ reason: String, _ plans: [TensorPlan]) {
      expectFault(reason) {
        _ = try GPTQFormat().configuration(of: plans, config: JSONObject())
      }
    }
    expect("no tensor is quantized", [Self.plain("model.layers.0.mlp.up_proj.weight")])
    expect("outside", [try Self.plan("model.embed_tokens.weight", "int4-g32-sym")])
    expect("two dimensions", [try Self.plan("layers.0.experts", "int4-g32-sym", [2, 32, 64])])
    expect("needs 5", [try Self.plan("layers.0.a.weight", "int5-g32-sym")])
    expect("33 rows", [try Self.plan("layers.0.a.weight", "int4-g32-sym", [33, 64])])
    expect("16 bits", [try Self.plan("layers.0.a.weight", "int4-g32-sym-f32")])
  }
}
