import Foundation
import Nibble
import NibbleTensors
import TestSupport
import Testing

@Suite("Verification: coverage, predictions, verdict")
struct VerifyAuditTests {
  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try TinyModel().write(to: folder.path("model"))
  }

  private func quantize(
    _ selection: TypeSelection, _ output: String = "out.gguf", source: String = "model",
    _ change: (inout QuantizeJob) -> Void = { _ in }
  ) throws {
    var job = QuantizeJob(
      source: folder.path(source), output: folder.path(output), selection: selection)
    change(&job)
    #expect(try job.run(JobEnvironment(threadCount: 2)).isVerified == true)
  }

  private func verify(
    _ model: String = "out.gguf", against reference: String = "model",
    _ change: (inout VerifyJob) -> Void = { _ in }
  ) throws -> VerifyReport {
    var job = VerifyJob(model: folder.path(model), reference: folder.path(reference))
    change(&job)
    return try job.run(JobEnvironment(threadCount: 2))
  }

  @Test("All is counted, and what is not quantized has its reason")
  func coverage() throws {
    var selection = TypeSelection(mix: .q8_0)
    selection.keepPatterns = ["blk\\.0\\.attn_v"]
    try quantize(selection)
    let report = try verify { $0.isStrict = true }
    #expect(report.isVerified, "\(report.failures)")
    let audit = try #require(report.audit)
    #expect(audit.tensorCount == report.tensors.count)
    #expect(audit.quantizedTensorCount == 15)
    #expect(audit.parameterCount == TinyModel().tensors.reduce(0) { $0 + $1.shape.reduce(1, *) })
    let kept = 128 * 256
    let norms = 5 * 256
    #expect(audit.quantizedParameterCount == audit.parameterCount - kept - norms)
    // A block of Q8_0 is 34 bytes of 32 weights.
    #expect(audit.quantizedByteCount == audit.quantizedParameterCount / 32 * 34)
    #expect(audit.byteCount == audit.quantizedByteCount + 2 * kept + 4 * norms)
    #expect(audit.bitsPerWeight == 8 * Double(audit.byteCount) / Double(audit.parameterCount))
    #expect(audit.plain.count == 6)
    let value = audit.plain.first { $0.name == "blk.0.attn_v.weight" }
    #expect(value?.reason == "--keep 'blk\\.0\\.attn_v', kept in BF16")
    #expect(value?.parameterCount == kept)
    let norm = audit.plain.first { $0.name == "output_norm.weight" }
    #expect(norm?.reason == "norm, kept in F32")
    #expect(audit.fallbacks.isEmpty)
    #expect(report.isMadeFromReference == true)
    #expect(report.tensors.allSatisfy { $0.hash.count == 64 && !$0.isScaled })
  }

  @Test("Rows that fill no blocks are a fallback, which strictness does not forgive")
  func fallback() throws {
    var model = TinyModel()
    model.hiddenCount = 96
    try model.write(to: folder.path("short"))
    try quantize(TypeSelection(mix: .q4_k_s), source: "short")
    let report = try verify(against: "short")
    #expect(report.isVerified, "\(report.failures)")
    let fallbacks = try #require(report.audit?.fallbacks)
    let query = try #require(fallbacks.first { $0.name == "blk.0.attn_q.weight" })
    #expect(query.wanted == "Q4_K" && query.type == "Q5_0")
    #expect(query.reason.contains("96 columns"))
    // Its rows have 512 columns.
    #expect(!fallbacks.contains { $0.name == "blk.1.ffn_down.weight" })
    let strict = try verify(against: "short") { $0.isStrict = true }
    #expect(strict.failures == strict.audit?.fallbackLines)
    #expect((1..<fallbacks.count).contains(strict.failures.count))
    #expect(strict.failures.contains { $0.contains("Q4_K") && $0.contains("Q5_0") })
  }

  @Test("Without a provenance names tell the reasons; strictness wants one")
  func noProvenance() throws {
    try quantize(TypeSelection(mix: .q4_0)) { $0.recordsProvenance = false }
    let report = try verify()
    #expect(report.isVerified && report.provenance == nil)
    #expect(report.isMadeFromReference == nil && report.referenceHash == nil)
    #expect(report.audit?.plain.map(\.reason) == Array(repeating: "norm", count: 5))
    let strict = try verify { $0.isStrict = true }
    #expect(strict.failures == ["the files do not say how they were made"])
  }

  @Test("A provenance that cannot be read is told, and no fault unless strictness asks")
  func brokenProvenance() throws {
    try quantize(TypeSelection(scheme: try #require(Scheme(name: "int4-g32-sym"))), "out")
    try Data("{\"provenance\":{}}".utf8).write(to: URL(filePath: folder.path("out/nibble.json")))
    let report = try verify("out")
    #expect(report.isVerified && report.notes.contains { $0.contains("cannot be read") })
    #expect(try verify("out") { $0.isStrict = true }.isVerified == false)
  }

  @Test("A matrix that is in plain numbers though the recipe wanted codes")
  func lostMatrix() throws {
    let scheme = try #require(Scheme(name: "int4-g32-sym"))
    try quantize(TypeSelection(scheme: scheme), "out")
    // The recipe's output is exchanged for its source.
    try FileManager.default.copyItem(
      atPath: folder.path("out/nibble.json"), toPath: folder.path("model/nibble.json"))
    let report = try verify("model") { $0.isStrict = true }
    #expect(report.audit?.fallbacks.count == 14)
    #expect(report.failures.count == 1 && report.failures[0].hasPrefix("14 matrices such as "))
    #expect(report.audit?.fallbacks.first?.wanted == "int4-g32-sym")
    #expect(
      report.audit?.plain.contains { $0.reason.contains("but the file holds plain numbers") }
        == true)
  }

  @Test("Predictions are compared over the second half of the tokens")
  func logits() throws {
    try quantize(TypeSelection(mix: .q8_0))
    let check = try #require(try verify().logits)
    #expect(check.tokenCount == 64 && check.scoredTokenCount == 31)
    #expect(check.isFinite && check.failure == nil)
    #expect(check.divergence >= 0 && check.divergence < 0.01)
    #expect(abs(check.limit - 0.5 * log(260)) < 1e-12)
    #expect(try verify { $0.logitTokenCount = 0 }.logits == nil)
    #expect(try verify { $0.logitTokenCount = 10 }.logits?.scoredTokenCount == 4)
    // No more than the model's context.
    #expect(try verify { $0.logitTokenCount = 5000 }.logits?.tokenCount == 128)
    #expect(throws: RecipeError.self) { try verify { $0.logitTokenCount = 3 } }

    try quantize(TypeSelection(mix: .q2_k))
    let far = try verify { $0.maximumDivergence = 1e-9 }
    #expect(far.failures.contains { $0.contains("divergence") }, "\(far.failures)")
  }

  @Test("Predictions that are no numbers")
  func notFinite() throws {
    var model = TinyModel()
    model.change = ("model.layers.0.mlp.up_proj.weight", 260, 0x7FC0)
    try model.write(to: folder.path("broken"))
    #expect(try verify("broken").logits == nil)
    let report = try verify("broken") { $0.logitTokenCount = 8 }
    #expect(report.logits?.isFinite == false)
    #expect(report.failures.last == "logits are not finite")
  }

  @Test("Other tokenizers: not compared, unless that was asked for")
  func otherTokens() throws {
    try quantize(TypeSelection(mix: .q8_0))
    let path = folder.path("model/tokenizer.json")
    let text = try String(contentsOfFile: path, encoding: .utf8)
      .replacingOccurrences(of: "[\"h\",\"e\"],", with: "").replacingOccurrences(
        of: ",[\"he\",\"ll\"]", with: "")
    try text.write(toFile: path, atomically: true, encoding: .utf8)
    let report = try verify()
    #expect(report.isVerified && report.logits == nil)
    #expect(report.notes.contains { $0.contains("logits were not compared") })
    #expect(throws: ModelError.self) { try verify { $0.logitTokenCount = 32 } }
  }

  @Test("The verdict is kept in every kind of output, and changes nothing else")
  func record() throws {
    let scheme = try #require(Scheme(name: "int4-g32-sym"))
    try quantize(TypeSelection(mix: .q4_0))
    try quantize(TypeSelection(scheme: scheme), "folder")
    try quantize(TypeSelection(scheme: scheme), "one.safetensors")
    // What a single file needs to be understood.
    for name in ["config.json", "tokenizer.json"] {
      try FileManager.default.copyItem(
        atPath: folder.path("model/" + name), toPath: folder.path(name))
    }
    for name in ["out.gguf", "folder", "one.safetensors"] {
      let before = try Checkpoint.open(folder.path(name))
      let hash = try WeightHash(before)
      let provenance = try Provenance.read(before)
      for maximum in [nil, 0.0] {
        let report = try verify(name) {
          $0.recordsVerdict = true
          $0.maximumRelativeError = maximum
        }
        let after = try Checkpoint.open(folder.path(name))
        #expect(try WeightHash(after) == hash)
        #expect(try Provenance.read(after) == provenance)
        #expect(after.tensors.map(\.name) == before.tensors.map(\.name))
        let verdict = try #require(try after.annotations().verdict)
        #expect(verdict == report.verdict)
        #expect(verdict["verified"] == .bool(maximum == nil))
        #expect(verdict["weights_sha256"] == .string(hash.total))
        #expect(verdict["seconds"] == nil)
        #expect((verdict["logits"] == nil) == (maximum != nil))
      }
    }
    // A copy keeps what was found; a new output begins anew.
    try quantize(TypeSelection(mix: .q4_0), "copy.gguf", source: "out.gguf")
    #expect(try Checkpoint.open(folder.path("copy.gguf")).annotations().verdict != nil)
    try quantize(TypeSelection(mix: .q8_0), "again.gguf", source: "out.gguf") {
      $0.allowsRequantizing = true
    }
    let again = try Checkpoint.open(folder.path("again.gguf")).annotations()
    #expect(again.verdict == nil && again.provenance?["history"] != nil)
  }
}

