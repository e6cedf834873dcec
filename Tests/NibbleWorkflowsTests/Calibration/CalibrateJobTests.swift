import Foundation
import Nibble
import TestSupport
import Testing

@Suite("Calibrate job")
struct CalibrateJobTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func job(_ model: String, _ output: String = "importance.gguf") -> CalibrateJob {
    var job = CalibrateJob(source: Fixtures.path("models/\(model)"), output: folder.path(output))
    // A character of the tiny models' vocabulary is a token.
    var codes: [UInt8] = []
    for index: Int in 0..<400 {
      let code: Int = (index * index + 5 * index) % 60
      codes.append(UInt8(33 + code))
    }
    let text = String(decoding: codes, as: UTF8.self)
    job.text = CalibrationText(name: "squares", documents: [.text(text)])
    job.windows.tokenCount = 50
    return job
  }

  @Test(
    "Every weight matrix of a block gets an entry that fits it, under its name in GGUF files",
    arguments: ["llama-grouped", "gpt2", "phi3", "mixtral", "qwen3-moe-dense-layer", "gemma2"])
  func entriesFitTensors(_ name: String) throws {
    let job = job(name)
    let report = try job.run(JobEnvironment(threadCount: 2))
    let matrix = try ImportanceMatrix.read(job.output)
    #expect(matrix.windowCount == 8 && matrix.windowTokenCount == 50)
    #expect(matrix.datasets == ["squares"])
    let tensors = try ModelSource.open(job.source).mapped(to: .gguf).filter { tensor in
      tensor.name.hasPrefix("blk.") && tensor.name.hasSuffix(".weight")
        && !tensor.name.contains("norm")
    }
    #expect(Set(matrix.entries.map(\.name)) == Set(tensors.map(\.name)))
    #expect(report.entryCount == tensors.count)
    for tensor in tensors {
      let entry = try #require(matrix[tensor.name])
      #expect(entry.columnCount == tensor.shape.last)
      #expect(entry.layerCount == (tensor.shape.count == 3 ? tensor.shape[0] : 1))
      if tensor.shape.count == 2 { #expect(entry.counts == [400]) }
    }
  }

  @Test("The same bytes for any thread count and memory limit")
  func sameBytes() throws {
    let first = job("qwen3-moe", "a.gguf")
    _ = try first.run(JobEnvironment(threadCount: 1))
    var second = job("qwen3-moe", "b.gguf")
    second.memoryLimit = 5000
    let report = try second.run(JobEnvironment(threadCount: 3))
    #expect(report.summary.spilledByteCount > 0)
    #expect(
      try Data(contentsOf: URL(filePath: first.output))
        == Data(contentsOf: URL(filePath: second.output)))
    let left = try FileManager.default.contentsOfDirectory(atPath: folder.url.path)
    #expect(Set(left) == ["a.gguf", "b.gguf"])
  }

  @Test("Experts that saw too little are named, and so is a text that is too short")
  func warnings() throws {
    var job = job("mixtral")
    job.windows.limit = 1
    let report = try job.run()
    #expect(!report.starvedExperts.isEmpty)
    for expert in report.starvedExperts {
      #expect(
        report.summary.expertTokenCounts[expert.block]?[expert.expert] == expert.tokenCount)
    }
    job.windows.limit = 100
    #expect(try job.run().notes.contains { $0.contains("8 windows") })
  }

  @Test("Stopped or refused: nothing is written")
  func nothingHalfWritten() throws {
    let environment = JobEnvironment(threadCount: 1)
    environment.cancellation.cancel()
    #expect(throws: JobCancelled.self) { _ = try job("gpt2").run(environment) }
    let other = folder.path("notes.txt")
    try Data("mine".utf8).write(to: URL(filePath: other))
    #expect(throws: CheckpointError.self) { _ = try job("gpt2", "notes.txt").run() }
    #expect(try String(contentsOfFile: other, encoding: .utf8) == "mine")
    let left = try FileManager.default.contentsOfDirectory(atPath: folder.url.path)
    #expect(left == ["notes.txt"])
  }
}
