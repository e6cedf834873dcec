import Foundation
import NibbleCheckpoints
import NibbleQuantization
import NibbleTensors
import TestSupport
import Testing

@Suite struct SafetensorsTests {
  @Test func readsTheLibrarysFileOfAllTypes() throws {
    let checkpoint = try Checkpoint.open(fixture("dtypes.safetensors"))
    #expect(checkpoint.format == .safetensors)
    #expect(checkpoint.tensors.count == 24)
    #expect(checkpoint.tensors.first?.name == "wide")
    #expect(checkpoint.tensors.last?.name == "mask")
    let zeta = try #require(checkpoint["zeta"])
    #expect(zeta.shape == [2] && zeta.type == .plain(.float16))
    #expect(zeta.bytes.copy() == [0, 7, 14, 21])
    #expect(checkpoint["scalar"]?.shape == [])
    #expect(checkpoint["scalar"]?.elementCount == 1)
    #expect(checkpoint["empty"]?.bytes.count == 0)
    #expect(checkpoint["nibbles"]?.shape == [6])
    #expect(checkpoint["naïve \"quoted\"\n\\"]?.type.name == "F32")
    #expect(checkpoint["absent"] == nil)
  }

  @Test func writesTheLibrarysBytes() throws {
    let folder = try TemporaryFolder()
    for name in ["dtypes.safetensors", "sharded/model-00001-of-00002.safetensors"] {
      let source = try Checkpoint.open(fixture(name))
      // In reverse, so that the order of the file is the writer's doing.
      let plans = Array(source.plans.reversed())
      let path = folder.path("out.safetensors")
      let writer = try SafetensorsWriter(path: path, plans: plans)
      for (index, tensor) in source.tensors.reversed().enumerated() {
        try writer.write(tensor.bytes.copy(), tensor: index)
      }
      try writer.finish()
      #expect(try fileBytes(path) == fileBytes(fixture(name)), "\(name)")
    }
    let path = folder.path("empty.safetensors")
    try SafetensorsWriter(path: path, plans: [], metadata: [:]).finish()
    #expect(try fileBytes(path) == fileBytes(fixture("empty.safetensors")))
  }

