import NibbleCheckpoints
import NibbleQuantization
import NibbleTensors
import Testing

@Suite struct AWQFormatTests {
  private static let module = "model.layers.0.mlp.up_proj"

  private static func format(_ folder: JSONFolder) throws -> AWQFormat {
    let format = try AWQFormat.announced { name throws(CheckpointError) in try folder.json(name) }
    return try #require(format)
  }

  private static func format(_ members: String) throws -> AWQFormat {
    try format(.config("\"quant_method\":\"awq\",\(members)"))
  }

  private static func scheme(_ name: String) throws -> Scheme { try #require(Scheme(name: name)) }

  @Test(
    "Folders that AutoAWQ's packer made",
    arguments: [
      ("gemm", "int4-g32-asym", 2), ("rows", "int4-row-asym", 1), ("gemv", "int4-g64-asym", 1),
    ])
  func goldens(_ name: String, _ scheme: String, _ count: Int) throws {
    let folder = FixtureFolder("awq/\(name)")
    let format = try #require(
      try AWQFormat.announced { name throws(CheckpointError) in try folder.json(name) })
    let (tensors, notes) = try format.gather(try folder.tensors())
    #expect(notes.isEmpty && tensors.count == count + 1)
    #expect(
      tensors.filter(\.type.isQuantized).map(\.type)
        == [StoredType](repeating: .scheme(try Self.scheme(scheme)), count: count))
    try expectValues(tensors, folder)
  }

  @Test("A symmetric tensor reads back as the same values with zero points of 8")
  func symmetricTensors() throws {
    let tensor = try randomTensor(Self.scheme("int4-g32-sym"))
    let records = try arrayRecords(tensor, Self.module, AWQLayout())
    let (tensors, _) = try Self.format(#""bits":4,"group_size":32,"version":"gemm""#)
      .gather(records)
    let back = try tensors[0].quantizedTensor()
    #expect(back.scheme == (try Self.scheme("int4-g32-asym")))
    #expect(back.zeroPoints?.allSatisfy { $0 == 8 } == true && back.codes == tensor.codes)
    #expect(back.dequantized() == tensor.dequantized())
  }

  @Test(arguments: [
    (#""bits":8"#, "8 bits is not supported"), (#""bits":"4""#, "bits is no whole number"),
    (#""bits":4,"group_size":0"#, "group_size is no group size"),
    (#""bits":4,"version":"gemv_fast""#, "\"gemv_fast\" is not supported"),
    (#""bits":4,"version":"llm-awq""#, "\"llm-awq\" is not supported"),
    (#""bits":4,"version":4"#, "version is no text"),
  ])
  func brokenSettings(_ members: String, _ reason: String) {
    expectFault(reason) { _ = try Self.format(members) }
  }

  @Test func brokenArrays() throws {
    let tensor = try randomTensor(Self.scheme("int4-g32-asym"))
    for (arrangement, version) in [(AWQLayout.Arrangement.gemm, "gemm"), (.gemv, "gemv")] {
      let format = try Self.format("\"bits\":4,\"group_size\":32,\"version\":\"\(version)\"")
      let records = try arrayRecords(tensor, Self.module, AWQLayout(arrangement: arrangement))
      #expect(try format.gather(records).tensors[0].quantizedTensor() == tensor)
      for part in ["qzeros", "scales"] {
        let name = "\(Self.module).\(part)"
        let rest = records.filter { $0.name != name }
        expectFault(name) { _ = try format.gather(rest) }
        let type: DType = part == "scales" ? .float16 : .int32
        expectFault(name) { _ = try format.gather(rest + [emptyRecord(name, type, [3, 5])]) }
        expectFault("dimensions") {
          _ = try format.gather(rest + [emptyRecord(name, type, [3])])
        }
        expectFault("not") {
          _ = try format.gather(rest + [emptyRecord(name, .float64, [2, 4])])
        }
      }
      expectFault("g_idx") {
        _ = try format.gather(records + [emptyRecord(Self.module + ".g_idx", .int32, [64])])
      }
    }
    let gemm = try arrayRecords(tensor, Self.module, AWQLayout())
    expectFault("announces 4 bits in groups of 64") {
      _ = try Self.format(#""bits":4,"group_size":64"#).gather(gemm)
    }
    expectFault("groups of 32, 64, 128 columns or more") {
      let gemv = try arrayRecords(tensor, Self.module, AWQLayout(arrangement: .gemv))
      _ = try Self.format(#""bits":4,"group_size":16,"version":"gemv""#).gather(gemv)
    }
  }

  private static func plan(_ name: String, _ scheme: String?) throws -> TensorPlan {
    TensorPlan(
      name: name, shape: [32, 64],
      type: try scheme.map { .scheme(try #require(Scheme(name: $0))) } ?? .plain(.float16))
  }

  @Test func configuration() throws {
    let plans = [
      try Self.plan("model.embed_tokens.weight", nil),
      try Self.plan("model.layers.0.mlp.up_proj.weight", "int4-g32-asym"),
      try Self.plan("model.layers.0.mlp.down_proj.weight", "int4-g32-sym"),
      try Self.plan("model.layers.0.mlp.gate.weight", nil),
      try Self.plan("lm_head.weight", nil),
    ]
    let files = try AWQFormat().configuration(
      of: plans, config: JSONObject(["model_type": "llama"]))
    #expect(Set(files.keys) == ["config.json"])
    let expected: JSONValue = [
      "quant_method": "awq", "bits": 4, "group_size": 32, "zero_point": true, "version": "gemm",
      "modules_to_not_convert": ["model.layers.0.mlp.gate"],
    ]
    #expect(files["config.json"]?["quantization_config"] == expected)
    let all = try AWQFormat().configuration(of: Array(plans[1...2]), config: JSONObject())
    #expect(
      all["config.json"]?["quantization_config"]?["modules_to_not_convert"] == JSONValue.null)
  }

  @Test func plansThatCannotBeWritten() throws {
    func expect(_ reason: String, _ plans: [TensorPlan]) {
      expectFault(reason) { _ = try AWQFormat().configuration(of: plans, config: JSONObject()) }
    }
    expect("no tensor is quantized", [try Self.plan("layers.0.a.weight", nil)])
    expect("lm_head", [try Self.plan("lm_head.weight", "int4-g32-asym")])
    expect("fields of 4 bits", [try Self.plan("layers.0.a.weight", "int8-g32-asym")])
    expect(
      "one group size",
      [
        try Self.plan("layers.0.a.weight", "int4-g32-asym"),
        try Self.plan("layers.0.b.weight", "int4-g64-asym"),
      ])
    expect(
      "cannot say",
      [
        try Self.plan("layers.0.gate_proj.weight", "int4-g32-asym"),
        try Self.plan("layers.0.gate.weight", nil),
      ])
  }
}
