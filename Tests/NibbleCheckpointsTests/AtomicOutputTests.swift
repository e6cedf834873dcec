import Foundation
import NibbleCheckpoints
import NibbleTensors
import TestSupport
import Testing

@Suite(.serialized) struct AtomicOutputTests {
  private let folder: TemporaryFolder
  private let plans = [
    TensorPlan(name: "a", shape: [4], type: .plain(.int8)),
    TensorPlan(name: "b", shape: [2], type: .plain(.int8)),
  ]

  init() throws { folder = try TemporaryFolder() }

  private var contents: [String] {
    get throws { try FileManager.default.contentsOfDirectory(atPath: folder.url.path).sorted() }
  }

  private func expectError(
    _ reason: String, naming name: String, sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () throws -> Void
  ) {
    let error = #expect(throws: CheckpointError.self, sourceLocation: sourceLocation) { try body() }
    let text = error?.description ?? ""
    #expect(text.contains(reason), "\(text)", sourceLocation: sourceLocation)
    #expect(text.contains(name), "\(text)", sourceLocation: sourceLocation)
    #expect(!text.contains("\n"), sourceLocation: sourceLocation)
  }

  @Test func appearsOnlyWhenWhole() throws {
    let path = folder.path("x.gguf")
    try Data("old".utf8).write(to: URL(filePath: path))
    let writer = try GGUFWriter(path: path, metadata: Metadata(), plans: plans)
    try writer.write([1, 2, 3, 4], tensor: 0)
    try writer.write([5, 6], tensor: 1)
    #expect(try fileBytes(path) == Array("old".utf8))
    try writer.finish()
    #expect(try Checkpoint.open(path)["b"]?.bytes.copy() == [5, 6])
    #expect(try contents == ["x.gguf"])
    writer.cancel()
    #expect(try contents == ["x.gguf"])
    expectError("finished or cancelled", naming: "x.gguf") { try writer.finish() }
  }

  @Test func missingBytesAreNamed() throws {
    let path = folder.path("x.safetensors")
    let writer = try SafetensorsWriter(path: path, plans: plans)
    try writer.write([1, 2], tensor: 1)
    try [UInt8]([1]).withUnsafeBytes { try writer.write($0, tensor: 0, at: 3) }
    try [UInt8]([1, 2]).withUnsafeBytes { try writer.write($0, tensor: 0, at: 0) }
    expectError("tensor a: byte 2 of 4 was never written", naming: "x.safetensors") {
      try writer.finish()
    }
    #expect(try contents == [])
  }

  @Test func cancelAndReleaseRemoveTheTemporary() throws {
    for path in [folder.path("x.safetensors"), folder.path("model")] {
      var writer: SafetensorsWriter? = try SafetensorsWriter(path: path, plans: plans)
      #expect(try contents.count == 1)
      writer?.cancel()
      #expect(try contents == [])
      expectError("finished or cancelled", naming: path) { try writer?.write([1, 2], tensor: 1) }
      writer = try SafetensorsWriter(path: path, plans: plans)
      #expect(try contents.count == 1)
      writer = nil
      #expect(try contents == [])
    }
  }

  @Test func keepsAnExistingFolderUnlessTold() throws {
    let path = folder.path("model")
    let source = try Checkpoint.open(fixture("dtypes.safetensors"))
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    try SafetensorsWriter(path: path, plans: source.plans).copy(source)
    expectError("is not empty", naming: "model") {
      _ = try SafetensorsWriter(path: path, plans: source.plans)
    }
    let companions = ["config.json": Array("{}".utf8)]
    let writer = try SafetensorsWriter(
      path: path, plans: source.plans, companions: companions, replacing: true)
    try writer.copy(source)
    #expect(try contents == ["model"])
    #expect(try Checkpoint.open(path).json("config.json") == [:])

    try FileManager.default.createDirectory(
      atPath: path + "/mine", withIntermediateDirectories: true)
    expectError("it holds the folder \"mine\"", naming: "model") {
      _ = try SafetensorsWriter(path: path, plans: source.plans, replacing: true)
    }
  }

