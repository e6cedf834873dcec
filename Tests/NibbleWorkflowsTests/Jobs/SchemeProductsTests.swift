import Foundation
import Nibble
import TestSupport
import Testing

/// Models in schemes, run with integer products and in float.
@Suite("Products of models in schemes")
struct SchemeProductsTests {
  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    var model = TinyModel()
    model.hiddenCount = 64
    model.feedForwardCount = 128
    try model.write(to: folder.path("model"))
  }

  private func logits(_ model: LanguageModel, threadCount: Int = 2) throws -> [Float] {
    let session = InferenceSession(
      model, contextCount: 16, pool: WorkerPool(threadCount: threadCount))
    return try session.run([1, 2, 3, 50, 51, 52, 100, 101]).withRow(0) { Array($0) }
  }

  private func distance(_ x: [Float], _ y: [Float]) -> Double {
    let error = zip(x, y).reduce(0.0) { $0 + pow(Double($1.0 - $1.1), 2) }
    let size = y.reduce(0.0) { $0 + pow(Double($1), 2) }
    return (error / size).squareRoot()
  }

  @Test(
    "Integer products give the logits of the values, but for the activations' rounding",
    arguments: [
      ("int4-g32-sym", OutputFormat.nibble), ("int4-g64-asym", .gptqV2), ("int4-g32-min", .mlx),
      ("int8-row-sym-f32", .bitsandbytes), ("nf4-g64-dq", .bitsandbytes), ("mxfp4", .nibble),
    ])
  func nearTheValues(scheme: String, format: OutputFormat) throws {
    var job = QuantizeJob(
      source: folder.path("model"), output: folder.path("out"),
      selection: TypeSelection(scheme: try #require(Scheme(name: scheme))))
    job.format = format
    _ = try job.run(JobEnvironment(threadCount: 2))
    let path = folder.path("out")
    let integer = try LanguageModel(path: path)
    let float = try LanguageModel(path: path, products: .float)
    #expect(integer.arrangedByteCount > 0 && float.arrangedByteCount == 0)
    let (rounded, exact) = (try logits(integer), try logits(float))
    let difference = distance(rounded, exact)
    #expect(difference > 0 && difference < 0.03, "\(difference)")
    // The same bits however many threads prepare and run the model.
    let alone = try LanguageModel(path: path, pool: WorkerPool(threadCount: 1))
    #expect(try logits(alone, threadCount: 1) == rounded)
  }

  @Test("Models of plain floats and of blocks are not copied")
  func plain() throws {
    #expect(try LanguageModel(path: folder.path("model")).arrangedByteCount == 0)
    let job = QuantizeJob(
      source: folder.path("model"), output: folder.path("out.gguf"),
      selection: TypeSelection(mix: .q8_0))
    _ = try job.run()
    #expect(try LanguageModel(path: folder.path("out.gguf")).arrangedByteCount == 0)
  }
}
