import Foundation
import Nibble
import NibbleModels
import TestSupport
import Testing

/// Scaled tensors on their way through a job: the model must compute what it did.
@Suite("Scaled channels")
struct ChannelScalingTests {
  static let names = [
    "llama-odd-heads", "llama-grouped", "qwen2-tied", "qwen3", "qwen3-moe", "qwen3-moe-fused",
    "qwen3-moe-dense-layer", "mixtral", "gemma2", "gemma3", "gemma3-wrapped", "phi3-partial",
    "gpt2",
  ]

  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func logits(_ path: String) throws -> [Float] {
    let session = InferenceSession(
      try LanguageModel(path: path), contextCount: 64, pool: WorkerPool(threadCount: 1),
      cacheType: .float32)
    return try session.run((0..<60).map { 3 + ($0 * $0 + 7 * $0) % 60 }).withRow(0) { Array($0) }
  }

  /// Random scales for all groups, between 1/4 and 4.
  private func scaling(_ source: ModelSource) throws -> ChannelScaling {
    var random = RandomSource(seed: 19)
    var scaling = ChannelScaling()
    for block in 0..<(try source.requireConfig().blockCount) {
      for group in try source.scalingGroups(ofBlock: block) {
        let factors = (0...(group.producerRows.max() ?? 0)).map { _ in
          Float(pow(4, 2 * random.uniform() - 1))
        }
        try scaling.scale(group, by: group.producerRows.map { factors[$0] }, of: source)
      }
    }
    return scaling
  }

  private func scale(_ path: String, _ output: String, _ format: OutputFormat) throws -> String {
    let source = try ModelSource.open(path)
    var job = ConvertJob(source: path, output: folder.path(output), format: format)
    job.floatType = .f32
    job.scaling = try scaling(source)
    let report = try job.run(JobEnvironment(threadCount: 2))
    #expect(report.isVerified == true, "\(report.failures)")
    #expect(report.tensors.contains { $0.reason?.contains("scaled") ?? false })
    return job.output
  }

  private func expectSame(_ expected: [Float], _ path: String) throws {
    let scaled = try logits(path)
    let size = expected.map(abs).max() ?? 1
    for (one, two) in zip(expected, scaled) { #expect(abs(one - two) < 2e-5 * size, "\(path)") }
    #expect(scaled != expected)
  }

  @Test("From a folder and from a GGUF file, to both", arguments: names)
  func areFunctionPreserving(_ name: String) throws {
    let source = Fixtures.path("models/\(name)")
    let expected = try logits(source)
    let file = try scale(source, "\(name).gguf", .gguf)
    try expectSame(expected, file)
    try expectSame(expected, try scale(source, name, .safetensors))
    // What was scaled before is scaled again.
    try expectSame(expected, try scale(file, "again.gguf", .gguf))
    try expectSame(expected, try scale(file, "again", .safetensors))
  }

  @Test("Norms stay exact in a folder whose norms are BF16; matrices in BF16 are rounded again")
  func halfPrecision() throws {
    let path = Fixtures.path("models/llama-grouped")
    let source = try ModelSource.open(path)
    var job = ConvertJob(source: path, output: folder.path("half"), format: .safetensors)
    job.scaling = try scaling(source)
    let report = try job.run(JobEnvironment(threadCount: 1))
    for tensor in report.tensors where tensor.reason?.contains("scaled") ?? false {
      #expect(tensor.type == (tensor.shape.count == 1 ? "F32" : "BF16"), "\(tensor.name)")
      #expect((tensor.relativeError ?? 1) < (tensor.shape.count == 1 ? 1e-12 : 1e-5))
    }
  }
}
