import Foundation
import Nibble
import NibbleModels
import TestSupport
import Testing

/// Scaling every declared group must leave the logits as they are, in every family.
@Suite("Scaling groups")
struct ScalingGroupTests {
  @Test(
    "Dividing producers and multiplying consumers changes no logits",
    arguments: [
      "llama-odd-heads", "qwen2-tied", "qwen3", "qwen3-moe-dense-layer", "mixtral", "gemma2",
      "gemma3", "phi3-partial", "gpt2",
    ])
  func areFunctionPreserving(_ name: String) throws {
    let folder = try TemporaryFolder()
    var job = ConvertJob(
      source: Fixtures.path("models/\(name)"), output: folder.path("plain.gguf"), format: .gguf)
    job.floatType = .f32
    _ = try job.run(JobEnvironment(threadCount: 1))
    let source = try ModelSource.open(job.output)
    var weights = Weights(source)
    var random = RandomSource(seed: 11)
    let blockCount = try source.requireConfig().blockCount
    var groupCount = 0
    for block in 0..<blockCount {
      for group in try source.scalingGroups(ofBlock: block) {
        let factors = (0..<(group.producerRows.max() ?? 0) + 1).map { _ in
          0.5 + 1.5 * Float(random.next() >> 40) / Float(1 << 24)
        }
        weights.scale(group, by: factors)
        groupCount += 1
      }
    }
    #expect(groupCount >= 3 * blockCount, "\(groupCount)")
    try weights.write(source, to: folder.path("scaled.gguf"))

    let tokens = (0..<60).map { 3 + ($0 * $0 + 7 * $0) % 60 }
    let results = try [job.output, folder.path("scaled.gguf")].map { path in
      let session = InferenceSession(
        try LanguageModel(path: path), contextCount: 64, pool: WorkerPool(threadCount: 1),
        cacheType: .float32)
      return try session.run(tokens).withRow(0) { Array($0) }
    }
    let scale = results[0].map(abs).max() ?? 1
    for (plain, scaled) in zip(results[0], results[1]) {
      #expect(abs(plain - scaled) < 1e-4 * scale)
    }
    #expect(results[0] != results[1])
  }
}

/// The tensors of a GGUF file of F32 numbers, to be changed.
private struct Weights {
  private var values: [String: [Float]] = [:]
  private var names: [TensorID: String] = [:]
  private var shapes: [String: [Int]] = [:]

  init(_ source: ModelSource) {
    for record in source.checkpoint.tensors {
      shapes[record.name] = record.shape
      values[record.name] = record.bytes.withUnsafeBytes { bytes in
        (0..<bytes.count / 4).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
      }
    }
    for tensor in source.mapped(to: .gguf) { names[tensor.id] = tensor.name }
  }

  mutating func scale(_ group: BlockScalingGroup, by factors: [Float]) {
    for row in Set(group.producerRows) {
      for part in [TensorID.Part.weight, .bias] {
        var id = group.producer
        id.part = part
        change(id, rows: row..<row + 1) { _, value in value / factors[row] }
      }
    }
    for id in group.consumers {
      change(id, rows: nil) { column, value in value * factors[group.producerRows[column]] }
    }
  }

  /// Changes rows of a tensor; all where `rows` is nil.
  private mutating func change(
    _ id: TensorID, rows: Range<Int>?, _ body: (_ column: Int, _ value: Float) -> Float
  ) {
    guard let name = names[id] ?? names[id.ofAllExperts], var all = values[name] else { return }
    let shape = shapes[name] ?? []
    let width = id.part == .bias || shape.count < 2 ? 1 : shape[shape.count - 1]
    let rowCount = shape.count < 2 ? shape[0] : shape[shape.count - 2]
    let first = shape.count > 2 ? (id.expert ?? 0) * rowCount : 0
    for row in rows ?? 0..<rowCount {
      for column in 0..<width {
        let index = (first + row) * width + column
        all[index] = body(column, all[index])
      }
    }
    values[name] = all
  }

  func write(_ source: ModelSource, to path: String) throws {
    let plans = source.checkpoint.tensors.map {
      TensorPlan(name: $0.name, shape: $0.shape, type: $0.type)
    }
    let writer = try GGUFWriter(
      path: path, metadata: source.checkpoint.metadata, plans: plans)
    for (index, plan) in plans.enumerated() {
      let bytes = (values[plan.name] ?? []).withUnsafeBytes { Array($0) }
      try Storage(copying: bytes).view.withUnsafeBytes { (bytes) throws(CheckpointError) in
        try writer.write(bytes, tensor: index, at: 0)
      }
    }
    try writer.finish()
  }
}
