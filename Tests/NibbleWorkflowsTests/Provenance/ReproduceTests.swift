import Foundation
import Nibble
import TestSupport
import Testing

@Suite("Reproducing")
struct ReproduceTests {
  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    var model = TinyModel()
    model.hiddenCount = 64
    model.feedForwardCount = 128
    try model.write(to: folder.path("model"))
    let words = (0..<300).map { "word \($0 * 7919 % 1000) and the rest, " }.joined()
    try Data(words.utf8).write(to: URL(filePath: folder.path("text.txt")))
  }

  private func quantize(
    _ selection: TypeSelection, _ output: String, _ change: (inout QuantizeJob) -> Void = { _ in }
  ) throws {
    var job = QuantizeJob(
      source: folder.path("model"), output: folder.path(output), selection: selection)
    change(&job)
    #expect(try job.run(JobEnvironment(threadCount: 2)).isVerified == true)
  }

  /// With the text in the folder.
  private func calibrated(_ method: CalibratedQuantization.Method) throws -> CalibratedQuantization
  {
    var calibration = CalibratedQuantization()
    calibration.text = try CalibrationText.read(folder.path("text.txt"))
    calibration.path = folder.path("text.txt")
    calibration.windows.limit = 4
    calibration.windows.tokenCount = 64
    calibration.windows.seed = 7
    calibration.method = method
    return calibration
  }

  /// Makes `output` again; whatever comes of it, nothing is left beside the output.
  private func reproduce(
    _ output: String, threads: Int = 1, _ change: (inout ReproduceJob) -> Void = { _ in }
  ) throws -> ReproduceReport {
    let before = try FileManager.default.contentsOfDirectory(atPath: folder.url.path).sorted()
    defer {
      let after = try? FileManager.default.contentsOfDirectory(atPath: folder.url.path).sorted()
      #expect(after == before)
    }
    var job = ReproduceJob(model: folder.path(output))
    change(&job)
    return try job.run(JobEnvironment(threadCount: threads))
  }

  private func scheme(_ name: String) throws -> TypeSelection {
    TypeSelection(scheme: try #require(Scheme(name: name)))
  }

  @Test("Rounded to the nearest: GGUF, Nibble's folder and file, folders of other tools")
  func rounded() throws {
    var mixed = TypeSelection(mix: .q4_0)
    mixed.overrides = [.init(pattern: "ffn_down", type: StoredType(.q8_0))]
    mixed.keepPatterns = ["blk\\.1\\.attn_v"]
    try quantize(mixed, "a.gguf")
    try quantize(try scheme("int4-g32-asym"), "b") { $0.range = MeanSquaredError() }
    try quantize(try scheme("nf4-g64"), "c.safetensors")
    try quantize(try scheme("int4-g32-sym"), "d") { $0.format = .gptq }
    for name in ["a.gguf", "b", "b/model.safetensors", "c.safetensors", "d"] {
      let report = try reproduce(name)
      #expect(report.isIdentical, "\(name): \(report.difference ?? "")")
      #expect(report.notes == [])
      #expect(report.source == folder.path("model"))
    }
  }

  @Test("With text: error feedback, importance, scaled channels")
  func calibrated() throws {
    let gptq = try calibrated(.gptq)
    try quantize(try scheme("int4-g32-sym"), "a") {
      $0.format = .gptq
      $0.calibration = gptq
    }
    let imatrix = try calibrated(.imatrix)
    try quantize(TypeSelection(mix: .q4_0), "b.gguf") { $0.calibration = imatrix }
    let rounding = try calibrated(.rtn)
    try quantize(try scheme("int4-g32-asym"), "c") {
      $0.format = .awq
      $0.calibration = rounding
      $0.transforms = [.awq]
    }
    for name in ["a", "b.gguf", "c"] {
      let report = try reproduce(name, threads: 2)
      #expect(report.isIdentical, "\(name): \(report.difference ?? "")")
    }
  }

  @Test("An importance matrix that was measured before")
  func importance() throws {
    var measure = CalibrateJob(source: folder.path("model"), output: folder.path("i.gguf"))
    measure.text = try CalibrationText.read(folder.path("text.txt"))
    measure.windows.limit = 2
    measure.windows.tokenCount = 64
    _ = try measure.run(JobEnvironment(threadCount: 2))
    var calibration = CalibratedQuantization()
    calibration.importance = try ImportanceMatrix.read(folder.path("i.gguf"))
    calibration.path = folder.path("i.gguf")
    calibration.method = .imatrix
    try quantize(TypeSelection(mix: .q4_0), "a.gguf") { $0.calibration = calibration }
    #expect(try reproduce("a.gguf").isIdentical)
    measure.output = folder.path("j.gguf")
    measure.windows.limit = 1
    _ = try measure.run(JobEnvironment(threadCount: 2))
    let other = try reproduce("a.gguf") { $0.calibration = folder.path("j.gguf") }
    #expect(other.difference?.contains("importance matrix") == true)
  }

  @Test("Conversions, in shards too")
  func conversions() throws {
    try quantize(try scheme("int4-g32-sym"), "a") { $0.format = .gptq }
    var convert = ConvertJob(
      source: folder.path("a"), output: folder.path("b"), format: .compressedTensors)
    convert.maximumShardByteCount = 100_000
    _ = try convert.run(JobEnvironment(threadCount: 2))
    let report = try reproduce("b")
    #expect(report.isIdentical, "\(report.difference ?? "")")
    convert = ConvertJob(
      source: folder.path("model"), output: folder.path("c.gguf"), format: .gguf)
    convert.floatType = .f16
    _ = try convert.run(JobEnvironment(threadCount: 2))
    #expect(try reproduce("c.gguf").isIdentical)
  }

  @Test("One flipped bit is found and named, in every kind of output")
  func flipped() throws {
    try quantize(TypeSelection(mix: .q4_0), "a.gguf")
    try quantize(try scheme("int4-g32-sym"), "b") { $0.format = .gptq }
    try quantize(try scheme("int4-g32-sym"), "c.safetensors")
    for (name, file, tensor) in [
      ("a.gguf", "a.gguf", "blk.1.ffn_up.weight"),
      ("b", "b/model.safetensors", "model.layers.1.mlp.up_proj.weight"),
      ("c.safetensors", "c.safetensors", "model.layers.1.mlp.up_proj.weight"),
    ] {
      let record = try #require(try Checkpoint.open(folder.path(name))[tensor])
      var bytes = try Data(contentsOf: URL(filePath: folder.path(file)))
      bytes[record.parts[0].offset + 5] ^= 1
      try bytes.write(to: URL(filePath: folder.path(file)))
      let report = try reproduce(name)
      let difference = try #require(report.difference)
      #expect(difference.contains(tensor.dropLast("weight".count)), "\(difference)")
      #expect(difference.contains("byte 5 of"), "\(difference)")
    }
    // Elsewhere than in tensors.
    let config = folder.path("b/config.json")
    try quantize(try scheme("int4-g32-sym"), "b") {
      $0.format = .gptq
      $0.replacesAnyFile = true
    }
    let text = try String(contentsOfFile: config, encoding: .utf8)
    try text.replacingOccurrences(of: "silu", with: "gelu")
      .write(toFile: config, atomically: true, encoding: .utf8)
    #expect(try reproduce("b").difference?.hasPrefix("config.json: byte") == true)
    try FileManager.default.removeItem(atPath: config)
    #expect(try reproduce("b").difference == "config.json is missing")
  }

  @Test("A recorded verdict and files of other people are no difference")
  func verdict() throws {
    try quantize(TypeSelection(mix: .q4_0), "a.gguf")
    try quantize(try scheme("int4-g32-sym"), "b") { $0.format = .gptq }
    try quantize(try scheme("int4-g32-sym"), "c.safetensors")
    try Data("read me".utf8).write(to: URL(filePath: folder.path("b/README.md")))
    // What tells the names in a single file.
    try FileManager.default.copyItem(
      atPath: folder.path("model/config.json"), toPath: folder.path("config.json"))
    for name in ["a.gguf", "b", "c.safetensors"] {
      var verify = VerifyJob(model: folder.path(name), reference: folder.path("model"))
      verify.recordsVerdict = true
      #expect(try verify.run(JobEnvironment(threadCount: 2)).isVerified)
      let report = try reproduce(name)
      #expect(report.isIdentical, "\(report.difference ?? "")")
      #expect(report.notes.contains { $0.contains("README.md") } == (name == "b"))
    }
  }

  @Test("Inputs that moved are named; those that changed are a difference")
  func inputs() throws {
    let gptq = try calibrated(.gptq)
    try quantize(TypeSelection(mix: .q4_0), "a.gguf") { $0.calibration = gptq }
    let manager = FileManager.default
    try manager.moveItem(atPath: folder.path("model"), toPath: folder.path("moved"))
    try manager.moveItem(atPath: folder.path("text.txt"), toPath: folder.path("words.txt"))
    #expect(throws: CheckpointError.self) { try reproduce("a.gguf") }
    #expect(throws: (any Error).self) {
      try reproduce("a.gguf") { $0.source = folder.path("moved") }
    }
    let moved = try reproduce("a.gguf") {
      $0.source = folder.path("moved")
      $0.calibration = folder.path("words.txt")
    }
    #expect(moved.isIdentical, "\(moved.difference ?? "")")

    try Data("other words".utf8).write(to: URL(filePath: folder.path("words.txt")))
    let words = try reproduce("a.gguf") {
      $0.source = folder.path("moved")
      $0.calibration = folder.path("words.txt")
    }
    #expect(words.difference?.contains("calibration's text is another") == true)

    var changed = TinyModel()
    changed.hiddenCount = 64
    changed.feedForwardCount = 128
    changed.seed = 2
    try changed.write(to: folder.path("changed"))
    let source = try reproduce("a.gguf") { $0.source = folder.path("changed") }
    #expect(source.difference?.contains("not what the model was made from") == true)
  }

  @Test("A model that does not say how it was made")
  func silent() throws {
    #expect(throws: CheckpointError.self) { try reproduce("model") }
    try quantize(TypeSelection(mix: .q4_0), "a.gguf") { $0.recordsProvenance = false }
    let error = try #require(throws: CheckpointError.self) { try reproduce("a.gguf") }
    #expect(error.message.contains("does not say how it was made"))
  }

  @Test("A job that is stopped leaves nothing")
  func cancellation() throws {
    try quantize(TypeSelection(mix: .q4_0), "a.gguf")
    let flag = CancellationFlag()
    let stopper = Reactor { progress in
      if progress.phase == "quantizing", progress.completed > 0 { flag.cancel() }
    }
    #expect(throws: JobCancelled.self) {
      try ReproduceJob(model: folder.path("a.gguf"))
        .run(JobEnvironment(threadCount: 1, progress: stopper, cancellation: flag))
    }
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: folder.url.path).sorted()
        == ["a.gguf", "model", "text.txt"])
  }
}