  @Test func refusesPathsThatCannotBeWritten() throws {
    func expectRefusal(_ path: String, _ reason: String) {
      expectError(reason, naming: path) {
        _ = try GGUFWriter(path: path, metadata: Metadata(), plans: plans)
      }
    }
    expectRefusal(folder.url.path, "is a folder")
    expectRefusal("/dev/full", "is no regular file")
    expectRefusal("/dev/null", "is no regular file")
    expectRefusal(folder.path("absent/x.gguf"), "No such file or directory")
    #if os(Linux)
      expectRefusal("/proc/x.gguf", "cannot create")
      expectRefusal("/sys/x.gguf", "cannot create")
      expectError("cannot create", naming: "/sys/model") {
        _ = try SafetensorsWriter(path: "/sys/model", plans: plans)
      }
    #endif
    for path in ["a/..", ".", "..", "/"] {
      expectError("is no name", naming: path) { _ = try AtomicOutput(folder: path) }
    }
    expectError("exists and is no folder", naming: "/dev/null") {
      _ = try AtomicOutput(folder: "/dev/null")
    }
  }

  @Test func reportsAFullDisk() throws {
    // More than any disk has: reserving the room fails before anything is written.
    let huge = [TensorPlan(name: "a", shape: [1 << 50], type: .plain(.int8))]
    expectError("cannot reserve", naming: "x.gguf") {
      _ = try GGUFWriter(path: folder.path("x.gguf"), metadata: Metadata(), plans: huge)
    }
    expectError("cannot reserve", naming: "model") {
      _ = try SafetensorsWriter(
        path: folder.path("model"), plans: huge, maximumShardByteCount: 1 << 60)
    }
    #expect(try contents == [])
    #if os(Linux)
      let device = try OutputFile(existing: "/dev/full")
      expectError("No space left", naming: "/dev/full") { try device.write([1, 2, 3]) }
    #endif
  }

  /// In a process of its own, since the request concerns the outputs of all tests.
  @Test func removesAllUnfinishedOutputsOnRequest() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      func contents() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.url.path)
      }
      let plans = [TensorPlan(name: "a", shape: [4], type: .plain(.int8))]
      let file = try GGUFWriter(path: folder.path("x.gguf"), metadata: Metadata(), plans: plans)
      let model = try SafetensorsWriter(path: folder.path("model"), plans: plans)
      let done = try SafetensorsWriter(path: folder.path("done.safetensors"), plans: [])
      try done.finish()
      #expect(try contents().count == 3)
      AtomicOutput.removeAllUnfinished()
      #expect(try contents() == ["done.safetensors"])
      try file.write([1, 2, 3, 4], tensor: 0)
      let error = #expect(throws: CheckpointError.self) { try file.finish() }
      #expect(error?.description.hasSuffix("x.gguf: the output was cancelled") == true)
      model.cancel()
      #expect(try contents() == ["done.safetensors"])
    }
  }

  @Test func removesWhatKilledProcessesLeft() throws {
    let file = folder.path(".x.gguf.999.1.nibble-partial")
    let other = folder.path(".y.gguf.999.1.nibble-partial")
    let model = folder.path(".x.gguf.999.2.nibble-partial")
    for path in [file, other] { try Data("rest".utf8).write(to: URL(filePath: path)) }
    try FileManager.default.createDirectory(atPath: model, withIntermediateDirectories: true)
    try Data("rest".utf8).write(to: URL(filePath: model + "/model.safetensors"))
    let first = try GGUFWriter(path: folder.path("x.gguf"), metadata: Metadata(), plans: plans)
    #expect(try contents.count == 2)
    // A temporary that is in use stays.
    let second = try GGUFWriter(path: folder.path("x.gguf"), metadata: Metadata(), plans: plans)
    #expect(try contents.count == 3)
    first.cancel()
    second.cancel()
    #expect(try contents == [".y.gguf.999.1.nibble-partial"])
  }

  @Test func takesPiecesFromManyThreads() async throws {
    let byteCount = 1 << 16
    let plan = TensorPlan(name: "a", shape: [byteCount], type: .plain(.uint8))
    let path = folder.path("x.safetensors")
    let writer = try SafetensorsWriter(path: path, plans: [plan])
    try await withThrowingTaskGroup { group in
      for part in 0..<64 {
        group.addTask {
          let bytes = [UInt8](repeating: UInt8(part), count: byteCount / 64)
          try bytes.withUnsafeBytes {
            try writer.write($0, tensor: 0, at: part * byteCount / 64)
          }
        }
      }
      try await group.waitForAll()
    }
    try writer.finish()
    let bytes = try #require(Checkpoint.open(path)["a"]).bytes.copy()
    #expect(bytes == (0..<byteCount).map { UInt8($0 / (byteCount / 64)) })
  }
}
