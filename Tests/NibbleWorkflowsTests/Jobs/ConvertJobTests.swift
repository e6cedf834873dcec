import Foundation
import Nibble
import TestSupport
import Testing

@Suite("Convert and verify jobs")
struct ConvertJobTests {
  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    var model = TinyModel()
    model.hasBias = true
    model.isTied = true
    try model.write(to: folder.path("model"))
  }

  func convert(
    _ source: String, _ output: String, _ format: OutputFormat, _ type: GGMLType? = nil
  ) throws -> TransferReport {
    var job = ConvertJob(source: folder.path(source), output: folder.path(output), format: format)
    job.floatType = type
    return try job.run(JobEnvironment(threadCount: 2))
  }

  func verify(_ model: String, _ reference: String, maximum: Double? = nil) throws -> VerifyReport {
    var job = VerifyJob(model: folder.path(model), reference: folder.path(reference))
    job.maximumRelativeError = maximum
    return try job.run(JobEnvironment(threadCount: 2))
  }

  @Test("To GGUF and back gives the same tensors, bit for bit")
  func roundTrip() throws {
    #expect(try convert("model", "model.gguf", .gguf).isVerified == true)
    #expect(try convert("model.gguf", "back", .safetensors, .bf16).isVerified == true)
    let before = try Checkpoint.open(folder.path("model"))
    let after = try Checkpoint.open(folder.path("back"))
    #expect(Set(before.tensors.map(\.name)) == Set(after.tensors.map(\.name)))
    for tensor in before.tensors {
      let copy = try #require(after[tensor.name])
      #expect(copy.shape == tensor.shape)
      #expect(copy.bytes.copy() == tensor.bytes.copy(), "\(tensor.name)")
    }
  }

  @Test("Float types: what each one costs")
  func floatTypes() throws {
    for (type, fileType) in [(GGMLType.f32, 0), (.f16, 1), (.bf16, 32)] {
      let report = try convert("model", "\(type).gguf", .gguf, type)
      #expect(report.isVerified == true)
      let checkpoint = try Checkpoint.open(folder.path("\(type).gguf"))
      #expect(checkpoint.metadata["general.file_type"]?.integer == fileType)
      #expect(checkpoint["blk.0.attn_q.weight"]?.type.ggmlType == type)
      #expect(checkpoint["blk.0.attn_norm.weight"]?.type.ggmlType == .f32)
      let error = report.tensors.map { $0.relativeError ?? 1 }.max() ?? 1
      #expect(type == .f16 ? error < 1e-6 : error == 0)
    }
  }

  @Test("A single safetensors file, and what it does not replace")
  func singleFile() throws {
    let report = try convert("model", "one.safetensors", .safetensors)
    #expect(report.isVerified == true)
    #expect(report.notes.contains { $0.contains("tensors only") })
    #expect(throws: CheckpointError.self) {
      try convert("model", "one.safetensors", .safetensors)
    }
    var job = ConvertJob(
      source: folder.path("model"), output: folder.path("folder"), format: .safetensors)
    _ = try job.run()
    #expect(throws: CheckpointError.self) { try job.run() }
    job.replacesOutput = true
    #expect(try job.run().isVerified == true)
  }

  @Test("A quantized file becomes a folder of floats, with a note")
  func decoding() throws {
    let job = QuantizeJob(
      source: folder.path("model"), output: folder.path("q.gguf"),
      selection: TypeSelection(mix: .q4_k_m))
    _ = try job.run()
    let report = try convert("q.gguf", "floats", .safetensors)
    #expect(report.isVerified == true)
    #expect(report.notes.contains { $0.contains("decoded to F16") })
    #expect(try verify("floats", "q.gguf", maximum: 1e-6).isVerified)
    #expect(try verify("floats", "model").isVerified == false)
    #expect(try verify("floats", "model", maximum: 0.02).isVerified)
  }

  @Test("Verification compares by name, whatever the formats")
  func verification() throws {
    _ = try convert("model", "model.gguf", .gguf)
    let same = try verify("model.gguf", "model", maximum: 0)
    #expect(same.isVerified)
    #expect(same.tensors.allSatisfy { $0.relativeError == 0 })

    var other = TinyModel()
    other.hasBias = true
    other.isTied = true
    other.change = ("model.layers.1.self_attn.q_proj.weight", 1000, 0x4120)
    try other.write(to: folder.path("other"))
    let different = try verify("other", "model.gguf")
    #expect(different.failures.count == 1)
    #expect(different.failures.first?.hasPrefix("blk.1.attn_q.weight: relative error") == true)
  }

  @Test("Verification names what is missing, misshapen or not finite")
  func verificationFaults() throws {
    var smaller = TinyModel()
    smaller.feedForwardCount = 256
    try smaller.write(to: folder.path("smaller"))
    let report = try verify("smaller", "model")
    #expect(report.failures.contains("output.weight is not in the reference"))
    #expect(report.failures.contains("blk.0.attn_q.bias is missing"))
    #expect(
      report.failures.contains(
        "blk.0.ffn_up.weight has shape [256, 256], the reference's is [512, 256]"))

    var broken = TinyModel()
    broken.hasBias = true
    broken.isTied = true
    broken.change = ("model.layers.0.mlp.up_proj.weight", 256 + 4, 0x7FC0)
    try broken.write(to: folder.path("broken"))
    #expect(
      try verify("broken", "model").failures
        == ["blk.0.ffn_up.weight: holds NaN at row 1, column 4"])
  }
}
