import NibbleCheckpoints
import NibbleQuantization
import NibbleTensors
import Testing

@Suite struct AutoRoundFormatTests {
  private static func format(_ members: String) throws -> AutoRoundFormat {
    let folder = JSONFolder.config("\"quant_method\":\"auto-round\",\(members)")
    let format = try AutoRoundFormat.announced { name throws(CheckpointError) in
      try folder.json(name)
    }
    return try #require(format)
  }

  private static func tensor(_ name: String) throws -> QuantizedTensor {
    try randomTensor(#require(Scheme(name: name)))
  }

  @Test(
    "The packing format decides between GPTQ's versions and AWQ",
    arguments: [
      ("auto_round:auto_gptq", GPTQLayout.Version.v1), ("auto_gptq", .v1),
      ("auto_round:exllamav2", .v2), ("auto_round", .v2), ("auto_round:gptqmodel", .v2),
    ])
  func packings(_ packing: String, _ version: GPTQLayout.Version) throws {
    let tensor = try Self.tensor("int4-g32-asym")
    var records = try arrayRecords(tensor, "layers.0.a", GPTQLayout(version: version))
    let format = try Self.format(
      "\"bits\":4,\"group_size\":32,\"sym\":false,\"packing_format\":\"\(packing)\"")
    for _ in 0..<2 {
      let (tensors, notes) = try format.gather(records)
      #expect(try tensors[0].quantizedTensor() == tensor)
      #expect(notes.isEmpty, "\(notes)")
      // g_idx may be missing.
      records.removeLast()
    }
  }

  @Test func awqArrays() throws {
    let tensor = try Self.tensor("int4-g32-asym")
    let records = try arrayRecords(tensor, "layers.0.a", AWQLayout())
    let format = try Self.format(
      #""bits":4,"group_size":32,"packing_format":"auto_round:auto_awq""#)
    #expect(try format.gather(records).tensors[0].quantizedTensor() == tensor)
  }

  @Test func layersOfTheirOwn() throws {
    let plain = emptyRecord("layers.0.c.weight", .float16, [4, 4])
    let records =
      try arrayRecords(Self.tensor("int4-g32-sym"), "layers.0.a", GPTQLayout())
      + arrayRecords(Self.tensor("int8-g64-sym"), "layers.0.b", GPTQLayout()) + [plain]
    let settings = #""bits":4,"group_size":32,"sym":true,"packing_format":"auto_gptq""#
    let extra =
      #","extra_config":{"layers.0.b":{"bits":8,"group_size":64},"layers.0.c":{"bits":16}}"#
    let tensors = try Self.format(settings + extra).gather(records).tensors
    #expect(tensors.map(\.type.name) == ["int4-g32-sym", "int8-g64-sym", "F16"])
    expectFault("layers.0.b.weight: has 8 bits in groups of 64") {
      _ = try Self.format(settings).gather(records)
    }
  }

  @Test(arguments: [
    (#""bits":4"#, "packing_format"),
    (#""packing_format":"auto_round:llm_compressor""#, "\"auto_round:llm_compressor\" is not"),
    (#""packing_format":1"#, "packing_format is no text"),
    (#""data_type":"mx_fp","packing_format":"auto_round""#, "\"mx_fp\" is not supported"),
    (#""act_bits":8,"packing_format":"auto_round""#, "activations of 8 bits"),
    (#""extra_config":[],"packing_format":"auto_round""#, "extra_config is no JSON object"),
    (#""extra_config":{"a":1},"packing_format":"auto_round""#, "in extra_config is no"),
    (#""bits":{},"packing_format":"auto_round""#, "bits is no whole number"),
  ])
  func brokenSettings(_ members: String, _ reason: String) {
    expectFault(reason) { _ = try Self.format(members) }
  }

  @Test func isReadOnly() throws {
    let format = try Self.format(#""bits":4,"packing_format":"auto_round""#)
    expectFault("write gptq or awq") {
      _ = try format.configuration(of: [], config: JSONObject())
    }
    let folder = JSONFolder.config(#""quant_method":"gptq","packing_format":"auto_round""#)
    let other = try AutoRoundFormat.announced { name throws(CheckpointError) in
      try folder.json(name)
    }
    #expect(other == nil)
  }
}