  /// The worked example of the format notes, computed by hand.
  @Test func writesTheWorkedExample() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("example.safetensors")
    let plans = [
      TensorPlan(name: "b", shape: [2], type: .plain(.float16)),
      TensorPlan(name: "a", shape: [1], type: .plain(.int32)),
    ]
    let writer = try SafetensorsWriter(path: path, plans: plans, metadata: [:])
    try writer.write([0x00, 0x3C, 0x00, 0x40], tensor: 0)
    try writer.write([3, 0, 0, 0], tensor: 1)
    try writer.finish()
    let json =
      #"{"a":{"dtype":"I32","shape":[1],"data_offsets":[0,4]},"#
      + #""b":{"dtype":"F16","shape":[2],"data_offsets":[4,8]}}     "#
    let expected: [UInt8] =
      [0x70, 0, 0, 0, 0, 0, 0, 0] + Array(json.utf8) + [3, 0, 0, 0, 0, 0x3C, 0, 0x40]
    #expect(try fileBytes(path) == expected)
  }

  @Test func readsShards() throws {
    let checkpoint = try Checkpoint.open(fixture("sharded"))
    #expect(checkpoint.tensors.map(\.name) == ["model.a", "model.b", "lm_head", "model.c"])
    #expect(checkpoint.notes.isEmpty)
    #expect(try checkpoint.json("config.json") == ["model_type": "llama"])
    #expect(try checkpoint.json("absent.json") == nil)
    #expect(try checkpoint.text("config.json") == #"{"model_type": "llama"}"#)
  }

  @Test func writesShardsAndTheirIndexLikeTheLibraries() throws {
    let folder = try TemporaryFolder()
    let source = try Checkpoint.open(fixture("sharded"))
    let order = ["model.a", "model.b", "model.c", "lm_head"]
    let records = order.compactMap { source[$0] }
    let path = folder.path("model")
    let writer = try SafetensorsWriter(
      path: path, plans: records.map { TensorPlan(name: $0.name, shape: $0.shape, type: $0.type) },
      maximumShardByteCount: 64,
      companions: ["config.json": Array(#"{"model_type": "llama"}"#.utf8)])
    for (index, record) in records.enumerated() {
      try writer.write(record.bytes.copy(), tensor: index)
    }
    #expect(!FileManager.default.fileExists(atPath: path))
    try writer.finish()
    for name in try FileManager.default.contentsOfDirectory(atPath: fixture("sharded")) {
      #expect(try fileBytes(path + "/" + name) == fileBytes(fixture("sharded/" + name)), "\(name)")
    }
    expectSameTensors(try Checkpoint.open(path).tensors, source.tensors)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == ["model"])
  }

  @Test func writesOneShardWithoutIndex() throws {
    let folder = try TemporaryFolder()
    let source = try Checkpoint.open(fixture("dtypes.safetensors"))
    let writer = try SafetensorsWriter(path: folder.path("model/"), plans: source.plans)
    try writer.copy(source, pieceByteCount: 3)
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: folder.path("model"))
        == ["model.safetensors"])
    expectSameTensors(try Checkpoint.open(folder.path("model")).tensors, source.tensors)
  }

  @Test func notesTensorsOutsideTheIndex() throws {
    let folder = try TemporaryFolder()
    for name in try FileManager.default.contentsOfDirectory(atPath: fixture("sharded")) {
      try FileManager.default.copyItem(
        atPath: fixture("sharded/" + name), toPath: folder.path(name))
    }
    func open(_ map: String) throws -> Checkpoint {
      try Data(#"{"weight_map":{\#(map)}}"#.utf8).write(
        to: URL(filePath: folder.path("model.safetensors.index.json")))
      return try Checkpoint.open(folder.url.path)
    }
    let first = "model-00001-of-00002.safetensors"
    let one = try open(#""model.a":"\#(first)""#)
    #expect(one.tensors.map(\.name) == ["model.a", "model.b"])
    #expect(
      one.notes == ["\(first): tensor model.b is read although the index does not list it"])

    try FileManager.default.copyItem(atPath: folder.path(first), toPath: folder.path("other"))
    let two = try open(#""model.a":"\#(first)","model.b":"other""#)
    #expect(two.tensors.map(\.name) == ["model.a", "model.b"])
    let oddity = "is ignored, since the index takes it from another shard"
    #expect(
      two.notes == ["\(first): tensor model.b \(oddity)", "other: tensor model.a \(oddity)"])
  }

  @Test func refusesWhatSafetensorsCannotHold() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("x.safetensors")
    func expectRefusal(_ plans: [TensorPlan], _ reason: String) {
      let error = #expect(throws: CheckpointError.self) {
        try SafetensorsWriter(path: path, plans: plans)
      }
      #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
      #expect(error?.description.contains("x.safetensors") == true)
    }
    let plain = TensorPlan(name: "a", shape: [2], type: .plain(.float32))
    expectRefusal([plain, plain], "would stand twice")
    expectRefusal([TensorPlan(name: "a", shape: [32], type: .blocks(.q4_0))], "cannot hold Q4_0")
    expectRefusal([TensorPlan(name: "a", shape: [-1], type: .plain(.int8))], "negative")
    expectRefusal([TensorPlan(name: "a", shape: [3], type: .plain(.float4))], "whole bytes")
    expectRefusal(
      [TensorPlan(name: "a", shape: [.max, 2], type: .plain(.int8))], "product overflows")
    expectRefusal(
      [TensorPlan(name: "__metadata__", shape: [2], type: .plain(.int8))], "reserved")
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).isEmpty)
  }
}
