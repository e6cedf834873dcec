import Foundation
import Nibble
import NibbleTensors
import TestSupport
import Testing

/// Quantizing while text runs through the model.
@Suite("Quantizing with text")
struct CalibratedQuantizeTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// A text of the letters that the tiny tokenizers know.
  private var calibration: CalibratedQuantization {
    var random = RandomSource(seed: 5)
    var text = ""
    for _ in 0..<1500 {
      if let letter = Unicode.Scalar(33 + UInt32(random.next() >> 40) % 58) {
        text.unicodeScalars.append(letter)
      }
    }
    var calibration = CalibratedQuantization()
    calibration.text = CalibrationText(name: "letters", documents: [.text(text)])
    calibration.windows.tokenCount = 60
    calibration.windows.limit = 20
    return calibration
  }

  private func quantize(
    _ name: String, _ selection: TypeSelection, _ output: String,
    _ change: (inout CalibratedQuantization) -> Void = { _ in }, threads: Int = 2
  ) throws -> TransferReport {
    var job = QuantizeJob(
      source: name.contains("/") ? name : Fixtures.path("models/\(name)"),
      output: folder.path(output), selection: selection)
    var calibration = calibration
    change(&calibration)
    job.calibration = calibration
    return try job.run(JobEnvironment(threadCount: threads))
  }

  @Test(
    "Every family: each layer's objective falls, experts too, and the file is verified",
    arguments: [
      "llama-odd-heads", "qwen2-tied", "qwen3", "gemma2", "gemma3-wrapped", "phi3-partial", "gpt2",
      "mixtral", "qwen3-moe-fused",
    ])
  func families(_ name: String) throws {
    let scheme = try #require(Scheme(name: "int3-g8-asym"))
    let report = try quantize(name, TypeSelection(scheme: scheme), "out")
    #expect(report.isVerified == true, "\(report.failures)")
    let calibration = try #require(report.calibration)
    let quantized = report.tensors.filter { $0.type.hasPrefix("int3-g8-asym") }
    #expect(!quantized.isEmpty)
    #expect(Set(calibration.layers.map(\.name)) == Set(quantized.map(\.name)))
    for layer in calibration.layers {
      #expect(
        layer.report.objectiveAfter <= layer.report.objectiveBefore * 1.000_001, "\(layer.name)")
    }
    #expect(calibration.objectiveRatio < 0.9, "\(calibration.objectiveRatio)")
    _ = try LanguageModel(path: folder.path("out"))
  }

  @Test("Queries and keys of Llama go to GGUF in its order of rows; experts are stacked")
  func rowOrders() throws {
    for name in ["llama-grouped", "mixtral"] {
      let report = try quantize(name, TypeSelection(mix: .q4_0), "\(name).gguf")
      #expect(report.isVerified == true, "\(report.failures)")
      // In another order of rows, or experts, the weights would be unrelated.
      for tensor in report.tensors where tensor.type == "Q4_0" {
        #expect((tensor.relativeError ?? 1) < 0.1, "\(tensor.name) \(tensor.relativeError ?? 1)")
      }
    }
  }

  @Test("The same bytes for any number of threads, in memory or in a file")
  func deterministic() throws {
    let scheme = try #require(Scheme(name: "nf4-g16"))
    var files: [Data] = []
    for (index, (threads, memory)) in [(1, nil), (2, nil), (3, 0)].enumerated() {
      let report = try quantize(
        "qwen3-moe", TypeSelection(scheme: scheme), "\(index).safetensors",
        { $0.memoryLimit = memory }, threads: threads)
      #expect(report.isVerified == true)
      files.append(try Data(contentsOf: URL(filePath: report.output)))
    }
    #expect(files[0] == files[1])
    #expect(files[0] == files[2])
  }

  @Test("An importance matrix measured before gives what the text gives")
  func importanceFile() throws {
    let source = Fixtures.path("models/qwen3-moe")
    var job = CalibrateJob(source: source, output: folder.path("importance.gguf"))
    job.text = calibration.text
    job.windows = calibration.windows
    _ = try job.run(JobEnvironment(threadCount: 2))
    let matrix = try ImportanceMatrix.read(job.output)
    let scheme = try #require(Scheme(name: "int4-g8-sym"))
    let text = try quantize("qwen3-moe", TypeSelection(scheme: scheme), "text.safetensors") {
      $0.method = .imatrix
    }
    let file = try quantize("qwen3-moe", TypeSelection(scheme: scheme), "file.safetensors") {
      $0.importance = matrix
    }
    for (one, two) in zip(text.tensors, file.tensors) {
      #expect(abs((one.relativeError ?? 0) - (two.relativeError ?? 1)) < 1e-4, "\(one.name)")
    }
  }

  @Test("Both methods beat rounding by their own measures")
  func methods() throws {
    for method in [CalibratedQuantization.Method.imatrix, .gptq] {
      let report = try quantize(
        "llama-grouped", TypeSelection(mix: .q4_0), "\(method).gguf", { $0.method = method })
      #expect(report.isVerified == true)
      let ratio = try #require(report.calibration).objectiveRatio
      #expect(ratio < 0.95, "\(method) \(ratio)")
    }
  }

  @Test("Text that gives no window, and schemes whose groups cross rows, are refused")
  func refusals() throws {
    #expect(throws: ModelError.self) {
      _ = try quantize("llama-grouped", TypeSelection(mix: .q4_0), "x.gguf") {
        $0.windows.tokenCount = 400
        $0.text = CalibrationText(name: "short", documents: [.text("HELLO")])
      }
    }
    let columns = try #require(Scheme(name: "int8-column-sym"))
    #expect(throws: CheckpointError.self) {
      _ = try quantize("llama-grouped", TypeSelection(scheme: columns), "y")
    }
    #expect(!FileManager.default.fileExists(atPath: folder.path("x.gguf")))
    #expect(!FileManager.default.fileExists(atPath: folder.path("y")))
  }
}
