import NibbleCheckpoints
import NibbleQuantization
import NibbleTensors
import TestSupport
import Testing

@Suite struct MLXFormatTests {
  private static func json(_ text: String) throws -> JSONValue { try JSONValue.parse(text) }

  private static func announced(_ config: JSONValue?) throws -> MLXFormat? {
    try MLXFormat.announced { name in name == "config.json" ? config : nil }
  }

  @Test("Layers that MLX made have the values that it gives them")
  func goldens() throws {
    let config = try JSONValue.parse(fileBytes(Fixtures.path("mlx-layers/announced.json")))
    let format = try #require(try Self.announced(config))
    let records = try Checkpoint.open(Fixtures.path("mlx-layers/arrays.safetensors")).tensors
    let values = try Checkpoint.open(Fixtures.path("mlx-layers/values.safetensors")).tensors
    let (tensors, notes) = try format.gather(records)
    #expect(notes.isEmpty)
    // Words, scales and biases of eight layers and one without biases are one tensor each.
    #expect(tensors.count == records.count - 2 * 8 - 1)
    let quantized = tensors.filter(\.type.isQuantized)
    #expect(Set(quantized.map(\.name)) == Set(values.map(\.name)))
    for expected in values {
      let tensor = try #require(tensors.first { $0.name == expected.name })
      #expect(tensor.shape == expected.shape)
      let matrix = try tensor.quantizedTensor()
      #expect(matrix.dequantized() == MLXSamples.floats(expected), "\(tensor.name)")
      #expect(matrix.rowCount == expected.rowCount)
      // What is written again is what was read.
      let again = try MLXLayout().pack(matrix)
      #expect(again.map(\.bytes) == tensor.parts.map { $0.copy() }, "\(tensor.name)")
    }
    #expect(tensors.contains { $0.name == "model.layers.0.up_proj.bias" })
    #expect(tensors.contains { $0.name == "model.layers.1.router.weight" })
  }

  @Test("The configuration of what was read announces the same layers")
  func configuration() throws {
    let config = try JSONValue.parse(fileBytes(Fixtures.path("mlx-layers/announced.json")))
    let format = try #require(try Self.announced(config))
    let records = try Checkpoint.open(Fixtures.path("mlx-layers/arrays.safetensors")).tensors
    let (tensors, _) = try format.gather(records)
    let plans = tensors.map { TensorPlan(name: $0.name, shape: $0.shape, type: $0.type) }
    var old = JSONObject(["model_type": "llama"])
    old["quantization_config"] = ["quant_method": "gptq"]
    let files = try MLXFormat().configuration(of: plans, config: old)
    let written = try #require(files["config.json"])
    #expect(files.count == 1 && written["model_type"]?.string == "llama")
    #expect(written["quantization"] == written["quantization_config"])
    let again = try #require(try Self.announced(.object(written)))
    let (back, _) = try again.gather(records)
    #expect(back.map(\.type) == tensors.map(\.type))
    let entry = written["quantization"]?["model.layers.0.q_proj"]
    #expect(entry?["bits"]?.integer == 2 && entry?["group_size"]?.integer == 32)
    #expect(written["quantization"]?["model.embed_tokens"] == nil)
  }

  @Test("Without quantized tensors nothing is announced")
  func plainConfiguration() throws {
    let plan = TensorPlan(name: "a.weight", shape: [2, 64], type: .plain(.float16))
    let old = JSONObject(["quantization": ["bits": 4, "group_size": 64]])
    let files = try MLXFormat().configuration(of: [plan], config: old)
    #expect(files["config.json"]?.count == 0)
  }

  @Test("Plans that MLX cannot hold are refused")
  func refusedPlans() throws {
    let symmetric = try #require(Scheme(name: "int4-g64-sym"))
    let minima = try #require(Scheme(name: "int4-g64-min"))
    MLXSamples.expectFault("int4-g64-sym") {
      _ = try MLXFormat().configuration(
        of: [TensorPlan(name: "a.weight", shape: [2, 64], type: .scheme(symmetric))],
        config: JSONObject())
    }
    MLXSamples.expectFault("*.weight") {
      _ = try MLXFormat().configuration(
        of: [TensorPlan(name: "a", shape: [2, 64], type: .scheme(minima))], config: JSONObject())
    }
  }

  @Test func names() {
    #expect(MLXFormat().arrayName("scales", of: "model.a.weight") == "model.a.scales")
    #expect(MLXFormat().arrayName("weight", of: "model.a.weight") == "model.a.weight")
  }

  @Test("Other configurations announce nothing")
  func others() throws {
    for text in [
      "{}", #"{"quantization_config":{"quant_method":"gptq","bits":4,"group_size":128}}"#,
      #"{"quantization":null}"#, #"{"quantization_config":{"bits":4}}"#,
      #"{"quantization":{"quant_method":"other"}}"#,
    ] {
      #expect(try Self.announced(Self.json(text)) == nil, "\(text)")
    }
    #expect(try Self.announced(nil) == nil)
    let copy = #"{"quantization_config":{"bits":4,"group_size":64}}"#
    #expect(try Self.announced(Self.json(copy)) != nil)
  }

