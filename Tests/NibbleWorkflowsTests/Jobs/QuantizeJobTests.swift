import Foundation
import Nibble
import TestSupport
import Testing

@Suite("Quantize job")
struct QuantizeJobTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// Writes a tiny model and a job on it.
  func job(
    _ mix: QuantizationMix, output: String = "out.gguf",
    _ change: (inout TinyModel) -> Void = { _ in }
  ) throws -> QuantizeJob {
    var model = TinyModel()
    change(&model)
    try model.write(to: folder.path("model"))
    return QuantizeJob(
      source: folder.path("model"), output: folder.path(output),
      selection: TypeSelection(mix: mix))
  }

  func bytes(_ name: String) throws -> Data {
    try Data(contentsOf: URL(filePath: folder.path(name)))
  }

  @Test("Every mix gives a verified file with its own types", arguments: QuantizationMix.allCases)
  func everyMix(_ mix: QuantizationMix) throws {
    let report = try job(mix) { $0.hasBias = true }.run()
    #expect(report.isVerified == true)
    #expect(report.failures == [])
    let checkpoint = try Checkpoint.open(folder.path("out.gguf"))
    #expect(checkpoint.metadata["general.file_type"] == .uint32(mix.fileType))
    #expect(checkpoint.metadata["general.quantization_version"] == .uint32(2))
    #expect(checkpoint["blk.0.ffn_gate.weight"]?.type.name == mix.baseType.name)
    #expect(checkpoint["blk.0.attn_norm.weight"]?.type.name == "F32")
    #expect(checkpoint["blk.1.attn_q.bias"]?.type.name == "F32")
    #expect(report.tensors.map(\.name) == checkpoint.tensors.map(\.name))
    #expect(report.outputByteCount == (try bytes("out.gguf").count))
  }

  @Test("Tensors stand in llama-quantize's order")
  func order() throws {
    let report = try job(.q8_0).run()
    #expect(
      report.tensors.prefix(5).map(\.name) == [
        "output.weight", "output_norm.weight", "token_embd.weight", "blk.0.attn_k.weight",
        "blk.0.attn_norm.weight",
      ])
  }

  @Test("The relative error is that of the decoded values in the right row order")
  func relativeErrors() throws {
    let report = try job(.q8_0) { $0.hasBias = true }.run()
    for tensor in report.tensors {
      let error = try #require(tensor.relativeError)
      #expect(tensor.shape.count == 1 ? error == 0 : error > 1e-6 && error < 1e-4, "\(tensor.name)")
    }
    let floats = try job(.bf16, output: "same.gguf").run()
    #expect(floats.tensors.allSatisfy { $0.relativeError == 0 })
  }

  @Test("Any number of threads gives the same bytes", arguments: [QuantizationMix.q4_0, .q4_k_m])
  func threads(_ mix: QuantizationMix) throws {
    var job = try job(mix)
    let outputs = try [1, 2, 5].map { count in
      job.output = folder.path("\(count).gguf")
      let report = try job.run(JobEnvironment(threadCount: count))
      return (try bytes("\(count).gguf"), report.tensors.map(\.relativeError))
    }
    for output in outputs.dropFirst() {
      #expect(output.0 == outputs[0].0)
      #expect(output.1 == outputs[0].1)
    }
  }

  @Test("NaN and infinity are named by the source's tensor, row and column")
  func notFinite() throws {
    let cases: [(name: String, index: Int, bits: UInt16, message: String)] = [
      (
        "model.layers.1.mlp.down_proj.weight", 3 * 512 + 17, 0x7FC0, "holds NaN at row 3, column 17"
      ),
      (
        "model.layers.0.self_attn.q_proj.weight", 5 * 256 + 2, 0xFF80,
        "holds infinity at row 5, column 2"
      ),
      ("model.norm.weight", 9, 0x7F80, "holds infinity at element 9"),
      ("model.layers.0.self_attn.k_proj.bias", 33, 0x7FC1, "holds NaN at element 33"),
    ]
    for entry in cases {
      let job = try job(.q4_0) {
        $0.hasBias = true
        $0.change = (entry.name, entry.index, entry.bits)
      }
      let error = try #require(throws: CheckpointError.self) { try job.run() }
      #expect(error.code == .invalidValue)
      #expect(error.tensor == entry.name)
      #expect(error.message == entry.message)
      let left = try FileManager.default.contentsOfDirectory(atPath: folder.url.path)
      #expect(left == ["model"])
    }
  }

  @Test("Quantizing again needs permission; tensors of the wanted type are copied")
  func requantize() throws {
    _ = try job(.q8_0).run()
    var again = QuantizeJob(
      source: folder.path("out.gguf"), output: folder.path("again.gguf"),
      selection: TypeSelection(mix: .q4_0))
    let error = try #require(throws: CheckpointError.self) { try again.run() }
    #expect(error.tensor == "output.weight")
    #expect(error.message.contains("--allow-requantize"))
    again.allowsRequantizing = true
    #expect(try again.run().isVerified == true)

    again.allowsRequantizing = false
    again.selection = TypeSelection(mix: .q8_0)
    let copied = try again.run()
    #expect(try bytes("again.gguf") == bytes("out.gguf"))
    let matrix = try #require(copied.tensors.first { $0.name == "blk.0.attn_q.weight" })
    #expect(matrix.reason == "already Q8_0: copied")
    #expect(matrix.relativeError == 0)
  }

  @Test("A job that is stopped leaves nothing")
  func cancellation() throws {
    let flag = CancellationFlag()
    let stopper = Reactor { progress in
      if progress.completed > 0 { flag.cancel() }
    }
    let job = try job(.q4_0)
    let error = try #require(throws: JobCancelled.self) {
      try job.run(JobEnvironment(threadCount: 2, progress: stopper, cancellation: flag))
    }
    #expect(error.writtenPath == nil)
    let left = try FileManager.default.contentsOfDirectory(atPath: folder.url.path)
    #expect(left == ["model"])
  }

  @Test("Progress goes from nothing to all, without steps back")
  func progress() throws {
    let seen = Recorder()
    _ = try job(.q4_0).run(JobEnvironment(threadCount: 2, progress: seen))
    for phase in ["quantizing", "verifying"] {
      let steps = seen.steps.filter { $0.phase == phase }
      #expect(steps.first?.completed == 0)
      #expect(steps.last.map { $0.completed == $0.total } == true)
      #expect(zip(steps, steps.dropFirst()).allSatisfy { $0.completed <= $1.completed })
    }
  }

  @Test("A file that changes between writing and verifying is noticed")
  func damage() throws {
    let path = folder.path("out.gguf")
    let vandal = Reactor { progress in
      guard progress.phase == "verifying", progress.completed == 0,
        let file = FileHandle(forUpdatingAtPath: path)
      else { return }
      let end = file.seekToEndOfFile()
      file.seek(toFileOffset: end - 400)
      file.write(Data([0x55, 0xAA, 0x55]))
      file.closeFile()
    }
    let report = try job(.q4_0).run(JobEnvironment(threadCount: 1, progress: vandal))
    #expect(report.isVerified == false)
    #expect(report.failures.contains { $0.contains("not what was written") })
  }

  @Test("Nothing but an earlier GGUF file is replaced unasked")
  func existingOutput() throws {
    var job = try job(.q4_0)
    try Data("my notes".utf8).write(to: URL(filePath: job.output))
    #expect(throws: CheckpointError.self) { try job.run() }
    #expect(try bytes("out.gguf") == Data("my notes".utf8))
    job.replacesAnyFile = true
    _ = try job.run()
    job.replacesAnyFile = false
    #expect(try job.run().isVerified == true)
    job.output = folder.path("model")
    #expect(throws: CheckpointError.self) { try job.run() }
    job.source = folder.path("out.gguf")
    job.output = folder.path("out.gguf")
    #expect(throws: CheckpointError.self) { try job.run() }
  }
}

/// Calls a function for each report.
struct Reactor: ProgressReporter {
  let reaction: @Sendable (JobProgress) -> Void

  init(_ reaction: @escaping @Sendable (JobProgress) -> Void) { self.reaction = reaction }

  func report(_ progress: JobProgress) { reaction(progress) }
}
