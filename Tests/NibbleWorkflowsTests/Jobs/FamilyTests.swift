import Foundation
import Nibble
import TestSupport
import Testing

/// Each family through the jobs: to GGUF and back, quantized, and still the same model.
@Suite("Families through the jobs")
struct FamilyTests {
  /// A tiny model of each family, one with each way of storing things.
  static let names = [
    "llama-odd-heads", "llama-3-scaling", "llama-dynamic", "llama-yarn-settings", "llama-longrope",
    "mistral-window", "mixtral", "qwen2-window", "qwen2-tied", "qwen3", "qwen3-moe",
    "qwen3-moe-fused", "qwen3-moe-dense-layer", "qwen3-moe-raw-weights", "gemma2", "gemma3-scalar",
    "gemma3-linear-scaling", "gemma3-softcap", "gemma3-wrapped", "gemma3-wrapped-inside", "gpt2",
    "gpt2-bare", "phi3-longrope", "phi3-partial", "phi3-window",
  ]

  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// The logits of a text, in one pass, with nothing rounded.
  private func logits(_ path: String) throws -> [[Float]] {
    let model = try LanguageModel(path: path)
    let session = InferenceSession(
      model, contextCount: 128, pool: WorkerPool(threadCount: 1), cacheType: .float32)
    let tokens = (0..<100).map { 3 + ($0 * $0 + 7 * $0) % 60 }
    let logits = try session.run(tokens, outputs: .rows(0..<tokens.count))
    return tokens.indices.map { logits.withRow($0) { Array($0) } }
  }

  private func difference(_ first: [[Float]], _ second: [[Float]]) -> Float {
    zip(first, second).map { first, second in
      let scale = first.map(abs).max() ?? 1
      return zip(first, second).map { abs($0 - $1) / scale }.max() ?? 0
    }.max() ?? .infinity
  }

  /// ‖a - b‖ / ‖a‖ over all logits.
  private func relativeError(_ first: [[Float]], _ second: [[Float]]) -> Float {
    let pairs = zip(first.joined(), second.joined())
    let error = pairs.reduce(Float(0)) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    return (error / first.joined().reduce(Float(0)) { $0 + $1 * $1 }).squareRoot()
  }

  @Test("To GGUF in F32 and back: the same numbers, the same logits", arguments: names)
  func roundTrip(_ name: String) throws {
    let source = Fixtures.path("models/\(name)")
    let expected = try logits(source)
    var toGGUF = ConvertJob(source: source, output: folder.path("\(name).gguf"), format: .gguf)
    toGGUF.floatType = .f32
    #expect(try toGGUF.run(JobEnvironment(threadCount: 2)).isVerified == true)
    // Queries and keys turn in other pairs, which changes the order of a sum.
    #expect(difference(expected, try logits(toGGUF.output)) < 1e-5)

    var back = ConvertJob(
      source: toGGUF.output, output: folder.path("back"), format: .safetensors)
    back.floatType = .bf16
    #expect(try back.run(JobEnvironment(threadCount: 2)).isVerified == true)
    #expect(difference(expected, try logits(back.output)) < 1e-5)

    let configs = try [source, back.output].map { try ModelSource.open($0).requireConfig() }
    #expect(configs[0] == configs[1])
    let report = try VerifyJob(model: back.output, reference: source).run(
      JobEnvironment(threadCount: 2))
    #expect(report.failures.isEmpty, "\(report.failures)")
  }

  @Test("Quantized by row and reopened: close to the original", arguments: names)
  func quantize(_ name: String) throws {
    let source = Fixtures.path("models/\(name)")
    var job = QuantizeJob(
      source: source, output: folder.path("q"),
      selection: TypeSelection(scheme: try #require(Scheme(name: "int8-row"))))
    job.selection.isPure = true
    let report = try job.run(JobEnvironment(threadCount: 2))
    #expect(report.isVerified == true)
    #expect(report.tensors.contains { $0.type.hasPrefix("int8-row") })
    let change = relativeError(try logits(source), try logits(job.output))
    #expect(change > 1e-5 && change < 0.1, "\(change)")
  }

  @Test("A mix of GGUF types keeps routers and positions in F32")
  func keepsSmallTensors() throws {
    for (name, kept) in [
      ("mixtral", "blk.0.ffn_gate_inp.weight"), ("gpt2", "position_embd.weight"),
    ] {
      let job = QuantizeJob(
        source: Fixtures.path("models/\(name)"), output: folder.path("\(name).gguf"),
        selection: TypeSelection(mix: .q8_0))
      #expect(try job.run(JobEnvironment(threadCount: 2)).isVerified == true)
      let checkpoint = try Checkpoint.open(job.output)
      #expect(checkpoint[kept]?.type == .plain(.float32))
    }
    let mixtral = try Checkpoint.open(folder.path("mixtral.gguf"))
    #expect(mixtral["blk.0.ffn_up_exps.weight"]?.type == .blocks(.q8_0))
    #expect(mixtral["blk.0.ffn_up_exps.weight"]?.shape == [4, 16, 32])
  }
}