  @Test(
    arguments: [
      (#"{"quantization":4}"#, "no object"),
      (#"{"quantization":{"bits":"four"}}"#, "quantization.bits"),
      (#"{"quantization":{"bits":4.5}}"#, "4.5"),
      (#"{"quantization":{"bits":7}}"#, "7"),
      (#"{"quantization":{"bits":-4}}"#, "-4"),
      (#"{"quantization":{"group_size":9223372036854775807}}"#, "group_size"),
      (#"{"quantization":{"group_size":0}}"#, "group_size"),
      (#"{"quantization":{"mode":"nvfp4"}}"#, "nvfp4"),
      (#"{"quantization":{"mode":3}}"#, "mode"),
      (#"{"quantization":{"mode":"mxfp4","group_size":64}}"#, "group_size"),
      (#"{"quantization":{"bits":4,"a.b":{"bits":[]}}}"#, "quantization.a.b.bits"),
    ])
  func brokenSettings(text: String, words: String) throws {
    let config = try Self.json(text)
    MLXSamples.expectFault(words) { _ = try Self.announced(config) }
  }

  /// Arrays that contradict themselves or the settings: 4 bits in groups of 64 unless they say otherwise.
  struct BrokenArrays: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var arrays: [(name: String, type: DType, shape: [Int])]
    var words: String
    var mode = "affine"
  }

  @Test(
    arguments: [
      BrokenArrays(
        testDescription: "no scales", arrays: [("a.weight", .uint32, [2, 8])], words: "scales"),
      BrokenArrays(
        testDescription: "no biases",
        arrays: [("a.weight", .uint32, [2, 8]), ("a.scales", .float16, [2, 1])], words: "biases"),
      BrokenArrays(
        testDescription: "words of another type",
        arrays: [("a.weight", .int32, [2, 8]), ("a.scales", .float16, [2, 1])], words: "I32"),
      BrokenArrays(
        testDescription: "scales of another type",
        arrays: [
          ("a.weight", .uint32, [2, 8]), ("a.scales", .uint8, [2, 1]),
          ("a.biases", .uint8, [2, 1]),
        ], words: "U8"),
      BrokenArrays(
        testDescription: "biases of another type",
        arrays: [
          ("a.weight", .uint32, [2, 8]), ("a.scales", .float16, [2, 1]),
          ("a.biases", .bfloat16, [2, 1]),
        ], words: "BF16"),
      BrokenArrays(
        testDescription: "biases of another shape",
        arrays: [
          ("a.weight", .uint32, [2, 8]), ("a.scales", .float16, [2, 1]),
          ("a.biases", .float16, [2, 2]),
        ], words: "[2, 2]"),
      BrokenArrays(
        testDescription: "fewer scales",
        arrays: [
          ("a.weight", .uint32, [2, 16]), ("a.scales", .float16, [2, 1]),
          ("a.biases", .float16, [2, 1]),
        ], words: "do not fit"),
      BrokenArrays(
        testDescription: "other rows",
        arrays: [
          ("a.weight", .uint32, [2, 8]), ("a.scales", .float16, [3, 1]),
          ("a.biases", .float16, [3, 1]),
        ], words: "[3, 1]"),
      BrokenArrays(
        testDescription: "one dimension",
        arrays: [
          ("a.weight", .uint32, [8]), ("a.scales", .float16, [1]), ("a.biases", .float16, [1]),
        ], words: "[8]"),
      BrokenArrays(
        testDescription: "no dimension",
        arrays: [
          ("a.weight", .uint32, []), ("a.scales", .float16, []), ("a.biases", .float16, []),
        ], words: "scales"),
      BrokenArrays(
        testDescription: "huge rows",
        arrays: [
          ("a.weight", .uint32, [Int.max, Int.max, 8]),
          ("a.scales", .float16, [Int.max, Int.max, 1]),
          ("a.biases", .float16, [Int.max, Int.max, 1]),
        ], words: "too large"),
      BrokenArrays(
        testDescription: "huge columns",
        arrays: [
          ("a.weight", .uint32, [0, Int.max]), ("a.scales", .float16, [0, Int.max]),
          ("a.biases", .float16, [0, Int.max]),
        ], words: "do not fit"),
      BrokenArrays(
        testDescription: "mxfp4 with biases",
        arrays: [
          ("a.weight", .uint32, [2, 8]), ("a.scales", .uint8, [2, 2]),
          ("a.biases", .uint8, [2, 2]),
        ], words: "biases", mode: "mxfp4"),
      BrokenArrays(
        testDescription: "mxfp4 with half-precision scales",
        arrays: [("a.weight", .uint32, [2, 8]), ("a.scales", .float16, [2, 2])], words: "F16",
        mode: "mxfp4"),
    ])
  func brokenArrays(_ broken: BrokenArrays) throws {
    let config = try Self.json(#"{"quantization":{"mode":"\#(broken.mode)"}}"#)
    let format = try #require(try Self.announced(config))
    let records = broken.arrays.map { MLXSamples.zeroRecord($0.name, $0.type, $0.shape) }
    MLXSamples.expectFault(broken.words) { _ = try format.gather(records) }
    MLXSamples.expectFault("a.weight") { _ = try format.gather(records) }
  }

  @Test("A layer with scales is quantized, whatever the configuration says of it")
  func contradiction() throws {
    let config = try Self.json(#"{"quantization":{"bits":4,"group_size":64,"a":false}}"#)
    let format = try #require(try Self.announced(config))
    let records = [
      MLXSamples.zeroRecord("a.weight", .uint32, [2, 8]),
      MLXSamples.zeroRecord("a.scales", .float16, [2, 1]),
      MLXSamples.zeroRecord("a.biases", .float16, [2, 1]),
      MLXSamples.zeroRecord("b.weight", .float16, [2, 8]),
    ]
    let (tensors, notes) = try format.gather(records)
    #expect(tensors.map(\.name) == ["a.weight", "b.weight"])
    #expect(tensors.first?.shape == [2, 64])
    #expect(notes.count == 1 && notes.allSatisfy { $0.contains("that a is not quantized") })
  }
}
