import Foundation
import Nibble
import TestSupport
import Testing

/// Every format to every format, as Docs/Conversions.md tells: each cell is converted, reopened and compared.
///
/// `scripts/conversion-matrix` writes the table anew.
@Suite("Conversion matrix")
struct ConversionMatrixTests {
  private struct Source {
    var scheme: String
    var format: OutputFormat
  }

  private static let sources: [Source] = [
    Source(scheme: "int4-g32-sym", format: .gptq),
    Source(scheme: "int4-g128-asym", format: .gptqV2),
    Source(scheme: "int8-row-sym", format: .gptq), Source(scheme: "int4-g64-asym", format: .awq),
    Source(scheme: "nf4-g64", format: .bitsandbytes),
    Source(scheme: "nf4-g64-dq", format: .bitsandbytes),
    Source(scheme: "int8-row-sym-f32", format: .bitsandbytes),
    Source(scheme: "int4-g128-sym-bf16", format: .compressedTensors),
    Source(scheme: "int8-row-sym-bf16", format: .compressedTensors),
    Source(scheme: "int4-g64-min-bf16", format: .mlx), Source(scheme: "int3-g32-min", format: .mlx),
    Source(scheme: "kmeans3-row", format: .nibble), Source(scheme: "q4_0", format: .gguf),
    Source(scheme: "q4_1", format: .gguf), Source(scheme: "q8_0", format: .gguf),
    Source(scheme: "iq4_nl", format: .gguf), Source(scheme: "q4_k", format: .gguf),
  ]
  private static let targets: [OutputFormat] = [
    .gguf, .gptq, .gptqV2, .awq, .bitsandbytes, .compressedTensors, .mlx, .nibble,
  ]
  private static let document = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../../Docs/Conversions.md").standardizedFileURL

  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    var model = TinyModel()
    model.blockCount = 1
    model.hiddenCount = 256
    model.feedForwardCount = 256
    try model.write(to: folder.path("model"))
  }

  private func write(_ source: Source) throws -> String {
    let name = folder.path("\(source.scheme)" + (source.format == .gguf ? ".gguf" : "-folder"))
    var job = QuantizeJob(
      source: folder.path("model"), output: name,
      selection: TypeSelection(scheme: try #require(Scheme(name: source.scheme))))
    job.format = source.format
    job.replacesAnyFile = true
    #expect(try job.run(JobEnvironment(threadCount: 2)).isVerified == true)
    return name
  }

  /// The cell's text; converts to find out that it is true.
  private func cell(_ path: String, _ target: OutputFormat) throws -> String {
    let output = folder.path(target == .gguf ? "out.gguf" : "out")
    try? FileManager.default.removeItem(atPath: output)
    var job = ConvertJob(source: path, output: output, format: target)
    job.replacesOutput = true
    func row(_ reports: [TensorReport]) throws -> TensorReport {
      try #require(
        reports.first { $0.name.contains("up_proj.weight") || $0.name.contains("ffn_up.weight") })
    }
    let planned: TensorReport
    do {
      planned = try row(try job.plan())
    } catch is CheckpointError {
      #expect(throws: CheckpointError.self) { try job.run() }
      #expect(!FileManager.default.fileExists(atPath: output))
      job.allowsRequantizing = true
      guard let report = try? job.run() else { return "refused" }
      let made = try row(report.tensors)
      #expect(report.isVerified == true && made.relativeError ?? 1 < 0.05)
      return "requantize: \(made.type)"
    }
    let report = try job.run(JobEnvironment(threadCount: 2))
    #expect(report.isVerified == true, "\(path) to \(target): \(report.failures.prefix(2))")
    let made = try row(report.tensors)
    #expect(made.type == planned.type && made.reason == planned.reason)
    let reason = planned.reason ?? "exact"
    guard reason.hasPrefix("near") else {
      #expect(made.relativeError == 0, "\(path) to \(target)")
      return "exact: \(made.type)"
    }
    #expect(made.relativeError ?? 1 < 1e-5, "\(path) to \(target)")
    let figure = reason.split(separator: " ").first { $0.contains("e-") } ?? ""
    return "near \(figure): \(made.type)"
  }

  @Test("Each cell of the table in Docs is what converting gives")
  func matrix() throws {
    var lines = [
      "| from | " + Self.targets.map { "`\($0.rawValue)`" }.joined(separator: " | ") + " |",
      "| --- |" + String(repeating: " --- |", count: Self.targets.count),
    ]
    for source in Self.sources {
      let path = try write(source)
      let cells = try Self.targets.map { try cell(path, $0) }
      lines.append(
        "| `\(source.format.rawValue)` \(source.scheme) | " + cells.joined(separator: " | ") + " |")
    }
    let table = lines.joined(separator: "\n") + "\n"
    let text = try String(contentsOf: Self.document, encoding: .utf8)
    let start = try #require(text.range(of: "| from |"))
    if ProcessInfo.processInfo.environment["NIBBLE_CONVERSION_MATRIX"] == "write" {
      try (text[..<start.lowerBound] + table).write(
        to: Self.document, atomically: true, encoding: .utf8)
    } else {
      #expect(text[start.lowerBound...] == table[...])
    }
  }
}
