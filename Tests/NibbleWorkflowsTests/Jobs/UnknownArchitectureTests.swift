import Foundation
import Nibble
import TestSupport
import Testing

/// Checkpoints of an architecture that Nibble does not know: what works by names and shapes, and what says why it does not.
@Suite("Unknown architectures")
struct UnknownArchitectureTests {
  let folder: TemporaryFolder

  /// A folder that claims to be of another family, and a GGUF file likewise.
  init() throws {
    folder = try TemporaryFolder()
    try TinyModel().write(to: folder.path("known"))
    try TinyModel().write(to: folder.path("fancy"))
    let path = folder.path("fancy/config.json")
    let text = try String(contentsOfFile: path, encoding: .utf8)
      .replacingOccurrences(of: "LlamaForCausalLM", with: "FancyForCausalLM")
      .replacingOccurrences(of: "\"llama\"", with: "\"fancy\"")
    try text.write(toFile: path, atomically: true, encoding: .utf8)
    let job = ConvertJob(
      source: folder.path("known"), output: folder.path("known.gguf"), format: .gguf)
    _ = try job.run(JobEnvironment(threadCount: 1))
    // Names of the same length keep every offset.
    var bytes = try Data(contentsOf: URL(filePath: job.output))
    for name in ["llama.", "llama"] {
      var start = bytes.startIndex
      while let range = bytes.range(of: Data(name.utf8), in: start..<min(bytes.endIndex, 4096)) {
        bytes.replaceSubrange(
          range, with: Data(name.replacingOccurrences(of: "llama", with: "fancy").utf8))
        start = range.upperBound
      }
    }
    try bytes.write(to: URL(filePath: folder.path("fancy.gguf")))
  }

  @Test("Are quantized within their own format", arguments: ["fancy", "fancy.gguf"])
  func quantize(_ name: String) throws {
    let isGGUF = name.hasSuffix("gguf")
    let job = QuantizeJob(
      source: folder.path(name), output: folder.path(isGGUF ? "q.gguf" : "q"),
      selection: isGGUF
        ? TypeSelection(mix: .q4_k_m)
        : TypeSelection(scheme: try #require(Scheme(name: "int4-g32-sym"))))
    let report = try job.run(JobEnvironment(threadCount: 2))
    #expect(report.isVerified == true)
    #expect(report.notes.contains { $0.contains("not known") }, "\(report.notes)")
    let types = Dictionary(
      report.tensors.map { ($0.name, $0.type) }, uniquingKeysWith: { first, _ in first })
    if isGGUF {
      #expect(types["blk.0.attn_q.weight"] == "Q4_K")
      #expect(types["blk.0.attn_norm.weight"] == "F32")
    } else {
      #expect(types["model.layers.0.self_attn.q_proj.weight"] == "int4-g32-sym")
      #expect(types["model.layers.0.input_layernorm.weight"] == "BF16")
      #expect(types["model.embed_tokens.weight"] == "BF16")
      #expect(types["lm_head.weight"] == "BF16")
    }
  }

  @Test("Are converted within their own format, and verified", arguments: ["fancy", "fancy.gguf"])
  func convert(_ name: String) throws {
    let isGGUF = name.hasSuffix("gguf")
    var job = ConvertJob(
      source: folder.path(name), output: folder.path(isGGUF ? "f.gguf" : "f"),
      format: isGGUF ? .gguf : .safetensors)
    job.floatType = .f16
    #expect(try job.run(JobEnvironment(threadCount: 2)).isVerified == true)
    let report = try VerifyJob(model: job.output, reference: folder.path(name)).run(
      JobEnvironment(threadCount: 2))
    #expect(report.failures.isEmpty, "\(report.failures)")
  }

  @Test("Are refused by what needs the architecture, which names the families")
  func refusals() throws {
    let toGGUF = ConvertJob(
      source: folder.path("fancy"), output: folder.path("x.gguf"), format: .gguf)
    let quantize = QuantizeJob(
      source: folder.path("fancy"), output: folder.path("x.gguf"),
      selection: TypeSelection(mix: .q8_0))
    let toFolder = ConvertJob(
      source: folder.path("fancy.gguf"), output: folder.path("x"), format: .safetensors)
    let attempts: [() throws -> Void] = [
      { _ = try toGGUF.run(JobEnvironment(threadCount: 1)) },
      { _ = try quantize.run(JobEnvironment(threadCount: 1)) },
      { _ = try toFolder.run(JobEnvironment(threadCount: 1)) },
      { _ = try LanguageModel(path: self.folder.path("fancy")) },
      { _ = try LanguageModel(path: self.folder.path("fancy.gguf")) },
    ]
    for attempt in attempts {
      let error = #expect(throws: ModelError.self) { try attempt() }
      #expect(error?.code == .unknownArchitecture)
      let message = error?.description.lowercased() ?? ""
      #expect(message.contains("fancy") && message.contains("qwen3"), "\(message)")
    }
    #expect(!FileManager.default.fileExists(atPath: folder.path("x.gguf")))
    #expect(!FileManager.default.fileExists(atPath: folder.path("x")))
  }
}
