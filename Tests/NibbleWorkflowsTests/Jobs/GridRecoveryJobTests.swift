import Foundation
import Nibble
import TestSupport
import Testing

/// Models that were decoded to floats, quantized and converted again without loss.
@Suite("Jobs that recover grids")
struct GridRecoveryJobTests {
  let folder: TemporaryFolder
  private let matrixCount = 14

  init() throws {
    folder = try TemporaryFolder()
    try TinyModel().write(to: folder.path("model"))
  }

  @discardableResult
  private func quantize(
    _ source: String, _ output: String, _ scheme: String, recovering: Bool, threadCount: Int = 2
  ) throws -> TransferReport {
    var job = QuantizeJob(
      source: folder.path(source), output: folder.path(output),
      selection: TypeSelection(scheme: try #require(Scheme(name: scheme))))
    job.recoversGrids = recovering
    let report = try job.run(JobEnvironment(threadCount: threadCount))
    #expect(report.isVerified == true && report.failures == [])
    return report
  }

  private func decode(_ source: String, _ output: String, _ type: GGMLType) throws {
    var job = ConvertJob(
      source: folder.path(source), output: folder.path(output), format: .safetensors)
    job.floatType = type
    #expect(try job.run(JobEnvironment(threadCount: 2)).isVerified == true)
  }

  /// The values of a model's quantized matrices.
  private func values(_ name: String) throws -> [String: [Float]] {
    var values: [String: [Float]] = [:]
    for record in try Checkpoint.open(folder.path(name)).tensors where record.type.isQuantized {
      values[record.name] = try record.quantizedTensor().dequantized()
    }
    return values
  }

  private func recoveredCount(_ tensors: [TensorReport]) -> Int {
    tensors.filter { $0.reason?.hasPrefix("recovered exactly") ?? false }.count
  }

  @Test(
    "Quantized, decoded and quantized again: the same values",
    arguments: ["int4-g64-asym", "int8-row-sym", "nf4-g64", "mxfp4", "q4_k"])
  func quantizing(scheme: String) throws {
    try quantize("model", "first", scheme, recovering: false)
    try decode("first", "floats", .f32)
    let report = try quantize("floats", "second", scheme, recovering: true)
    #expect(recoveredCount(report.tensors) == matrixCount)
    #expect(report.notes.contains { $0.hasPrefix("\(matrixCount) of \(matrixCount) matrices") })
    #expect(report.tensors.allSatisfy { $0.relativeError ?? 0 == 0 })
    #expect(try values("second") == values("first"))
    // Numbers of 16 bits, and other threads.
    try decode("first", "short", .bf16)
    let one = try quantize("short", "third", scheme, recovering: true, threadCount: 1)
    #expect(recoveredCount(one.tensors) == matrixCount)
    let third = try values("third")
    for (name, first) in try values("first") {
      let found = try #require(third[name])
      #expect(
        found.map { BFloat16.bits($0 == 0 ? 0 : $0) }
          == first.map { BFloat16.bits($0 == 0 ? 0 : $0) },
        "\(name)")
    }
  }

  @Test("Plain weights are quantized as ever, and the report says that they lie on no grid")
  func plainWeights() throws {
    let report = try quantize("model", "out", "int4-g64-sym", recovering: true)
    try quantize("model", "plain", "int4-g64-sym", recovering: false)
    #expect(recoveredCount(report.tensors) == 0)
    let reasons = report.tensors.compactMap(\.reason).filter { $0.hasPrefix("no grid: 0 of ") }
    #expect(reasons.count == matrixCount)
    #expect(try values("out") == values("plain"))
  }

  @Test("A conversion finds the scheme by itself, and plans it")
  func converting() throws {
    try quantize("model", "first", "int4-g64-asym", recovering: false)
    try decode("first", "floats", .f32)
    var job = ConvertJob(
      source: folder.path("floats"), output: folder.path("second"), format: .nibble)
    job.recoversGrids = true
    let plan = try job.plan(JobEnvironment(threadCount: 2))
    #expect(recoveredCount(plan) == matrixCount)
    #expect(!FileManager.default.fileExists(atPath: folder.path("second")))
    let report = try job.run(JobEnvironment(threadCount: 2))
    #expect(report.isVerified == true && report.failures == [])
    #expect(report.tensors.filter { $0.type == "int4-g64-asym" }.count == matrixCount)
    #expect(try values("second") == values("first"))
    // Types that are named and do not fit leave the floats alone.
    job.output = folder.path("third")
    job.grids = [try #require(Scheme(name: "int3-g64-sym"))]
    #expect(recoveredCount(try job.run(JobEnvironment(threadCount: 2)).tensors) == 0)
    #expect(try values("third").isEmpty)
  }

  @Test("GGUF types and other tools' folders", arguments: [OutputFormat.gguf, .gptq, .mlx])
  func formats(format: OutputFormat) throws {
    try quantize("model", "first", "q4_0", recovering: false)
    try decode("first", "floats", .f16)
    let output = format == .gguf ? "second.gguf" : "second"
    var job = ConvertJob(
      source: folder.path("floats"), output: folder.path(output), format: format)
    job.recoversGrids = true
    let report = try job.run(JobEnvironment(threadCount: 2))
    #expect(report.isVerified == true && report.failures == [])
    #expect(recoveredCount(report.tensors) == matrixCount)
    #expect(report.tensors.allSatisfy { $0.relativeError ?? 0 < 1e-6 })
  }

  @Test("A plain folder and transforms are refused")
  func refusals() throws {
    var convert = ConvertJob(
      source: folder.path("model"), output: folder.path("out"), format: .safetensors)
    convert.recoversGrids = true
    #expect(throws: RecipeError.self) { try convert.run() }
    var quantize = QuantizeJob(
      source: folder.path("model"), output: folder.path("out"),
      selection: TypeSelection(scheme: try #require(Scheme(name: "int4-g64-sym"))))
    quantize.recoversGrids = true
    quantize.transforms = [.awq]
    #expect(throws: (any Error).self) { try quantize.run() }
    #expect(!FileManager.default.fileExists(atPath: folder.path("out")))
  }
}
