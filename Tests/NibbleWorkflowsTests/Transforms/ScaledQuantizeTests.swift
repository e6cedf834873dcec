import Foundation
import Nibble
import NibbleTensors
import TestSupport
import Testing

/// Quantizing models whose channels were scaled.
@Suite("Quantizing scaled models")
struct ScaledQuantizeTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// A text of the letters that the tiny tokenizers know.
  private func calibration(_ method: CalibratedQuantization.Method) -> CalibratedQuantization {
    var random = RandomSource(seed: 6)
    let letters = (0..<900).compactMap { _ in
      Unicode.Scalar(33 + UInt32(random.next() >> 40) % 58).map(Character.init)
    }
    var calibration = CalibratedQuantization()
    calibration.text = CalibrationText(name: "letters", documents: [.text(String(letters))])
    calibration.windows.tokenCount = 60
    calibration.windows.limit = 6
    calibration.method = method
    return calibration
  }

  private func job(
    _ name: String, _ selection: TypeSelection, _ output: String,
    _ method: CalibratedQuantization.Method
  ) -> QuantizeJob {
    var job = QuantizeJob(
      source: Fixtures.path("models/\(name)"), output: folder.path(output), selection: selection)
    job.calibration = calibration(method)
    job.transforms = [.awq]
    return job
  }

  private func logits(_ path: String) throws -> [Float] {
    let session = InferenceSession(
      try LanguageModel(path: path), contextCount: 64, pool: WorkerPool(threadCount: 1),
      cacheType: .float32)
    return try session.run((0..<60).map { 3 + ($0 * $0 + 7 * $0) % 60 }).withRow(0) { Array($0) }
  }

  @Test("Every family and way of rounding: groups gain, and at 8 bits the logits are the same")
  func families() throws {
    let scheme = try #require(Scheme(name: "int8-g8-sym"))
    for name in ["llama-odd-heads", "gemma3", "phi3-partial", "gpt2", "mixtral", "qwen3-moe-fused"]
    {
      let expected = try logits(Fixtures.path("models/\(name)"))
      let size = expected.map(abs).max() ?? 1
      for (index, method) in [CalibratedQuantization.Method.rtn, .imatrix, .gptq].enumerated() {
        var job = job(name, TypeSelection(scheme: scheme), "\(name)-\(index)", method)
        if method == .rtn { job.calibration?.clipping = .wherePossible }
        let report = try job.run(JobEnvironment(threadCount: 2))
        #expect(report.isVerified == true, "\(name) \(method) \(report.failures)")
        let scaling = try #require(report.scaling)
        #expect(scaling.groups.allSatisfy { $0.lossAfter <= $0.lossBefore })
        #expect(scaling.groups.contains { $0.ratio > 0 })
        #expect(scaling.lossRatio < 0.99)
        #expect(report.notes.contains { $0.contains("channels were scaled") })
        let logits = try logits(job.output)
        let difference = zip(expected, logits).map { abs($0 - $1) }.max() ?? .infinity
        #expect(difference < 0.02 * size, "\(name) \(method) \(difference / size)")
      }
    }
  }

  @Test("To GGUF: norms in F32, experts stacked, rows of Llama in its order")
  func gguf() throws {
    for name in ["llama-grouped", "mixtral"] {
      let job = job(name, TypeSelection(mix: .q4_0), "\(name).gguf", .gptq)
      let report = try job.run(JobEnvironment(threadCount: 2))
      #expect(report.isVerified == true, "\(report.failures)")
      let checkpoint = try Checkpoint.open(job.output)
      #expect(checkpoint["blk.0.attn_norm.weight"]?.type == .plain(.float32))
      for tensor in report.tensors where tensor.type == "Q4_0" {
        #expect((tensor.relativeError ?? 1) < 0.1, "\(tensor.name)")
      }
    }
  }

  @Test("The same bytes for any number of threads")
  func threads() throws {
    let scheme = try #require(Scheme(name: "int4-g8-asym"))
    var files: [Data] = []
    for threadCount in [1, 2, 3] {
      var job = job(
        "mixtral", TypeSelection(scheme: scheme), "\(threadCount).safetensors", .rtn)
      job.calibration?.clipping = .everywhere
      _ = try job.run(JobEnvironment(threadCount: threadCount))
      files.append(try Data(contentsOf: URL(filePath: job.output)))
    }
    #expect(files[0] == files[1])
    #expect(files[0] == files[2])
  }

  @Test("Without text for the codes: only the transform runs it")
  func plainRounding() throws {
    let scheme = try #require(Scheme(name: "int4-g8-asym"))
    var job = job("llama-grouped", TypeSelection(scheme: scheme), "plain", .rtn)
    job.calibration?.clipping = .none
    let report = try job.run(JobEnvironment(threadCount: 2))
    #expect(report.calibration == nil)
    #expect(report.isVerified == true)
    #expect(try #require(report.scaling).summary.tokenCount > 0)
    #expect(report.json["scaling"]?["groups"]?.array?.isEmpty == false)
  }

  @Test("Matrices that are kept stay as they are, and so do the groups that they belong to")
  func keeps() throws {
    let scheme = try #require(Scheme(name: "int4-g8-asym"))
    var selection = TypeSelection(scheme: scheme)
    selection.keepPatterns = ["blk\\.0\\.attn_v"]
    let job = job("llama-grouped", selection, "kept", .rtn)
    let report = try job.run(JobEnvironment(threadCount: 2))
    let kept = try #require(report.tensors.first { $0.name.contains("layers.0.self_attn.v_proj") })
    #expect(kept.relativeError == 0)
    let producers = try #require(report.scaling).groups.map(\.producer)
    #expect(!producers.contains("model.layers.0.input_layernorm.weight"))
    #expect(producers.contains("model.layers.1.input_layernorm.weight"))
  }

  @Test("Floats have nothing to gain; limits of nested scales make no sense; no text, no scales")
  func refusals() throws {
    let scheme = try #require(Scheme(name: "int4-g8-asym"))
    var jobs = [
      job("llama-grouped", TypeSelection(mix: .bf16), "a.gguf", .rtn),
      job("llama-grouped", TypeSelection(mix: .q4_0), "b.gguf", .imatrix),
      job("llama-grouped", TypeSelection(mix: .q4_0), "c.gguf", .imatrix),
      job("llama-grouped", TypeSelection(scheme: try #require(Scheme(name: "nvfp4"))), "d", .rtn),
    ]
    jobs[1].calibration?.clipping = .everywhere
    jobs[2].calibration?.importance = ImportanceMatrix(
      entries: [], datasets: [], windowCount: 1, windowTokenCount: 1)
    jobs[3].calibration?.clipping = .everywhere
    for job in jobs {
      #expect(throws: RecipeError.self, "\(job.output)") { _ = try job.run() }
      #expect(!FileManager.default.fileExists(atPath: job.output))
    }
    var clean = job("llama-grouped", TypeSelection(scheme: scheme), "e", .rtn)
    clean.transforms = []
    clean.calibration?.clipping = .everywhere
    let report = try clean.run(JobEnvironment(threadCount: 2))
    #expect(report.scaling == nil)
    #expect(try #require(report.calibration).objectiveRatio < 1)
  }
}