/// Models whose channels were scaled.
@Suite("Verification of scaled models")
struct VerifyScaledTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func quantize(
    _ name: String, _ selection: TypeSelection, _ output: String,
    _ change: (inout QuantizeJob) -> Void = { _ in }
  ) throws {
    var random = RandomSource(seed: 6)
    let letters = (0..<900).compactMap { _ in
      Unicode.Scalar(33 + UInt32(random.next() >> 40) % 58).map(Character.init)
    }
    var calibration = CalibratedQuantization()
    calibration.text = CalibrationText(name: "letters", documents: [.text(String(letters))])
    calibration.windows.tokenCount = 60
    calibration.windows.limit = 6
    calibration.method = .rtn
    var job = QuantizeJob(
      source: Fixtures.path("models/\(name)"), output: folder.path(output), selection: selection)
    job.calibration = calibration
    job.transforms = [.awq]
    change(&job)
    #expect(try job.run(JobEnvironment(threadCount: 2)).isVerified == true)
  }

  private func verify(_ output: String, _ name: String) throws -> VerifyReport {
    var job = VerifyJob(
      model: folder.path(output), reference: Fixtures.path("models/\(name)"))
    job.logitTokenCount = 0
    return try job.run(JobEnvironment(threadCount: 2))
  }

  @Test(
    "Tensors are compared up to the factors that they show",
    arguments: ["llama-grouped", "gemma3", "phi3-partial", "gpt2", "mixtral", "qwen3-moe-fused"])
  func families(_ name: String) throws {
    let scheme = try #require(Scheme(name: "int8-g8-sym"))
    try quantize(name, TypeSelection(scheme: scheme), "out")
    let report = try verify("out", name)
    #expect(report.isVerified, "\(report.failures)")
    #expect(report.tensors.contains { $0.isScaled })
    // At 8 bits little is left but the factors.
    for tensor in report.tensors { #expect(tensor.relativeError < 1e-3, "\(tensor.name)") }

    // A file that does not say so is judged as it stands.
    try FileManager.default.removeItem(atPath: folder.path("out/nibble.json"))
    let silent = try verify("out", name)
    #expect(!silent.isVerified)
    #expect(silent.tensors.allSatisfy { !$0.isScaled })
  }

  @Test("Also in GGUF files, and after a conversion")
  func gguf() throws {
    try quantize("llama-grouped", TypeSelection(mix: .q4_0), "out.gguf")
    #expect(try verify("out.gguf", "llama-grouped").isVerified)
    let convert = ConvertJob(
      source: folder.path("out.gguf"), output: folder.path("folder"), format: .nibble)
    _ = try convert.run(JobEnvironment(threadCount: 2))
    let report = try verify("folder", "llama-grouped")
    #expect(report.isVerified, "\(report.failures)")
    #expect(report.tensors.contains { $0.isScaled })
    #expect(report.isMadeFromReference == true)
  }

  @Test("A damaged tensor of a scaled model is still found")
  func damage() throws {
    let scheme = try #require(Scheme(name: "int8-g8-sym"))
    try quantize("llama-grouped", TypeSelection(scheme: scheme), "out")
    let path = folder.path("out/model.safetensors")
    let checkpoint = try Checkpoint.open(folder.path("out"))
    let record = try #require(checkpoint["model.layers.1.self_attn.q_proj.weight"])
    var bytes = try Data(contentsOf: URL(filePath: path))
    let offset = record.parts[0].offset
    for index in offset..<offset + record.parts[0].count / 2 { bytes[index] = 200 }
    try bytes.write(to: URL(filePath: path))
    let report = try verify("out", "llama-grouped")
    #expect(report.failures.contains { $0.hasPrefix("blk.1.attn_q.weight") }, "\(report.failures)")
  }
}
